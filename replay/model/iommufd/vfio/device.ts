import type { Context } from '../context.ts';
import { Device, NO_PASID } from '../device.ts';
import { ERRNO } from '../errno.ts';
import { openIommufd } from '../iommufd-file.ts';
import type { Machine } from '../machine.ts';
import type { IommufdFile, OpenFile, Process } from '../process.ts';
import { StructView } from '../struct-view.ts';
import { Unjudged } from '../unjudged.ts';
import { answerKey, recordedTraits } from './hardware.ts';
import { VFIO } from './requests.ts';
import { readArgsz, writeWord } from './user-struct.ts';
import { deviceFeature } from './device-feature.ts';
import { DeviceNode } from './device-node.ts';
import { unnumberedFd } from './vfio-file.ts';
import type { VfioCall, VfioFile } from './vfio-file.ts';

/** struct vfio_device_bind_iommufd: up to out_devid, and whole. */
const BIND_MINIMUM = 16;
const BIND_BYTES = 24;
/** Bit 0 of the flags: BIND has a token, ATTACH and DETACH have a PASID. */
const EXTENDED = 1;
/** Where the command register is in the device's file (config space is region 7), and its bit for memory. */
const COMMAND = 7 * 2 ** 40 + 4;
const MEMORY_ENABLE = 2;

/** A device's fd: /dev/vfio/devices/vfioN, or what a group gave. Most of what it answers only the device knows. */
export class VfioDevice implements VfioFile {
  readonly kind = 'vfioDevice';
  refs = 0;
  readonly #node: DeviceNode;
  /** Opened through a group: it is not bound by a call. Called when it is closed. */
  #byGroup: (() => void) | undefined = undefined;
  /** Bound, or opened by its group. */
  #open = false;
  #file: IommufdFile | undefined = undefined;

  constructor(node = new DeviceNode()) {
    this.#node = node;
  }

  /** Bound, or opened by its group: nothing but BIND works before. */
  get isOpen(): boolean {
    return this.#open;
  }

  get #device(): Device | undefined {
    return this.#open ? this.#node.device : undefined;
  }

  /** Through a group, the first time: bound and attached to the compat IOAS where the container is an iommufd. */
  openByGroup(context: Context | undefined, machine: Machine, closed: () => void): number {
    this.#byGroup = closed;
    this.#open = true;
    this.#node.opens++;
    if (context === undefined || this.#node.opens > 1) return 0;
    const device = this.#bindTo(context, machine);
    const ioas = context.compatIoas;
    const ret = ioas === undefined ? -ERRNO.ENODEV : device.change(NO_PASID, ioas.id, 'attach');
    if (ret < 0) this.#close();
    return ret;
  }

  ioctl(call: VfioCall): number {
    if (call.request === VFIO.bindIommufd) return this.#bind(call);
    if (!this.#open) return -ERRNO.EINVAL;
    switch (call.request) {
      case VFIO.attachIommufdPt:
        return this.#attach(call);
      case VFIO.detachIommufdPt:
        return this.#detach(call);
      case VFIO.deviceFeature:
        return deviceFeature(call, this.#node);
      case VFIO.deviceReset:
      case VFIO.devicePciHotReset:
        throw new Unjudged('only the device can answer', () => this.#node.reset());
      default:
        return recordedAnswer(call);
    }
  }

  /** A write to the device's file: where it turns the memory of the device off or on, dma-bufs of it go. */
  written(offset: number, bytes: Uint8Array): void {
    const at = COMMAND - offset;
    const command = at >= 0 && at < bytes.length ? bytes[at] : undefined;
    if (command === undefined) return;
    for (const buffer of this.#node.buffers) buffer.move((command & MEMORY_ENABLE) === 0);
  }

  release(): void {
    this.#close();
    this.#byGroup?.();
  }

  /** {0 argsz, 4 flags, 8 iommufd, 12 out_devid, 16 token_uuid_ptr}. */
  #bind({ machine, process, argument }: VfioCall): number {
    const bind = readExtensible(process, argument, BIND_MINIMUM, BIND_BYTES);
    if (typeof bind === 'number') return bind;
    if ((bind.u32(4) & ~EXTENDED) !== 0 || bind.i32(8) < 0) return -ERRNO.EINVAL;
    if (this.#byGroup !== undefined) return -ERRNO.EINVAL;
    const token = (bind.u32(4) & EXTENDED) !== 0;
    const finish = (): number => {
      if (this.#open) return -ERRNO.EINVAL;
      const file = iommufdOf(machine, process, bind.i32(8));
      if (file === undefined) return -ERRNO.EBADF;
      if (file.kind !== 'iommufd') return -ERRNO.EBADFD;
      // Only a group can open its device more than once (vfio_df_open).
      if (this.#node.opens > 0) return -ERRNO.EINVAL;
      // Firmware's 1:1 mappings forbid the blocked domain, through which every takeover goes (drivers/iommu/iommu.c).
      if (machine.deviceTraits?.oneToOne === true) return -ERRNO.EINVAL;
      this.#open = true;
      this.#node.opens++;
      const device = this.#bindTo((file as IommufdFile).context, machine);
      this.#file = file as IommufdFile;
      file.refs++;
      if (writeWord(process, argument + 12n, device.id)) return 0;
      this.#close();
      return -ERRNO.EFAULT;
    };
    // A device whose group is open can't be bound. Which group a node belongs to, only earlier tries tell.
    const { group, foreignGroups } = this.#node;
    if (group !== undefined && machine.openGroups.has(group)) return -ERRNO.EBUSY;
    const open = group === undefined ? [...machine.openGroups.keys()] : [];
    const groups = open.filter((path) => !foreignGroups.has(path));
    const bound = (): void => {
      for (const path of groups) this.#node.foreignGroups.add(path);
      finish();
    };
    const refused = (errno: number): void => {
      if (errno === ERRNO.EBUSY && groups.length === 1) this.#node.group = groups[0];
    };
    if (groups.length > 0) throw new Unjudged('which group the device belongs to is not known', bound, refused);
    if (token && !this.#open) throw new Unjudged('only the device knows its token', bound);
    return finish();
  }

  /** {0 argsz, 4 flags, 8 pt_id, 12 pasid}: attaches, or replaces what is attached. */
  #attach({ machine, process, argument }: VfioCall): number {
    const attach = readExtensible(process, argument, 12, 16);
    if (typeof attach === 'number') return attach;
    const pasid = pasidOf(attach, 16, 12);
    if (pasid < 0) return pasid;
    const device = this.#device;
    if (device === undefined) return -ERRNO.ENOTTY;
    if (pasid !== NO_PASID && device.traits.pasidBits === 0) {
      const known = machine.deviceTraits !== undefined || machine.hardware.pasidBits !== undefined;
      if (!known) throw new Unjudged('whether the device has PASIDs is not known');
      return -ERRNO.EOPNOTSUPP;
    }
    const how = device.attached(pasid) === undefined ? 'attach' : 'replace';
    const hwpt = device.change(pasid, attach.u32(8), how);
    if (hwpt < 0) return hwpt;
    if (writeWord(process, argument + 8n, hwpt)) return 0;
    device.detach(pasid);
    return -ERRNO.EFAULT;
  }

  /** {0 argsz, 4 flags, 8 pasid}: also where nothing is attached. */
  #detach({ process, argument }: VfioCall): number {
    const detach = readExtensible(process, argument, 8, 12);
    if (typeof detach === 'number') return detach;
    const pasid = pasidOf(detach, 12, 8);
    if (pasid < 0) return pasid;
    return this.#device?.detach(pasid) ?? -ERRNO.ENOTTY;
  }

  #bindTo(context: Context, machine: Machine): Device {
    const device = context.objects.add(new Device(context, machine.deviceTraits ?? recordedTraits(machine.hardware)));
    this.#node.device = device;
    return device;
  }

  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#node.opens--;
    if (this.#node.opens === 0) {
      this.#node.closed();
      this.#node.device?.unbind();
      this.#node.device = undefined;
    }
    const file = this.#file;
    this.#file = undefined;
    if (file === undefined) return;
    file.refs--;
    if (file.refs === 0) file.release();
  }
}

/** GET_INFO, GET_REGION_INFO and GET_IRQ_INFO give the same each time; nothing but the device knows the rest. */
function recordedAnswer({ machine, process, request, argument }: VfioCall): number {
  const head = process.memory.read(argument, 4);
  const question = head === undefined ? undefined : process.memory.read(argument, new StructView(head).u32(0));
  const answer = question === undefined ? undefined : machine.hardware.answers.get(answerKey(request, question));
  if (answer === undefined) throw new Unjudged('only the device can answer');
  if (answer.ret < 0) return answer.ret;
  return process.memory.write(argument, answer.after) ? answer.ret : -ERRNO.EFAULT;
}

/** The PASID at `offset` where the flags say so, which takes `bytes`; 0 for the RID; a negative errno for other flags. */
function pasidOf(view: StructView, bytes: number, offset: number): number {
  const flags = view.u32(4);
  if ((flags & ~EXTENDED) !== 0) return -ERRNO.EINVAL;
  if ((flags & EXTENDED) === 0) return NO_PASID;
  return view.u32(0) < bytes ? -ERRNO.EINVAL : view.u32(offset);
}

/** A struct that grew: `minimum` bytes at least, at most `size` of use; a longer one must end in zeros (E2BIG). */
function readExtensible(process: Process, argument: bigint, minimum: number, size: number): StructView | number {
  const head = readArgsz(process, argument, minimum);
  if (typeof head === 'number') return head;
  const given = head.u32(0);
  if (given > size) {
    const tail = process.memory.zeroTail(argument + BigInt(size), given - size);
    if (tail !== 0) return tail;
  }
  const bytes = process.memory.read(argument, Math.min(given, size));
  if (bytes === undefined) return -ERRNO.EFAULT;
  const whole = new Uint8Array(size);
  whole.set(bytes);
  return new StructView(whole);
}

/** The file behind a number; of a source that has no numbers, the one iommufd that there is, or a new one. */
function iommufdOf(machine: Machine, process: Process, fd: number): OpenFile | undefined {
  const file = process.fds.get(fd) ?? process.fds.get(unnumberedFd('iommufd'));
  if (file !== undefined || process.fdsKnown) return file;
  const opened = openIommufd(machine);
  process.installAt(unnumberedFd('iommufd'), opened);
  return opened;
}

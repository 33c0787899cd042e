import { ERRNO } from '../errno.ts';
import { Ioas } from '../ioas.ts';
import type { Machine } from '../machine.ts';
import type { IommufdFile, OpenFile, Process } from '../process.ts';
import { Unjudged } from '../unjudged.ts';
import { VfioContainer } from './container.ts';
import { VfioDevice } from './device.ts';
import { DeviceNode } from './device-node.ts';
import { VFIO } from './requests.ts';
import { readArgsz } from './user-struct.ts';
import { unnumberedFd } from './vfio-file.ts';
import type { VfioCall, VfioFile } from './vfio-file.ts';

const MAX_NAME = 256;
const SPACE = 0x20;
const GROUP_FLAG = { viable: 1, containerSet: 2 } as const;

/** /dev/vfio/N: the devices of an IOMMU group (drivers/vfio/group.c). */
export class VfioGroup implements VfioFile {
  readonly kind = 'vfioGroup';
  refs = 0;
  /** The container that it is in: native, or an iommufd. */
  #container: VfioContainer | IommufdFile | undefined = undefined;
  #openDevices = 0;
  /** By the name that they are asked for. */
  readonly #devices = new Map<string, DeviceNode>();
  readonly #machine: Machine | undefined;
  readonly #path: string;

  constructor(machine?: Machine, path = '') {
    this.#machine = machine;
    this.#path = path;
    machine?.openGroups.set(path, (machine.openGroups.get(path) ?? 0) + 1);
  }

  ioctl(call: VfioCall): number {
    switch (call.request) {
      case VFIO.groupGetStatus:
        return this.#status(call);
      case VFIO.groupSetContainer:
        return this.#setContainer(call);
      case VFIO.groupUnsetContainer:
        return this.#unsetContainer(call);
      case VFIO.groupGetDeviceFd:
        return this.#deviceFd(call);
      default:
        return -ERRNO.ENOTTY;
    }
  }

  release(): void {
    const groups = this.#machine?.openGroups;
    const left = (groups?.get(this.#path) ?? 1) - 1;
    if (left > 0) groups?.set(this.#path, left);
    else groups?.delete(this.#path);
    this.#leave();
  }

  #status({ process, argument }: VfioCall): number {
    const status = readArgsz(process, argument, 8);
    if (typeof status === 'number') return status;
    status.setU32(4, GROUP_FLAG.viable | (this.#container === undefined ? 0 : GROUP_FLAG.containerSet));
    return process.memory.write(argument, status.bytes) ? 0 : -ERRNO.EFAULT;
  }

  #setContainer({ machine, process, argument }: VfioCall): number {
    const bytes = process.memory.read(argument, 4);
    if (bytes === undefined) return -ERRNO.EFAULT;
    const fd = new DataView(bytes.buffer, bytes.byteOffset, 4).getInt32(0, true);
    if (fd < 0) return -ERRNO.EINVAL;
    const file = containerOf(process, fd);
    if (file === undefined) return -ERRNO.EBADF;
    if (this.#container !== undefined) return -ERRNO.EINVAL;
    if (file instanceof VfioContainer) {
      // The group is taken over here; with an iommufd, its devices when they are opened.
      if (machine.deviceTraits?.oneToOne === true) return -ERRNO.EINVAL;
      const ret = file.addGroup();
      if (ret !== 0) return ret;
    } else if (file.kind === 'iommufd') {
      const { context } = file as IommufdFile;
      context.compatIoas ??= context.objects.add(new Ioas(context));
    } else {
      return -ERRNO.EINVAL;
    }
    this.#container = file as VfioContainer | IommufdFile;
    this.#container.refs++;
    return 0;
  }

  #unsetContainer({ process }: VfioCall): number {
    if (this.#container === undefined) return -ERRNO.EINVAL;
    if (this.#openDevices > 0 && !process.fdsKnown) {
      throw new Unjudged('file descriptors of the process are not known', () => this.#leave());
    }
    if (this.#openDevices > 0) return -ERRNO.EBUSY;
    this.#leave();
    return 0;
  }

  #deviceFd({ machine, process, argument }: VfioCall): number {
    if (this.#container === undefined) return -ERRNO.EINVAL;
    const device = new VfioDevice(this.#node(nameAt(process, argument)));
    const context = this.#container instanceof VfioContainer ? undefined : this.#container.context;
    const ret = device.openByGroup(context, machine, () => {
      this.#openDevices--;
    });
    if (ret < 0) return ret;
    this.#openDevices++;
    if (!process.fdsKnown) process.installAt(unnumberedFd(device.kind), device);
    return process.install(device);
  }

  /** The device of a name; where the name was not recorded, one of its own. */
  #node(name: string | undefined): DeviceNode {
    const node = this.#devices.get(name ?? '') ?? new DeviceNode();
    if (name !== undefined) this.#devices.set(name, node);
    return node;
  }

  #leave(): void {
    const container = this.#container;
    if (container === undefined) return;
    this.#container = undefined;
    if (container instanceof VfioContainer) container.removeGroup();
    container.refs--;
    if (container.refs === 0) container.release();
  }
}

/** `0000:01:00.0`, up to a space: tokens may follow. Undefined where it was not recorded. */
function nameAt({ memory }: Process, argument: bigint): string | undefined {
  let name = '';
  for (let at = Number(argument); name.length < MAX_NAME; at++) {
    const byte = memory.peek(at, 1)?.[0];
    if (byte === undefined) return undefined;
    if (byte === 0 || byte === SPACE) return name;
    name += String.fromCharCode(byte);
  }
  return name;
}

/** The file behind a number; of a source that has no numbers, the one container that there is. */
function containerOf(process: Process, fd: number): OpenFile | undefined {
  const file = process.fds.get(fd);
  if (file !== undefined || process.fdsKnown) return file;
  const files = [...process.fds.values()].filter(({ kind }) => kind === 'vfioContainer' || kind === 'iommufd');
  return files.length === 1 ? files[0] : undefined;
}

import type { Context } from './context.ts';
import type { Device } from './device.ts';
import { ERRNO } from './errno.ts';
import { eventFile } from './event-file.ts';
import type { HwptNested, HwptPaging } from './hwpt.ts';
import type { IoctlCall, IoctlSpec } from './ioctl.ts';
import { LowestFree } from './lowest-free.ts';
import type { FaultQueueObject } from './parts.ts';
import type { OpenFile } from './process.ts';
import { StructView } from './struct-view.ts';

/** struct iommu_hwpt_pgfault and struct iommu_hwpt_page_response. */
const RECORD_BYTES = 40;
const RESPONSE_BYTES = 8;
/** iommufd_page_response_code: 0 success, 1 invalid. */
const LAST_CODE = 1;

/** One page request (struct iommu_fault_page_request). */
export interface PageRequest {
  /** Bit 0: PASID valid; bit 1: last page of its group. */
  readonly flags: number;
  readonly pasid: number;
  readonly grpid: number;
  /** 1 read, 2 write, 4 execute, 8 privileged. */
  readonly perm: number;
  readonly addr: bigint;
}

/** The requests that one response answers, with the attachment by which they came. */
interface FaultGroup {
  readonly device: Device;
  readonly hwpt: HwptPaging | HwptNested;
  readonly pasid: number;
  readonly requests: readonly PageRequest[];
}

/** Groups of page requests on their way to user space and back (drivers/iommu/iommufd/eventq.c, iommufd_fault). */
export class FaultQueue implements FaultQueueObject {
  readonly type = 'fault';
  id = 0;
  users = 1;
  readonly #context: Context;
  #waiting: FaultGroup[] = [];
  readonly #delivered = new Map<number, FaultGroup>();
  readonly #cookies = new LowestFree(1);
  /** Quirk rejected-cookie-zero: cookie 0 is handed out too, for the rest of the queue's life. */
  #zeroLoose = false;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Groups that a read would give. */
  get waiting(): number {
    return this.#waiting.length;
  }

  report(device: Device, hwpt: HwptPaging | HwptNested, pasid: number, requests: readonly PageRequest[]): void {
    this.#waiting.push({ device, hwpt, pasid, requests });
  }

  drop(hwpt: HwptPaging | HwptNested, device?: Device, pasid?: number): void {
    const gone = (group: FaultGroup): boolean =>
      group.hwpt === hwpt &&
      (device === undefined || group.device === device) &&
      (pasid === undefined || group.pasid === pasid);
    this.#waiting = this.#waiting.filter((group) => !gone(group));
    for (const [cookie, group] of this.#delivered) if (gone(group)) this.#release(cookie);
  }

  destroy(): void {
    this.#waiting = [];
    this.#delivered.clear();
  }

  /** Whole groups only, each with its cookie from now on; nothing waits: no bytes, without blocking. */
  read(count: number, writable: (offset: number, length: number) => boolean): Uint8Array | number {
    if (count % RECORD_BYTES !== 0) return -ERRNO.ESPIPE;
    const parts: Uint8Array[] = [];
    let done = 0;
    for (let group = this.#waiting[0]; group !== undefined; group = this.#waiting[0]) {
      const length = group.requests.length * RECORD_BYTES;
      if (length > count - done) return done > 0 ? joined(parts, done) : -ERRNO.EINVAL;
      if (!writable(done, length)) return done > 0 ? joined(parts, done) : -ERRNO.EFAULT;
      this.#waiting.shift();
      const cookie = this.#take();
      this.#delivered.set(cookie, group);
      for (const request of group.requests) parts.push(record(group.device.id, request, cookie));
      done += length;
    }
    return joined(parts, done);
  }

  /** Bytes of the responses that were accepted; the first bad one decides only where it is the first. */
  write(bytes: Uint8Array): number {
    if (bytes.length % RESPONSE_BYTES !== 0) return -ERRNO.ESPIPE;
    const view = new StructView(bytes);
    for (let at = 0; at < bytes.length; at += RESPONSE_BYTES) {
      if (view.u32(at + 4) > LAST_CODE || !this.#respond(view.u32(at))) return at > 0 ? at : -ERRNO.EINVAL;
    }
    return bytes.length;
  }

  #respond(cookie: number): boolean {
    if (this.#delivered.has(cookie)) {
      this.#release(cookie);
      return true;
    }
    // xa_erase of index 0 takes away what keeps an XA_FLAGS_ALLOC1 array from using it, unless the array has no node.
    if (cookie === 0 && this.#delivered.size > 0 && this.#context.machine.quirk('rejected-cookie-zero')) {
      this.#zeroLoose = true;
    }
    return false;
  }

  #take(): number {
    if (!this.#zeroLoose || this.#delivered.has(0)) return this.#cookies.take();
    this.#context.machine.needed('rejected-cookie-zero');
    return 0;
  }

  #release(cookie: number): void {
    this.#delivered.delete(cookie);
    if (cookie !== 0) this.#cookies.give(cookie);
  }
}

function record(deviceId: number, request: PageRequest, cookie: number): Uint8Array {
  const view = new StructView(new Uint8Array(RECORD_BYTES));
  view.setU32(0, request.flags);
  view.setU32(4, deviceId);
  view.setU32(8, request.pasid);
  view.setU32(12, request.grpid);
  view.setU32(16, request.perm);
  view.setU64(24, request.addr);
  view.setU32(36, cookie);
  return view.bytes;
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** struct iommu_fault_alloc: flags 4, out_fault_id 8, out_fault_fd 12. */
function allocate(call: IoctlCall): number {
  const { context, process, struct } = call;
  if (struct.u32(4) !== 0) return -ERRNO.EOPNOTSUPP;
  const queue = context.objects.add(new FaultQueue(context));
  const file: OpenFile = eventFile('fault', context, queue, {
    read: (count, writable) => queue.read(count, writable),
    write: (bytes) => queue.write(bytes),
    ready: () => queue.waiting > 0,
  });
  const fd = process.install(file, true);
  struct.setU32(8, queue.id);
  struct.setU32(12, fd);
  return call.respond(() => {
    process.close(fd);
    context.objects.remove(queue);
  });
}

/** IOMMU_FAULT_QUEUE_ALLOC. */
export const faultQueueIoctls: readonly IoctlSpec[] = [
  { request: 0x3b8e, name: 'IOMMU_FAULT_QUEUE_ALLOC', minSize: 16, size: 16, handle: allocate },
];

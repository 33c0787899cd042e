import { ERRNO } from './errno.ts';
import { eventFile } from './event-file.ts';
import type { IoctlCall, IoctlSpec } from './ioctl.ts';
import type { VeventqObject } from './parts.ts';
import { StructView } from './struct-view.ts';
import type { Viommu } from './viommu.ts';

/** struct iommufd_vevent_header: flags, sequence. */
const HEADER_BYTES = 8;
const LOST_EVENTS = 1;
const LAST_SEQUENCE = 0x7fff_ffff;
const MAX_DEPTH = 1 << 19;

/** An event, or (no data) the header that says that events were lost. */
interface QueuedEvent {
  readonly sequence: number;
  readonly data: Uint8Array | undefined;
}

/** Events of a vIOMMU on their way to user space (drivers/iommu/iommufd/eventq.c, iommufd_veventq). */
export class Veventq implements VeventqObject {
  readonly type = 'veventq';
  id = 0;
  users = 1;
  readonly viommu: Viommu;
  readonly eventType: number;
  readonly depth: number;
  readonly #queue: QueuedEvent[] = [];
  #events = 0;
  #sequence = 0;

  constructor(viommu: Viommu, eventType: number, depth: number) {
    this.viommu = viommu;
    this.eventType = eventType;
    this.depth = depth;
  }

  /**
   * Queues an event; one that finds the queue full leaves a lost-events header as the last entry. What is queued behind such a
   * header takes its place, so that a reader sees it only where nothing followed (iommufd_vevent_handler).
   */
  report(data: Uint8Array): void {
    const full = this.#events === this.depth;
    if (this.#queue.at(-1)?.data === undefined) this.#queue.pop();
    this.#queue.push({ sequence: this.#sequence, data: full ? undefined : data });
    if (!full) this.#events++;
    this.#sequence = (this.#sequence + 1) & LAST_SEQUENCE;
  }

  /** Events, or word of lost ones, that a read would give. */
  get waiting(): number {
    return this.#queue.length;
  }

  read(count: number, writable: (offset: number, length: number) => boolean): Uint8Array | number {
    if (count < HEADER_BYTES) return -ERRNO.EINVAL;
    const bytes = new Uint8Array(Math.min(count, this.#bytes()));
    const view = new StructView(bytes);
    let done = 0;
    for (let event = this.#queue[0]; event !== undefined; event = this.#queue[0]) {
      const length = event.data?.length ?? 0;
      if (HEADER_BYTES + length > count - done) return done > 0 ? bytes.subarray(0, done) : -ERRNO.EINVAL;
      if (!writable(done, HEADER_BYTES)) return done > 0 ? bytes.subarray(0, done) : -ERRNO.EFAULT;
      view.setU32(done, event.data === undefined ? LOST_EVENTS : 0);
      view.setU32(done + 4, event.sequence);
      done += HEADER_BYTES;
      if (event.data !== undefined) {
        // The header is out by now and is counted although the event stays.
        if (!writable(done, length)) return bytes.subarray(0, done);
        bytes.set(event.data, done);
        this.#events--;
      }
      done += length;
      this.#queue.shift();
    }
    return bytes.subarray(0, done);
  }

  destroy(): void {
    this.viommu.veventqs.delete(this.eventType);
    this.viommu.users--;
  }

  #bytes(): number {
    return this.#queue.reduce((sum, event) => sum + HEADER_BYTES + (event.data?.length ?? 0), 0);
  }
}

/** struct iommu_veventq_alloc: flags 4, viommu 8, type 12, depth 16, out id 20, out fd 24, reserved 28. */
function allocate(call: IoctlCall): number {
  const { context, process, struct } = call;
  const type = struct.u32(12);
  const depth = struct.u32(16);
  if (struct.u32(4) !== 0 || struct.u32(28) !== 0 || type === 0) return -ERRNO.EOPNOTSUPP;
  if (depth === 0 || depth > MAX_DEPTH) return -ERRNO.EINVAL;
  const viommu = context.objects.find(struct.u32(8), 'viommu');
  if (viommu === undefined) return -ERRNO.ENOENT;
  if (viommu.veventqs.has(type)) return -ERRNO.EEXIST;
  const queue = context.objects.add(new Veventq(viommu, type, depth));
  viommu.users++;
  viommu.veventqs.set(type, queue);
  const file = eventFile('veventq', context, queue, {
    read: (count, writable) => queue.read(count, writable),
    ready: () => queue.waiting > 0,
  });
  const fd = process.install(file, true);
  struct.setU32(20, queue.id);
  struct.setU32(24, fd);
  return call.respond(() => {
    process.close(fd);
    context.objects.remove(queue);
  });
}

/** IOMMU_VEVENTQ_ALLOC. */
export const veventqIoctls: readonly IoctlSpec[] = [
  { request: 0x3b93, name: 'IOMMU_VEVENTQ_ALLOC', minSize: 28, size: 32, handle: allocate },
];

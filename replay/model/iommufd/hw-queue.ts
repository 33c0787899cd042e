import { Access } from './access.ts';
import { U64_MAX } from './area-tree.ts';
import { PAGE_SIZE } from './backing.ts';
import { ERRNO } from './errno.ts';
import type { IoctlCall, IoctlSpec } from './ioctl.ts';
import type { Ioas } from './ioas.ts';
import type { IommufdObject } from './objects.ts';
import { Unjudged } from './unjudged.ts';
import type { Viommu } from './viommu.ts';

const PAGE = BigInt(PAGE_SIZE);
/** kvcalloc gives no array of more than INT_MAX bytes. */
const MAX_PAGES = 0x7fff_ffffn / 8n;

/** A queue in guest memory that hardware reads by itself; its pages stay pinned and can't be unmapped. */
export class HwQueue implements IommufdObject {
  readonly type = 'hwQueue';
  id = 0;
  users = 1;
  readonly viommu: Viommu;
  readonly #iova: bigint;
  readonly #length: bigint;
  #access: Access | undefined = undefined;
  #running = false;

  /** The range is of whole pages. */
  constructor(viommu: Viommu, iova: bigint, length: bigint) {
    this.viommu = viommu;
    this.#iova = iova;
    this.#length = length;
    viommu.users++;
  }

  /**
   * Pins the pages through a hidden access, which has an id of its own, and starts the driver's queue. Throws `Unjudged` where
   * nobody knows whether the pages follow each other, unless `sure`.
   */
  start(index: number, sure = false): number {
    const { context, parent } = this.viommu;
    const access = context.objects.add(new Access(context, true));
    let ret = access.attach(parent.ioas);
    if (ret === 0) ret = access.pin(this.#iova, this.#length, false, true);
    if (ret !== 0) {
      context.objects.remove(access);
      return ret;
    }
    this.#access = access;
    if (!sure && !contiguous(parent.ioas, this.#iova, this.#length)) return -ERRNO.EFAULT;
    ret = this.viommu.driver?.queues?.init(this, index) ?? -ERRNO.EOPNOTSUPP;
    this.#running = ret === 0;
    return ret;
  }

  destroy(): void {
    if (this.#running) this.viommu.driver?.queues?.remove(this);
    if (this.#access !== undefined) {
      this.#access.unpin(this.#iova, this.#length, true);
      this.viommu.context.objects.remove(this.#access);
    }
    this.viommu.users--;
  }
}

/** Whether physical pages follow each other; throws `Unjudged` where the recording doesn't show it. */
function contiguous(ioas: Ioas, iova: bigint, length: bigint): boolean {
  let last: { frame: number | undefined; at: string; huge: number } | undefined;
  for (const area of ioas.contiguous(iova, iova + length - 1n)) {
    const first = area.start > iova ? area.start : iova;
    const end = area.last < iova + length - 1n ? area.last : iova + length - 1n;
    for (let at = first; at <= end; at += PAGE) {
      const physical = area.pages.physical(Math.floor(area.byteAt(at) / PAGE_SIZE));
      if (physical === undefined) throw new Unjudged('physical pages are not known');
      const { backing, page } = physical;
      const frame = backing.frames?.get(page);
      const huge = backing.hugeShift === 0 ? -1 : Math.floor((page * PAGE_SIZE) / 2 ** backing.hugeShift);
      if (last !== undefined) {
        if (frame !== undefined && last.frame !== undefined) {
          if (frame !== last.frame + 1) return false;
        } else if (huge < 0 || huge !== last.huge || last.at !== `${backing.id}:${page - 1}`) {
          throw new Unjudged('physical pages are not known');
        }
      }
      last = { frame, at: `${backing.id}:${page}`, huge };
    }
  }
  return true;
}

/** A queue, or a negative errno. Where it can't be judged and the recording says that it was made, it is made after all. */
function added(add: (sure: boolean) => HwQueue | number): HwQueue | number {
  try {
    return add(false);
  } catch (error) {
    if (!(error instanceof Unjudged)) throw error;
    throw new Unjudged(error.reason, () => {
      add(true);
    });
  }
}

/** struct iommu_hw_queue_alloc: flags 4, viommu 8, type 12, index 16, out id 20, iova 24, length 32. */
function allocate(call: IoctlCall): number {
  const { context, struct } = call;
  const type = struct.u32(12);
  const iova = struct.u64(24);
  const length = struct.u64(32);
  if (struct.u32(4) !== 0 || type === 0) return -ERRNO.EOPNOTSUPP;
  if (length === 0n) return -ERRNO.EINVAL;
  if (iova + length - 1n > U64_MAX) return -ERRNO.EOVERFLOW;
  const viommu = context.objects.find(struct.u32(8), 'viommu');
  if (viommu === undefined) return -ERRNO.ENOENT;
  if (viommu.driver?.queues?.types.includes(type) !== true) return -ERRNO.EOPNOTSUPP;
  const start = iova - (iova % PAGE);
  const rounded = iova - start + length + PAGE - 1n;
  if (rounded > U64_MAX) return -ERRNO.ERANGE;
  const pages = rounded / PAGE;
  if (pages > MAX_PAGES) return -ERRNO.ENOMEM;
  const index = struct.u32(16);
  const add = (sure: boolean): HwQueue | number => {
    const queue = context.objects.add(new HwQueue(viommu, start, pages * PAGE));
    let ret: number | undefined;
    try {
      ret = queue.start(index, sure);
    } finally {
      if (ret !== 0) context.objects.remove(queue);
    }
    return ret === 0 ? queue : ret;
  };
  const queue = added(add);
  if (typeof queue === 'number') return queue;
  struct.setU32(20, queue.id);
  return call.respond(() => {
    context.objects.remove(queue);
  });
}

/** IOMMU_HW_QUEUE_ALLOC. */
export const hwQueueIoctls: readonly IoctlSpec[] = [
  { request: 0x3b94, name: 'IOMMU_HW_QUEUE_ALLOC', minSize: 40, size: 40, handle: allocate },
];

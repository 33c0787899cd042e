import { U64_MAX } from './area-tree.ts';
import type { Area } from './area-tree.ts';
import { PAGE_SIZE } from './backing.ts';
import type { Context } from './context.ts';
import { ERRNO } from './errno.ts';
import type { Ioas } from './ioas.ts';
import type { IommufdObject } from './objects.ts';

/** In-kernel use of an IOAS's memory: mediated devices, hardware queues, the mock driver (struct iommufd_access). */
export class Access implements IommufdObject {
  readonly type = 'access';
  id = 0;
  /** The driver owns one extra user. */
  users = 2;
  readonly context: Context;
  /** Whether it pins pages, which raises the IOAS's alignment to a page. */
  readonly pins: boolean;
  ioas: Ioas | undefined = undefined;
  /** The driver's unmap callback: it must unpin what it holds in the range. */
  readonly #unmapped: ((start: bigint, last: bigint) => void) | undefined;

  constructor(context: Context, pins: boolean, unmapped?: (start: bigint, last: bigint) => void) {
    this.context = context;
    this.pins = pins;
    this.#unmapped = unmapped;
  }

  onUnmap(start: bigint, last: bigint): void {
    this.#unmapped?.(start, last);
  }

  /** iommufd_access_change_ioas. */
  attach(ioas: Ioas | undefined): number {
    const old = this.ioas;
    if (ioas === old) return 0;
    if (ioas !== undefined) {
      const ret = ioas.addAccess(this);
      if (ret !== 0) return ret;
      ioas.users++;
    }
    if (old !== undefined) {
      this.onUnmap(0n, U64_MAX);
      old.removeAccess(this);
      old.users--;
    }
    this.ioas = ioas;
    return 0;
  }

  /** iommufd_access_destroy. */
  destroy(): void {
    this.attach(undefined);
  }

  /**
   * iommufd_access_pin_pages: 0, or a negative errno after which nothing is pinned. `lock`: UNMAP of the areas is EBUSY while
   * they are pinned, instead of asking the driver to unpin.
   */
  pin(iova: bigint, length: bigint, write: boolean, lock = false): number {
    if (length === 0n) return -ERRNO.EINVAL;
    const last = iova + length - 1n;
    if (last > U64_MAX) return -ERRNO.EOVERFLOW;
    const { ioas } = this;
    if (ioas === undefined) return -ERRNO.ENOENT;
    const done: Area[] = [];
    let at = iova;
    let ret = 0;
    for (const area of ioas.contiguous(iova, last)) {
      const end = area.last < last ? area.last : last;
      ret = this.#pinArea(area, at, end, last, write);
      if (ret !== 0) break;
      area.accesses++;
      if (lock) area.locks++;
      done.push(area);
      at = end + 1n;
    }
    if (ret === 0 && at <= last) ret = -ERRNO.ENOENT;
    if (ret !== 0 && done.length > 0) this.unpin(iova, at - iova, lock);
    return ret;
  }

  /** iommufd_access_unpin_pages. */
  unpin(iova: bigint, length: bigint, lock = false): void {
    const last = iova + length - 1n;
    let at = iova;
    for (const area of this.ioas?.contiguous(iova, last) ?? []) {
      const end = area.last < last ? area.last : last;
      area.pages.unpin(Math.floor(area.byteAt(at) / PAGE_SIZE), Math.floor(area.byteAt(end) / PAGE_SIZE));
      area.accesses--;
      if (lock) area.locks--;
      at = end + 1n;
    }
  }

  /** The physical pages of a pinned range, in order. */
  *pinnedPages(iova: bigint, length: bigint): Generator<ReturnType<Area['pages']['physical']>> {
    const last = iova + length - 1n;
    let at = iova;
    for (const area of this.ioas?.contiguous(iova, last) ?? []) {
      const end = area.last < last ? area.last : last;
      const to = Math.floor(area.byteAt(end) / PAGE_SIZE);
      for (let page = Math.floor(area.byteAt(at) / PAGE_SIZE); page <= to; page++) yield area.pages.physical(page);
      at = end + 1n;
    }
  }

  #pinArea(area: Area, at: bigint, end: bigint, last: bigint, write: boolean): number {
    if (area.preventAccess) return -ERRNO.EINVAL;
    if (area.byteAt(at) % PAGE_SIZE !== 0) return -ERRNO.EINVAL;
    if (last > area.last && area.byteAt(area.last) % PAGE_SIZE !== PAGE_SIZE - 1) return -ERRNO.EINVAL;
    if (!area.allows(write)) return -ERRNO.EPERM;
    if (area.pages.source.kind === 'dmabuf') return -ERRNO.EINVAL;
    return area.pages.pin(Math.floor(area.byteAt(at) / PAGE_SIZE), Math.floor(area.byteAt(end) / PAGE_SIZE));
  }
}

import type { Access } from './access.ts';
import { Area, AreaTree, U64_MAX } from './area-tree.ts';
import type { IovaRange, PagingDomain } from './backend.ts';
import { PAGE_SIZE } from './backing.ts';
import type { Context } from './context.ts';
import type { Device } from './device.ts';
import { ERRNO } from './errno.ts';
import type { HwptPaging } from './hwpt.ts';
import { allocIova } from './iova-allocation.ts';
import { mappedPieces } from './mapped-pieces.ts';
import type { IommufdObject } from './objects.ts';
import type { Pages } from './pages.ts';
import { RangeSet } from './range-set.ts';

const PAGE = BigInt(PAGE_SIZE);

/** A piece of pages to map: one for MAP, one for each source area for COPY. */
export interface Piece {
  readonly pages: Pages;
  readonly startByte: number;
  readonly length: bigint;
}

/** An address space: areas, reserved and allowed ranges, domains and accesses (drivers/iommu/iommufd/io_pagetable.c). */
export class Ioas implements IommufdObject {
  readonly type = 'ioas';
  id = 0;
  users = 1;
  readonly context: Context;
  readonly areas = new AreaTree();
  /** Owners: a domain (aperture), a device (reserved regions), or undefined (ADD_RESERVED). */
  readonly reserved = new RangeSet();
  allowed: readonly IovaRange[] = [];
  readonly hwpts: HwptPaging[] = [];
  /** Domains that the areas are filled into. */
  readonly domains: PagingDomain[] = [];
  readonly accesses = new Set<Access>();
  alignment = 1n;
  noLargePages = false;
  /** False once a device was attached whose reserved regions are not known. */
  reservedKnown = true;

  constructor(context: Context) {
    this.context = context;
  }

  destroy(): void {
    this.unmapRange(0n, U64_MAX);
    if (this.context.compatIoas === this) this.context.compatIoas = undefined;
  }

  /** iopt_map_pages: the address of the first piece, or a negative errno. All or nothing. */
  map(pieces: readonly Piece[], length: bigint, fixed: bigint | undefined, prot: number): bigint | number {
    if (length === 0n || (length & (this.alignment - 1n)) !== 0n) return -ERRNO.EINVAL;
    const first = pieces[0];
    if (first === undefined) return -ERRNO.EINVAL;
    const iova = fixed === undefined ? allocIova(this, sourceAddress(first), length) : fixed;
    if (typeof iova === 'number') return iova;
    if (fixed !== undefined) {
      const ret = this.checkIova(fixed, length);
      if (ret !== 0) return ret;
    }
    const added: Area[] = [];
    const undo = (ret: number): number => {
      for (const area of added) this.#drop(area);
      return ret;
    };
    let at = iova;
    for (const { pages, startByte, length: bytes } of pieces) {
      if ((prot & 2) !== 0 && !pages.writable) return undo(-ERRNO.EPERM);
      if ((BigInt(startByte % PAGE_SIZE) & (this.alignment - 1n)) !== 0n) return undo(-ERRNO.EINVAL);
      if (at + bytes - 1n > U64_MAX) return undo(-ERRNO.EOVERFLOW);
      const area = new Area(at, at + bytes - 1n, pages, startByte, prot);
      pages.users++;
      this.areas.insert(area);
      if (pages.source.kind === 'dmabuf') pages.source.buffer.mapped(area, this);
      added.push(area);
      at += bytes;
    }
    if (this.domains.length > 0) {
      const filled: Area[] = [];
      for (const area of added) {
        const ret = this.#fill(area, smallestPage(this.domains));
        if (ret !== 0) {
          for (const other of filled) other.pages.unfill(other);
          return undo(ret);
        }
        filled.push(area);
      }
      for (const area of added) for (const domain of this.domains) this.#tellMapped(domain, area);
    }
    return iova;
  }

  /** iopt_check_iova: whether a fixed range is free. */
  checkIova(iova: bigint, length: bigint): number {
    if ((iova & (this.alignment - 1n)) !== 0n) return -ERRNO.EINVAL;
    const last = iova + length - 1n;
    if (last > U64_MAX) return -ERRNO.EOVERFLOW;
    if (this.reserved.first(iova, last) !== undefined) return -ERRNO.EINVAL;
    return this.areas.first(iova, last) === undefined ? 0 : -ERRNO.EEXIST;
  }

  /** iopt_get_pages: the pieces behind a range that must be mapped without a gap. */
  pieces(iova: bigint, length: bigint): Piece[] | number {
    if (length === 0n) return -ERRNO.EINVAL;
    const last = iova + length - 1n;
    if (last > U64_MAX) return -ERRNO.EOVERFLOW;
    const pieces: Piece[] = [];
    for (let at = iova; at <= last; ) {
      const area = this.areas.first(at, at);
      if (area === undefined) return -ERRNO.ENOENT;
      const end = area.last < last ? area.last : last;
      pieces.push({ pages: area.pages, startByte: area.byteAt(at), length: end - at + 1n });
      at = end + 1n;
    }
    return pieces;
  }

  /** iopt_unmap_iova_range: bytes unmapped so far, and 0 or a negative errno. */
  unmapRange(start: bigint, last: bigint): { readonly bytes: bigint; readonly ret: number } {
    let bytes = 0n;
    for (;;) {
      const area = this.areas.first(start, last);
      if (area === undefined) return { bytes, ret: 0 };
      if (area.locks > 0) return { bytes, ret: -ERRNO.EBUSY };
      if (area.start < start || area.last > last) return { bytes, ret: -ERRNO.ENOENT };
      if (area.accesses > 0) {
        area.preventAccess = true;
        for (const access of this.accesses) access.onUnmap(area.start, area.last);
        if (area.accesses > 0) return { bytes, ret: -ERRNO.EDEADLK };
      }
      for (const domain of this.domains) this.#tellUnmapped(domain, area);
      if (this.domains.length > 0) area.pages.unfill(area);
      this.#drop(area);
      bytes += area.length;
    }
  }

  /** iopt_table_add_domain: reserves what is outside its aperture and fills it. */
  addDomain(domain: PagingDomain): number {
    const smallest = domain.pageSizes & -domain.pageSizes;
    const alignment = smallest > this.alignment ? smallest : this.alignment;
    if (alignment > PAGE) return -ERRNO.EINVAL;
    if (alignment !== this.alignment && !this.#aligned(alignment)) return -ERRNO.EADDRINUSE;
    const { start, last } = domain.aperture;
    let ret = 0;
    if (start !== 0n) ret = this.reserve(0n, start - 1n, domain);
    if (ret === 0 && last !== U64_MAX) ret = this.reserve(last + 1n, U64_MAX, domain);
    if (ret === 0) ret = this.#fillAll(smallest);
    if (ret !== 0) {
      this.reserved.removeOwner(domain);
      return ret;
    }
    this.alignment = alignment;
    this.domains.push(domain);
    if (this.context.machine.intents !== undefined) {
      for (const area of this.areas.values()) this.#tellMapped(domain, area);
    }
    return 0;
  }

  removeDomain(domain: PagingDomain): void {
    const at = this.domains.indexOf(domain);
    if (at < 0) return;
    this.domains.splice(at, 1);
    if (this.context.machine.intents !== undefined) {
      for (const area of this.areas.values()) this.#tellUnmapped(domain, area);
    }
    if (this.domains.length === 0) for (const area of this.areas.values()) area.pages.unfill(area);
    this.reserved.removeOwner(domain);
    this.recalculateAlignment();
  }

  /** iopt_reserve_iova. */
  reserve(start: bigint, last: bigint, owner: object | undefined): number {
    if (this.areas.first(start, last) !== undefined) return -ERRNO.EADDRINUSE;
    if (this.allowed.some((range) => range.start <= last && range.last >= start)) return -ERRNO.EADDRINUSE;
    this.reserved.add(start, last, owner);
    return 0;
  }

  /** Reserved regions of a device that is attached by RID; they stay until `releaseReserved`. */
  reserveFor(device: Device): number {
    if (device.traits.reservedKnown === false) this.reservedKnown = false;
    for (const { start, last } of device.traits.reserved) {
      const ret = this.reserve(start, last, device);
      if (ret === 0) continue;
      this.reserved.removeOwner(device);
      return ret;
    }
    return 0;
  }

  releaseReserved(device: Device): void {
    if (device.traits.reserved.length > 0) this.reserved.removeOwner(device);
  }

  /** iopt_add_access. */
  addAccess(access: Access): number {
    this.accesses.add(access);
    const ret = this.recalculateAlignment();
    if (ret !== 0) this.accesses.delete(access);
    return ret;
  }

  removeAccess(access: Access): void {
    this.accesses.delete(access);
    this.recalculateAlignment();
  }

  /** iopt_disable_large_pages and iopt_enable_large_pages. */
  setLargePages(on: boolean): number {
    if (on) {
      if (this.noLargePages && this.domains.length > 0)
        for (const area of this.areas.values()) area.smallIn = new Set([...(area.smallIn ?? []), ...this.domains]);
      this.noLargePages = false;
      return this.recalculateAlignment();
    }
    if (this.noLargePages) return 0;
    if (this.domains.length > 0 && this.areas.size > 0) return -ERRNO.EINVAL;
    this.noLargePages = true;
    const ret = this.recalculateAlignment();
    if (ret !== 0) this.noLargePages = false;
    return ret;
  }

  /** iopt_calculate_iova_alignment: raising it fails where an area isn't aligned so far. */
  recalculateAlignment(): number {
    let alignment = this.noLargePages ? PAGE : 1n;
    for (const { pageSizes } of this.domains) {
      const smallest = pageSizes & -pageSizes;
      if (smallest > alignment) alignment = smallest;
    }
    for (const access of this.accesses) if (access.pins && alignment < PAGE) alignment = PAGE;
    if (alignment > this.alignment && !this.#aligned(alignment)) return -ERRNO.EADDRINUSE;
    this.alignment = alignment;
    return 0;
  }

  /** Areas from `iova` on without a gap, as far as `last`. */
  *contiguous(iova: bigint, last: bigint): Generator<Area> {
    for (let at = iova; at <= last; ) {
      const area = this.areas.first(at, at);
      if (area === undefined) return;
      yield area;
      at = area.last + 1n;
    }
  }

  #aligned(alignment: bigint): boolean {
    const mask = alignment - 1n;
    for (const area of this.areas.values())
      if (((area.start | area.length | BigInt(area.startByte % PAGE_SIZE)) & mask) !== 0n) return false;
    return true;
  }

  /** Pins an area's pages and maps them into domains that take pages of `smallest` bytes and up. */
  #fill(area: Area, smallest: bigint): number {
    const ret = area.pages.fill(area);
    if (ret !== 0 || this.#mappable(area, smallest)) return ret;
    area.pages.unfill(area);
    return -ERRNO.EINVAL;
  }

  #fillAll(smallest: bigint): number {
    if (this.domains.length > 0) {
      for (const area of this.areas.values()) if (!this.#mappable(area, smallest)) return -ERRNO.EINVAL;
      return 0;
    }
    const filled: Area[] = [];
    for (const area of this.areas.values()) {
      const ret = this.#fill(area, smallest);
      if (ret !== 0) {
        for (const other of filled) other.pages.unfill(other);
        return ret;
      }
      filled.push(area);
    }
    return 0;
  }

  /**
   * Whether iommu_map takes an area: with rights, and at multiples of the page size. COPY can make areas that are not: of its
   * pieces it looks at the offset in the page, but only at the length of all together.
   */
  #mappable(area: Area, smallest: bigint): boolean {
    if (area.pages.gone) return true;
    const mask = (this.noLargePages ? PAGE : smallest) - 1n;
    return area.prot !== 0 && ((area.start | area.length | BigInt(area.startByte)) & mask) === 0n;
  }

  #tellMapped(domain: PagingDomain, area: Area): void {
    const { intents } = this.context.machine;
    if (intents === undefined || area.pages.gone) return;
    for (const piece of mappedPieces(area, this.noLargePages)) intents.mapped(domain, piece, 'iommufd');
  }

  /** A dma-buf is being revoked: its pages go from all domains, the area stays (iopt_revoke_notify). */
  memoryGoes(area: Area): void {
    for (const domain of this.domains) this.#tellUnmapped(domain, area);
  }

  #tellUnmapped(domain: PagingDomain, area: Area): void {
    if (area.pages.gone) return;
    this.context.machine.intents?.unmapped(domain, area.start, area.last, 'iommufd');
  }

  #drop(area: Area): void {
    this.areas.remove(area);
    area.pages.users--;
    if (area.pages.source.kind === 'dmabuf') area.pages.source.buffer.unmapped(area);
  }
}

/** The page size that all domains take. */
function smallestPage(domains: readonly PagingDomain[]): bigint {
  let size = 1n;
  for (const { pageSizes } of domains) {
    const smallest = pageSizes & -pageSizes;
    if (smallest > size) size = smallest;
  }
  return size;
}

/** What automatic allocation aligns to: the address or the file offset of the first byte. */
function sourceAddress({ pages, startByte }: Piece): bigint {
  return BigInt(pages.base) + BigInt(startByte);
}

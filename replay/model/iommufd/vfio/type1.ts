import type { AddressSpace } from '../address-space.ts';
import { U64_MAX } from '../area-tree.ts';
import { PAGE_SIZE } from '../backing.ts';
import { ERRNO } from '../errno.ts';
import { withinLimit } from '../locked-memory.ts';
import type { Machine } from '../machine.ts';
import type { Process } from '../process.ts';
import { StructView } from '../struct-view.ts';
import { Unjudged } from '../unjudged.ts';
import { MAX_BITMAP_BYTES, fits, readRequest, writeBitmap } from './dirty-bitmap.ts';
import type { BitmapRequest } from './dirty-bitmap.ts';
import { EXTENSION } from './requests.ts';
import { readArgsz } from './user-struct.ts';
import type { VfioCall } from './vfio-file.ts';

const MAP_BYTES = 32;
const UNMAP_BYTES = 24;
const MAP_FLAG = { read: 1, write: 2, vaddr: 4 } as const;
const UNMAP_FLAG = { dirty: 1, all: 2, vaddr: 4 } as const;
const DIRTY_FLAG = { start: 1, stop: 2, get: 4 } as const;
/** Module parameter dma_entry_limit. */
const ENTRY_LIMIT = 65_535;
const INFO_BYTES = 24;
/** struct vfio_bitmap behind struct vfio_iommu_type1_dma_unmap. */
const BITMAP_BYTES = 24;
/** struct vfio_iommu_type1_dirty_bitmap with its _get. */
const GET_BYTES = 48;

/** A mapping (struct vfio_dma). */
interface Dma {
  readonly iova: bigint;
  readonly size: bigint;
  /** False from an UNMAP_DMA with VADDR to the MAP_DMA with VADDR that gives a new address. */
  vaddrValid: boolean;
  /** Who mapped it, or gave it a new address: pays for its locked pages. */
  owner: Process;
  memory: AddressSpace;
  readonly lockedPages: number;
}

/** Mappings of a TYPE1 container without iommufd (drivers/vfio/vfio_iommu_type1.c). */
export class Type1 {
  /** v2: an unmap may not cut a mapping. v1: it takes whole mappings whose first byte it covers. */
  readonly v2: boolean;
  readonly #machine: Machine;
  /** By address; not overlapping. */
  #mappings: Dma[] = [];
  #dirtyTracking = false;

  /** The container's devices are attached to a domain of its own as long as it lives. */
  constructor(type: number, machine: Machine) {
    this.v2 = type === EXTENSION.type1v2;
    this.#machine = machine;
    machine.intents?.attached(undefined, 0, this);
  }

  /** All mappings go, then the domain (vfio_iommu_type1_detach_group of the last group). */
  release(): void {
    this.#remove(this.#mappings);
    this.#machine.intents?.detached(undefined, 0, this);
  }

  /** Another group comes: its domain may have to pin what is mapped, which no address allows while one is invalid (EBUSY). */
  attachGroup(): number {
    return this.#mappings.some(({ vaddrValid }) => !vaddrValid) ? -ERRNO.EBUSY : 0;
  }

  /** Smallest IOMMU page; what is smaller than a page of the CPU counts as one. */
  get #page(): bigint {
    const sizes = this.#sizes();
    return sizes & -sizes;
  }

  #sizes(): bigint {
    const { pageSizes } = this.#machine.hardware;
    if (pageSizes === undefined) throw new Unjudged('page sizes of the IOMMU are not known');
    return pageSizes;
  }

  map({ process, argument }: VfioCall): number {
    const map = readArgsz(process, argument, MAP_BYTES);
    if (typeof map === 'number') return map;
    const flags = map.u32(4);
    if ((flags & ~7) !== 0) return -ERRNO.EINVAL;
    const vaddr = map.u64(8);
    const iova = map.u64(16);
    const size = map.u64(24);
    if (size === 0n) return -ERRNO.EINVAL;
    if (iova + size - 1n > U64_MAX || vaddr + size - 1n > U64_MAX) return -ERRNO.EOVERFLOW;
    const prot = flags & (MAP_FLAG.read | MAP_FLAG.write);
    const setVaddr = (flags & MAP_FLAG.vaddr) !== 0;
    if ((prot !== 0) === setVaddr) return -ERRNO.EINVAL;
    if (((iova | vaddr | size) & (this.#page - 1n)) !== 0n) return -ERRNO.EINVAL;
    if (setVaddr) return this.#updateVaddr(process, iova, size);
    if (this.#overlapping(iova, iova + size - 1n).length > 0) return -ERRNO.EEXIST;
    if (this.#mappings.length >= ENTRY_LIMIT) return -ERRNO.ENOSPC;
    if (!this.#usable(iova, iova + size - 1n)) return -ERRNO.EINVAL;
    const lockedPages = lock(process, vaddr, size, (prot & MAP_FLAG.write) !== 0);
    if (lockedPages < 0) return lockedPages;
    const { memory } = process;
    this.#mappings.splice(this.#index(iova), 0, { iova, size, vaddrValid: true, owner: process, memory, lockedPages });
    this.#machine.intents?.mapped(this, { start: iova, last: iova + size - 1n, prot, physical: vaddr }, 'vfio');
    return 0;
  }

  unmap({ process, argument }: VfioCall): number {
    const unmap = readArgsz(process, argument, UNMAP_BYTES);
    if (typeof unmap === 'number') return unmap;
    const flags = unmap.u32(4);
    if ((flags & ~7) !== 0) return -ERRNO.EINVAL;
    let request: BitmapRequest | undefined;
    if ((flags & UNMAP_FLAG.dirty) !== 0) {
      if ((flags & ~UNMAP_FLAG.dirty) !== 0 || unmap.u32(0) < UNMAP_BYTES + BITMAP_BYTES) return -ERRNO.EINVAL;
      request = readRequest(process, argument + BigInt(UNMAP_BYTES));
      if (request === undefined) return -ERRNO.EFAULT;
      if (!fits(request, unmap.u64(16))) return -ERRNO.EINVAL;
    }
    const done = this.#unmapRange(process, unmap.u64(8), unmap.u64(16), flags, request);
    if (typeof done === 'number') return done;
    unmap.setU64(16, done);
    return process.memory.write(argument, unmap.bytes) ? 0 : -ERRNO.EFAULT;
  }

  /** START, STOP or GET_BITMAP, one at a time. */
  dirtyPages({ process, argument }: VfioCall): number {
    if (!this.v2) return -ERRNO.EACCES;
    const head = readArgsz(process, argument, 8);
    if (typeof head === 'number') return head;
    const flags = head.u32(4);
    if ((flags & ~7) !== 0 || flags === 0 || (flags & (flags - 1)) !== 0) return -ERRNO.EINVAL;
    if (flags !== DIRTY_FLAG.get) {
      this.#dirtyTracking = flags === DIRTY_FLAG.start;
      return 0;
    }
    if (head.u32(0) < GET_BYTES) return -ERRNO.EINVAL;
    const range = process.memory.read(argument + 8n, 16);
    const request = readRequest(process, argument + 24n);
    if (range === undefined || request === undefined) return -ERRNO.EFAULT;
    const view = new StructView(range);
    return this.#bitmap(process, view.u64(0), view.u64(8), request);
  }

  getInfo({ process, argument }: VfioCall): number {
    const info = readArgsz(process, argument, 16);
    if (typeof info === 'number') return info;
    const { usable } = this.#machine.hardware;
    if (usable === undefined) throw new Unjudged('address ranges of the IOMMU are not known');
    const room = info.u32(0);
    const out = new StructView(new Uint8Array(room >= 20 ? 20 : 16));
    const capabilities = this.#capabilities();
    const total = INFO_BYTES + capabilities.length;
    const fits = room >= total;
    out.setU32(0, fits ? room : total);
    out.setU32(4, 3);
    out.setU64(8, this.#sizes());
    out.setU32(16, fits ? INFO_BYTES : 0);
    if (fits && !process.memory.write(argument + BigInt(INFO_BYTES), capabilities)) return -ERRNO.EFAULT;
    return process.memory.write(argument, out.bytes) ? 0 : -ERRNO.EFAULT;
  }

  /** VFIO_DMA_MAP_FLAG_VADDR: a mapping whose address was taken away gets a new one, in the caller's memory, who pays from now on. */
  #updateVaddr(process: Process, iova: bigint, size: bigint): number {
    const dma = this.#overlapping(iova, iova + size - 1n)[0];
    if (dma === undefined) return -ERRNO.ENOENT;
    if (dma.vaddrValid || dma.iova !== iova || dma.size !== size) return -ERRNO.EINVAL;
    const { memory } = process;
    if (memory !== dma.memory) {
      if (!process.ipcLock && !withinLimit(process, memory, dma.lockedPages)) return -ERRNO.ENOMEM;
      memory.lockedPages += dma.lockedPages;
      dma.memory.lockedPages -= dma.lockedPages;
      dma.memory = memory;
      dma.owner = process;
    }
    dma.vaddrValid = true;
    this.#machine.vaddrs?.restored(this, iova, size);
    return 0;
  }

  /** Bytes that went, or a negative errno after which all mappings are as before. */
  #unmapRange(
    process: Process,
    iova: bigint,
    size: bigint,
    flags: number,
    request: BitmapRequest | undefined,
  ): bigint | number {
    const mask = this.#page - 1n;
    let last = iova + size - 1n;
    if ((iova & mask) !== 0n) return -ERRNO.EINVAL;
    if ((flags & UNMAP_FLAG.all) !== 0) {
      if (iova !== 0n || size !== 0n) return -ERRNO.EINVAL;
      last = U64_MAX;
    } else {
      if (size === 0n || (size & mask) !== 0n) return -ERRNO.EINVAL;
      if (last > U64_MAX) return -ERRNO.EOVERFLOW;
    }
    if (request !== undefined && (!this.#dirtyTracking || request.pageSize !== mask + 1n)) return -ERRNO.EINVAL;
    const found = this.#overlapping(iova, last);
    const cut = found.filter((dma) => dma.iova < iova || dma.iova + dma.size - 1n > last);
    if (this.v2 && cut.length > 0) return -ERRNO.EINVAL;
    const taken = found.filter((dma) => dma.iova >= iova);
    if (!this.v2 && taken.length < found.length) return 0n;
    if ((flags & UNMAP_FLAG.vaddr) !== 0) {
      if (taken.some((dma) => !dma.vaddrValid)) return -ERRNO.EINVAL;
      for (const dma of taken) {
        dma.vaddrValid = false;
        this.#machine.vaddrs?.invalidated(this, dma.iova, dma.size);
      }
    } else {
      // Bits and mappings go one by one: those before an unwritable bit are gone.
      const failed = request === undefined ? -1 : taken.findIndex((dma) => !writeBitmap(process, request, iova, dma));
      this.#remove(failed < 0 ? taken : taken.slice(0, failed));
      if (failed >= 0) return -ERRNO.EFAULT;
    }
    return taken.reduce((sum, dma) => sum + dma.size, 0n);
  }

  #remove(taken: readonly Dma[]): void {
    const going = new Set(taken);
    this.#mappings = this.#mappings.filter((dma) => !going.has(dma));
    for (const { iova, size, memory, lockedPages, vaddrValid } of going) {
      memory.lockedPages -= lockedPages;
      this.#machine.intents?.unmapped(this, iova, iova + size - 1n, 'vfio');
      if (!vaddrValid) this.#machine.vaddrs?.unmapped(this, iova, size);
    }
  }

  /** Every page of a mapping counts as dirty each time: no driver says which it pinned (vfio_iova_dirty_bitmap). */
  #bitmap(process: Process, iova: bigint, size: bigint, request: BitmapRequest): number {
    const page = this.#page;
    if (iova + size > U64_MAX || !fits(request, size) || request.pageSize !== page) return -ERRNO.EINVAL;
    if (size === 0n || ((iova | size) & (page - 1n)) !== 0n || !this.#dirtyTracking) return -ERRNO.EINVAL;
    const last = iova + size - 1n;
    const found = this.#overlapping(iova, last);
    if (found.some((dma) => dma.iova < iova || dma.iova + dma.size - 1n > last)) return -ERRNO.EINVAL;
    for (const dma of found) if (!writeBitmap(process, request, iova, dma)) return -ERRNO.EFAULT;
    return 0;
  }

  /** Migration (id 2), mappings left (3), usable ranges (1): {u16 id, u16 version, u32 next}, then the rest. */
  #capabilities(): Uint8Array {
    const { usable = [] } = this.#machine.hardware;
    const view = new StructView(new Uint8Array(64 + (usable.length > 0 ? usable.length * 16 : -16)));
    const header = (at: number, id: number, next: number): void => {
      view.bytes[at] = id;
      view.bytes[at + 2] = 1;
      view.setU32(at + 4, next);
    };
    header(0, 2, INFO_BYTES + 32);
    view.setU64(16, this.#page);
    view.setU64(24, BigInt(MAX_BITMAP_BYTES));
    header(32, 3, usable.length > 0 ? INFO_BYTES + 48 : 0);
    view.setU32(40, ENTRY_LIMIT - this.#mappings.length);
    if (usable.length === 0) return view.bytes;
    header(48, 1, 0);
    view.setU32(56, usable.length);
    for (const [i, { start, last }] of usable.entries()) {
      view.setU64(64 + i * 16, start);
      view.setU64(72 + i * 16, last);
    }
    return view.bytes;
  }

  #usable(first: bigint, last: bigint): boolean {
    const { usable } = this.#machine.hardware;
    return usable === undefined || usable.some((range) => range.start <= first && range.last >= last);
  }

  /** Index of the first mapping that ends at or behind `iova`. */
  #index(iova: bigint): number {
    let low = 0;
    let high = this.#mappings.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const dma = this.#mappings[middle];
      if (dma !== undefined && dma.iova + dma.size - 1n < iova) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #overlapping(first: bigint, last: bigint): Dma[] {
    const found: Dma[] = [];
    for (let i = this.#index(first); ; i++) {
      const dma = this.#mappings[i];
      if (dma === undefined || dma.iova > last) return found;
      found.push(dma);
    }
  }
}

/**
 * Locks what is behind a mapping: the pages that count, or a negative errno. Also a device's own memory can be mapped, as long as
 * it is mapped into the process (follow_fault_pfn); it counts for nothing. Pages are locked from the first on, so that what comes
 * first decides: the limit, or a page that can't be pinned.
 */
function lock(process: Process, vaddr: bigint, size: bigint, write: boolean): number {
  const { memory } = process;
  const length = Number(size);
  const { pages, memory: lockedPages } = memory.lockable(Number(vaddr), length, write ? 3 : 1);
  if (!process.ipcLock && !withinLimit(process, memory, lockedPages)) return -ERRNO.ENOMEM;
  if (pages * PAGE_SIZE < length) return -ERRNO.EFAULT;
  memory.lockedPages += lockedPages;
  return lockedPages;
}

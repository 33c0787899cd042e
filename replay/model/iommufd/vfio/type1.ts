import { U64_MAX } from '../area-tree.ts';
import { PAGE_SIZE } from '../backing.ts';
import { ERRNO } from '../errno.ts';
import type { IntentListener } from '../intents.ts';
import type { Process } from '../process.ts';
import { StructView } from '../struct-view.ts';
import { Unjudged } from '../unjudged.ts';
import { EXTENSION } from './requests.ts';
import type { RecordedHardware } from './hardware.ts';
import { readArgsz } from './user-struct.ts';
import type { VfioCall } from './vfio-file.ts';

const MAP_BYTES = 32;
const UNMAP_BYTES = 24;
const MAP_FLAG = { read: 1, write: 2, vaddr: 4 } as const;
const UNMAP_FLAG = { dirty: 1, all: 2, vaddr: 4 } as const;
const DIRTY_FLAG = { start: 1, stop: 2, get: 4 } as const;
/** Module parameter dma_entry_limit, and the most bytes of a dirty bitmap. */
const ENTRY_LIMIT = 65_535;
const MAX_BITMAP = 256 << 20;
/** A longer bitmap (512 KiB) is in no recording. */
const MAX_JUDGED_PAGES = 1n << 22n;
const INFO_BYTES = 24;

/** A mapping (struct vfio_dma). */
interface Dma {
  readonly iova: bigint;
  readonly size: bigint;
  vaddrValid: boolean;
}

/** Mappings of a TYPE1 container without iommufd (drivers/vfio/vfio_iommu_type1.c). */
export class Type1 {
  /** v2: an unmap may not cut a mapping. v1: it takes whole mappings whose first byte it covers. */
  readonly v2: boolean;
  readonly #hardware: RecordedHardware;
  /** By address; not overlapping. */
  #mappings: Dma[] = [];
  #dirtyTracking = false;
  readonly #intents: IntentListener | undefined;

  /** The container's devices are attached to a domain of its own as long as it lives. */
  constructor(type: number, hardware: RecordedHardware, intents?: IntentListener) {
    this.v2 = type === EXTENSION.type1v2;
    this.#hardware = hardware;
    this.#intents = intents;
    intents?.attached(undefined, 0, this, 'paging');
  }

  /** All mappings go, then the domain (vfio_iommu_type1_detach_group of the last group). */
  release(): void {
    this.#tellUnmapped(this.#mappings);
    this.#mappings = [];
    this.#intents?.detached(undefined, 0, this);
  }

  /** Smallest IOMMU page; what is smaller than a page of the CPU counts as one. */
  get #page(): bigint {
    const sizes = this.#sizes();
    return sizes & -sizes;
  }

  #sizes(): bigint {
    const { pageSizes } = this.#hardware;
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
    if (setVaddr) return this.#updateVaddr(iova, size);
    if (this.#overlapping(iova, iova + size - 1n).length > 0) return -ERRNO.EEXIST;
    if (this.#mappings.length >= ENTRY_LIMIT) return -ERRNO.ENOSPC;
    if (!this.#usable(iova, iova + size - 1n)) return -ERRNO.EINVAL;
    if (!pinnable(process, vaddr, size, (prot & MAP_FLAG.write) !== 0)) return -ERRNO.EFAULT;
    this.#mappings.splice(this.#index(iova), 0, { iova, size, vaddrValid: true });
    this.#intents?.mapped(this, { start: iova, last: iova + size - 1n, prot, physical: vaddr }, 'vfio');
    return 0;
  }

  unmap({ process, argument }: VfioCall): number {
    const unmap = readArgsz(process, argument, UNMAP_BYTES);
    if (typeof unmap === 'number') return unmap;
    const flags = unmap.u32(4);
    if ((flags & ~7) !== 0) return -ERRNO.EINVAL;
    if ((flags & UNMAP_FLAG.dirty) !== 0) {
      if ((flags & ~UNMAP_FLAG.dirty) !== 0 || !this.#dirtyTracking) return -ERRNO.EINVAL;
      throw new Unjudged('dirty bitmap of an unmap');
    }
    const done = this.#unmapRange(unmap.u64(8), unmap.u64(16), flags);
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
    const get = process.memory.read(argument + 8n, 40);
    return get === undefined ? -ERRNO.EFAULT : this.#bitmap(process, new StructView(get));
  }

  getInfo({ process, argument }: VfioCall): number {
    const info = readArgsz(process, argument, 16);
    if (typeof info === 'number') return info;
    const { usable } = this.#hardware;
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

  /** VFIO_DMA_MAP_FLAG_VADDR: a mapping whose address was taken away gets a new one. */
  #updateVaddr(iova: bigint, size: bigint): number {
    const dma = this.#mappings.find((mapping) => mapping.iova === iova);
    if (dma === undefined) return -ERRNO.ENOENT;
    if (dma.vaddrValid || dma.size !== size) return -ERRNO.EINVAL;
    dma.vaddrValid = true;
    return 0;
  }

  /** Bytes that went, or a negative errno after which all mappings are as before. */
  #unmapRange(iova: bigint, size: bigint, flags: number): bigint | number {
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
    const found = this.#overlapping(iova, last);
    const cut = found.filter((dma) => dma.iova < iova || dma.iova + dma.size - 1n > last);
    if (this.v2 && cut.length > 0) return -ERRNO.EINVAL;
    const taken = found.filter((dma) => dma.iova >= iova);
    if (!this.v2 && taken.length < found.length) return 0n;
    if ((flags & UNMAP_FLAG.vaddr) !== 0) {
      if (taken.some((dma) => !dma.vaddrValid)) return -ERRNO.EINVAL;
      for (const dma of taken) dma.vaddrValid = false;
    } else {
      this.#mappings = this.#mappings.filter((dma) => !taken.includes(dma));
      this.#tellUnmapped(taken);
    }
    return taken.reduce((sum, dma) => sum + dma.size, 0n);
  }

  #tellUnmapped(taken: readonly Dma[]): void {
    for (const { iova, size } of taken) this.#intents?.unmapped(this, iova, iova + size - 1n, 'vfio');
  }

  /** Every page of a mapping counts as dirty each time: no driver says which it pinned (iova_dirty_bitmap). */
  #bitmap(process: Process, get: StructView): number {
    const [iova, size, pgsize, bytes, data] = [0, 8, 16, 24, 32].map((at) => get.u64(at)) as [
      bigint,
      bigint,
      bigint,
      bigint,
      bigint,
    ];
    const page = this.#page;
    if (!this.#dirtyTracking || size === 0n || pgsize !== page) return -ERRNO.EINVAL;
    if (((iova | size) & (page - 1n)) !== 0n) return -ERRNO.EINVAL;
    const pages = size / page;
    if (pages > MAX_JUDGED_PAGES) throw new Unjudged('a dirty bitmap longer than recordings hold');
    if (bytes === 0n || bytes > MAX_BITMAP || bytes < ((pages + 63n) / 64n) * 8n) return -ERRNO.EINVAL;
    const last = iova + size - 1n;
    const found = this.#overlapping(iova, last);
    if (found.some((dma) => dma.iova < iova || dma.iova + dma.size - 1n > last)) return -ERRNO.EINVAL;
    for (const dma of found) {
      const first = Number((dma.iova - iova) / page);
      const bits = Number(dma.size / page);
      for (let bit = first; bit < first + bits; ) {
        const whole = bit % 8 === 0 && first + bits - bit >= 8;
        if (!process.memory.or(data + BigInt(bit >> 3), whole ? 0xff : 1 << (bit % 8))) return -ERRNO.EFAULT;
        bit += whole ? 8 : 1;
      }
    }
    return 0;
  }

  /** Migration (id 2), mappings left (3), usable ranges (1): {u16 id, u16 version, u32 next}, then the rest. */
  #capabilities(): Uint8Array {
    const { usable = [] } = this.#hardware;
    const view = new StructView(new Uint8Array(64 + (usable.length > 0 ? usable.length * 16 : -16)));
    const header = (at: number, id: number, next: number): void => {
      view.bytes[at] = id;
      view.bytes[at + 2] = 1;
      view.setU32(at + 4, next);
    };
    header(0, 2, INFO_BYTES + 32);
    view.setU64(16, this.#page);
    view.setU64(24, BigInt(MAX_BITMAP));
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
    const { usable } = this.#hardware;
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

/** Also a device's own memory can be mapped, as long as it is mapped into the process (follow_fault_pfn). */
function pinnable(process: Process, vaddr: bigint, size: bigint, write: boolean): boolean {
  const start = Number(vaddr) - (Number(vaddr) % PAGE_SIZE);
  const length = Math.ceil((Number(vaddr) - start + Number(size)) / PAGE_SIZE) * PAGE_SIZE;
  return process.memory.accessible(start, length, write ? 3 : 1);
}

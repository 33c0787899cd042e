import { Backing, PAGE_SIZE } from './backing.ts';
import { ERRNO } from './errno.ts';
import { Unjudged } from './unjudged.ts';

/** Beyond it nothing of a process can be mapped (x86-64, 4-level: 47 bits). */
const TASK_SIZE = 0x7fff_ffff_f000;

/**
 * Why `count` pages from a page-aligned address can't be pinned: EFAULT, but EOVERFLOW where the range ends with the last page
 * of 64 bits (mm/gup.c adds start and length before it looks whether that is user memory).
 */
export function pinError(address: number, count: number): number {
  return address + count * PAGE_SIZE >= 2 ** 64 ? -ERRNO.EOVERFLOW : -ERRNO.EFAULT;
}

/** Protection bits of mmap(2). */
export const PROT = { read: 1, write: 2, exec: 4 } as const;

/** A mapping: [start, end) in bytes, page-aligned, `page` the index in the backing of its first page. */
export interface Vma {
  readonly start: number;
  readonly end: number;
  readonly prot: number;
  readonly shared: boolean;
  readonly backing: Backing;
  readonly page: number;
}

/** Consecutive physical pages: `count` pages of `backing` from `page`, at page `at` of the range that was pinned. */
export interface PinnedRun {
  readonly at: number;
  readonly count: number;
  readonly backing: Backing;
  readonly page: number;
}

/** Recorded memory of one call. `bytes` null: it could not be read. A write of the model lands in `after`. */
export interface MemoryRegion {
  readonly address: number;
  readonly bytes: Uint8Array | null;
  after: Uint8Array | undefined;
  /** Of what the call wrote: some is not known, some is what was last seen elsewhere, and may have changed since. */
  unknown: boolean;
  recalled?: boolean;
}

/**
 * User memory of a process: what is mapped where, and what is known of its contents. Contents come from the regions that the
 * recording holds for the call at hand (`begin`), which are exact; what was seen earlier is remembered by backing and may be
 * stale where the program itself wrote meanwhile.
 */
export class AddressSpace {
  readonly kind = 'user';
  /** Ascending, not overlapping. */
  #vmas: Vma[] = [];
  #last: Vma | undefined = undefined;
  #regions: readonly MemoryRegion[] = [];
  /** Whether every mapping of the process is known. If not, an unknown address counts as mapped, read-write. */
  readonly complete: boolean;
  /** Whether remembered contents are the truth (nobody else writes): a simulated process. */
  readonly trusted: boolean;
  /** Its last process is gone: what is not pinned yet can't be. */
  gone = false;
  /** Memory of unknown mappings, by address. */
  readonly #rest = new Backing();
  /** Pages that count against RLIMIT_MEMLOCK (mm->locked_vm). */
  lockedPages = 0;
  /** Writes of the model outside every recorded region since `begin`. */
  unrecordedWrites = 0;

  constructor(options: { readonly complete?: boolean; readonly trusted?: boolean } = {}) {
    this.complete = options.complete ?? false;
    this.trusted = options.trusted ?? false;
  }

  get vmas(): readonly Vma[] {
    return this.#vmas;
  }

  /** What the recording holds of memory during the next call. */
  begin(regions: readonly MemoryRegion[]): void {
    this.#regions = regions;
    this.unrecordedWrites = 0;
  }

  /** Ends the call: later reads no longer find its regions. */
  end(): void {
    this.#regions = [];
  }

  /** `length` bytes at `address`; undefined: EFAULT. Throws `Unjudged` where they were not recorded. */
  read(address: bigint, length: number): Uint8Array | undefined {
    if (length === 0) return new Uint8Array(0);
    const at = this.#inUser(address, length);
    if (at === undefined) return undefined;
    for (const region of this.#regions) {
      const { bytes } = region;
      if (bytes === null || at < region.address || at + length > region.address + bytes.length) continue;
      return (region.after ?? bytes).subarray(at - region.address, at - region.address + length);
    }
    if (!this.accessible(at, length, PROT.read)) return undefined;
    for (const region of this.#regions) if (region.bytes === null && region.address === at) return undefined;
    const known = this.trusted ? this.recall(at, length) : undefined;
    if (known === undefined) throw new Unjudged('memory behind a pointer was not recorded');
    return known;
  }

  /** Like `read`, of as many bytes as `into` takes or, if that is less, `length`; false: EFAULT. A call's struct comes this way. */
  readInto(address: bigint, length: number, into: Uint8Array): boolean {
    const count = Math.min(length, into.length);
    const at = Number(address);
    for (const { address: start, bytes, after } of this.#regions) {
      if (bytes === null || at < start || at + count > start + bytes.length || at + count > TASK_SIZE) continue;
      const from = after ?? bytes;
      for (let i = 0; i < count; i++) into[i] = from[at - start + i] as number;
      return true;
    }
    const bytes = this.read(address, count);
    if (bytes === undefined) return false;
    into.set(bytes);
    return true;
  }

  /** The little-endian word at an address; undefined: EFAULT. A call begins with one: no array is made for it. */
  readWord(address: bigint): number | undefined {
    const at = Number(address);
    for (const { address: start, bytes, after } of this.#regions) {
      if (bytes === null || at < start || at + 4 > start + bytes.length || at > TASK_SIZE) continue;
      return wordAt(after ?? bytes, at - start);
    }
    const bytes = this.read(address, 4);
    return bytes === undefined ? undefined : wordAt(bytes, 0);
  }

  /** 0 where all `length` bytes are zero, else a negative errno: -E2BIG, or -EFAULT where they can't be read. */
  zeroTail(address: bigint, length: number): number {
    const at = this.#inUser(address, length);
    if (at === undefined) return -ERRNO.EFAULT;
    for (const region of this.#regions) {
      const { bytes } = region;
      if (bytes === null || at < region.address || at >= region.address + bytes.length) continue;
      const tail = bytes.subarray(at - region.address, at - region.address + length);
      if (tail.some((byte) => byte !== 0)) return -ERRNO.E2BIG;
      if (tail.length === length) return 0;
      return this.zeroTail(address + BigInt(tail.length), length - tail.length);
    }
    if (!this.accessible(at, Math.min(length, 1), PROT.read)) return -ERRNO.EFAULT;
    const bytes = this.read(address, length);
    if (bytes === undefined) return -ERRNO.EFAULT;
    return bytes.some((byte) => byte !== 0) ? -ERRNO.E2BIG : 0;
  }

  /** Copies out; false: EFAULT (what was writable before the first bad page is written, as the kernel does). */
  write(address: bigint, bytes: Uint8Array): boolean {
    const length = bytes.length;
    if (length === 0) return true;
    const at = this.#inUser(address, length);
    if (at === undefined) return false;
    if (this.accessible(at, length, PROT.write)) {
      this.#store(at, bytes);
      return true;
    }
    let done = 0;
    while (this.accessible(at + done, 1, PROT.write)) done += PAGE_SIZE - ((at + done) % PAGE_SIZE);
    if (done > 0) this.#store(at, bytes.subarray(0, done));
    return false;
  }

  /** The physical page behind an address, as get_user_pages finds it; undefined: EFAULT. */
  page(address: bigint): { readonly backing: Backing; readonly page: number } | undefined {
    const at = this.#inUser(address, 1);
    return at === undefined ? undefined : this.pin(at - (at % PAGE_SIZE), PAGE_SIZE, false)?.[0];
  }

  /** Like `write` of memory's contents as they were last seen, or of `length` bytes that nobody knows. */
  writeRecalled(address: bigint, length: number, bytes: Uint8Array | undefined): boolean {
    const at = this.#inUser(address, length);
    if (at === undefined || !this.accessible(at, length, PROT.write)) return false;
    for (const region of this.#regions) {
      if (region.bytes === null || at >= region.address + region.bytes.length || at + length <= region.address)
        continue;
      if (bytes === undefined) region.unknown = true;
      else region.recalled = true;
    }
    if (bytes !== undefined) this.#store(at, bytes);
    return true;
  }

  /** Nothing that was seen of memory's contents can be relied on any more. */
  forget(): void {
    this.#rest.forget();
    for (const { backing } of this.#vmas) backing.forget();
  }

  /** The bytes at an address now, as far as they are known: those of the call's regions, or seen before. */
  peek(at: number, length: number): Uint8Array | undefined {
    for (const region of this.#regions) {
      const { bytes } = region;
      if (bytes === null || at < region.address || at + length > region.address + bytes.length) continue;
      return (region.after ?? bytes).slice(at - region.address, at - region.address + length);
    }
    return this.recall(at, length);
  }

  /** Writes without a check of rights. */
  poke(at: number, bytes: Uint8Array): void {
    const before = this.unrecordedWrites;
    this.#store(at, bytes);
    this.unrecordedWrites = before;
    this.remember(at, bytes);
  }

  /** clear_user: zeroes a range without holding that many bytes; false: EFAULT. */
  clear(address: bigint, length: number): boolean {
    const at = this.#inUser(address, length);
    if (at === undefined) return false;
    const zeros = new Uint8Array(Math.min(length, PAGE_SIZE));
    for (let done = 0; done < length; ) {
      if (!this.accessible(at + done, 1, PROT.write)) return false;
      const count = Math.min(length - done, PAGE_SIZE - ((at + done) % PAGE_SIZE));
      this.#store(at + done, zeros.subarray(0, count));
      done += count;
    }
    return true;
  }

  /**
   * ORs bits into the byte at `address`, as the kernel does to a pinned bitmap; false: not writable, the bits are lost. `asked`
   * false: beyond what the caller asked for, so that no recording has to show it.
   */
  or(address: bigint, bits: number, asked = true): boolean {
    const at = this.#inUser(address, 1);
    if (at === undefined || !this.accessible(at, 1, PROT.write)) return false;
    for (const region of this.#regions) {
      const { bytes } = region;
      if (bytes === null || at < region.address || at >= region.address + bytes.length) continue;
      region.after ??= bytes.slice();
      region.after[at - region.address] = (region.after[at - region.address] ?? 0) | bits;
      return true;
    }
    const known = this.recall(at, 1)?.[0];
    if (this.trusted || (!asked && known !== undefined)) this.remember(at, Uint8Array.of((known ?? 0) | bits));
    else if (asked) this.unrecordedWrites++;
    return true;
  }

  /** Whether every page of the range is mapped with `prot`. */
  accessible(at: number, length: number, prot: number): boolean {
    const end = at + length;
    if (end > TASK_SIZE + PAGE_SIZE) return false;
    for (let address = at; address < end; ) {
      const vma = this.find(address);
      if (vma === undefined) {
        if (this.complete && !this.#recorded(address)) return false;
        address = (Math.floor(address / PAGE_SIZE) + 1) * PAGE_SIZE;
        continue;
      }
      if ((vma.prot & prot) !== prot) return false;
      if (vma.backing.size !== undefined && vma.shared) {
        const last = Math.min(end, vma.end) - 1;
        const page = vma.page + Math.floor((last - vma.start) / PAGE_SIZE);
        if (page * PAGE_SIZE >= vma.backing.size) return false;
      }
      address = vma.end;
    }
    return true;
  }

  /**
   * Physical pages behind [address, address + length), both page-aligned, or undefined: EFAULT. A gap, a mapping without the
   * rights, a page beyond the end of a file can't be pinned (pin_user_pages).
   */
  pin(address: number, length: number, write: boolean): PinnedRun[] | undefined {
    const end = address + length;
    if (this.gone || address < 0 || end > TASK_SIZE) return undefined;
    const runs: PinnedRun[] = [];
    for (let at = address; at < end; ) {
      const vma = this.find(at);
      const offset = (at - address) / PAGE_SIZE;
      if (vma === undefined) {
        if (this.complete) return undefined;
        const next = Math.min(end, this.#nextStart(at));
        runs.push({ at: offset, count: (next - at) / PAGE_SIZE, backing: this.#rest, page: at / PAGE_SIZE });
        at = next;
        continue;
      }
      if (vma.backing.deviceMemory) return undefined;
      if ((vma.prot & PROT.read) === 0 && !write) return undefined;
      if (write && (vma.prot & PROT.write) === 0) return undefined;
      const next = Math.min(end, vma.end);
      const page = vma.page + (at - vma.start) / PAGE_SIZE;
      const count = (next - at) / PAGE_SIZE;
      if (vma.backing.size !== undefined && (page + count - 1) * PAGE_SIZE >= vma.backing.size) return undefined;
      runs.push({ at: offset, count, backing: vma.backing, page });
      at = next;
    }
    return runs;
  }

  /** Pages of the range before the first that can't be accessed by `prot`, and how many of them are memory, not a device's own. */
  lockable(at: number, length: number, prot: number): { readonly pages: number; readonly memory: number } {
    let pages = 0;
    let memory = 0;
    for (let address = at; address < at + length; ) {
      const vma = this.find(address);
      const end = Math.min(at + length, vma?.end ?? this.#nextStart(address));
      let stop = end;
      if (!this.accessible(address, end - address, prot)) {
        stop = address;
        while (stop < end && this.accessible(stop, PAGE_SIZE, prot)) stop += PAGE_SIZE;
      }
      pages += (stop - address) / PAGE_SIZE;
      if (vma?.backing.deviceMemory !== true) memory += (stop - address) / PAGE_SIZE;
      if (stop < end) break;
      address = end;
    }
    return { pages, memory };
  }

  find(address: number): Vma | undefined {
    const last = this.#last;
    if (last !== undefined && address >= last.start && address < last.end) return last;
    const vma = this.#vmas[this.#index(address)];
    if (vma === undefined || vma.start > address) return undefined;
    this.#last = vma;
    return vma;
  }

  /** mmap: replaces what was there. */
  map(vma: Vma): void {
    this.unmap(vma.start, vma.end - vma.start);
    this.#vmas.splice(this.#index(vma.start), 0, vma);
  }

  unmap(start: number, length: number): void {
    this.#carve(start, start + length, () => undefined);
  }

  protect(start: number, length: number, prot: number): void {
    this.#carve(start, start + length, (vma) => ({ ...vma, prot }));
  }

  /** mremap: the same pages elsewhere. */
  move(from: number, oldLength: number, to: number, newLength: number): void {
    const vma = this.find(from);
    if (vma === undefined) return;
    const page = vma.page + (from - vma.start) / PAGE_SIZE;
    this.unmap(from, oldLength);
    this.map({ ...vma, start: to, end: to + newLength, page });
  }

  /** madvise(MADV_DONTNEED) and the like: private anonymous pages are new afterwards. */
  discard(start: number, length: number): void {
    this.#carve(start, start + length, (vma) => (vma.shared ? vma : { ...vma, backing: new Backing(), page: 0 }));
  }

  /** The address space of a forked child: shared mappings are the same pages, private ones copies. */
  fork(): AddressSpace {
    const child = new AddressSpace({ complete: this.complete, trusted: this.trusted });
    const copies = new Map<Backing, Backing>();
    for (const vma of this.#vmas) {
      if (vma.shared) {
        child.#vmas.push(vma);
        continue;
      }
      const backing = copies.get(vma.backing) ?? new Backing(vma.backing.size, vma.backing.hugeShift);
      copies.set(vma.backing, backing);
      child.#vmas.push({ ...vma, backing });
    }
    return child;
  }

  /** Bytes last seen at an address, if all of them were. */
  recall(at: number, length: number): Uint8Array | undefined {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const vma = this.find(at + done);
      const count = Math.min(length - done, (vma?.end ?? this.#nextStart(at + done)) - at - done);
      const part =
        vma === undefined
          ? this.#rest.recall(at + done, count)
          : vma.backing.recall(vma.page * PAGE_SIZE + at + done - vma.start, count);
      if (part === undefined) return undefined;
      bytes.set(part, done);
      done += count;
    }
    return bytes;
  }

  /** Takes note of contents seen at an address. */
  remember(at: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const vma = this.find(at + done);
      const count = Math.min(bytes.length - done, (vma?.end ?? this.#nextStart(at + done)) - at - done);
      const part = bytes.subarray(done, done + count);
      if (vma === undefined) this.#rest.remember(at + done, part);
      else vma.backing.remember(vma.page * PAGE_SIZE + at + done - vma.start, part);
      done += count;
    }
  }

  #store(at: number, bytes: Uint8Array): void {
    let covered = 0;
    for (const region of this.#regions) {
      if (region.bytes === null) continue;
      const from = Math.max(at, region.address);
      const to = Math.min(at + bytes.length, region.address + region.bytes.length);
      if (from >= to) continue;
      if (to - from === region.bytes.length) region.after = bytes.slice(from - at, to - at);
      else {
        region.after ??= region.bytes.slice();
        region.after.set(
          from === at && to === at + bytes.length ? bytes : bytes.subarray(from - at, to - at),
          from - region.address,
        );
      }
      covered += to - from;
    }
    if (covered < bytes.length) this.unrecordedWrites++;
    if (covered < bytes.length || this.trusted) this.remember(at, bytes);
  }

  #recorded(address: number): boolean {
    return this.#regions.some(
      ({ address: start, bytes }) => bytes !== null && address >= start && address < start + bytes.length,
    );
  }

  #inUser(address: bigint, length: number): number | undefined {
    const at = Number(address);
    return at + length <= TASK_SIZE + PAGE_SIZE ? at : undefined;
  }

  #nextStart(address: number): number {
    return this.#vmas[this.#index(address)]?.start ?? TASK_SIZE + PAGE_SIZE;
  }

  /** Index of the first mapping that ends after `address`. */
  #index(address: number): number {
    let low = 0;
    let high = this.#vmas.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#vmas[middle] as Vma).end <= address) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #carve(start: number, end: number, change: (vma: Vma) => Vma | undefined): void {
    this.#last = undefined;
    const from = this.#index(start);
    const parts: Vma[] = [];
    let to = from;
    for (; to < this.#vmas.length; to++) {
      const vma = this.#vmas[to] as Vma;
      if (vma.start >= end) break;
      const first = Math.max(start, vma.start);
      const last = Math.min(end, vma.end);
      if (vma.start < first) parts.push({ ...vma, end: first });
      const middle = change({ ...vma, start: first, end: last, page: vma.page + (first - vma.start) / PAGE_SIZE });
      if (middle !== undefined) parts.push(middle);
      if (last < vma.end) parts.push({ ...vma, start: last, page: vma.page + (last - vma.start) / PAGE_SIZE });
    }
    this.#vmas.splice(from, to - from, ...parts);
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24)) >>> 0
  );
}

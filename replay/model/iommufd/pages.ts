import { pinError } from './address-space.ts';
import type { AddressSpace, PinnedRun } from './address-space.ts';
import type { Area } from './area-tree.ts';
import { PAGE_SIZE } from './backing.ts';
import type { Backing } from './backing.ts';
import type { DmaBuffer } from './dma-buffer.ts';
import { ERRNO } from './errno.ts';
import type { PageAccount } from './locked-memory.ts';
import { PinnedPages } from './pinners.ts';

/** Where the pages of a MAP come from: a process's memory, a file, a dma-buf. */
export type PageSource =
  | AddressSpace
  | { readonly kind: 'file'; readonly backing: Backing; readonly pinnable: boolean }
  | {
      readonly kind: 'dmabuf';
      readonly backing: Backing;
      readonly buffer: DmaBuffer;
      readonly revocation: number;
    };

/** Pages of `length` bytes from a byte of the first page. */
export function pageCount(startByte: number, length: bigint): number {
  return Number((BigInt(startByte) + length + BigInt(PAGE_SIZE - 1)) / BigInt(PAGE_SIZE));
}

const NO_RUNS: readonly PinnedPages[] = [];

interface AccessPin {
  readonly first: number;
  readonly last: number;
  users: number;
}

/**
 * The pages of one MAP, shared by its copies (struct iopt_pages). A page is pinned once however many domains and accesses use
 * it; which physical pages they are is found out when the first of them is pinned, and forgotten with the last.
 */
export class Pages {
  readonly source: PageSource;
  /** Address, or byte of the file, of the first page. */
  readonly base: number;
  readonly count: number;
  readonly writable: boolean;
  /** Who pays for what is pinned; undefined: nobody. */
  readonly account: PageAccount | undefined;
  /** Pages that are pinned and paid for. */
  #charged = 0;
  /** Areas that map these pages. */
  users = 0;
  /** Areas that are filled into domains. */
  #areas: Area[] | undefined = undefined;
  #pins: AccessPin[] | undefined = undefined;
  #runs: PinnedPages[] | undefined = undefined;

  constructor(source: PageSource, base: number, count: number, writable: boolean, account?: PageAccount) {
    this.account = account;
    this.source = source;
    this.base = base;
    this.count = count;
    this.writable = writable;
  }

  get memory(): AddressSpace | undefined {
    return this.source.kind === 'user' ? this.source : undefined;
  }

  /** Pins the pages of an area for domains: 0 or a negative errno. */
  fill(area: Area): number {
    const ret = this.#resolve(area.firstPage, area.lastPage);
    if (ret !== 0) return ret;
    // Most pages are mapped once: an array that grows would hold room for 17.
    if (this.#areas === undefined) this.#areas = [area];
    else this.#areas.push(area);
    if (this.#pay()) return 0;
    this.unfill(area);
    return -ERRNO.ENOMEM;
  }

  unfill(area: Area): void {
    const at = this.#areas?.indexOf(area) ?? -1;
    if (this.#areas?.length === 1 && at === 0) this.#areas = undefined;
    else if (at >= 0) this.#areas?.splice(at, 1);
    this.#pay();
    this.#settle();
  }

  /** Pins pages for an access. */
  pin(first: number, last: number): number {
    const same = this.#pins?.find((pin) => pin.first === first && pin.last === last);
    if (same !== undefined) {
      same.users++;
      return 0;
    }
    const ret = this.#resolve(first, last);
    if (ret !== 0) return ret;
    this.#pins ??= [];
    this.#pins.push({ first, last, users: 1 });
    if (this.#pay()) return 0;
    this.unpin(first, last);
    return -ERRNO.ENOMEM;
  }

  unpin(first: number, last: number): void {
    const at = this.#pins?.findIndex((pin) => pin.first === first && pin.last === last) ?? -1;
    const pin = this.#pins?.[at];
    if (pin === undefined) return;
    pin.users--;
    if (pin.users === 0) this.#pins?.splice(at, 1);
    this.#pay();
    this.#settle();
  }

  /** Whether the pages can be pinned now, without keeping them: 0 or a negative errno. */
  probe(first: number, last: number): number {
    const ret = this.#resolve(first, last);
    this.#settle();
    return ret;
  }

  /** Whether a page is pinned now. */
  pinned(page: number): boolean {
    return (
      this.#areas?.some((area) => page >= area.firstPage && page <= area.lastPage) === true ||
      this.#pins?.some((pin) => page >= pin.first && page <= pin.last) === true
    );
  }

  /** Memory of a dma-buf that was revoked since it was mapped: no domain maps it any more. */
  get gone(): boolean {
    const { source } = this;
    return source.kind === 'dmabuf' && source.buffer.revocations !== source.revocation;
  }

  get anyPins(): boolean {
    return (this.#pins?.length ?? 0) > 0;
  }

  /** The pinned physical page. */
  physical(page: number): { readonly backing: Backing; readonly page: number } | undefined {
    for (const run of this.#runs ?? [])
      if (page >= run.at && page < run.at + run.count) return { backing: run.backing, page: run.page + page - run.at };
    return undefined;
  }

  #resolve(first: number, last: number): number {
    for (let at = first; at <= last; ) {
      const runs = this.#runs ?? NO_RUNS;
      const found = runs.find((run) => at >= run.at && at < run.at + run.count);
      if (found !== undefined) {
        at = found.at + found.count;
        continue;
      }
      let end = last + 1;
      for (const run of runs) if (run.at > at && run.at < end) end = run.at;
      const more = this.#lookUp(at, end - at);
      if (typeof more === 'number') {
        this.#settle();
        return more;
      }
      for (const run of more) {
        const pin = new PinnedPages(this, at + run.at, run.count, run.backing, run.page);
        if (this.#runs === undefined) this.#runs = [pin];
        else this.#runs.push(pin);
        run.backing.pinners.add(pin);
      }
      at = end;
    }
    return 0;
  }

  /** `at` of what it finds counts from `first`. */
  #lookUp(first: number, count: number): PinnedRun[] | number {
    const { source } = this;
    if (source.kind === 'user') {
      const address = this.base + first * PAGE_SIZE;
      return source.pin(address, count * PAGE_SIZE, this.writable) ?? pinError(address, count);
    }
    const page = this.base / PAGE_SIZE + first;
    if (source.kind === 'file') {
      if (!source.pinnable) return -ERRNO.EINVAL;
      const { size } = source.backing;
      if (size !== undefined && (page + count) * PAGE_SIZE > size) return -ERRNO.EINVAL;
    }
    return [{ at: 0, count, backing: source.backing, page }];
  }

  /** Pages that are paid for now. */
  get charged(): number {
    return this.#charged;
  }

  /** Counts what is pinned now: a page counts once, however often it is (iopt_pages_update_pinned). False: over the limit. */
  #pay(): boolean {
    if (this.account === undefined) return true;
    const pages = this.#pinnedCount();
    if (!this.account.charge(pages - this.#charged)) return false;
    this.#charged = pages;
    return true;
  }

  #pinnedCount(): number {
    const ranges = [
      ...(this.#areas ?? []).map((area) => ({ first: area.firstPage, last: area.lastPage })),
      ...(this.#pins ?? []),
    ].sort((a, b) => a.first - b.first);
    let pages = 0;
    let next = 0;
    for (const { first, last } of ranges) {
      if (last < next) continue;
      pages += last + 1 - Math.max(first, next);
      next = last + 1;
    }
    return pages;
  }

  #settle(): void {
    if ((this.#areas?.length ?? 0) > 0 || (this.#pins?.length ?? 0) > 0) return;
    for (const run of this.#runs ?? []) run.backing.pinners.delete(run);
    this.#runs = undefined;
  }
}

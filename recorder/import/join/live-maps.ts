import type { PageNumber } from '../../../traces/units.ts';
import { enlarged } from './enlarged.ts';

/** Levels of the page index: blocks of 1, 512, 512^2, ... pages, as in a page table. */
const LEVELS = 5;
const FANOUT = 512;
const BLOCK = Float64Array.from({ length: LEVELS }, (_, level) => FANOUT ** level);
/** A range with more pages is searched by going through all live maps. */
const MANY_PAGES = 4096;
/** Maps that are sorted by insertion. */
const FEW = 16;

/**
 * The maps that are live now, by page. IOVA ranges of different domains overlap, so a page has any number of maps. Each map
 * has a slot; slots are reused. A map is entered once per aligned block that it fills, so that a large one costs little.
 */
export class LiveMaps {
  page = new Float64Array(1024);
  pages = new Float64Array(1024);
  phys = new Float64Array(1024);
  /** Row of the map event. */
  row = new Int32Array(1024);
  domain = new Int32Array(1024);
  device = new Int32Array(1024);
  /** `EVIDENCE` of the domain. */
  evidence = new Uint8Array(1024);
  actor = new Int32Array(1024);
  task = new Int32Array(1024);
  time = new Float64Array(1024);
  /** Time of the last access seen; -1: none. */
  lastAccess = new Float64Array(1024);
  /** Unmaps that may have closed it; its life is then in doubt. */
  contests = new Int32Array(1024);
  live = new Uint8Array(1024);
  count = 0;
  #slots = 0;
  /** The search that met a slot last. */
  #seen = new Float64Array(1024);
  #rounds = 0;
  readonly #free: number[] = [];

  // Hash of (block number, level) to a chain of nodes, one per (block, slot).
  #heads = new Int32Array(4096).fill(-1);
  #mask = 4095;
  #nodeBlock = new Float64Array(4096);
  #nodeLevel = new Uint8Array(4096);
  #nodeSlot = new Int32Array(4096);
  #nodeNext = new Int32Array(4096);
  #nodes = 0;
  #freeNode = -1;
  #usedNodes = 0;
  readonly #atLevel = new Int32Array(LEVELS);

  add(page: number, pages: number, phys: number, row: number): number {
    const slot = this.#free.pop() ?? this.#slots++;
    if (slot >= this.page.length) this.#growSlots();
    this.page[slot] = page;
    this.pages[slot] = pages;
    this.phys[slot] = phys;
    this.row[slot] = row;
    this.domain[slot] = -1;
    this.device[slot] = -1;
    this.evidence[slot] = 0;
    this.actor[slot] = -1;
    this.task[slot] = -1;
    this.time[slot] = 0;
    this.lastAccess[slot] = -1;
    this.contests[slot] = 0;
    this.live[slot] = 1;
    this.count++;
    // Most maps have one page.
    if (pages === 1) this.#insert(page, 0, slot);
    else this.#forBlocks(page, pages, (block, level) => this.#insert(block, level, slot));
    return slot;
  }

  remove(slot: number): void {
    if (this.live[slot] !== 1) return;
    this.live[slot] = 0;
    this.count--;
    const page = this.page[slot]!;
    const pages = this.pages[slot]!;
    if (pages === 1) this.#delete(page, 0, slot);
    else this.#forBlocks(page, pages, (block, level) => this.#delete(block, level, slot));
    this.#free.push(slot);
  }

  /** Splits a map at the ends of a range; returns the slot of the part inside. */
  cut(slot: number, from: PageNumber, to: PageNumber): number {
    const start = this.page[slot]!;
    const end = start + this.pages[slot]!;
    if (start < from) this.#part(slot, start, from - start);
    if (end > to) this.#part(slot, to, end - to);
    if (start >= from && end <= to) return slot;
    const inside = this.#part(slot, Math.max(start, from), Math.min(end, to) - Math.max(start, from));
    this.remove(slot);
    return inside;
  }

  #part(slot: number, page: PageNumber, pages: number): number {
    const part = this.add(page, pages, this.phys[slot]! + (page - this.page[slot]!), this.row[slot]!);
    this.domain[part] = this.domain[slot]!;
    this.device[part] = this.device[slot]!;
    this.evidence[part] = this.evidence[slot]!;
    this.actor[part] = this.actor[slot]!;
    this.task[part] = this.task[slot]!;
    this.time[part] = this.time[slot]!;
    this.lastAccess[part] = this.lastAccess[slot]!;
    return part;
  }

  /** All live slots. */
  *slots(): Generator<number> {
    for (let slot = 0; slot < this.#slots; slot++) if (this.live[slot] === 1) yield slot;
  }

  /** Slots of the maps that hold a page, appended to `out` from position `at`; returns the position after them. */
  find(page: number, out: number[], at = 0): number {
    let end = at;
    for (let level = 0; level < LEVELS; level++) {
      if (this.#atLevel[level] === 0) continue;
      const block = level === 0 ? page : Math.floor(page / BLOCK[level]!);
      for (let node = this.#heads[this.#bucket(block, level)]!; node >= 0; node = this.#nodeNext[node]!) {
        if (this.#nodeBlock[node] === block && this.#nodeLevel[node] === level) out[end++] = this.#nodeSlot[node]!;
      }
    }
    return end;
  }

  /**
   * Slots of all maps that share a page with a range, each once, in order of their first page: written to the front of `out`,
   * which may be longer. Returns how many they are.
   */
  overlapping(page: number, pages: number, out: number[]): number {
    let count = 0;
    if (pages > MANY_PAGES) {
      for (const slot of this.slots()) {
        if (this.page[slot]! < page + pages && this.page[slot]! + this.pages[slot]! > page) out[count++] = slot;
      }
    } else if (pages === 1) {
      count = this.find(page, out);
    } else {
      const round = ++this.#rounds;
      for (let p = page; p < page + pages; p++) {
        const end = this.find(p, out, count);
        for (let k = count; k < end; k++) {
          const slot = out[k]!;
          if (this.#seen[slot] === round) continue;
          this.#seen[slot] = round;
          out[count++] = slot;
        }
      }
    }
    if (count > FEW) {
      const sorted = out.slice(0, count).sort((a, b) => this.#order(a, b));
      for (let i = 0; i < count; i++) out[i] = sorted[i]!;
      return count;
    }
    // a handful, nearly always: put in their places without the memory that `sort` takes
    for (let i = 1; i < count; i++) {
      const slot = out[i]!;
      let at = i;
      for (; at > 0 && this.#order(out[at - 1]!, slot) > 0; at--) out[at] = out[at - 1]!;
      out[at] = slot;
    }
    return count;
  }

  /** By first page, then by row. */
  #order(a: number, b: number): number {
    return this.page[a]! - this.page[b]! || this.row[a]! - this.row[b]!;
  }

  /** Calls `visit` for each aligned block of the largest level that fits, as a page table would hold the range. */
  #forBlocks(page: number, pages: number, visit: (block: number, level: number) => void): void {
    let at = page;
    const end = page + pages;
    while (at < end) {
      let level = 0;
      while (level + 1 < LEVELS && at % BLOCK[level + 1]! === 0 && at + BLOCK[level + 1]! <= end) level++;
      visit(at / BLOCK[level]!, level);
      at += BLOCK[level]!;
    }
  }

  #bucket(block: number, level: number): number {
    const lo = block | 0;
    const hi = (block / 0x100000000) | 0;
    let h = Math.imul(lo ^ Math.imul(hi, 0x27d4eb2f) ^ Math.imul(level, 0x165667b1), 0x9e3779b1);
    h ^= h >>> 15;
    return h & this.#mask;
  }

  #insert(block: number, level: number, slot: number): void {
    if (this.#usedNodes > this.#mask) this.#growHeads();
    let node = this.#freeNode;
    if (node >= 0) this.#freeNode = this.#nodeNext[node]!;
    else {
      node = this.#nodes++;
      if (node >= this.#nodeSlot.length) this.#growNodes();
    }
    const bucket = this.#bucket(block, level);
    this.#nodeBlock[node] = block;
    this.#nodeLevel[node] = level;
    this.#nodeSlot[node] = slot;
    this.#nodeNext[node] = this.#heads[bucket]!;
    this.#heads[bucket] = node;
    this.#usedNodes++;
    this.#atLevel[level] = this.#atLevel[level]! + 1;
  }

  #delete(block: number, level: number, slot: number): void {
    const bucket = this.#bucket(block, level);
    let before = -1;
    let node = this.#heads[bucket]!;
    while (node >= 0) {
      const next = this.#nodeNext[node]!;
      if (this.#nodeSlot[node] === slot && this.#nodeBlock[node] === block && this.#nodeLevel[node] === level) {
        if (before < 0) this.#heads[bucket] = next;
        else this.#nodeNext[before] = next;
        this.#nodeNext[node] = this.#freeNode;
        this.#freeNode = node;
        this.#usedNodes--;
        this.#atLevel[level] = this.#atLevel[level]! - 1;
        return;
      }
      before = node;
      node = next;
    }
  }

  #growHeads(): void {
    const heads = new Int32Array((this.#mask + 1) * 4).fill(-1);
    const old = this.#heads;
    this.#heads = heads;
    this.#mask = heads.length - 1;
    for (const head of old) {
      let node = head;
      while (node >= 0) {
        const next = this.#nodeNext[node]!;
        const bucket = this.#bucket(this.#nodeBlock[node]!, this.#nodeLevel[node]!);
        this.#nodeNext[node] = heads[bucket]!;
        heads[bucket] = node;
        node = next;
      }
    }
  }

  #growNodes(): void {
    this.#nodeBlock = enlarged(this.#nodeBlock, Float64Array);
    this.#nodeLevel = enlarged(this.#nodeLevel, Uint8Array);
    this.#nodeSlot = enlarged(this.#nodeSlot, Int32Array);
    this.#nodeNext = enlarged(this.#nodeNext, Int32Array);
  }

  #growSlots(): void {
    this.page = enlarged(this.page, Float64Array);
    this.pages = enlarged(this.pages, Float64Array);
    this.phys = enlarged(this.phys, Float64Array);
    this.row = enlarged(this.row, Int32Array);
    this.domain = enlarged(this.domain, Int32Array);
    this.device = enlarged(this.device, Int32Array);
    this.evidence = enlarged(this.evidence, Uint8Array);
    this.actor = enlarged(this.actor, Int32Array);
    this.task = enlarged(this.task, Int32Array);
    this.time = enlarged(this.time, Float64Array);
    this.lastAccess = enlarged(this.lastAccess, Float64Array);
    this.contests = enlarged(this.contests, Int32Array);
    this.live = enlarged(this.live, Uint8Array);
    this.#seen = enlarged(this.#seen, Float64Array);
  }
}

/** What a lookup's own line said. */
export const LOOKUP = { hit: 1, update: 2, passThrough: 3 } as const;

/** Lookups of different threads that may be under way at once. Each thread has one, and QEMU has few I/O threads. */
const CAPACITY = 64;

/**
 * Lookups whose translation line has not come yet. QEMU logs a lookup's outcome (hit, update) under a lock and its result
 * (translate) after it, so lines of different threads can stand between the two; they belong together by source and page.
 */
export class PendingLookups {
  count = 0;
  readonly kind = new Int32Array(CAPACITY);
  readonly rid = new Int32Array(CAPACITY);
  readonly iovaLo = new Int32Array(CAPACITY);
  readonly iovaHi = new Int32Array(CAPACITY);
  readonly pteLo = new Int32Array(CAPACITY);
  readonly pteHi = new Int32Array(CAPACITY);
  readonly domain = new Int32Array(CAPACITY);
  readonly reset = new Uint8Array(CAPACITY);

  /** Adds a lookup. Returns the kind of the oldest one if that had to go for it, else 0. */
  add(kind: number, rid: number, iovaLo: number, iovaHi: number): number {
    const dropped = this.count === CAPACITY ? this.kind[0]! : 0;
    if (dropped !== 0) this.remove(0);
    const i = this.count++;
    this.kind[i] = kind;
    this.rid[i] = rid;
    this.iovaLo[i] = iovaLo;
    this.iovaHi[i] = iovaHi;
    this.pteLo[i] = 0;
    this.pteHi[i] = 0;
    this.domain[i] = -1;
    this.reset[i] = 0;
    return dropped;
  }

  /** The oldest lookup of this source whose address lies in the page, -1 if there is none. */
  find(rid: number, pageLo: number, pageHi: number, maskLo: number, maskHi: number): number {
    for (let i = 0; i < this.count; i++) {
      if (this.rid[i] !== rid) continue;
      if (((this.iovaLo[i]! ^ pageLo) & ~maskLo) === 0 && ((this.iovaHi[i]! ^ pageHi) & ~maskHi) === 0) return i;
    }
    return -1;
  }

  /** The newest update, -1 if none waits. */
  newestUpdate(): number {
    for (let i = this.count - 1; i >= 0; i--) if (this.kind[i] === LOOKUP.update) return i;
    return -1;
  }

  remove(at: number): void {
    const last = --this.count;
    for (let i = at; i < last; i++) {
      this.kind[i] = this.kind[i + 1]!;
      this.rid[i] = this.rid[i + 1]!;
      this.iovaLo[i] = this.iovaLo[i + 1]!;
      this.iovaHi[i] = this.iovaHi[i + 1]!;
      this.pteLo[i] = this.pteLo[i + 1]!;
      this.pteHi[i] = this.pteHi[i + 1]!;
      this.domain[i] = this.domain[i + 1]!;
      this.reset[i] = this.reset[i + 1]!;
    }
  }
}

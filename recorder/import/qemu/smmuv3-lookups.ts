/** What is known of a lookup so far: missed, then inserted; or hit. */
export const SMMU_LOOKUP = { miss: 1, inserted: 2, hit: 3 } as const;

/** Lookups of different threads that may be under way at once. */
const CAPACITY = 64;

/**
 * Lookups whose translation line has not come yet. QEMU logs a miss and the insertion under a lock, and the result after it, so
 * lines of other threads can stand between. The result names the stream, the lookup the ASID: they belong together by page.
 */
export class SmmuLookups {
  count = 0;
  readonly kind = new Int32Array(CAPACITY);
  /** ASID | VMID << 16. */
  readonly domain = new Int32Array(CAPACITY);
  /** The lookup was of stage 2 alone: its line has no ASID. */
  readonly stage2 = new Uint8Array(CAPACITY);
  readonly addrLo = new Int32Array(CAPACITY);
  readonly addrHi = new Int32Array(CAPACITY);
  /** log2 of the bytes that the line's address is exact to. */
  readonly exact = new Int32Array(CAPACITY);
  /** log2 of the bytes of the page inserted, -1 if not known. */
  readonly pageShift = new Int32Array(CAPACITY);
  readonly reset = new Uint8Array(CAPACITY);

  /** Adds a lookup; returns the kind of the oldest one if that had to go for it, else 0. */
  add(kind: number, domain: number, stage2: boolean, lo: number, hi: number, exact: number): number {
    const dropped = this.count === CAPACITY ? this.kind[0]! : 0;
    if (dropped !== 0) this.remove(0);
    const i = this.count++;
    this.kind[i] = kind;
    this.domain[i] = domain;
    this.stage2[i] = stage2 ? 1 : 0;
    this.addrLo[i] = lo;
    this.addrHi[i] = hi;
    this.exact[i] = exact;
    this.pageShift[i] = -1;
    this.reset[i] = 0;
    return dropped;
  }

  /** The newest miss of this domain in the page of 2^shift bytes that has not been inserted, -1 if there is none. */
  findMiss(domain: number, lo: number, hi: number, shift: number): number {
    for (let i = this.count - 1; i >= 0; i--) {
      if (this.kind[i] !== SMMU_LOOKUP.miss || this.domain[i] !== domain) continue;
      if (samePage(this.addrLo[i]!, this.addrHi[i]!, lo, hi, shift)) return i;
    }
    return -1;
  }

  /**
   * The oldest finished lookup of this address, of `domain` if one is (-1: not known), else of any; -1 if there is none.
   */
  find(domain: number, lo: number, hi: number): number {
    let other = -1;
    for (let i = 0; i < this.count; i++) {
      if (this.kind[i] === SMMU_LOOKUP.miss) continue;
      if (!samePage(this.addrLo[i]!, this.addrHi[i]!, lo, hi, this.exact[i]!)) continue;
      if (this.domain[i] === domain) return i;
      if (other < 0) other = i;
    }
    return other;
  }

  /** The oldest miss of `domain` (-1: of any) that found nothing to insert, -1 if there is none. */
  findFailed(domain: number): number {
    for (let i = 0; i < this.count; i++) {
      if (this.kind[i] === SMMU_LOOKUP.miss && (domain < 0 || this.domain[i] === domain)) return i;
    }
    return -1;
  }

  /** Takes out stage-2 lookups before `at`, which the walk of the one at `at` made; returns where that is now. */
  dropWalks(at: number): number {
    let here = at;
    for (let i = here - 1; i >= 0; i--) {
      if (this.stage2[i] === 0 || this.domain[i]! >>> 16 !== this.domain[here]! >>> 16) continue;
      this.remove(i);
      here--;
    }
    return here;
  }

  remove(at: number): void {
    const last = --this.count;
    for (let i = at; i < last; i++) {
      this.kind[i] = this.kind[i + 1]!;
      this.domain[i] = this.domain[i + 1]!;
      this.stage2[i] = this.stage2[i + 1]!;
      this.addrLo[i] = this.addrLo[i + 1]!;
      this.addrHi[i] = this.addrHi[i + 1]!;
      this.exact[i] = this.exact[i + 1]!;
      this.pageShift[i] = this.pageShift[i + 1]!;
      this.reset[i] = this.reset[i + 1]!;
    }
  }
}

function samePage(aLo: number, aHi: number, bLo: number, bHi: number, shift: number): boolean {
  if (shift >= 32) return (aHi ^ bHi) >>> (shift - 32) === 0;
  return aHi === bHi && (aLo ^ bLo) >>> shift === 0;
}

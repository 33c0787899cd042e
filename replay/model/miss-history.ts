/** Distinct translations remembered; what comes after is taken for never seen. About 64 MiB. */
export const MOST_TRANSLATIONS: number = 1 << 22;

/** What became of a translation the last time. From `invalidated` on: by a command, the rest being its kind (0: a reset). */
export const SEEN = { never: 0, evicted: 1, invalidated: 2 } as const;

/** Where in its four words a record's `SEEN` value is. */
export const FATE = 3;

/**
 * Which translations a cache has held before and how each was lost, to tell why it is missed now. Records are numbered; a
 * cache slot keeps the number of its record, so that a drop costs no search.
 */
export class MissHistory {
  /**
   * Four words a record, so that one cache line has all of it: page low; bits 51:32 and order above them; tag; and what became
   * of it, which its users read and write (`FATE`).
   */
  records: Int32Array = new Int32Array(4096);
  #table: Int32Array = new Int32Array(4096);
  #count = 0;

  /** True once translations could not be remembered any more. */
  get full(): boolean {
    return this.#count >= MOST_TRANSLATIONS;
  }

  get count(): number {
    return this.#count;
  }

  /** Record of a translation, made where there is none; -1 when full. The page must be aligned to its order. */
  record(tag: number, order: number, pageLo: number, pageHi: number): number {
    const high = pageHi | (order << 20);
    const table = this.#table;
    const keys = this.records;
    const mask = table.length - 1;
    let at = hash(tag, pageLo, high) & mask;
    for (let found = table[at]!; found !== 0; found = table[at]!) {
      const key = (found - 1) * 4;
      if (keys[key] === pageLo && keys[key + 1] === high && keys[key + 2] === tag) return found - 1;
      at = (at + 1) & mask;
    }
    return this.#count >= MOST_TRANSLATIONS ? -1 : this.#add(at, tag, pageLo, high);
  }

  #add(at: number, tag: number, pageLo: number, high: number): number {
    const record = this.#count++;
    if (record * 4 === this.records.length) {
      const records = new Int32Array(record * 8);
      records.set(this.records);
      this.records = records;
    }
    this.records[record * 4] = pageLo;
    this.records[record * 4 + 1] = high;
    this.records[record * 4 + 2] = tag;
    this.records[record * 4 + FATE] = SEEN.never;
    this.#table[at] = record + 1;
    if (this.#count * 2 > this.#table.length) this.#rehash();
    return record;
  }

  #rehash(): void {
    const table = new Int32Array(this.#table.length * 2);
    const keys = this.records;
    const mask = table.length - 1;
    for (let record = 0; record < this.#count; record++) {
      let at = hash(keys[record * 4 + 2]!, keys[record * 4]!, keys[record * 4 + 1]!) & mask;
      while (table[at] !== 0) at = (at + 1) & mask;
      table[at] = record + 1;
    }
    this.#table = table;
  }
}

function hash(tag: number, pageLo: number, pageHi: number): number {
  let mixed = Math.imul(pageLo ^ Math.imul(pageHi, 0x27d4eb2f) ^ Math.imul(tag, 0x165667b1), 0x9e3779b1);
  mixed ^= mixed >>> 15;
  return Math.imul(mixed, 0x85ebca6b) ^ (mixed >>> 13);
}

/** A power of two. */
const RECENT = 64;

/**
 * Byte strings to small numbers, looked up by the bytes themselves: event names, units, devices and attributes repeat on
 * every line and become a string once.
 */
export class ByteTable {
  readonly #limit: number;
  #slots = new Int32Array(64).fill(-1);
  #hashes = new Int32Array(64);
  readonly #keys: Uint8Array[] = [];
  /** The newest key found of each of some classes, by length and end, which is where names, devices and units differ. */
  readonly #recent = new Int32Array(RECENT).fill(-1);

  /** At most `limit` different keys are kept, so that hostile input can't fill memory. */
  constructor(limit = 65536) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#keys.length;
  }

  /** Number of a key, or -1. */
  find(bytes: Uint8Array, start: number, end: number): number {
    // Most keys repeat from line to line: few are hashed.
    const length = end - start;
    const last = length < 4 ? 0 : bytes[end - 1]! ^ (bytes[end - 3]! << 1) ^ (bytes[end - 4]! << 3);
    const slot = (last ^ (length << 2)) & (RECENT - 1);
    const recent = this.#recent[slot]!;
    if (recent >= 0 && sameBytes(this.#keys[recent]!, bytes, start, end)) return recent;
    const id = this.#lookUp(bytes, start, end);
    if (id >= 0) this.#recent[slot] = id;
    return id;
  }

  #lookUp(bytes: Uint8Array, start: number, end: number): number {
    const slots = this.#slots;
    const hashes = this.#hashes;
    const mask = slots.length - 1;
    const hash = hashBytes(bytes, start, end);
    for (let i = hash & mask; ; i = (i + 1) & mask) {
      const id = slots[i]!;
      if (id < 0) return -1;
      if (hashes[i] === hash && sameBytes(this.#keys[id]!, bytes, start, end)) return id;
    }
  }

  /** Number of a key, added if it is new; -1 if the table is full. */
  add(bytes: Uint8Array, start: number, end: number): number {
    const found = this.find(bytes, start, end);
    if (found >= 0) return found;
    const id = this.#keys.length;
    if (id >= this.#limit) return -1;
    // A copy: `slice` of a Buffer would keep its whole chunk.
    this.#keys.push(Uint8Array.from(bytes.subarray(start, end)));
    if ((id + 1) * 2 > this.#slots.length) this.#grow();
    this.#place(hashBytes(bytes, start, end), id);
    return id;
  }

  /** The key as text; bytes that are no UTF-8 become U+FFFD. */
  text(id: number): string {
    const key = this.#keys[id];
    return key === undefined ? '' : DECODER.decode(key);
  }

  #place(hash: number, id: number): void {
    const mask = this.#slots.length - 1;
    let i = hash & mask;
    while (this.#slots[i]! >= 0) i = (i + 1) & mask;
    this.#slots[i] = id;
    this.#hashes[i] = hash;
  }

  #grow(): void {
    const size = this.#slots.length * 2;
    this.#slots = new Int32Array(size).fill(-1);
    this.#hashes = new Int32Array(size);
    const known = this.#keys.length - 1;
    for (let id = 0; id < known; id++) {
      const key = this.#keys[id]!;
      this.#place(hashBytes(key, 0, key.length), id);
    }
  }
}

const DECODER = new TextDecoder();

/** FNV-1a, folded so that the low bits depend on all. */
function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5 | 0;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return hash ^ (hash >>> 15);
}

function sameBytes(key: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (key.length !== end - start) return false;
  for (let i = 0; i < key.length; i++) if (key[i] !== bytes[start + i]) return false;
  return true;
}

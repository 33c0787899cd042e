/**
 * What a system call's pointers pointed to: the `memory` column of the `ioctl` and `call` streams, and the mappings of a
 * process in the `data` column of a `maps` event. Numbers are little-endian, 64-bit values two int32 words.
 */

/** User memory behind one pointer of a call. */
export interface UserMemory {
  /** The pointer's name in the struct: `data_uptr`, `allowed_iovas`, `access_rw.uptr`. */
  readonly field: string;
  readonly addressLo: number;
  readonly addressHi: number;
  /** Bytes that the call was told of; sources read less of what is very long or partly unmapped. */
  readonly lengthLo: number;
  readonly lengthHi: number;
  /** When the call came, from `address` on; null if it could not be read. */
  readonly before: Uint8Array | null;
  /** When it returned; null if it could not be read, undefined if nobody looked. The same array as `before` if nothing changed. */
  readonly after: Uint8Array | null | undefined;
}

/** A range of a process's user memory. */
export interface UserMapping {
  readonly startLo: number;
  readonly startHi: number;
  /** First byte behind it. */
  readonly endLo: number;
  readonly endHi: number;
  /** Offset in the file that it maps. */
  readonly offsetLo: number;
  readonly offsetHi: number;
  /** Bits of `MAPPING_PROT`. */
  readonly prot: number;
  /** Bits of `MAPPING`. */
  readonly flags: number;
}

/** As PROT_READ, PROT_WRITE and PROT_EXEC of mmap(2). */
export const MAPPING_PROT = { read: 1, write: 2, execute: 4 } as const;
/** `heap`: it ends at the break. `special`: the kernel's own ([vdso], [vvar]), which can't be pinned. */
export const MAPPING = { shared: 1, file: 2, heap: 4, stack: 8, special: 16 } as const;

const HAS_BEFORE = 1;
const HAS_AFTER = 2;
const AFTER_IS_BEFORE = 4;
const AFTER_UNSEEN = 8;
/** u8 flags, u8 bytes of the name, u64 address, u64 length, u32 bytes before, u32 bytes after; then name, before, after. */
const ITEM_HEAD = 26;
const MAPPING_BYTES = 32;
const MAX_NAME = 255;

/** Names longer than 255 bytes are cut. */
export function encodeUserMemory(items: readonly UserMemory[]): Uint8Array {
  const names = items.map((item) => new TextEncoder().encode(item.field).subarray(0, MAX_NAME));
  let length = 0;
  items.forEach((item, i) => {
    length += ITEM_HEAD + (names[i]?.length ?? 0) + (item.before?.length ?? 0);
    if (item.after && item.after !== item.before) length += item.after.length;
  });
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  let at = 0;
  items.forEach((item, i) => {
    const name = names[i] ?? new Uint8Array(0);
    const { before } = item;
    const same = item.after === before && before !== null;
    const after = same ? null : item.after;
    let flags = before === null ? 0 : HAS_BEFORE;
    if (same) flags |= AFTER_IS_BEFORE;
    else if (after === undefined) flags |= AFTER_UNSEEN;
    else if (after !== null) flags |= HAS_AFTER;
    bytes[at] = flags;
    bytes[at + 1] = name.length;
    view.setInt32(at + 2, item.addressLo, true);
    view.setInt32(at + 6, item.addressHi, true);
    view.setInt32(at + 10, item.lengthLo, true);
    view.setInt32(at + 14, item.lengthHi, true);
    view.setUint32(at + 18, before?.length ?? 0, true);
    view.setUint32(at + 22, after?.length ?? 0, true);
    at += ITEM_HEAD;
    for (const part of [name, before, after]) {
      if (!part) continue;
      bytes.set(part, at);
      at += part.length;
    }
  });
  return bytes;
}

/** The items, whose byte strings are views of `bytes`. What follows an item whose lengths can't be true is left out. */
export function decodeUserMemory(bytes: Uint8Array): UserMemory[] {
  const items: UserMemory[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at + ITEM_HEAD <= bytes.length) {
    const flags = bytes[at] ?? 0;
    const nameStart = at + ITEM_HEAD;
    const beforeStart = nameStart + (bytes[at + 1] ?? 0);
    const afterStart = beforeStart + view.getUint32(at + 18, true);
    const end = afterStart + view.getUint32(at + 22, true);
    if (end > bytes.length) break;
    const before = (flags & HAS_BEFORE) === 0 ? null : bytes.subarray(beforeStart, afterStart);
    let after: UserMemory['after'] = null;
    if ((flags & AFTER_IS_BEFORE) !== 0) after = before;
    else if ((flags & AFTER_UNSEEN) !== 0) after = undefined;
    else if ((flags & HAS_AFTER) !== 0) after = bytes.subarray(afterStart, end);
    items.push({
      field: new TextDecoder().decode(bytes.subarray(nameStart, beforeStart)),
      addressLo: view.getInt32(at + 2, true),
      addressHi: view.getInt32(at + 6, true),
      lengthLo: view.getInt32(at + 10, true),
      lengthHi: view.getInt32(at + 14, true),
      before,
      after,
    });
    at = end;
  }
  return items;
}

/** As the bytes of a `maps` row; read back by `decodeMappings`. */
export function encodeMappings(mappings: readonly UserMapping[]): Uint8Array {
  const bytes = new Uint8Array(mappings.length * MAPPING_BYTES);
  const view = new DataView(bytes.buffer);
  mappings.forEach((mapping, i) => {
    const { startLo, startHi, endLo, endHi, offsetLo, offsetHi, prot, flags } = mapping;
    [startLo, startHi, endLo, endHi, offsetLo, offsetHi, prot, flags].forEach((word, k) => {
      view.setInt32(i * MAPPING_BYTES + k * 4, word, true);
    });
  });
  return bytes;
}

/** A rest of less than a whole mapping is left out. */
export function decodeMappings(bytes: Uint8Array): UserMapping[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: Math.floor(bytes.length / MAPPING_BYTES) }, (_, i) => {
    const word = (k: number): number => view.getInt32(i * MAPPING_BYTES + k * 4, true);
    return {
      startLo: word(0),
      startHi: word(1),
      endLo: word(2),
      endHi: word(3),
      offsetLo: word(4),
      offsetHi: word(5),
      prot: word(6),
      flags: word(7),
    };
  });
}

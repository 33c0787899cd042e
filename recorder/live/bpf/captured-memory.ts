import type { UserMemory } from '../../../traces/user-memory.ts';
import { parseHexWords } from '../../import/calls/words.ts';
import type { Words } from '../../import/calls/words.ts';
import { CHUNK_BYTES, POINTED_BYTES, QUEUE_BYTES } from './bpftrace-program.ts';
import { POINTER_FIELDS } from './struct-memory.ts';

const EFAULT = 14;

/** Bytes of words as they are printed. Undefined where one is no number. */
export function readChunk(words: readonly string[]): Uint8Array | undefined {
  if (words.length !== CHUNK_BYTES / 8) return undefined;
  const bytes = new Uint8Array(CHUNK_BYTES);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < words.length; i++) {
    const text = words[i] ?? '';
    if (text === '0') continue;
    const word = parseHexWords(text);
    if (word === undefined) return undefined;
    view.setInt32(i * 8, word.lo, true);
    view.setInt32(i * 8 + 4, word.hi, true);
  }
  return bytes;
}

/** Bytes of user memory that come in chunks, in order of their offsets. */
export class Chunks {
  readonly #limit: number;
  #bytes = new Uint8Array(0);
  /** Bytes from the start on that came. */
  length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** False for what can't be. A chunk behind one that was lost is left out. */
  add(offset: number, chunk: Uint8Array): boolean {
    if (!(offset >= 0 && offset <= this.#limit + chunk.length)) return false;
    if (offset !== this.length) return true;
    const end = offset + chunk.length;
    if (end > this.#bytes.length) {
      const more = new Uint8Array(Math.max(end, this.#bytes.length * 2, 128));
      more.set(this.#bytes.subarray(0, this.length));
      this.#bytes = more;
    }
    this.#bytes.set(chunk, offset);
    this.length = end;
    return true;
  }

  /** The first `size` bytes from `address` on, or as many as there are. Chunks begin at a multiple of 8. */
  first(size: number, address: Words): Uint8Array {
    const skip = address.lo & 7;
    return this.#bytes.subarray(skip, Math.max(skip, Math.min(size + skip, this.length, this.#limit)));
  }
}

/** What a pointer of a struct points to. */
export interface Pointed {
  readonly index: number;
  readonly address: Words;
  readonly length: Words;
}

/** What was seen of a call's memory at one of its two ends. */
export interface Side {
  readonly struct: Chunks;
  pointed: Pointed | undefined;
  readonly memory: Chunks;
}

function sizeOf({ length }: Pointed): number {
  return length.hi === 0 ? Math.min(POINTED_BYTES, length.lo >>> 0) : POINTED_BYTES;
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

/**
 * Memory that can't be read gives zeros. What the kernel has just used was in memory, so that zeros are zeros; so was what it
 * has written, or it was zero when the kernel first touched it (a page that was swapped out is the exception). Where it refused
 * the call nobody knows, and memory that is zero all over counts as not read.
 */
function known(bytes: Uint8Array, pointed: Pointed, used: boolean): Uint8Array | null {
  if (pointed.address.lo === 0 && pointed.address.hi === 0) return null;
  if (bytes.length === 0) return sizeOf(pointed) === 0 ? bytes : null;
  return used || !isZero(bytes) ? bytes : null;
}

/** `used`: the call succeeded. */
export function memoryOf(before: Side, after: Side, used: boolean): readonly UserMemory[] {
  const pointed = before.pointed ?? after.pointed;
  const field = pointed === undefined ? undefined : POINTER_FIELDS[pointed.index];
  if (pointed === undefined || field === undefined) return [];
  const size = sizeOf(pointed);
  const first = before.memory.first(size, pointed.address);
  // The kernel may have told how much of it there is.
  const last = after.memory.first(sizeOf(after.pointed ?? pointed), pointed.address);
  // Nobody has written it since: what was not there when the call came is there when it returns.
  const came = field.written === 'user' && used && isZero(first) ? last : first;
  const { address, length } = pointed;
  return [
    {
      field: field.field,
      addressLo: address.lo,
      addressHi: address.hi,
      lengthLo: length.lo,
      lengthHi: length.hi,
      before: known(came, pointed, used),
      after: after.pointed === undefined || field.written === 'user' ? undefined : known(last, after.pointed, used),
    },
  ];
}

/** Less of it was read than the call was told of. */
export function isCut(items: readonly UserMemory[], before: Side, after: Side): boolean {
  return items.some((item) => isShort(item.before, before.pointed) || isShort(item.after, after.pointed));
}

function isShort(bytes: Uint8Array | null | undefined, pointed: Pointed | undefined): boolean {
  if (bytes === null || bytes === undefined || pointed === undefined) return false;
  return pointed.length.hi !== 0 || bytes.length < pointed.length.lo >>> 0;
}

/** Bytes that were read, or that were to be written: a refused write carried them too, unless it could not be read. */
export function carriedBytes(
  data: Chunks,
  name: 'read' | 'write',
  ret: Words,
  errno: number,
  buffer: Words,
  count: Words,
): Uint8Array | undefined {
  if (name === 'read') return errno === 0 ? data.first(ret.lo, buffer) : undefined;
  if (errno === EFAULT) return undefined;
  return data.first(count.hi === 0 ? count.lo >>> 0 : QUEUE_BYTES, buffer);
}

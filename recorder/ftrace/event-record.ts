import type { EventField, EventFormat } from './event-format.ts';
import type { EventOutput } from './event-output.ts';
import { NameReader } from './name-reader.ts';
import { LITTLE_HOST, readWord, wordPart } from './record-words.ts';
import type { WordPart } from './record-words.ts';

/** One record of a ring buffer, as the converters of single events see it; `SubBufferReader` is one. */
export interface EventRecord {
  /** What the record lies in, and its 32-bit words as this machine reads them. */
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  /** Where it begins in `bytes`: a multiple of 4. */
  readonly at: number;
  readonly length: number;
}

/** Writes a record's event. False if the record can't be one of this event; then nothing was written. */
export type RecordConverter = (record: EventRecord, out: EventOutput) => boolean;

/** Reads a number from a record. The record is at least `FieldReader.need` bytes long. */
export type NumberReader = (record: EventRecord) => number;

export interface LongReader {
  readonly lo: NumberReader;
  readonly hi: NumberReader;
}

/** Where the two words of a number of up to 64 bits lie; `hi` is undefined where it is 0. */
export interface LongParts {
  readonly lo: WordPart;
  readonly hi: WordPart | undefined;
}

/** Where a string or an array lies in the record's bytes. */
export interface Extent {
  start: number;
  end: number;
}

/** Finds a string or an array; false where it does not lie inside the record. */
export type ExtentReader = (record: EventRecord, extent: Extent) => boolean;

const ZERO: NumberReader = () => 0;
const NOWHERE: WordPart = { word: 0, left: 0, right: 0, mask: 0 };

/**
 * Makes readers of an event's fields from its format, so that nothing is looked up per record. A field that is missing, or has
 * another shape or width than expected, clears `ok`; a field that older or newer kernels lack is asked for with `has` first.
 */
export class FieldReader {
  readonly #fields = new Map<string, EventField>();
  readonly littleEndian: boolean;
  /** Words are not of this machine's byte order. */
  readonly swapped: boolean;
  readonly printFormat: string;
  /** Every field asked for was there. */
  ok = true;
  /** The first field that was not. */
  missing = '';
  /** Bytes that a record must have for the fields asked for so far. */
  need = 8;

  constructor(format: EventFormat, littleEndian: boolean) {
    for (const field of format.fields) this.#fields.set(field.name, field);
    this.littleEndian = littleEndian;
    this.swapped = littleEndian !== LITTLE_HOST;
    this.printFormat = format.printFormat;
  }

  /** Names of the event's own fields, in the order of the format. */
  get names(): readonly string[] {
    return [...this.#fields.keys()];
  }

  isValue(name: string): boolean {
    return this.#fields.get(name)?.shape === 'value';
  }

  has(name: string): boolean {
    return this.#fields.has(name);
  }

  /** Where a number of up to 32 bits lies, or the low word of a longer one. */
  part(name: string): WordPart {
    return this.parts(name).lo;
  }

  /** Where a number of up to 64 bits lies. */
  parts(name: string): LongParts {
    const field = this.#find(name, 'value');
    if (field === undefined) return { lo: NOWHERE, hi: undefined };
    const { offset, size, signed } = field;
    const little = this.littleEndian;
    const lo = wordPart(size === 8 && !little ? offset + 4 : offset, size === 8 ? 4 : size, signed, little);
    if (lo === undefined) {
      this.#lacks(name);
      return { lo: NOWHERE, hi: undefined };
    }
    if (size === 8) return { lo, hi: { ...lo, word: (offset >> 2) + (little ? 1 : 0) } };
    return { lo, hi: signed ? { ...lo, right: 31, mask: -1 } : undefined };
  }

  /** A number of up to 32 bits, or the low word of a longer one. */
  int(name: string): NumberReader {
    return this.#read(this.part(name));
  }

  /** A number of up to 64 bits. */
  long(name: string): LongReader {
    const { lo, hi } = this.parts(name);
    return { lo: this.#read(lo), hi: hi === undefined ? ZERO : this.#read(hi) };
  }

  /** A string without its NUL; a located one, or one in the fixed part. */
  text(name: string): ExtentReader {
    const extent = this.#extent(name);
    // A located string ends with its NUL; what is in the fixed part may have anything behind it.
    if (this.#fields.get(name)?.shape !== 'array') {
      return (record, found) => {
        if (!extent(record, found)) return false;
        const { bytes } = record;
        while (found.end > found.start && bytes[found.end - 1] === 0) found.end--;
        return true;
      };
    }
    return (record, found) => {
      if (!extent(record, found)) return false;
      const { bytes } = record;
      let end = found.start;
      while (end < found.end && bytes[end] !== 0) end++;
      found.end = end;
      return true;
    };
  }

  /** The requester id of a device that the string names, as `EventOutput.device`. */
  device(name: string, mayBeUnit = false): NameReader {
    return new NameReader(this.#extent(name), this.text(name), (out, bytes, start, end) =>
      out.device(bytes, start, end, mayBeUnit),
    );
  }

  /** String-table index of the string, as `EventOutput.ref`. */
  ref(name: string): NameReader {
    return new NameReader(this.#extent(name), this.text(name), (out, bytes, start, end) => out.ref(bytes, start, end));
  }

  /** A located array of elements with this many bytes. */
  array(name: string, elementSize: number): ExtentReader {
    const field = this.#fields.get(name);
    if (field !== undefined && field.elementSize !== elementSize) this.#lacks(name);
    return this.#extent(name);
  }

  /** First word of a fixed array of 64-bit numbers, of which there are at least `count`. */
  longsWord(name: string, count: number): number {
    const field = this.#find(name, 'array');
    if (field === undefined) return 0;
    if (field.elementSize !== 8 || field.size < 8 * count || field.offset % 4 !== 0) this.#lacks(name);
    return field.offset >> 2;
  }

  #find(name: string, shape: 'value' | 'array'): EventField | undefined {
    const field = this.#fields.get(name);
    if (field?.shape !== shape) {
      this.#lacks(name);
      return undefined;
    }
    this.need = Math.max(this.need, field.offset + field.size);
    return field;
  }

  #lacks(name: string): void {
    if (this.ok) this.missing = name;
    this.ok = false;
  }

  #read({ word, left, right, mask }: WordPart): NumberReader {
    const { swapped } = this;
    return ({ words, at }) => ((readWord(words, (at >> 2) + word, swapped) << left) >> right) & mask;
  }

  #extent(name: string): ExtentReader {
    const field = this.#fields.get(name);
    if (field === undefined || field.shape === 'value') {
      this.#lacks(name);
      return () => false;
    }
    const { shape, offset, size } = field;
    this.need = Math.max(this.need, offset + size);
    if (shape === 'array') {
      return ({ at, length }, found) => {
        found.start = at + offset;
        found.end = size === 0 ? at + length : at + offset + size;
        return true;
      };
    }
    if (offset % 4 !== 0) this.#lacks(name);
    const locator = offset >> 2;
    const base = shape === 'relLoc' ? offset + 4 : 0;
    const { swapped } = this;
    return ({ words, at, length }, found) => {
      const word = readWord(words, (at >> 2) + locator, swapped);
      const from = base + (word & 0xffff);
      const to = from + (word >>> 16);
      found.start = at + from;
      found.end = at + to;
      return to <= length;
    };
  }
}

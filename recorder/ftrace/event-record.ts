import type { EventField, EventFormat } from './event-format.ts';
import type { EventOutput } from './event-output.ts';
import { nameReader } from './name-reader.ts';
import type { NameReader } from './name-reader.ts';

/**
 * One record of a ring buffer, as the converters of single events see it. One object is reused for all records; `at` and
 * `length` are those of `SubBufferReader`.
 */
export interface EventRecord {
  view: DataView;
  bytes: Uint8Array;
  at: number;
  length: number;
}

/** Writes a record's event. False if the record can't be one of this event; then nothing was written. */
export type RecordConverter = (record: EventRecord, out: EventOutput) => boolean;

/** Reads a number from a record. The record is at least `FieldReader.need` bytes long. */
export type NumberReader = (record: EventRecord) => number;

export interface LongReader {
  readonly lo: NumberReader;
  readonly hi: NumberReader;
}

/** Where a string or an array lies in the record's bytes. */
export interface Extent {
  start: number;
  end: number;
}

/** Finds a string or an array; false where it does not lie inside the record. */
export type ExtentReader = (record: EventRecord, extent: Extent) => boolean;

const ZERO: NumberReader = () => 0;

/**
 * Makes readers of an event's fields from its format, so that nothing is looked up per record. A field that is missing, or has
 * another shape or width than expected, clears `ok`; a field that older or newer kernels lack is asked for with `has` first.
 */
export class FieldReader {
  readonly #fields = new Map<string, EventField>();
  readonly littleEndian: boolean;
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

  /** A number of up to 32 bits, or the low word of a longer one. */
  int(name: string): NumberReader {
    const field = this.#find(name, 'value');
    return field === undefined ? ZERO : this.#low(field.offset, field.size, field.signed, name);
  }

  /** A number of up to 64 bits. */
  long(name: string): LongReader {
    const field = this.#find(name, 'value');
    return field === undefined ? { lo: ZERO, hi: ZERO } : this.#long(field.offset, field.size, field.signed, name);
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
    return nameReader(this.#extent(name), this.text(name), (out, bytes, start, end) =>
      out.device(bytes, start, end, mayBeUnit),
    );
  }

  /** String-table index of the string, as `EventOutput.ref`. */
  ref(name: string): NameReader {
    return nameReader(this.#extent(name), this.text(name), (out, bytes, start, end) => out.ref(bytes, start, end));
  }

  /** A located array of elements with this many bytes. */
  array(name: string, elementSize: number): ExtentReader {
    const field = this.#fields.get(name);
    if (field !== undefined && field.elementSize !== elementSize) this.#lacks(name);
    return this.#extent(name);
  }

  /** Offset of a fixed array of 64-bit numbers, of which there are at least `count`. */
  longsOffset(name: string, count: number): number {
    const field = this.#find(name, 'array');
    if (field === undefined) return 0;
    if (field.elementSize !== 8 || field.size < 8 * count) this.#lacks(name);
    return field.offset;
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

  #low(offset: number, size: number, signed: boolean, name: string): NumberReader {
    const little = this.littleEndian;
    switch (size) {
      case 1:
        return signed ? ({ view, at }) => view.getInt8(at + offset) : ({ view, at }) => view.getUint8(at + offset);
      case 2:
        return signed
          ? ({ view, at }) => view.getInt16(at + offset, little)
          : ({ view, at }) => view.getUint16(at + offset, little);
      case 4:
        return ({ view, at }) => view.getInt32(at + offset, little);
      case 8: {
        const low = offset + (little ? 0 : 4);
        return ({ view, at }) => view.getInt32(at + low, little);
      }
      default:
        this.#lacks(name);
        return ZERO;
    }
  }

  #long(offset: number, size: number, signed: boolean, name: string): LongReader {
    const little = this.littleEndian;
    const lo = this.#low(offset, size, signed, name);
    if (size === 8) {
      const high = offset + (little ? 4 : 0);
      return { lo, hi: ({ view, at }) => view.getInt32(at + high, little) };
    }
    return { lo, hi: signed ? (record) => lo(record) >> 31 : ZERO };
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
    const little = this.littleEndian;
    const base = shape === 'relLoc' ? offset + 4 : 0;
    return ({ view, at, length }, found) => {
      const word = view.getInt32(at + offset, little);
      const from = base + (word & 0xffff);
      const to = from + (word >>> 16);
      found.start = at + from;
      found.end = at + to;
      return to <= length;
    };
  }
}

import type { ByteBuffer, ByteReader } from '../byte-buffer.ts';
import type { ColumnMachine } from '../decoder/column-machine.ts';

/**
 * One way to write a column of 32-bit integers as bytes that compress well. Ids and variants are part of the format.
 * `decode` gets untrusted bytes: it must fill all of `out` or throw `RangeError`, and may allocate no more than a few times
 * `out`'s size.
 */
export interface IntCodec {
  readonly id: number;
  readonly name: string;
  /** Variants to try, 0 to `variants - 1`: what they mean is the codec's own business (a lag, say). */
  readonly variants: number;
  /** Its bytes count this much when codecs are compared: above 1 for those that are slow to decode. */
  readonly weight: number;
  /** Appends the encoded column, or returns false where this codec can't hold these values or is bound to lose. */
  encode(values: Int32Array, variant: number, out: ByteBuffer): boolean;
  decode(reader: ByteReader, variant: number, out: Int32Array): void;
  /**
   * As `decode`, which defines it: writes so many rows to an address of the machine's memory, where the reader's bytes are as well.
   * They are followed by others that may be read, and the rows' end by room up to a multiple of 64 bytes. False where the bytes are
   * damaged: `decode` says how.
   */
  decodeAt(machine: ColumnMachine, reader: ByteReader, variant: number, rows: number, out: number): boolean;
}

/** Address of what a reader of a machine's memory reads next. */
export function addressIn(reader: ByteReader): number {
  return reader.bytes.byteOffset + reader.at;
}

/** Number of low bits that are 0 in every value: pages have 12. */
export function commonShift(values: Int32Array): number {
  let union = 0;
  for (let i = 0; i < values.length; i++) union |= values[i]!;
  return union === 0 ? 0 : 31 - Math.clz32(union & -union);
}

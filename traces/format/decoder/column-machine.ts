import { SEGMENT_EVENTS } from '../../segment.ts';
import { ByteReader } from '../byte-buffer.ts';
import { decoderModule } from './decoder-module.ts';
import type { DecoderCalls } from './decoder-module.ts';
import { INFLATE_BYTES, inflateTables } from './huffman-code.ts';
import { NUMBER_BYTES, numberTable } from './numbers-code.ts';

/** Columns of fewer rows are decoded by TypeScript: to call WebAssembly and to copy what it gives takes as long. */
const FEW_ROWS = 64;
/** Read beyond what is used. */
const SLACK = 64;
const PAGE_BYTES = 65536;

/** A WebAssembly memory, as far as it is used. */
export interface DecoderMemory {
  readonly buffer: ArrayBufferLike;
}

interface Platform {
  readonly Memory: new (size: { initial: number; maximum: number }) => DecoderMemory;
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (
    module: object,
    imports: { readonly env: { readonly memory: DecoderMemory } },
  ) => { readonly exports: DecoderCalls };
}

const { WebAssembly: platform } = globalThis as unknown as { readonly WebAssembly: Platform | undefined };

/** Bytes of each piece of a machine's memory; they lie one behind the other. */
const SIZES = {
  /** What a column's bytes are decompressed to: at most as `limits.ts` says of a column, or of times. */
  raw: 1024 + 16 * SEGMENT_EVENTS,
  /** The same before: as it is in the file. */
  packed: 1024 + 16 * SEGMENT_EVENTS,
  inflate: INFLATE_BYTES,
  numbers: NUMBER_BYTES,
  /** Rows of a column that is not to stay here, and of what it is decoded from. */
  out: 8 * SEGMENT_EVENTS,
  first: 4 * SEGMENT_EVENTS,
  second: 4 * SEGMENT_EVENTS,
  stream: SEGMENT_EVENTS,
  /** A byte for each event or row. */
  marks: SEGMENT_EVENTS,
  /** Differences of times. */
  doubles: 8 * SEGMENT_EVENTS,
  table: 4 * 65536,
  /** A word for each context of times. */
  contexts: 4 * 1024,
  kinds: 1024,
  /** Tables of a column's kinds that follow; TypeScript decodes what needs more. */
  successors: 4 * 1024 * 1024,
} as const;

type Piece = keyof typeof SIZES;

const PIECES: Readonly<Record<Piece, number>> & { readonly end: number } = (() => {
  const places: Record<string, number> = {};
  let at = SLACK;
  for (const [name, size] of Object.entries(SIZES)) {
    places[name] = at;
    at += Math.ceil((size + SLACK) / SLACK) * SLACK;
  }
  return { ...(places as Record<Piece, number>), end: at };
})();

/** Bytes that a machine needs. */
export const MACHINE_BYTES: number = PIECES.end;

/** Modules by whether their memory is shared: a new one runs unoptimised code for a while. */
const modules = new Map<boolean, object | undefined>();

function moduleFor(shared: boolean): object | undefined {
  if (platform === undefined) return undefined;
  if (!modules.has(shared)) {
    let module: object | undefined;
    try {
      module = new platform.Module(decoderModule(shared));
    } catch {
      // a processor without the vectors that WebAssembly needs
    }
    modules.set(shared, module);
  }
  return modules.get(shared);
}

/** Whether there can be machines here, over memory that is shared or not. */
export function hasMachines(shared: boolean): boolean {
  return moduleFor(shared) !== undefined;
}

/**
 * Decodes columns in WebAssembly, in a piece of a memory. Arrays of that same memory are written where they are, if they begin at a
 * multiple of 64 bytes and nothing else is before the next one behind them; others get a copy. Where WebAssembly or its vectors do
 * not exist there is no machine (`hasMachines`), and TypeScript decodes the same.
 */
export class ColumnMachine {
  readonly calls: DecoderCalls;
  /** Addresses of its pieces. */
  readonly at: Readonly<Record<Piece, number>>;
  readonly ints: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #doubles: Float64Array;
  readonly #base: number;
  readonly #has: (array: ArrayBufferView) => boolean;

  /** `has` is true for arrays of the memory; the machine's own piece of it begins at `base`, a multiple of 64. */
  constructor(memory: DecoderMemory, base: number, shared: boolean, has: (array: ArrayBufferView) => boolean) {
    const module = moduleFor(shared);
    if (platform === undefined || module === undefined) throw new TypeError('no WebAssembly');
    this.calls = new platform.Instance(module, { env: { memory } }).exports;
    this.at = Object.fromEntries(
      Object.keys(SIZES).map((name) => [name, base + PIECES[name as Piece]]),
    ) as unknown as Record<Piece, number>;
    this.#base = base;
    this.#bytes = new Uint8Array(memory.buffer, base, MACHINE_BYTES);
    this.ints = new Int32Array(memory.buffer, base, MACHINE_BYTES >>> 2);
    this.#doubles = new Float64Array(memory.buffer, base, MACHINE_BYTES >>> 3);
    this.#has = has;
    this.ints.set(inflateTables(), PIECES.inflate >>> 2);
    this.#bytes.set(numberTable(), PIECES.numbers);
  }

  /** Bytes of a piece. */
  roomOf(piece: Piece): number {
    return SIZES[piece];
  }

  suits(rows: number): boolean {
    return rows >= FEW_ROWS && rows <= SEGMENT_EVENTS;
  }

  /**
   * What raw deflate holds, of so many bytes: until the next is inflated or read. Undefined where there is no room for it, where it
   * is damaged or of another length, and for streams that no compressor makes.
   */
  inflate(packed: Uint8Array, length: number): Uint8Array | undefined {
    if (packed.length > SIZES.packed || length > SIZES.raw) return undefined;
    this.#bytes.set(packed, PIECES.packed);
    const { raw, packed: at, inflate } = this.at;
    if (this.calls.inflate(at, at + packed.length, raw, raw + length, inflate) !== raw + length) return undefined;
    return this.#bytes.subarray(PIECES.raw, PIECES.raw + length);
  }

  /** A reader of bytes in its memory: those that it inflated, or a copy of others. */
  reader(raw: Uint8Array): ByteReader {
    const from = PIECES.raw;
    if (raw.buffer === this.#bytes.buffer && raw.byteOffset === this.at.raw) return new ByteReader(raw);
    this.#bytes.set(raw, from);
    return new ByteReader(this.#bytes.subarray(from, from + raw.length));
  }

  /** Where an array is to be written: itself, if it can be, else `piece`. */
  placeFor(array: ArrayBufferView, piece: Piece): number {
    return this.#has(array) && array.byteOffset % 64 === 0 ? array.byteOffset : this.at[piece];
  }

  /** Address of an array's contents: its own, or of a copy in `piece`. */
  addressOf(array: Int32Array | Uint8Array, piece: Piece): number {
    if (this.#has(array)) return array.byteOffset;
    const at = PIECES[piece];
    if (array instanceof Int32Array) this.ints.set(array, at >>> 2);
    else this.#bytes.set(array, at);
    return this.#base + at;
  }

  /** Hands over what was written to `place`, which `placeFor` told. */
  deliver(place: number, array: Int32Array | Uint8Array | Float64Array): void {
    const at = place - this.#base;
    if (place === array.byteOffset && this.#has(array)) return;
    if (array instanceof Int32Array) array.set(this.ints.subarray(at >>> 2, (at >>> 2) + array.length));
    else if (array instanceof Float64Array) array.set(this.#doubles.subarray(at >>> 3, (at >>> 3) + array.length));
    else array.set(this.#bytes.subarray(at, at + array.length));
  }

  /** Index into `ints` of an address of its own. */
  word(address: number): number {
    return (address - this.#base) >>> 2;
  }
}

let own: ColumnMachine | undefined;

/**
 * A memory for machines that never grows, and so stays where it is; undefined where there can be none. The system provides it when it
 * is first written.
 */
export function fixedMemory(bytes: number): DecoderMemory | undefined {
  const pages = Math.ceil(bytes / PAGE_BYTES);
  return platform === undefined || !hasMachines(false)
    ? undefined
    : new platform.Memory({ initial: pages, maximum: pages });
}

/** The machine of this thread, for arrays that are anywhere. */
export function ownMachine(): ColumnMachine | undefined {
  const memory = own === undefined ? fixedMemory(MACHINE_BYTES) : undefined;
  if (memory !== undefined) own = new ColumnMachine(memory, 0, false, () => false);
  return own;
}

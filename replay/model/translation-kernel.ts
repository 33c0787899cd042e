import { IorrError } from '../../traces/errors.ts';
import { ReusedArrays } from '../../traces/format/array-pool.ts';
import type { ArrayPool } from '../../traces/format/array-pool.ts';
import { ColumnMachine, MACHINE_BYTES, hasMachines } from '../../traces/format/decoder/column-machine.ts';
import { SEGMENT_EVENTS } from '../../traces/segment.ts';
import type { GatherCodes } from './gather-code.ts';
import { KernelMemory } from './kernel-memory.ts';
import type { Memory } from './kernel-memory.ts';
import {
  MOST_SPACES,
  PAGE_BITS,
  REQUESTERS_AT,
  SALTS_AT,
  STATE,
  TAGS_AT,
  kernelLayout,
  saltOf,
} from './kernel-layout.ts';
import { kernelModule } from './kernel-module.ts';
import type { Geometry } from './set-associative-iotlb.ts';
import { WalkMemo } from './walk-memo.ts';

/** More ways than this are moved slower than a list is relinked. */
const MOST_WAYS = 16;
/** Translations at most: all ways of all sets are looked at by a command for many pages. */
const MOST_ENTRIES = 1 << 20;
/** Words that there is room for unless more is asked for: accesses of a segment and some commands. */
const USUAL_ROOM = 1 << 17;
/** Words of what a command drops: 0, the first and the last key. */
const DROP_WORDS = 3;
/** Bits of a key's high word that are the page's; the address space is above them. */
const PAGE_HIGH_BITS = PAGE_BITS - 32;
/** Words of an entry as `entries` tells it. */
export const ENTRY_WORDS = 4;

/** What a walk says of a page: it is not mapped; or is, this time; or is until it is forgotten. */
export const WALKED = { fault: 0, once: 1, until: 2 } as const;

/** Walks the page tables on behalf of a kernel. */
export interface Walker {
  /** Low word of the output page that the newest `walk` found. */
  output: number;
  /** A `WALKED` value. */
  walk(space: number, pageLo: number, pageHi: number): number;
}

export interface KernelCounts {
  readonly misses: number;
  readonly invalidated: number;
  /** Sum of the low 32 bits of the output pages of all translations. */
  readonly outputs: bigint;
}

/** Columns of accesses, as traces have them. */
export interface AccessColumns {
  readonly rid: Int32Array;
  readonly pasid: Int32Array;
  readonly domain: Int32Array;
  readonly iovaLo: Int32Array;
  readonly iovaHi: Int32Array;
  readonly outcome: Int32Array;
}

const GATHERED = ['rid', 'pasid', 'domain', 'iovaLo', 'iovaHi', 'outcome'] as const;

export interface KernelOptions {
  readonly codes: GatherCodes;
  /** Room for words, where a whole trace is to be held. */
  readonly room?: number | undefined;
  /** Plays the words in the place of the geometry's own module. */
  readonly program?: KernelProgram | undefined;
}

/** A module that exports what `kernelModule`'s does. */
export interface KernelProgram {
  /** Programs of one name are the same. */
  readonly name: string;
  readonly module: () => Uint8Array<ArrayBuffer>;
  /** Where what it keeps in memory ends. */
  readonly end: number;
}

interface Exports {
  readonly play: (at: number, end: number) => void;
  readonly gather: (at: number, end: number, limit: number) => number;
}

interface Platform {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (
    module: object,
    imports: { readonly env: { readonly memory: Memory; readonly walk: (high: number, low: number) => number } },
  ) => { readonly exports: Exports };
}

const { WebAssembly: platform } = globalThis as unknown as { readonly WebAssembly: Platform };

/** Modules by what they were made for: a new one runs unoptimised code for a while. */
const modules = new Map<string, object>();
const MOST_MODULES = 64;

function compiled(geometry: Geometry, codes: GatherCodes, program: KernelProgram | undefined): object {
  const { sets, ways } = geometry.banks[0]!;
  const own = [sets, ways, geometry.index, geometry.refillInvalidFirst];
  const key = [program?.name ?? own, codes.dma, codes.untranslated].join();
  let module = modules.get(key);
  if (module === undefined) {
    module = new platform.Module(program?.module() ?? kernelModule(geometry, codes));
    if (modules.size >= MOST_MODULES) modules.clear();
    modules.set(key, module);
  }
  return module;
}

/** True where a kernel can stand for the geometry: one bank of few ways, least recently used replaced first. */
export function suitsKernel({ banks, replacement }: Geometry): boolean {
  const [bank] = banks;
  if (banks.length !== 1 || bank === undefined || replacement !== 0) return false;
  return bank.ways <= MOST_WAYS && bank.sets * bank.ways <= MOST_ENTRIES;
}

/**
 * A translation cache that is nothing but its sets: the ways of a set lie in order of use, newest first. It has no slots, so
 * nothing can be said of an entry beyond hit and miss. Counts are those of `SetAssociativeIotlb`. It gathers a list of words,
 * keys of accesses and ranges of keys that commands drop, and plays it in WebAssembly.
 */
export class TranslationKernel {
  /** Memory of the kernel for columns that `setAccesses` gets, so that they need not be copied. */
  readonly arrays: ArrayPool;
  readonly #memory: KernelMemory;
  readonly #memo: WalkMemo;
  readonly #exports: Exports;
  readonly #geometry: Geometry;
  readonly #words: number;
  /** Address from which on there may be no room for a drop. */
  readonly #full: number;
  /** Where a copy of each gathered column goes that is elsewhere. */
  readonly #copies: number;
  #spaces = 0;

  constructor(geometry: Geometry, walker: Walker, { codes, room = USUAL_ROOM, program }: KernelOptions) {
    const { sets, ways } = geometry.banks[0]!;
    const { end } = program ?? kernelLayout(sets, ways);
    this.#geometry = geometry;
    const memory = new KernelMemory(end);
    this.#memory = memory;
    this.#words = memory.allocate(room * 8);
    this.#full = this.#words + (room - DROP_WORDS) * 8;
    this.#copies = memory.allocate((GATHERED.length * 4 + 1) * SEGMENT_EVENTS);
    this.#memo = new WalkMemo(memory);
    this.arrays = new ReusedArrays(
      (bytes) => memory.piece(bytes),
      () =>
        hasMachines(true)
          ? new ColumnMachine(memory.memory, memory.allocate(MACHINE_BYTES), true, (array) => memory.has(array))
          : undefined,
    );
    memory.ints[STATE.to >>> 2] = this.#words;
    const walk = (high: number, low: number): number => {
      const said = walker.walk(high >>> PAGE_HIGH_BITS, low, high & ((1 << PAGE_HIGH_BITS) - 1));
      if (said === WALKED.fault) return 0;
      const { output } = walker;
      // 0 means not known: such a page is asked for each time
      if (said === WALKED.until && output !== 0) this.#memo.remember(high, low, output);
      memory.ints[STATE.output >>> 2] = output;
      return 1;
    };
    const module = compiled(geometry, codes, program);
    this.#exports = new platform.Instance(module, { env: { memory: memory.memory, walk } }).exports;
  }

  /** Tells the number of an address space, which picks sets; returns what stands for it in keys. Throws `LIMIT` at 4,096. */
  addSpace(space: number): number {
    if (++this.#spaces >= MOST_SPACES) {
      throw new IorrError('LIMIT', `more than ${MOST_SPACES - 1} address spaces`, {
        hint: 'filter the trace to fewer devices',
      });
    }
    this.#memory.ints[(SALTS_AT >>> 2) + this.#spaces] = saltOf(this.#geometry.index, space);
    return this.#spaces;
  }

  /** Tells the space of a 16-bit requester id's accesses without PASID; if `steady`, whatever domain they name. */
  setRequester(rid: number, space: number, domain: number, steady: boolean): void {
    const at = (REQUESTERS_AT >>> 2) + rid * 2;
    this.#memory.ints[at] = (space << PAGE_HIGH_BITS) | (steady ? 1 : 0);
    this.#memory.ints[at + 1] = domain;
  }

  /** Begins with the accesses of a segment. */
  setAccesses(stream: Uint8Array, columns: AccessColumns): void {
    const memory = this.#memory;
    let at = this.#copies;
    if (memory.has(stream)) memory.ints[STATE.stream >>> 2] = stream.byteOffset;
    else {
      new Uint8Array(memory.memory.buffer, at, stream.length).set(stream);
      memory.ints[STATE.stream >>> 2] = at;
    }
    at += SEGMENT_EVENTS;
    for (const name of GATHERED) {
      const column = columns[name];
      if (memory.has(column)) memory.ints[STATE[name] >>> 2] = column.byteOffset;
      else {
        memory.ints.set(column, at >>> 2);
        memory.ints[STATE[name] >>> 2] = at;
      }
      at += SEGMENT_EVENTS * 4;
    }
    memory.ints[STATE.row >>> 2] = 0;
    memory.ints[STATE.seen >>> 2] = 0;
  }

  /**
   * Turns accesses into words, from an event on; returns the first event that it did not take: `end`, one of another stream, or
   * an access whose address space `setRequester` did not tell, or for which there is no room.
   */
  gather(event: number, end: number): number {
    return this.#exports.gather(event, end, this.#full);
  }

  /** Row of the next access, for who takes one by itself. */
  get row(): number {
    return this.#memory.ints[STATE.row >>> 2]!;
  }

  set row(row: number) {
    this.#memory.ints[STATE.row >>> 2] = row;
  }

  /** Accesses gathered since `setAccesses`. */
  get seen(): number {
    return this.#memory.ints[STATE.seen >>> 2]!;
  }

  /** True when the words that wait must be played before others come. */
  get full(): boolean {
    return this.#memory.ints[STATE.to >>> 2]! >= this.#full;
  }

  /** Words that wait. */
  get waiting(): number {
    return (this.#memory.ints[STATE.to >>> 2]! - this.#words) >>> 3;
  }

  /** Adds an access. There must be room. */
  addAccess(space: number, iovaLo: number, iovaHi: number): void {
    this.#add((iovaHi >>> 12) | (space << PAGE_HIGH_BITS), (iovaLo >>> 12) | (iovaHi << 20));
  }

  /** Adds that pages from `first` to `last` of a space are dropped; those of all spaces where it is 0. There must be room. */
  addDrop(space: number, first: number, last: number): void {
    this.#add(0, 0);
    if (space === 0) {
      this.#add(1 << PAGE_HIGH_BITS, 0);
      this.#add(-1, -1);
      return;
    }
    const high = space << PAGE_HIGH_BITS;
    this.#add(high | (first / 2 ** 32), first | 0);
    this.#add(high | (last / 2 ** 32), last | 0);
  }

  /** Plays what waits. */
  run(): void {
    const { waiting } = this;
    this.#memory.ints[STATE.to >>> 2] = this.#words;
    if (waiting > 0) this.play(waiting);
  }

  /** Plays so many words from the first one, without taking them away. */
  play(count: number): void {
    this.#exports.play(this.#words, this.#words + count * 8);
  }

  /** What `Walker.walk` said of these pages holds no longer. */
  forget(space: number, page: number, count: number): void {
    this.#memo.forget(space, page, count);
  }

  /** From now on a program that walks nothing asks for a walk of each access that is not the newest everywhere. */
  askWalks(): void {
    this.#memory.ints[STATE.walks >>> 2] = 1;
  }

  /** Counters of a program: 64-bit words from an address on. */
  counters(at: number, count: number): readonly number[] {
    return Array.from({ length: count }, (_, i) => Number(this.#memory.wide(at + i * 8)));
  }

  counts(): KernelCounts {
    return {
      misses: Number(this.#memory.wide(STATE.misses)),
      invalidated: Number(this.#memory.wide(STATE.invalidated)),
      outputs: this.#memory.wide(STATE.sum),
    };
  }

  /**
   * What the cache holds, way by way as four words: number of the address space as `addSpace` counts, high and low word of the page,
   * low word of its output. All are 0 for an empty way.
   */
  entries(): Int32Array<ArrayBuffer> {
    const { ints } = this.#memory;
    const { tags, outputs, count } = this.#places();
    const held = new Int32Array(count * ENTRY_WORDS);
    for (let i = 0; i < count; i++) {
      const high = ints[tags + 2 * i + 1]!;
      if (high === 0) continue;
      held[i * ENTRY_WORDS] = high >>> PAGE_HIGH_BITS;
      held[i * ENTRY_WORDS + 1] = high & ((1 << PAGE_HIGH_BITS) - 1);
      held[i * ENTRY_WORDS + 2] = ints[tags + 2 * i]!;
      held[i * ENTRY_WORDS + 3] = ints[outputs + i]!;
    }
    return held;
  }

  /** The cache holds this now. Throws `RangeError` for what another geometry held. */
  setEntries(held: Int32Array): void {
    const { ints } = this.#memory;
    const { tags, outputs, count } = this.#places();
    if (held.length !== count * ENTRY_WORDS)
      throw new RangeError(`${held.length} words of a cache of ${count} entries`);
    for (let i = 0; i < count; i++) {
      const at = i * ENTRY_WORDS;
      ints[tags + 2 * i] = held[at + 2]!;
      ints[tags + 2 * i + 1] = (held[at]! << PAGE_HIGH_BITS) | held[at + 1]!;
      ints[outputs + i] = held[at + 3]!;
    }
  }

  #places(): { readonly tags: number; readonly outputs: number; readonly count: number } {
    const { sets, ways } = this.#geometry.banks[0]!;
    return { tags: TAGS_AT >>> 2, outputs: kernelLayout(sets, ways).outputsAt >>> 2, count: sets * ways };
  }

  #add(high: number, low: number): void {
    const { ints } = this.#memory;
    const to = ints[STATE.to >>> 2]!;
    ints[to >>> 2] = low;
    ints[(to >>> 2) + 1] = high;
    ints[STATE.to >>> 2] = to + 8;
  }
}

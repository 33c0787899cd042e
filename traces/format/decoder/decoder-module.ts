import { moduleOf } from '../../wasm/wasm-code.ts';
import { last, narrow, newest, runEnd, starts, times } from './events-code.ts';
import { build, longCode } from './huffman-code.ts';
import { inflate } from './inflate-code.ts';
import { differences, varint, varints } from './numbers-code.ts';
import { grouped, kinds, slot } from './kinds-code.ts';
import { add, copy, dictionary, fill, packed, planes, runs, split, sum } from './integers-code.ts';

// of the functions in the module
const VARINT = 0;
const RUN_END = 1;
const BUILD = 2;
const LONG_CODE = 3;
const SLOT = 4;

/** What the module exports: addresses and numbers of rows; those that may fail return 0 then. See the function of each. */
export interface DecoderCalls {
  readonly inflate: (at: number, end: number, out: number, outEnd: number, tables: number) => number;
  readonly planes: (at: number, rows: number, planes: number, shift: number, out: number) => void;
  readonly sum: (out: number, rows: number, lag: number) => void;
  readonly packed: (at: number, rows: number, bits: number, minimum: number, shift: number, out: number) => void;
  readonly varints: (at: number, end: number, rows: number, shift: number, out: number, table: number) => number;
  readonly runs: (at: number, end: number, count: number, rows: number, values: number, out: number) => number;
  readonly dictionary: (at: number, rows: number, wide: number, table: number, count: number, out: number) => number;
  readonly fill: (out: number, rows: number, value: number) => void;
  readonly copy: (at: number, rows: number, out: number) => void;
  readonly split: (out: number, offsets: number, rows: number) => void;
  readonly add: (out: number, other: number, rows: number) => void;
  readonly narrow: (ids: number, events: number, out: number, counts: number) => number;
  readonly newest: (stream: number, events: number, own: number, other: number, out: number) => void;
  readonly last: (out: number, column: number, newest: number, rows: number) => void;
  readonly grouped: (
    column: number,
    rows: number,
    kindOf: number,
    table: number,
    kinds: number,
    count: number,
    places: number,
    differences: number,
  ) => number;
  readonly kinds: (
    kindOf: number,
    rows: number,
    kinds: number,
    places: number,
    newest: number,
    sequence: number,
    otherKinds: number,
    out: number,
  ) => void;
  readonly differences: (at: number, end: number, events: number, out: number, table: number) => number;
  readonly starts: (stream: number, end: number, wide: number, counts: number) => void;
  readonly times: (
    stream: number,
    end: number,
    wide: number,
    places: number,
    unit: number,
    first: number,
    out: number,
  ) => void;
}

/** The module of all loops of the decoder, over a memory that is shared between threads or not. */
export function decoderModule(shared: boolean): Uint8Array<ArrayBuffer> {
  return moduleOf({ functions: [], memory: 'memory', shared }, [
    { code: varint() },
    { code: runEnd() },
    { code: build() },
    { code: longCode() },
    { code: slot() },
    { name: 'inflate', code: inflate(BUILD, LONG_CODE) },
    { name: 'planes', code: planes() },
    { name: 'sum', code: sum() },
    { name: 'packed', code: packed() },
    { name: 'varints', code: varints() },
    { name: 'runs', code: runs(VARINT) },
    { name: 'dictionary', code: dictionary() },
    { name: 'fill', code: fill() },
    { name: 'copy', code: copy() },
    { name: 'split', code: split() },
    { name: 'add', code: add() },
    { name: 'narrow', code: narrow() },
    { name: 'newest', code: newest() },
    { name: 'last', code: last() },
    { name: 'grouped', code: grouped() },
    { name: 'kinds', code: kinds(SLOT) },
    { name: 'differences', code: differences() },
    { name: 'starts', code: starts(RUN_END) },
    { name: 'times', code: times() },
  ]);
}

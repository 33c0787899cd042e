import { SET_INDEX } from './set-index.ts';
import type { Geometry } from './set-associative-iotlb.ts';
import {
  FunctionCode,
  block,
  call,
  get,
  i32,
  i64,
  jump,
  jumpIf,
  loop,
  moduleOf,
  set,
  tee,
  v128,
  when,
} from '../../traces/wasm/wasm-code.ts';
import type { Code } from '../../traces/wasm/wasm-code.ts';

/**
 * The inner loop of a replay that only counts, as a WebAssembly module made for one geometry: numbers of sets and ways are
 * constants in it and the ways of a set are written out. Measured against a C program of the same rules by `npm run bench:limit`.
 */

/** Bits of a page number in a key; the address space's index is above them. An index of 0 stands for none. */
export const PAGE_BITS = 52;
/** Address spaces that keys can tell apart. */
export const MOST_SPACES = 4096;
/** Pages of a block of the memo of walks, each with a word. */
export const BLOCK_SHIFT = 9;
/** Bytes of an entry of the memo's hash table: the block's key, then the address of its words. */
export const MEMO_ENTRY = 16;
/** What a hash of block keys multiplies their two words by, and the bits that it takes from the product. */
export const MEMO_HASH = { low: 0x9e3779b1 | 0, high: 0x85ebca6b | 0, shift: 8 } as const;
/** What `mixed` sets multiply the words of a page and the tag by (`SetAssociativeIotlb`). */
const MIX = { pageHi: 0x27d4eb2f, space: 0x165667b1, first: 0x9e3779b1, second: 0x85ebca6b } as const;

/** Words of state in memory, as byte addresses. */
export const STATE = {
  misses: 0,
  invalidated: 8,
  /** Sum of the low words of the output pages of all translations. */
  sum: 16,
  /** Low word of what `walk` found. */
  output: 24,
  memoTable: 28,
  memoMask: 32,
  /** Where the columns that `gather` reads are. */
  stream: 36,
  rid: 40,
  pasid: 44,
  domain: 48,
  iovaLo: 52,
  iovaHi: 56,
  outcome: 60,
  /** Next row of those columns, next word to write, and how many accesses `gather` took. */
  row: 64,
  to: 68,
  seen: 72,
  /** Not 0: a program that walks nothing is to have its accesses walked all the same. */
  walks: 76,
} as const;

/** By index of an address space, what its number adds to the set of a page. */
export const SALTS_AT = 128;
/**
 * By requester id without PASID: its address space in the place of a key's high word, with bit 0 set where attach events tell
 * its domain, so that the domain of an access is not looked at; then that domain. A first word of 0: not known.
 */
export const REQUESTERS_AT = SALTS_AT + MOST_SPACES * 4;
export const REQUESTERS = 0x10000;
/** Ways of all sets, newest first: keys of 8 bytes (0: empty), then the low words of their output pages. */
export const TAGS_AT = REQUESTERS_AT + REQUESTERS * 8;

export interface KernelLayout {
  readonly outputsAt: number;
  readonly end: number;
}

/** Where the arrays of a geometry are; keys fill whole vectors. */
export function kernelLayout(sets: number, ways: number): KernelLayout {
  const entries = sets * ways;
  const outputsAt = TAGS_AT + Math.ceil(entries / 2) * 16;
  return { outputsAt, end: outputsAt + Math.ceil(entries / 4) * 16 };
}

/** What an address space's number adds to the set index of its pages. */
export function saltOf(index: number, space: number): number {
  if (index === SET_INDEX.folded) return Math.imul(space, 37);
  return index === SET_INDEX.low ? 0 : Math.imul(space, MIX.space);
}

// of the functions in the module
const WALK = 0;
const SET_OF = 1;
const DROP = 2;

/** What picks the set of a key, modulo the sets: as `setNumber`. `low` holds the low word of the page number. */
export function hashOf(index: number, key: number, low: number): Code {
  const salt = i32.load(SALTS_AT, i32.shl(i32.wrap(i64.shrU(get(key), i64.of(BigInt(PAGE_BITS)))), i32.of(2)));
  if (index === SET_INDEX.low) return i32.wrap(get(key));
  const lowWord = tee(low, i32.wrap(get(key)));
  if (index === SET_INDEX.folded) return i32.xor(i32.xor(lowWord, i32.shrU(get(low), i32.of(6))), salt);
  const high = i32.and(i32.wrap(i64.shrU(get(key), i64.of(32n))), i32.of((1 << (PAGE_BITS - 32)) - 1));
  const all = i32.xor(i32.xor(i32.wrap(get(key)), i32.mul(high, i32.of(MIX.pageHi))), salt);
  const first = tee(low, i32.mul(all, i32.of(MIX.first)));
  const folded = i32.xor(first, i32.shrU(get(low), i32.of(15)));
  return i32.shrU(i32.mul(folded, i32.of(MIX.second)), i32.of(8));
}

/** Set of a key. */
function setIndex({ banks, index }: Geometry, key: number, low: number): Code {
  const { sets } = banks[0]!;
  if (sets === 1) return i32.of(0);
  const number = hashOf(index, key, low);
  return (sets & (sets - 1)) === 0 ? i32.and(number, i32.of(sets - 1)) : i32.remU(number, i32.of(sets));
}

/** Set of a key, for drops; the loop over accesses has its own copy inlined. */
function setOf(geometry: Geometry): FunctionCode {
  const code = new FunctionCode(['i64'], 'i32');
  code.body = setIndex(geometry, 0, code.local('i32'));
  return code;
}

const plus = (local: number, bytes: number): Code => set(local, i32.add(get(local), i32.of(bytes)));
/** Empties the ways that hold keys from `first` to `last`, unsigned. Few pages are looked for one by one, many in all ways. */
function drop(geometry: Geometry): FunctionCode {
  const { sets, ways } = geometry.banks[0]!;
  const { outputsAt } = kernelLayout(sets, ways);
  const [first, last] = [0, 1];
  const code = new FunctionCode(['i64', 'i64']);
  const [at, key, dropped] = [code.local('i32'), code.local('i64'), code.local('i64')];
  const [firsts, spans, sign] = [code.local('v128'), code.local('v128'), code.local('v128')];
  const [tags, keep, kept] = [code.local('v128'), code.local('v128'), code.local('v128')];
  const probe: Code[] = [];
  for (let way = 0; way < ways; way++) {
    probe.push(
      when(
        i64.eq(i64.load(TAGS_AT + way * 8, get(at)), get(key)),
        i64.store(TAGS_AT + way * 8, get(at), i64.of(0n)),
        set(dropped, i64.add(get(dropped), i64.of(1n))),
      ),
    );
  }
  const pages = [
    set(key, get(first)),
    loop(
      set(at, i32.mul(call(SET_OF, get(key)), i32.of(ways * 8))),
      ...probe,
      set(key, i64.add(get(key), i64.of(1n))),
      jumpIf(0, i64.leU(get(key), get(last))),
    ),
  ];
  // an empty way is below every first key, and so far beyond the span
  const everything = [
    set(firsts, v128.splat64(get(first))),
    set(sign, v128.splat64(i64.of(-(2n ** 63n)))),
    set(spans, v128.xor(v128.splat64(i64.sub(get(last), get(first))), get(sign))),
    set(at, i32.of(TAGS_AT)),
    loop(
      set(tags, v128.load(0, get(at))),
      set(keep, v128.gtS64(v128.xor(v128.sub64(get(tags), get(firsts)), get(sign)), get(spans))),
      v128.store(0, get(at), v128.and(get(tags), get(keep))),
      set(kept, v128.add64(get(kept), get(keep))),
      plus(at, 16),
      jumpIf(0, i32.ltU(get(at), i32.of(outputsAt))),
    ),
    // a lane that was kept counts -1
    set(
      dropped,
      i64.add(i64.add(i64.of(BigInt((outputsAt - TAGS_AT) / 8)), v128.lane64(0, get(kept))), v128.lane64(1, get(kept))),
    ),
  ];
  code.body = [
    ...block(
      block(
        jumpIf(0, i64.ltU(i64.of(BigInt(Math.max(8, sets >>> 1))), i64.sub(get(last), get(first)))),
        ...pages,
        jump(1),
      ),
      ...everything,
    ),
    ...i64.store(STATE.invalidated, i32.of(0), i64.add(i64.load(STATE.invalidated, i32.of(0)), get(dropped))),
  ];
  return code;
}

/** Output of a page whose walk is remembered, or what the outside says of it; repeats the loop `next` levels out at a fault. */
function walk(key: number, output: number, next: number, code: FunctionCode): readonly Code[] {
  const [blockKey, found] = [code.local('i64'), code.local('i64')];
  const [slot, entry] = [code.local('i32'), code.local('i32')];
  const product = i32.xor(
    i32.mul(i32.wrap(get(blockKey)), i32.of(MEMO_HASH.low)),
    i32.mul(i32.wrap(i64.shrU(get(blockKey), i64.of(32n))), i32.of(MEMO_HASH.high)),
  );
  const page = i32.shl(i32.and(i32.wrap(get(key)), i32.of((1 << BLOCK_SHIFT) - 1)), i32.of(2));
  return [
    set(blockKey, i64.shrU(get(key), i64.of(BigInt(BLOCK_SHIFT)))),
    set(slot, i32.shl(i32.shrU(product, i32.of(MEMO_HASH.shift)), i32.of(4))),
    block(
      block(
        loop(
          set(slot, i32.and(get(slot), i32.load(STATE.memoMask, i32.of(0)))),
          set(entry, i32.add(get(slot), i32.load(STATE.memoTable, i32.of(0)))),
          set(found, i64.load(0, get(entry))),
          when(
            i64.eq(get(found), get(blockKey)),
            // known, if not 0
            jumpIf(3, tee(output, i32.load(0, i32.add(i32.load(8, get(entry)), page)))),
            jump(2),
          ),
          jumpIf(1, i64.eqz(get(found))),
          plus(slot, MEMO_ENTRY),
          jump(0),
        ),
      ),
      jumpIf(next + 1, i32.eqz(call(WALK, i32.wrap(i64.shrU(get(key), i64.of(32n))), i32.wrap(get(key))))),
      set(output, i32.load(STATE.output, i32.of(0))),
    ),
  ];
}

/**
 * Plays words from `at` to `end`. A word is the key of an access; or 0, then the first and the last key that a command drops.
 * The newest way of a set is looked at first, everything else is behind it.
 */
function play(geometry: Geometry): FunctionCode {
  const { sets, ways } = geometry.banks[0]!;
  const { outputsAt } = kernelLayout(sets, ways);
  const [at, end] = [0, 1];
  const code = new FunctionCode(['i32', 'i32']);
  const key = code.local('i64');
  const [low, index, tags, outputs, output] = [
    code.local('i32'),
    code.local('i32'),
    code.local('i32'),
    code.local('i32'),
    code.local('i32'),
  ];
  const [sum, misses] = [code.local('i64'), code.local('i64')];
  const held = Array.from({ length: ways }, () => code.local('i64'));
  const read = (way: number): Code => tee(held[way]!, i64.load(TAGS_AT + way * 8, get(tags)));
  const outputOf = (way: number): Code => i32.load(outputsAt + way * 4, get(outputs));
  const addOutput = set(sum, i64.add(get(sum), i64.extendU(get(output))));
  /** The ways before `way` move back by one, over it; the key becomes the newest. */
  const raise = (way: number): Code => {
    const moves: Code[] = [];
    for (let to = way; to > 0; to--) {
      moves.push(i64.store(TAGS_AT + to * 8, get(tags), get(held[to - 1]!)));
      moves.push(i32.store(outputsAt + to * 4, get(outputs), outputOf(to - 1)));
    }
    moves.push(i64.store(TAGS_AT, get(tags), get(key)), i32.store(outputsAt, get(outputs), get(output)));
    return moves.flat();
  };
  const older: Code[] = [];
  for (let way = 1; way < ways; way++) {
    older.push(when(i64.eq(read(way), get(key)), set(output, outputOf(way)), addOutput, raise(way), jump(1)));
  }
  const refilled: Code[] = [];
  if (geometry.refillInvalidFirst) {
    for (let way = 0; way < ways - 1; way++) refilled.push(when(i64.eqz(get(held[way]!)), raise(way), jump(1)));
  }
  code.body = [
    ...block(
      loop(
        jumpIf(1, i32.eqz(i32.ltU(get(at), get(end)))),
        set(key, i64.load(0, get(at))),
        plus(at, 8),
        set(index, setIndex(geometry, key, low)),
        set(tags, i32.mul(get(index), i32.of(ways * 8))),
        set(outputs, i32.mul(get(index), i32.of(ways * 4))),
        when(
          i64.eq(read(0), get(key)),
          // 0 is the word before a drop, and an empty way
          when(i64.eqz(get(key)), call(DROP, i64.load(0, get(at)), i64.load(8, get(at))), plus(at, 16), jump(2)),
          set(sum, i64.add(get(sum), i64.load32U(outputsAt, get(outputs)))),
          jump(1),
        ),
        when(i64.eqz(get(key)), call(DROP, i64.load(0, get(at)), i64.load(8, get(at))), plus(at, 16), jump(1)),
        ...older,
        set(misses, i64.add(get(misses), i64.of(1n))),
        ...walk(key, output, 0, code),
        addOutput,
        ...refilled,
        raise(ways - 1),
        jump(0),
      ),
    ),
    ...i64.store(STATE.misses, i32.of(0), i64.add(i64.load(STATE.misses, i32.of(0)), get(misses))),
    ...i64.store(STATE.sum, i32.of(0), i64.add(i64.load(STATE.sum, i32.of(0)), get(sum))),
  ];
  return code;
}

/**
 * Turns accesses into words: from event `at` up to `end` or to where `limit` is reached, an event of another stream than `dma`
 * comes, or an access whose address space is not known by its requester. Returns the event that it stopped at. Accesses whose
 * outcome has a bit of `untranslated` are passed over.
 */
export function gather(dma: number, untranslated: number): FunctionCode {
  const [at, end, limit] = [0, 1, 2];
  const code = new FunctionCode(['i32', 'i32', 'i32'], 'i32');
  const word = (): number => code.local('i32');
  const [row, to, seen, space, requester, domain, high] = [word(), word(), word(), word(), word(), word(), word()];
  const columns = ['stream', 'rid', 'pasid', 'domain', 'iovaLo', 'iovaHi', 'outcome'] as const;
  const base = Object.fromEntries(columns.map((name) => [name, word()]));
  const column = (name: (typeof columns)[number]): Code =>
    i32.load(0, i32.add(get(base[name]!), i32.shl(get(row), i32.of(2))));
  const state = (name: keyof typeof STATE): Code => i32.load(STATE[name], i32.of(0));
  code.body = [
    ...columns.flatMap((name) => set(base[name]!, state(name))),
    ...set(row, state('row')),
    ...set(to, state('to')),
    ...set(seen, state('seen')),
    ...block(
      loop(
        jumpIf(1, i32.eqz(i32.ltU(get(at), get(end)))),
        jumpIf(1, i32.eqz(i32.ltU(get(to), get(limit)))),
        jumpIf(1, i32.sub(i32.load8U(0, i32.add(get(base['stream']!), get(at))), i32.of(dma))),
        when(
          i32.eqz(i32.and(column('outcome'), i32.of(untranslated))),
          set(requester, column('rid')),
          // a requester id of more than 16 bits, or a PASID
          jumpIf(2, i32.or(i32.shrU(get(requester), i32.of(16)), i32.eqz(i32.shrU(column('pasid'), i32.of(31))))),
          set(space, i32.load(REQUESTERS_AT, tee(requester, i32.shl(get(requester), i32.of(3))))),
          jumpIf(2, i32.eqz(get(space))),
          when(
            i32.eqz(i32.and(get(space), i32.of(1))),
            set(domain, column('domain')),
            when(
              i32.xor(get(domain), i32.of(-1)),
              jumpIf(4, i32.xor(get(domain), i32.load(REQUESTERS_AT + 4, get(requester)))),
            ),
          ),
          set(high, column('iovaHi')),
          i32.store(0, get(to), i32.or(i32.shrU(column('iovaLo'), i32.of(12)), i32.shl(get(high), i32.of(20)))),
          i32.store(
            4,
            get(to),
            i32.or(i32.shrU(get(high), i32.of(12)), i32.and(get(space), i32.of(-1 << (PAGE_BITS - 32)))),
          ),
          plus(to, 8),
          plus(seen, 1),
        ),
        plus(row, 1),
        plus(at, 1),
        jump(0),
      ),
    ),
    ...i32.store(STATE.row, i32.of(0), get(row)),
    ...i32.store(STATE.to, i32.of(0), get(to)),
    ...i32.store(STATE.seen, i32.of(0), get(seen)),
    ...get(at),
  ];
  return code;
}

/** Numbers of the trace's schema that `gather` looks for. */
export interface GatherCodes {
  readonly dma: number;
  readonly untranslated: number;
}

/** The module of a geometry of one bank; it exports `play(at, end)` and `gather(at, end, limit)`. */
export function kernelModule(geometry: Geometry, codes: GatherCodes): Uint8Array<ArrayBuffer> {
  return moduleOf(
    { functions: [{ name: 'walk', parameters: ['i32', 'i32'], result: 'i32' }], memory: 'memory', shared: true },
    [
      { code: setOf(geometry) },
      { code: drop(geometry) },
      { name: 'play', code: play(geometry) },
      { name: 'gather', code: gather(codes.dma, codes.untranslated) },
    ],
  );
}

import { SET_INDEX } from './set-index.ts';
import { gather } from './gather-code.ts';
import type { GatherCodes } from './gather-code.ts';
import {
  BLOCK_SHIFT,
  MEMO_ENTRY,
  MEMO_HASH,
  MIX,
  PAGE_BITS,
  SALTS_AT,
  STATE,
  TAGS_AT,
  kernelLayout,
} from './kernel-layout.ts';
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

/** The module of a geometry of one bank; it exports `play(at, end)` and `gather(at, end, limit)`. */
export function kernelModule(geometry: Geometry, codes: GatherCodes): Uint8Array<ArrayBuffer> {
  return moduleOf(
    { functions: [{ name: 'walk', parameters: ['i32', 'i32'], result: 'i32' }], memory: 'memory', shared: true },
    [
      { code: setOf(geometry) },
      { code: drop(geometry) },
      { name: 'play', code: play(geometry) },
      { name: 'gather', code: gather(codes) },
    ],
  );
}

import { gather } from './gather-code.ts';
import type { GatherCodes } from './gather-code.ts';
import { STATE, TAGS_AT } from './kernel-layout.ts';
import { hashOf } from './kernel-module.ts';
import type { KernelProgram } from './translation-kernel.ts';
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
  when,
} from '../../traces/wasm/wasm-code.ts';
import type { Code } from '../../traces/wasm/wasm-code.ts';

/**
 * The inner loop of `createSetStacks` as a WebAssembly module: the words of a counting replay go through the stacks of the sets of
 * several numbers of sets at once. It serves where every entry is a page of 4 KiB: nothing is walked but to find larger ones.
 */
export interface StackShape {
  /** Powers of two, ascending: each level's sets are parts of those of the level before. */
  readonly sets: readonly number[];
  /** Ways that are followed, 1 to `MOST_STACK_WAYS`. */
  readonly ways: number;
  /** `SET_INDEX` value. */
  readonly index: number;
  readonly refillInvalidFirst: boolean;
}

export const MOST_STACK_WAYS = 64;
const MOST_LINES = 1 << 22;

export interface StackLayout {
  /** Ways of the first set of each level: keys of 8 bytes, newest first, 0: empty. */
  readonly lines: readonly number[];
  readonly linesEnd: number;
  /** By level: uses whose entry was the newest there first, 8 bytes each. */
  readonly newest: number;
  /** By level and way, 8 bytes each: uses by where the entry was. */
  readonly found: number;
  readonly end: number;
}

export function suitsStacks({ sets, ways }: StackShape): boolean {
  const powers = sets.every((count, i) => (count & (count - 1)) === 0 && count > (sets[i - 1] ?? 0));
  const lines = sets.reduce((sum, count) => sum + count * ways, 0);
  return powers && sets.length > 0 && ways >= 1 && ways <= MOST_STACK_WAYS && lines <= MOST_LINES;
}

export function stackLayout({ sets, ways }: StackShape): StackLayout {
  const lines: number[] = [];
  let at = TAGS_AT;
  for (const count of sets) {
    lines.push(at);
    at += count * ways * 8;
  }
  const newest = at + sets.length * 8;
  return { lines, linesEnd: at, newest: at, found: newest, end: newest + sets.length * ways * 8 };
}

// of the functions in the module; `walk` comes from outside
const WALK = 0;
const USE = 1;
const DROP = 2;

const plus = (local: number, bytes: number): Code => set(local, i32.add(get(local), i32.of(bytes)));
const countUp = (address: Code): Code => i64.store(0, address, i64.add(i64.load(0, address), i64.of(1n)));

/**
 * Takes a key to the top of the stack at `base` and counts where it was, in `found`. What is above it moves down by one; with
 * `refillInvalidFirst` only down to the first empty way, and where the key was is empty then.
 */
function use({ ways, refillInvalidFirst }: StackShape): FunctionCode {
  const [base, key, found] = [0, 1, 2];
  const code = new FunctionCode(['i32', 'i64', 'i32']);
  const [at, end] = [code.local('i32'), code.local('i32')];
  const [held, carried] = [code.local('i64'), code.local('i64')];
  const count = countUp(i32.add(get(found), i32.sub(get(at), get(base))));
  const below = loop(
    plus(at, 8),
    jumpIf(3, i32.eqz(i32.ltU(get(at), get(end)))),
    jumpIf(0, i32.eqz(i64.eq(i64.load(0, get(at)), get(key)))),
    i64.store(0, get(at), i64.of(0n)),
    count,
    jump(3),
  );
  code.body = [
    ...set(at, get(base)),
    ...set(end, i32.add(get(base), i32.of(ways * 8))),
    ...set(carried, get(key)),
    ...block(
      loop(
        set(held, i64.load(0, get(at))),
        i64.store(0, get(at), get(carried)),
        when(i64.eq(get(held), get(key)), count, jump(2)),
        ...(refillInvalidFirst ? [when(i64.eqz(get(held)), below)] : []),
        set(carried, get(held)),
        plus(at, 8),
        jumpIf(0, i32.ltU(get(at), get(end))),
      ),
    ),
  ];
  return code;
}

/** Set of a key at a level, as the address of its newest way. */
function setAt(shape: StackShape, level: number, hash: Code): Code {
  const { ways } = shape;
  const sets = shape.sets[level]!;
  const start = i32.of(stackLayout(shape).lines[level]!);
  return sets === 1 ? start : i32.add(i32.mul(i32.and(hash, i32.of(sets - 1)), i32.of(ways * 8)), start);
}

/** Empties the ways that hold keys from `first` to `last`: few pages by their sets, many by all ways. */
function drop(shape: StackShape): FunctionCode {
  const { lines, linesEnd } = stackLayout(shape);
  const { ways } = shape;
  const [first, last] = [0, 1];
  const code = new FunctionCode(['i64', 'i64']);
  const [at, end, low, hash] = [code.local('i32'), code.local('i32'), code.local('i32'), code.local('i32')];
  const key = code.local('i64');
  const pages = [
    set(key, get(first)),
    loop(
      set(hash, hashOf(shape.index, key, low)),
      ...shape.sets.flatMap((_, level) => [
        set(at, setAt(shape, level, get(hash))),
        set(end, i32.add(get(at), i32.of(ways * 8))),
        loop(
          when(i64.eq(i64.load(0, get(at)), get(key)), i64.store(0, get(at), i64.of(0n))),
          plus(at, 8),
          jumpIf(0, i32.ltU(get(at), get(end))),
        ),
      ]),
      set(key, i64.add(get(key), i64.of(1n))),
      jumpIf(0, i64.leU(get(key), get(last))),
    ),
  ];
  const everything = [
    set(at, i32.of(lines[0]!)),
    loop(
      when(
        i64.leU(i64.sub(i64.load(0, get(at)), get(first)), i64.sub(get(last), get(first))),
        i64.store(0, get(at), i64.of(0n)),
      ),
      plus(at, 8),
      jumpIf(0, i32.ltU(get(at), i32.of(linesEnd))),
    ),
  ];
  const most = Math.max(4, (linesEnd - lines[0]!) / 8 / (shape.sets.length * ways) / 2);
  code.body = block(
    block(jumpIf(0, i64.ltU(i64.of(BigInt(Math.floor(most))), i64.sub(get(last), get(first)))), ...pages, jump(1)),
    ...everything,
  );
  return code;
}

/** Has a key walked, if walks are wanted: an access that some geometry may miss. What is said of it does not matter here. */
function asked(key: number): Code {
  const words = [i32.wrap(i64.shrU(get(key), i64.of(32n))), i32.wrap(get(key))];
  return when(i32.load(STATE.walks, i32.of(0)), when(call(WALK, ...words)));
}

/** Plays words as the translation kernel's `play` does. */
function play(shape: StackShape): FunctionCode {
  const { newest, found } = stackLayout(shape);
  const [at, end] = [0, 1];
  const code = new FunctionCode(['i32', 'i32']);
  const key = code.local('i64');
  const [low, hash, base] = [code.local('i32'), code.local('i32'), code.local('i32')];
  code.body = block(
    loop(
      jumpIf(1, i32.eqz(i32.ltU(get(at), get(end)))),
      set(key, i64.load(0, get(at))),
      plus(at, 8),
      when(i64.eqz(get(key)), call(DROP, i64.load(0, get(at)), i64.load(8, get(at))), plus(at, 16), jump(1)),
      set(hash, hashOf(shape.index, key, low)),
      ...shape.sets.flatMap((_, level) => [
        set(base, setAt(shape, level, get(hash))),
        when(i64.eq(i64.load(0, get(base)), get(key)), countUp(i32.of(newest + level * 8)), jump(1)),
        ...(level === 0 ? [asked(key)] : []),
        call(USE, get(base), get(key), i32.of(found + level * shape.ways * 8)),
      ]),
      jump(0),
    ),
  );
  return code;
}

/** For `TranslationKernel`. */
export function stackProgram(shape: StackShape, codes: GatherCodes): KernelProgram {
  const { sets, ways, index, refillInvalidFirst } = shape;
  return {
    name: `stacks ${sets.join('-')} ${ways} ${index} ${refillInvalidFirst}`,
    module: () => stacksModule(shape, codes),
    end: stackLayout(shape).end,
  };
}

/** It exports `play(at, end)` and `gather(at, end, limit)`, as `kernelModule` does. */
function stacksModule(shape: StackShape, codes: GatherCodes): Uint8Array<ArrayBuffer> {
  return moduleOf(
    { functions: [{ name: 'walk', parameters: ['i32', 'i32'], result: 'i32' }], memory: 'memory', shared: true },
    [
      { code: use(shape) },
      { code: drop(shape) },
      { name: 'play', code: play(shape) },
      { name: 'gather', code: gather(codes) },
    ],
  );
}

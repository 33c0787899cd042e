import { highWord, lowWord } from '../units.ts';
import type { CommandDialect, DialectCommand } from './dialect.ts';
import { bit, bits, field, flag, hex, ones } from './word-bits.ts';

/**
 * Dialects as tables: each command is its fixed bits and its named fields. Encoding, decoding and the check of reserved bits
 * follow from the table; a readable line and the checks between fields are the command's own.
 */

/** A number in one or more pieces, the lowest first; each piece is [word, high bit, low bit]. */
export interface NumberField {
  readonly kind: 'number';
  readonly pieces: readonly (readonly [number, number, number])[];
}

export interface FlagField {
  readonly kind: 'flag';
  readonly word: number;
  readonly at: number;
}

/** A 64-bit value whose bits `high` to `low`, moved up by `shift`, are its own; the bits below are 0. */
export interface AddressField {
  readonly kind: 'address';
  readonly word: number;
  readonly high: number;
  readonly low: number;
  readonly shift: number;
}

export type Field = NumberField | FlagField | AddressField;
export type Fields = Readonly<Record<string, Field>>;

type FieldValues<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends FlagField ? boolean : F[K] extends AddressField ? bigint : number;
};

/** A type of command. */
export interface CommandLayout {
  /** Bits that every command of the type has, by word: its opcode. */
  readonly fixed: readonly bigint[];
  readonly fields: Fields;
  /** What follows the type's name in a readable line. */
  text(this: void, command: never): string;
  /** What is wrong between the fields. */
  check(this: void, command: never): readonly string[];
}

type Layouts = Readonly<Record<string, CommandLayout>>;

/** A command of one of the layouts: its type's name, its fields, and what is wrong with it. */
export type LayoutCommand<L extends Layouts> = {
  readonly [K in keyof L & string]: DialectCommand & { readonly type: K } & FieldValues<L[K]['fields']>;
}[keyof L & string];

/** A type that the dialect does not define: only its words are known. */
export interface UndefinedCommand extends DialectCommand {
  readonly type: 'undefined';
  readonly words: readonly bigint[];
}

export function number(word: number, high: number, low: number, ...more: [number, number, number][]): NumberField {
  return { kind: 'number', pieces: [[word, high, low], ...more] };
}

export function truth(word: number, at: number): FlagField {
  return { kind: 'flag', word, at };
}

export function address(word: number, high: number, low: number, shift = 0): AddressField {
  return { kind: 'address', word, high, low, shift };
}

const NO_PROBLEMS = (): readonly string[] => [];

export function layout<const F extends Fields>(
  fixed: readonly bigint[],
  fields: F,
  text: (command: FieldValues<F>) => string = () => '',
  check: (command: FieldValues<F>) => readonly string[] = NO_PROBLEMS,
): CommandLayout & { readonly fields: F } {
  return { fixed, fields, text, check };
}

function read(kind: Field, words: readonly bigint[]): number | boolean | bigint {
  if (kind.kind === 'flag') return bit(words[kind.word] ?? 0n, kind.at);
  if (kind.kind === 'address') return ((words[kind.word] ?? 0n) & ones(kind.high, kind.low)) << BigInt(kind.shift);
  let value = 0;
  let scale = 1;
  for (const [word, high, low] of kind.pieces) {
    value += bits(words[word] ?? 0n, high, low) * scale;
    scale *= 2 ** (high - low + 1);
  }
  return value;
}

function write(name: string, kind: Field, value: unknown, words: bigint[]): void {
  const put = (word: number, value64: bigint): void => {
    words[word] = (words[word] ?? 0n) | value64;
  };
  if (kind.kind === 'flag') put(kind.word, flag(value === true, kind.at));
  else if (kind.kind === 'address') {
    const given = typeof value === 'bigint' ? value : -1n;
    const placed = given >> BigInt(kind.shift);
    const mask = ones(kind.high, kind.low);
    if (given < 0n || placed << BigInt(kind.shift) !== given || (placed & ~mask) !== 0n) {
      throw new RangeError(
        `${name} ${String(value)} is no multiple of ${1n << BigInt(kind.low + kind.shift)} in range`,
      );
    }
    put(kind.word, placed);
  } else {
    const width = kind.pieces.reduce((sum, [, high, low]) => sum + high - low + 1, 0);
    let rest = Number(field(name, typeof value === 'number' ? value : -1, width - 1, 0));
    for (const [word, high, low] of kind.pieces) {
      const limit = 2 ** (high - low + 1);
      put(word, BigInt(rest % limit) << BigInt(low));
      rest = Math.floor(rest / limit);
    }
  }
}

function definedBits({ fixed, fields }: CommandLayout, opcode: readonly bigint[], count: number): bigint[] {
  const defined = Array.from({ length: count }, (_, i) => (fixed[i] ?? 0n) | (opcode[i] ?? 0n));
  for (const kind of Object.values(fields)) {
    const pieces: readonly (readonly [number, number, number])[] =
      kind.kind === 'flag'
        ? [[kind.word, kind.at, kind.at]]
        : kind.kind === 'address'
          ? [[kind.word, kind.high, kind.low]]
          : kind.pieces;
    for (const [word, high, low] of pieces) defined[word] = (defined[word] ?? 0n) | ones(high, low);
  }
  return defined;
}

export interface LayoutDialect<L extends Layouts> {
  readonly name: string;
  readonly id: number;
  /** 64-bit words of a command. */
  readonly words: number;
  readonly layouts: L;
  /** Type of the command that says when all before it is done; undefined where the dialect has none. */
  readonly completion?: keyof L & string;
  /** Types that go on to a device's TLB. */
  readonly deviceTlb?: readonly (keyof L & string)[];
  /** Bits that tell the types apart, by word. */
  readonly opcode: readonly bigint[];
  /** Name of a type from the words' int32 halves; undefined where no layout has it. */
  typeOf(w0Lo: number, w0Hi: number): (keyof L & string) | undefined;
  /** How an undefined type is called: `opcode 0x99`. */
  unknown(w0Lo: number, w0Hi: number): string;
}

/** The dialect that a table of layouts makes. */
export function layoutDialect<L extends Layouts>(
  spec: LayoutDialect<L>,
): CommandDialect<LayoutCommand<L> | UndefinedCommand> {
  type Command = LayoutCommand<L> | UndefinedCommand;
  const names = Object.keys(spec.layouts);
  const numbers = new Map(names.map((name, i) => [name, i + 1]));
  const defined = new Map(names.map((name) => [name, definedBits(layoutOf(name), spec.opcode, spec.words)]));

  function layoutOf(name: string): CommandLayout {
    const found = spec.layouts[name];
    if (found === undefined) throw new RangeError(`${spec.name} has no command ${name}`);
    return found;
  }

  function reserved(words: readonly bigint[], name: string): string[] {
    const known = defined.get(name) ?? [];
    return words.flatMap((word, i) => {
      const extra = word & ~(known[i] ?? 0n);
      return extra === 0n ? [] : [`reserved bits ${hex(extra)} in word ${i}`];
    });
  }

  function decode(given: readonly bigint[]): Command {
    const words = Array.from({ length: Math.max(spec.words, given.length) }, (_, i) =>
      BigInt.asUintN(64, given[i] ?? 0n),
    );
    const lo = lowWord(words[0] ?? 0n);
    const hi = highWord(words[0] ?? 0n);
    const name = spec.typeOf(lo, hi);
    if (name === undefined) {
      const rest = words.slice(0, spec.words);
      return { type: 'undefined', words: rest, problems: [`undefined ${spec.unknown(lo, hi)}`] };
    }
    const { fields, check } = layoutOf(name);
    const values = Object.fromEntries(Object.entries(fields).map(([key, kind]) => [key, read(kind, words)])) as never;
    const command = { type: name, ...(values as object), problems: [...reserved(words, name), ...check(values)] };
    return command as unknown as Command;
  }

  return {
    name: spec.name,
    id: spec.id,
    words: spec.words,
    typeNames: ['undefined', ...names],
    completion: spec.completion === undefined ? -1 : (numbers.get(spec.completion) ?? -1),
    deviceTlb: (spec.deviceTlb ?? []).map((name) => numbers.get(name) ?? -1),
    typeNumber(w0Lo, w0Hi) {
      const name = spec.typeOf(w0Lo, w0Hi);
      return name === undefined ? 0 : (numbers.get(name) ?? 0);
    },
    encode(command) {
      if (command.type === 'undefined') return [...(command as UndefinedCommand).words];
      const { fixed, fields } = layoutOf(command.type);
      const words = Array.from({ length: spec.words }, (_, i) => fixed[i] ?? 0n);
      const values = command as unknown as Readonly<Record<string, unknown>>;
      for (const [key, kind] of Object.entries(fields)) write(key, kind, values[key], words);
      return words;
    },
    decode,
    disassemble(words) {
      const command = decode(words);
      const problems = command.problems.length === 0 ? '' : `; ${command.problems.join(', ')}`;
      if (command.type === 'undefined') {
        return `undefined ${(command as UndefinedCommand).words.map(hex).join(' ')}${problems}`;
      }
      const text = layoutOf(command.type).text(command as never);
      return `${command.type}${text === '' ? '' : ` ${text}`}${problems}`;
    },
  };
}

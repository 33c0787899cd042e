import type { Random } from '../../traces/random.ts';
import type { Mutation } from './mutate-trace.ts';

type Damage = (lines: string[], random: Random, other: readonly string[]) => string[];

/** Numbers that arithmetic breaks on. */
const NUMBERS = [
  '-1',
  'NaN',
  'Infinity',
  '-0',
  '1e308',
  '2147483648',
  '4294967295',
  '4294967296',
  '9007199254740993',
  '9223372036854775807',
  '-9223372036854775808',
  '18446744073709551615',
  '18446744073709551616',
  '9'.repeat(40),
  '0.0000000001',
];
/** Longer lines are no other case; what an importer takes at most is reached by few of them. */
const MOST_LINE = 1 << 18;
/** More than that in one place is no other case. */
const MOST_NESTING = 3000;

const WORDS = [
  '0x',
  '-1',
  '99999999999999999999999999',
  '0xffffffffffffffffff',
  'map:',
  '[',
  ']',
  '=',
  '\u0000',
  '(null)',
  'é\ud83d\ude00',
  '1e9',
  '',
];

function pick<T>(list: readonly T[], random: Random): T {
  return list[random.below(list.length)] as T;
}

/** Applies a change to a few lines. */
function some(lines: string[], random: Random, change: (line: string) => string): string[] {
  return changed(lines, 1 + random.below(20), random, change);
}

function one(lines: string[], random: Random, change: (line: string) => string): string[] {
  return changed(lines, 1, random, change);
}

function changed(lines: string[], count: number, random: Random, change: (line: string) => string): string[] {
  const copy = [...lines];
  for (let k = count; k > 0; k--) {
    const at = random.below(copy.length);
    copy[at] = change(copy[at] ?? '').slice(0, MOST_LINE);
  }
  return copy;
}

const DAMAGES: { readonly [name: string]: Damage } = {
  'cut lines': (lines, random) => some(lines, random, (line) => line.slice(0, random.below(line.length + 1))),
  'cut from the left': (lines, random) => some(lines, random, (line) => line.slice(random.below(line.length + 1))),
  'strange numbers': (lines, random) =>
    some(lines, random, (line) =>
      line.replace(/[0-9a-f]+/, () => pick(WORDS, random)).replace(/\d+(?=\D*$)/, pick(WORDS, random)),
    ),
  'strange words': (lines, random) =>
    some(lines, random, (line) => {
      const words = line.split(' ');
      words[random.below(words.length)] = pick(WORDS, random);
      return words.join(' ');
    }),
  'swapped words': (lines, random) =>
    some(lines, random, (line) => {
      const words = line.split(' ');
      const a = random.below(words.length);
      const b = random.below(words.length);
      [words[a], words[b]] = [words[b] ?? '', words[a] ?? ''];
      return words.join(' ');
    }),
  'glued lines': (lines, random) => some(lines, random, (line) => line + pick(lines, random)),
  'lost lines': (lines, random) => lines.filter(() => !random.chance(0.05)),
  'swapped lines': (lines, random) => {
    const copy = [...lines];
    for (let k = 0; k < 20; k++) {
      const a = random.below(copy.length);
      const b = random.below(copy.length);
      [copy[a], copy[b]] = [copy[b] ?? '', copy[a] ?? ''];
    }
    return copy;
  },
  'repeated lines': (lines, random) => lines.flatMap((line) => (random.chance(0.05) ? [line, line] : [line])),
  'long line': (lines, random) => one(lines, random, (line) => line + 'x'.repeat(1 << random.below(18))),
  'time jumps': (lines, random) =>
    some(lines, random, (line) => line.replace(/\d+\.\d{6}/, () => `${random.below(1 << 30)}.${random.below(1e9)}`)),
  'extreme numbers': (lines, random) =>
    some(lines, random, (line) => {
      const numbers = [...line.matchAll(/[0-9a-zA-Z]+/g)].filter(([word]) => /\d/.test(word));
      const found = pick(numbers, random);
      if (found === undefined) return line;
      const value = pick(NUMBERS, random);
      const text = found[0].startsWith('0x') && /^\d+$/.test(value) ? `0x${BigInt(value).toString(16)}` : value;
      return line.slice(0, found.index) + text + line.slice(found.index + found[0].length);
    }),
  'changed digits': (lines, random) =>
    some(lines, random, (line) => line.replace(/\d/g, (digit) => (random.chance(0.1) ? `${random.below(10)}` : digit))),
  'zero bytes': (lines, random) =>
    some(lines, random, (line) => {
      const at = random.below(line.length + 1);
      return line.slice(0, at) + '\u0000'.repeat(1 + random.below(9)) + line.slice(at);
    }),
  nesting: (lines, random) =>
    one(lines, random, (line) => {
      const at = random.below(line.length + 1);
      return (
        line.slice(0, at) +
        pick(['[', '{', '{"a":', '(', '"', '\\', ','], random).repeat(random.below(MOST_NESTING)) +
        line.slice(at)
      );
    }),
  'repeated words': (lines, random) =>
    one(lines, random, (line) => {
      const words = line.split(/(?<=[ ,;])/);
      const at = random.below(words.length);
      words[at] = (words[at] ?? '').slice(0, 100).repeat(1 + random.below(500));
      return words.join('');
    }),
  'spliced logs': (lines, random, other) => {
    const at = random.below(other.length);
    return [...lines.slice(0, random.below(lines.length + 1)), ...other.slice(at, at + random.below(100))];
  },
  'repeated block': (lines, random) => {
    const at = random.below(lines.length);
    const block = lines.slice(at, at + 1 + random.below(40));
    return lines.toSpliced(random.below(lines.length + 1), 0, ...block, ...block);
  },
  'lost events': (lines, random) => {
    const copy = [...lines];
    const counts = ['12', '-3', '18446744073709551615', 'x', ''];
    copy.splice(random.below(copy.length), 0, `CPU:${random.below(300)} [LOST ${pick(counts, random)} EVENTS]`);
    return copy;
  },
};

const NAMES = Object.keys(DAMAGES);

/** A text's lines, byte for byte. */
export function linesOf(bytes: Uint8Array): readonly string[] {
  return Buffer.from(bytes).toString('latin1').split('\n');
}

/** One damaged log: changed lines, and in one of four cases changed bytes on top. In half of them it begins as its base does. */
export function mutateLog(bases: readonly (readonly string[])[], random: Random, length?: number): Mutation {
  const base = [...pick(bases, random)];
  // most faults show in a few lines, and then many inputs can be tried
  const most = length ?? pick([5, 10, 20, 20, 40, 40, 80, 400], random);
  const from = random.chance(0.5) ? 0 : random.below(base.length);
  const lines = base.slice(from, from + 1 + random.below(most));
  const other = pick(bases, random);
  const name = pick(NAMES, random);
  let damaged = (DAMAGES[name] as Damage)(lines, random, other);
  if (random.chance(0.3)) damaged = (DAMAGES[pick(NAMES, random)] as Damage)(damaged, random, other);
  const ending = random.chance(0.9) ? '\n' : '\r\n';
  const whole = new Uint8Array(Buffer.from(`${damaged.join(ending)}${ending}`, 'utf8'));
  const bytes = random.chance(0.9) ? whole : whole.slice(0, random.below(whole.length));
  if (random.chance(0.25)) {
    for (let k = random.below(30); k > 0; k--) bytes[random.below(bytes.length)] = random.int32();
    return { name: `${name}, bytes`, bytes };
  }
  return { name, bytes };
}

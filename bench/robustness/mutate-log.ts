import type { Random } from '../../traces/random.ts';
import type { Mutation } from './mutate-trace.ts';

type Damage = (lines: string[], random: Random) => string[];

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
  const copy = [...lines];
  for (let k = 1 + random.below(20); k > 0; k--) {
    const at = random.below(copy.length);
    copy[at] = change(copy[at] ?? '');
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
  'long line': (lines, random) => some(lines, random, (line) => line + 'x'.repeat(random.below(1 << 17))),
  'time jumps': (lines, random) =>
    some(lines, random, (line) => line.replace(/\d+\.\d{6}/, () => `${random.below(1 << 30)}.${random.below(1e9)}`)),
  'lost events': (lines, random) => {
    const copy = [...lines];
    const counts = ['12', '-3', '18446744073709551615', 'x', ''];
    copy.splice(random.below(copy.length), 0, `CPU:${random.below(300)} [LOST ${pick(counts, random)} EVENTS]`);
    return copy;
  },
};

const NAMES = Object.keys(DAMAGES);

/** One damaged log: changed lines, and in one of four cases changed bytes on top. */
export function mutateLog(bases: readonly (readonly string[])[], random: Random): Mutation {
  const base = [...pick(bases, random)];
  const from = random.below(base.length);
  const lines = base.slice(from, from + 20 + random.below(400));
  const name = pick(NAMES, random);
  let changed = (DAMAGES[name] as Damage)(lines, random);
  if (random.chance(0.3)) changed = (DAMAGES[pick(NAMES, random)] as Damage)(changed, random);
  const bytes = new Uint8Array(Buffer.from(`${changed.join('\n')}\n`, 'utf8'));
  if (random.chance(0.25)) {
    for (let k = random.below(30); k > 0; k--) bytes[random.below(bytes.length)] = random.int32();
    return { name: `${name}, bytes`, bytes };
  }
  return { name, bytes };
}

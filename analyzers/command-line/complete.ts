import type { CommandOption, CommandSpec } from '../../traces/command.ts';
import { GENERAL_OPTIONS, HELP_OPTION } from './general-options.ts';
import { optionNames } from './option-names.ts';

/** A word that may stand where the cursor is. One that ends in `=` goes on: no space follows it. */
export interface Candidate {
  readonly word: string;
  readonly about: string;
}

export interface Completion {
  readonly candidates: readonly Candidate[];
  /** Names of files may stand there as well. */
  readonly files: boolean;
}

/** What a value in `<...>` is called that is a file or a folder. */
const FILE_VALUES = new Set(['file', 'path', 'folder', 'prefix', 'cli', 'curve']);
const FILES: Completion = { candidates: [], files: true };
const MOST_ABOUT = 70;

/** What may stand for the first word. */
export function completeCommand(word: string, commands: readonly string[]): Completion {
  const words = word.startsWith('-') ? ['--help', '--version'] : commands;
  return {
    candidates: matching(
      word,
      words.map((name) => ({ word: name, about: '' })),
    ),
    files: false,
  };
}

/** What may stand for the last of the words behind the command's name. */
export function completeArgument(words: readonly string[], spec: CommandSpec): Completion {
  const before = words.slice(0, -1);
  const word = words.at(-1) ?? '';
  // a program and its own arguments: iorr record -o run.iorr -- CMD
  if (before.includes('--')) return FILES;
  const options = [...spec.options, ...GENERAL_OPTIONS, HELP_OPTION];
  const named = (text: string | undefined): CommandOption | undefined =>
    options.find((option) => {
      const { long, short } = optionNames(option);
      return text !== undefined && (text === long || text === short);
    });

  const last = named(before.at(-1));
  if (last !== undefined && optionNames(last).value !== undefined) return completeValue(last, word, '');
  // --hardware=vtd
  const [whole = '', long] = /^(--[\w-]+)=/.exec(word) ?? [];
  const assigned = named(long);
  if (assigned !== undefined && optionNames(assigned).value !== undefined) {
    return completeValue(assigned, word.slice(whole.length), whole);
  }
  if (word.startsWith('-') && word !== '-') {
    const free = options.filter((option) => {
      const { long, short } = optionNames(option);
      return option.repeatable === true || !before.some((one) => one === long || one === short);
    });
    const candidates = free.map((option) => ({ word: optionNames(option).long, about: shortened(option.description) }));
    return { candidates: matching(word, candidates), files: false };
  }
  let position = 0;
  before.forEach((one, i) => {
    const option = named(before[i - 1]);
    if (!one.startsWith('-') && (option === undefined || optionNames(option).value === undefined)) position += 1;
  });
  if (spec.args.length === 0) return { candidates: [], files: false };
  const values = spec.argValues?.[position] ?? [];
  if (values.length === 0) return FILES;
  return {
    candidates: matching(
      word,
      values.map((value) => ({ word: value, about: '' })),
    ),
    files: false,
  };
}

/** A value, or the last of several with commas. `front` is what stands before it in the same word. */
function completeValue(option: CommandOption, word: string, front: string): Completion {
  const { value = '' } = optionNames(option);
  const words = option.choices ?? option.values ?? [];
  const comma = option.list === true ? word.lastIndexOf(',') + 1 : 0;
  const done = new Set(word.slice(0, comma).split(','));
  const candidates = words.filter((one) => !done.has(one)).map((one) => ({ word: one, about: '' }));
  const found = matching(word.slice(comma), candidates).map((candidate) => ({
    ...candidate,
    word: `${front}${word.slice(0, comma)}${candidate.word}`,
  }));
  return { candidates: found, files: (option.orFile === true || FILE_VALUES.has(value)) && comma === 0 };
}

function matching(word: string, candidates: readonly Candidate[]): readonly Candidate[] {
  return candidates.filter((candidate) => candidate.word.startsWith(word));
}

/** The beginning of a description, as far as a line of a list has room. */
function shortened(text: string): string {
  const line = text.replace(/\s+/g, ' ');
  return line.length <= MOST_ABOUT ? line : `${line.slice(0, MOST_ABOUT - 3)}...`;
}

import { Option } from 'commander';
import type { CommandOption } from '../../traces/command.ts';

/** What the flags of an option say: `-o, --output <file>`, `--strict`, `--no-replay`. */
export interface OptionNames {
  /** `--output`; of `--no-replay` the setting's own name, `--replay`, is in `setting`. */
  readonly long: string;
  readonly short: string | undefined;
  /** `output`, `replay`: in config files, and in environment variables in capitals. */
  readonly setting: string;
  /** `output`, `failOn`: the key of a command's options. */
  readonly key: string;
  /** `file` of `<file>`; undefined where the option takes no value. */
  readonly value: string | undefined;
  readonly negated: boolean;
}

export function optionNames({ flags }: CommandOption): OptionNames {
  const { long, short, negate, required } = new Option(flags);
  const name = (long ?? '').slice(2);
  const setting = negate ? name.slice('no-'.length) : name;
  return {
    long: long ?? '',
    short,
    setting,
    key: setting.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase()),
    // <file>, <name=value>
    value: required ? /<([^>]+)>/.exec(flags)?.[1] : undefined,
    negated: negate,
  };
}

import type { CommandOption } from '../../traces/command.ts';

/** Options that every command has, beside `--help`. */
export const GENERAL_OPTIONS: readonly CommandOption[] = [
  { flags: '-q, --quiet', description: 'nothing on stderr but what went wrong' },
  {
    flags: '-v, --verbose',
    description: 'also say which settings hold, where they come from, and what the run took',
  },
  { flags: '--config <file>', description: 'settings, in the place of those in ~/.config/iorr/config.json' },
];

export const HELP_OPTION: CommandOption = { flags: '-h, --help', description: 'what it does, its options, examples' };

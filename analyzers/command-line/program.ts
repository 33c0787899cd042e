import { Option } from 'commander';
import type { Command } from 'commander';
import type { CommandOption, CommandSpec } from '../../traces/command.ts';
import { GENERAL_OPTIONS, HELP_OPTION } from './general-options.ts';
import { optionGroup } from './option-groups.ts';

/** What was typed: arguments, and the options that stood there, no defaults among them. */
export interface Typed {
  readonly args: readonly string[];
  readonly given: { readonly [key: string]: unknown };
}

function toOption(command: string, spec: CommandOption): Option {
  const option = new Option(spec.flags, spec.description);
  // shown in the help; checked with the values of other origins in settings.ts
  if (spec.choices !== undefined && spec.repeatable !== true) option.argChoices = [...spec.choices];
  if (spec.default !== undefined) option.default(spec.default);
  if (spec.repeatable === true) {
    option.argParser((value: string, before: string[] | undefined) => [...(before ?? []), value]);
  }
  const heading = optionGroup(command, option.long ?? '');
  if (heading !== undefined) option.helpGroup(heading);
  return option;
}

function exampleText({ examples }: CommandSpec): string {
  const lines = examples.map(({ command, does }) => `  ${command}\n      ${does}`);
  return `\nExamples:\n${lines.join('\n')}`;
}

/** Adds a command to the parser. */
export function addCommand(program: Command, spec: CommandSpec, run: (typed: Typed) => Promise<void>): void {
  const command = program.command(spec.name).description(spec.summary);
  for (const argument of spec.args) command.argument(argument.startsWith('[') ? argument : `<${argument}>`);
  for (const option of [...spec.options, ...GENERAL_OPTIONS]) command.addOption(toOption(spec.name, option));
  command.helpOption(HELP_OPTION.flags, HELP_OPTION.description);
  command.addHelpText('after', () => spec.about?.(command.args) ?? exampleText(spec));
  command.action(async () => {
    const typed = Object.entries(command.opts()).filter(([key]) => command.getOptionValueSource(key) === 'cli');
    await run({ args: command.args, given: Object.fromEntries(typed) });
  });
}

import { Command } from 'commander';
import { addCommand } from '../analyzers/command-line/program.ts';
import type { Typed } from '../analyzers/command-line/program.ts';
import type { CommandSpec } from '../traces/command.ts';

/** What the parser makes of the words behind a command's name; throws what the user would be told. */
export async function parseCommand(spec: CommandSpec, words: readonly string[]): Promise<Typed> {
  let typed: Typed | undefined;
  const program = new Command('iorr').exitOverride().configureOutput({ writeErr: () => {}, writeOut: () => {} });
  addCommand(program, spec, async (found) => {
    typed = found;
  });
  await program.parseAsync([spec.name, ...words], { from: 'user' });
  if (typed === undefined) throw new Error('nothing ran');
  return typed;
}

import type { CommandEntry, CommandInvocation, CommandSpec } from '../../traces/command.ts';
import { IorrError } from '../../traces/errors.ts';
import { nearest } from '../../traces/nearest.ts';
import { completeArgument, completeCommand } from './complete.ts';
import type { Completion } from './complete.ts';
import { COMPLETION_SCRIPTS } from './completion-scripts.ts';

const SHELLS = Object.keys(COMPLETION_SCRIPTS);
/** In the place of a shell: the words behind it are those that a shell's user has typed. */
const WORDS = 'words';

/** `iorr completion`: of the commands of this table. */
export function completionCommand(commands: readonly CommandEntry[]): CommandSpec {
  return {
    name: 'completion',
    summary: 'prints what makes a shell complete commands, options and values',
    args: ['SHELL', '[WORD...]'],
    argValues: [SHELLS],
    options: [],
    examples: [
      { command: 'source <(iorr completion bash)', does: 'in this shell; in ~/.bashrc, in every one' },
      {
        command: 'iorr completion zsh > ~/.zfunc/_iorr',
        does: 'with fpath+=(~/.zfunc) before compinit in ~/.zshrc',
      },
      {
        command: 'iorr completion fish > ~/.config/fish/completions/iorr.fish',
        does: 'in every fish',
      },
    ],
    async run({ args, io }: CommandInvocation): Promise<number> {
      const [shell, ...words] = args;
      // asked by the scripts themselves
      if (shell === WORDS) {
        io.out(completionText(await completion(words, commands)));
        return 0;
      }
      const script = shell === undefined ? undefined : COMPLETION_SCRIPTS[shell];
      if (script === undefined || words.length > 0) {
        const near = shell === undefined ? undefined : nearest(shell, SHELLS);
        throw new IorrError('USAGE', `a shell expected: ${SHELLS.join(', ')}`, {
          hint: `iorr completion ${near ?? 'bash'}`,
        });
      }
      io.out(script);
      return 0;
    },
  };
}

/** What may stand for the last of the words behind `iorr`. */
async function completion(words: readonly string[], commands: readonly CommandEntry[]): Promise<Completion> {
  const [name = '', ...more] = words;
  if (more.length === 0)
    return completeCommand(
      name,
      commands.map((entry) => entry.name),
    );
  const entry = commands.find((one) => one.name === name);
  return entry === undefined ? { candidates: [], files: false } : completeArgument(more, await entry.load());
}

function completionText({ candidates, files }: Completion): string {
  const lines = candidates.map(({ word, about }) => (about === '' ? word : `${word}\t${about}`));
  return [...lines, ...(files ? [':files'] : [])].map((line) => `${line}\n`).join('');
}

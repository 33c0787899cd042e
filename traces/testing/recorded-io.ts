import type { CommandIo, CommandSpec } from '../command.ts';

export interface CommandRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command in this process as `cli.ts` would, without a terminal, and keeps what it printed. For tests. */
export async function runCommand(
  command: CommandSpec,
  args: readonly string[],
  options: { readonly [key: string]: unknown } = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<CommandRun> {
  let out = '';
  let err = '';
  const io: CommandIo = {
    out: (text) => {
      out += typeof text === 'string' ? text : Buffer.from(text).toString('latin1');
    },
    err: (text) => {
      err += text;
    },
    stdoutIsTerminal: false,
    stderrIsTerminal: false,
    columns: 100,
    colour: false,
    signal,
    progress: () => ({ update: () => {}, stop: () => {} }),
  };
  const code = await command.run({ args, options: { ...defaultsOf(command), ...options }, io });
  return { code, out, err };
}

/** What options are where nobody gives them, by the names that the command line gives them. */
function defaultsOf({ options }: CommandSpec): { readonly [key: string]: unknown } {
  return Object.fromEntries(
    options.flatMap(({ flags, default: value }) => {
      const long = /--([\w-]+)/.exec(flags)?.[1];
      if (value === undefined || long === undefined) return [];
      return [[long.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase()), value]];
    }),
  );
}

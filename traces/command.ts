/** What a command of the command line is. Each command's file lives in the room that it belongs to; `cli.ts` has the table. */

export interface CommandOption {
  /** `--format <name>`, `-o, --output <file>`, `--strict`. The value's key is the long name in camelCase. */
  readonly flags: string;
  readonly description: string;
  readonly default?: string | number | boolean;
  /** The only words that it takes, for help, checks and completion. */
  readonly choices?: readonly string[];
  /** Words that it takes beside others that no list has, for completion. One that ends in `=` goes on with a value. */
  readonly values?: readonly string[];
  /** Several of its words may stand together, with commas. */
  readonly list?: boolean;
  /** A file may be named in the place of a word. */
  readonly orFile?: boolean;
  /** May be given several times; the value is an array. */
  readonly repeatable?: boolean;
}

export interface CommandExample {
  readonly command: string;
  readonly does: string;
}

/** The edge of the process, handed in so that commands can be tested. */
export interface CommandIo {
  /** The result, and nothing else. */
  out(text: string | Uint8Array): void;
  /** Progress, warnings, summaries. */
  err(text: string): void;
  readonly stdoutIsTerminal: boolean;
  readonly stderrIsTerminal: boolean;
  readonly columns: number;
  /** Colour wanted on stdout: a terminal, not NO_COLOR, not TERM=dumb. */
  readonly colour: boolean;
  /** Aborted by Ctrl-C; a command that sees it stops, leaves its output readable and returns 130. */
  readonly signal: AbortSignal;
  /** A bar with ETA on stderr, shown on a terminal after 0.5 s. `total` in any unit; unknown: 0. */
  progress(label: string, total: number): CommandProgress;
}

export interface CommandProgress {
  update(done: number): void;
  stop(): void;
}

export interface CommandInvocation {
  readonly args: readonly string[];
  readonly options: { readonly [key: string]: unknown };
  readonly io: CommandIo;
}

export interface CommandSpec {
  readonly name: string;
  readonly summary: string;
  /** `FILE...`, `FILE`, `[FILE]`; upper case as in the help. */
  readonly args: readonly string[];
  /** The words that arguments take, by position, for completion; an argument without words is a file. */
  readonly argValues?: readonly (readonly string[])[];
  readonly options: readonly CommandOption[];
  /** At least three that work. */
  readonly examples: readonly CommandExample[];
  /** What help says in the place of all examples when these arguments stand beside `--help`; undefined where nothing else. */
  about?(args: readonly string[]): string | undefined;
  /** Exit code. Throws `IorrError` for what can't be done. */
  run(invocation: CommandInvocation): Promise<number>;
}

/** A line of the table of commands: the command itself is loaded when it is asked for. */
export interface CommandEntry {
  readonly name: string;
  readonly load: () => Promise<CommandSpec>;
}

/** Exit code of a command that Ctrl-C ended. */
export const INTERRUPTED = 130;

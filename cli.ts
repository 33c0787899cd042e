#!/usr/bin/env node
import { writeSync } from 'node:fs';
import { SingleBar } from 'cli-progress';
import { Command, CommanderError, Option } from 'commander';
import { IorrError, formatPlace } from './traces/errors.ts';
import type { CommandIo, CommandOption, CommandProgress, CommandSpec } from './traces/command.ts';
import { TOOL, toolVersion } from './traces/tool.ts';
import { printable } from './analyzers/report/escape.ts';

/** The table of commands: what the user types, and the file that answers. Loaded only when it is asked for. */
const COMMANDS: readonly { readonly name: string; readonly load: () => Promise<CommandSpec> }[] = [
  { name: 'record', load: async () => (await import('./recorder/live/record-command.ts')).recordCommand },
  { name: 'import', load: async () => (await import('./recorder/import/import-command.ts')).importCommand },
  { name: 'simulate', load: async () => (await import('./recorder/simulate/simulate-command.ts')).simulateCommand },
  { name: 'info', load: async () => (await import('./analyzers/info-command.ts')).infoCommand },
  { name: 'cat', load: async () => (await import('./analyzers/cat-command.ts')).catCommand },
  { name: 'filter', load: async () => (await import('./analyzers/surgery/filter-command.ts')).filterCommand },
  { name: 'split', load: async () => (await import('./analyzers/surgery/split-command.ts')).splitCommand },
  { name: 'cut', load: async () => (await import('./analyzers/surgery/cut-command.ts')).cutCommand },
  { name: 'export', load: async () => (await import('./analyzers/export/export-command.ts')).exportCommand },
  { name: 'merge', load: async () => (await import('./recorder/merge/merge-command.ts')).mergeCommand },
  {
    name: 'anonymise',
    load: async () => (await import('./analyzers/surgery/anonymise-command.ts')).anonymiseCommand,
  },
  { name: 'sql', load: async () => (await import('./analyzers/sql/sql-command.ts')).sqlCommand },
  { name: 'verify', load: async () => (await import('./analyzers/verify-command.ts')).verifyCommand },
  { name: 'replay', load: async () => (await import('./analyzers/replay-command.ts')).replayCommand },
  { name: 'compare', load: async () => (await import('./analyzers/compare-command.ts')).compareCommand },
  { name: 'diff', load: async () => (await import('./analyzers/diff-command.ts')).diffCommand },
  { name: 'analyze', load: async () => (await import('./analyzers/analyze-command.ts')).analyzeCommand },
  { name: 'sweep', load: async () => (await import('./analyzers/sweep-command.ts')).sweepCommand },
  { name: 'worker', load: async () => (await import('./analyzers/worker-command.ts')).workerCommand },
  { name: 'plan', load: async () => (await import('./analyzers/plan-command.ts')).planCommand },
  { name: 'calibrate', load: async () => (await import('./analyzers/calibrate-command.ts')).calibrateCommand },
  { name: 'bench', load: async () => (await import('./bench/bench-command.ts')).benchCommand },
  { name: 'doctor', load: async () => (await import('./recorder/live/doctor-command.ts')).doctorCommand },
];

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;
/** Characters of an error's message. */
const MOST_SHOWN = 4000;
/** A command that is done sooner shows no bar. */
const PROGRESS_AFTER_MS = 500;

/** Writes all of it before returning, so that nothing is lost when the process ends; a closed pipe ends it quietly. */
function writeAll(descriptor: number, text: string | Uint8Array): void {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  let at = 0;
  while (at < bytes.length) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      if (code === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      else if (code === 'EPIPE') process.exit(0);
      else throw error;
    }
  }
}

function startProgress(label: string, total: number): CommandProgress {
  let bar: SingleBar | undefined;
  let done = 0;
  const begun = performance.now();
  return {
    update(value) {
      done = value;
      if (bar === undefined && performance.now() - begun > PROGRESS_AFTER_MS) {
        const format = total > 0 ? `${label} {bar} {percentage}% | {eta_formatted} left` : `${label} {value}`;
        bar = new SingleBar({ format, stream: process.stderr, hideCursor: true, clearOnComplete: true, barsize: 30 });
        bar.start(total > 0 ? total : 1, 0);
      }
      bar?.update(total > 0 ? Math.min(done, total) : done);
    },
    stop() {
      bar?.stop();
    },
  };
}

function makeIo(signal: AbortSignal): CommandIo {
  const dumb = process.env['TERM'] === 'dumb';
  const plain = dumb || (process.env['NO_COLOR'] ?? '') !== '';
  return {
    out: (text) => writeAll(1, text),
    err: (text) => writeAll(2, text),
    stdoutIsTerminal: process.stdout.isTTY === true,
    stderrIsTerminal: process.stderr.isTTY === true,
    columns: process.stdout.columns ?? 100,
    colour: process.stdout.isTTY === true && !plain,
    signal,
    progress: (label, total) =>
      process.stderr.isTTY === true && !dumb ? startProgress(label, total) : { update: () => {}, stop: () => {} },
  };
}

function toOption(spec: CommandOption): Option {
  const option = new Option(spec.flags, spec.description);
  if (spec.choices !== undefined && spec.repeatable !== true) option.choices([...spec.choices]);
  if (spec.default !== undefined) option.default(spec.default);
  if (spec.repeatable === true) {
    option.argParser((value: string, before: string[] | undefined) => [...(before ?? []), value]);
  }
  return option;
}

function exampleText(spec: CommandSpec): string {
  const lines = spec.examples.map(({ command, does }) => `  ${command}\n      ${does}`);
  return `\nExamples:\n${lines.join('\n')}`;
}

function addCommand(program: Command, spec: CommandSpec, io: CommandIo, finish: (code: number) => void): void {
  const command = program.command(spec.name).description(spec.summary);
  for (const argument of spec.args) command.argument(argument.startsWith('[') ? argument : `<${argument}>`);
  for (const option of spec.options) command.addOption(toOption(option));
  command.addHelpText('after', () => spec.about?.(command.args) ?? exampleText(spec));
  command.action(async () => {
    finish(await spec.run({ args: command.args, options: command.opts(), io }));
  });
}

function reportError(error: unknown): number {
  if (error instanceof IorrError) {
    const place = formatPlace(error.place);
    // messages repeat names and texts of others' files
    const shown = (text: string): string => printable(text, MOST_SHOWN);
    const lines = [shown(`${TOOL}: ${place === '' ? '' : `${place}: `}${error.message}`)];
    if (error.hint !== '') lines.push(shown(`  try: ${error.hint}`));
    writeAll(2, `${lines.join('\n')}\n`);
    return error.exitCode;
  }
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  writeAll(2, `${TOOL}: internal error, please report it with the command that led here\n${detail}\n`);
  return EXIT_FAILED;
}

/** The command that is named; for help and for names that are none, all of them. */
function neededCommands(argv: readonly string[]): typeof COMMANDS {
  if (argv[0] === '--version' || argv[0] === '-V') return [];
  const wanted = argv.find((argument) => !argument.startsWith('-'));
  const named = COMMANDS.filter(({ name }) => name === wanted);
  return named.length > 0 ? named : COMMANDS;
}

async function main(argv: readonly string[]): Promise<number> {
  const interrupt = new AbortController();
  process.on('SIGINT', () => {
    if (interrupt.signal.aborted) process.exit(EXIT_INTERRUPTED);
    interrupt.abort();
  });
  const io = makeIo(interrupt.signal);
  let code = 0;
  const program = new Command(TOOL)
    .description("Records what a machine's IOMMU stack did and replays it against any IOMMU design.")
    .version(toolVersion())
    .exitOverride()
    .configureOutput({ writeOut: (text) => writeAll(1, text), writeErr: (text) => writeAll(2, text) })
    .showHelpAfterError(`(${TOOL} --help, or ${TOOL} COMMAND --help, tells more)`);
  for (const spec of await Promise.all(neededCommands(argv).map(({ load }) => load()))) {
    addCommand(program, spec, io, (result) => {
      code = result;
    });
  }
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    return reportError(error);
  }
  return interrupt.signal.aborted && code === 0 ? EXIT_INTERRUPTED : code;
}

process.on('uncaughtException', (error) => process.exit(reportError(error)));
process.stdout.on('error', () => process.exit(0));
process.exitCode = await main(process.argv.slice(2));

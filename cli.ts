#!/usr/bin/env node
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import { configPath, readConfig } from './analyzers/command-line/config-file.ts';
import { GENERAL_OPTIONS } from './analyzers/command-line/general-options.ts';
import { Interrupt, processIo, writeAll } from './analyzers/command-line/process-io.ts';
import { addCommand } from './analyzers/command-line/program.ts';
import type { Typed } from './analyzers/command-line/program.ts';
import { effectiveSettings, optionValues } from './analyzers/command-line/settings.ts';
import type { Setting } from './analyzers/command-line/settings.ts';
import { settingsText } from './analyzers/command-line/settings-text.ts';
import { printable } from './analyzers/report/escape.ts';
import { INTERRUPTED } from './traces/command.ts';
import type { CommandEntry, CommandSpec } from './traces/command.ts';
import { IorrError, formatPlace } from './traces/errors.ts';
import { FORMAT_VERSION } from './traces/header.ts';
import { TOOL, toolVersion } from './traces/tool.ts';

/** The table of commands: what the user types, and the file that answers. Loaded only when it is asked for. */
export const COMMANDS: readonly CommandEntry[] = [
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
  { name: 'view', load: async () => (await import('./analyzers/view-command.ts')).viewCommand },
  { name: 'report', load: async () => (await import('./analyzers/report-command.ts')).reportCommand },
  { name: 'calibrate', load: async () => (await import('./analyzers/calibrate-command.ts')).calibrateCommand },
  { name: 'bench', load: async () => (await import('./bench/bench-command.ts')).benchCommand },
  {
    name: 'config',
    load: async () => (await import('./analyzers/command-line/config-command.ts')).configCommand(COMMANDS),
  },
  {
    name: 'completion',
    load: async () => (await import('./analyzers/command-line/completion-command.ts')).completionCommand(COMMANDS),
  },
  { name: 'doctor', load: async () => (await import('./recorder/live/doctor-command.ts')).doctorCommand },
];

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
/** Characters of an error's message. */
const MOST_SHOWN = 4000;

/** Says what went wrong, and where a setting that it is about came from; the exit code. */
function reportError(error: unknown, settings: readonly Setting[] = []): number {
  if (error instanceof IorrError) {
    const place = formatPlace(error.place);
    // messages repeat names and texts of others' files
    const shown = (text: string): string => printable(text, MOST_SHOWN);
    const lines = [shown(`${TOOL}: ${place === '' ? '' : `${place}: `}${error.message}`)];
    if (error.hint !== '') lines.push(shown(`  try: ${error.hint}`));
    for (const { name, origin, place: from } of settings) {
      if ((origin === 'file' || origin === 'environment') && error.message.includes(`--${name}`)) {
        lines.push(shown(`  --${name} is set by ${from}`));
      }
    }
    writeAll(2, `${lines.join('\n')}\n`);
    return error.exitCode;
  }
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  writeAll(2, `${TOOL}: internal error, please report it with the command that led here\n${detail}\n`);
  return EXIT_FAILED;
}

/** Runs a command with the settings that hold; its exit code. */
async function runCommand(spec: CommandSpec, { args, given }: Typed): Promise<number> {
  const began = performance.now();
  const interrupt = new Interrupt();
  let settings: readonly Setting[] = [];
  try {
    const path = configPath(typeof given['config'] === 'string' ? given['config'] : undefined, process.env);
    const known = COMMANDS.map(({ name }) => name);
    const table = [...spec.options, ...GENERAL_OPTIONS];
    settings = effectiveSettings(spec.name, table, given, process.env, readConfig(path, known));
    const options = optionValues(settings, table);
    const verbose = options['verbose'] === true;
    if (verbose) writeAll(2, settingsText(spec.name, settings));
    const code = await spec.run({ args, options, io: processIo(interrupt, options['quiet'] === true) });
    if (verbose) {
      const seconds = ((performance.now() - began) / 1000).toFixed(2);
      const megabytes = Math.ceil(process.resourceUsage().maxRSS / 1024);
      writeAll(2, `${TOOL}: ${spec.name} took ${seconds} s and ${megabytes} MiB of memory\n`);
    }
    return interrupt.happened && code === 0 ? INTERRUPTED : code;
  } catch (error) {
    return reportError(error, settings);
  }
}

/** The command that is named; for help and for names that are none, all of them. */
function neededCommands(argv: readonly string[]): typeof COMMANDS {
  if (argv[0] === '--version' || argv[0] === '-V') return [];
  const wanted = argv.find((argument) => !argument.startsWith('-'));
  const named = COMMANDS.filter(({ name }) => name === wanted);
  return named.length > 0 ? named : COMMANDS;
}

async function main(argv: readonly string[]): Promise<number> {
  let code = 0;
  const program = new Command(TOOL)
    .description("Records what a machine's IOMMU stack did and replays it against any IOMMU design.")
    .version(`${toolVersion()} (trace format ${FORMAT_VERSION})`)
    .exitOverride()
    .configureOutput({ writeOut: (text) => writeAll(1, text), writeErr: (text) => writeAll(2, text) })
    .showHelpAfterError(`(${TOOL} --help, or ${TOOL} COMMAND --help, tells more)`);
  for (const spec of await Promise.all(neededCommands(argv).map(({ load }) => load()))) {
    addCommand(program, spec, async (typed) => {
      code = await runCommand(spec, typed);
    });
  }
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    return reportError(error);
  }
  return code;
}

/** True where this file was started, not imported for its table: by its name, or by a link to it as npm makes them. */
function isProgram(): boolean {
  try {
    return realpathSync(process.argv[1] ?? '') === fileURLToPath(import.meta.url);
  } catch {
    return false;
  }
}

if (isProgram()) {
  process.on('uncaughtException', (error) => process.exit(reportError(error)));
  process.stdout.on('error', () => process.exit(0));
  process.exitCode = await main(process.argv.slice(2));
}

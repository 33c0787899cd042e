import type { CommandInvocation, CommandIo, CommandProgress, CommandSpec } from '../../traces/command.ts';
import { INTERRUPTED } from '../../traces/command.ts';
import { makeEnvelope } from '../../traces/envelope.ts';
import { IorrError } from '../../traces/errors.ts';
import { toJson } from '../../traces/plain-json.ts';
import { toolVersion } from '../../traces/tool.ts';
import { isIncomplete, summaryText } from './import-result.ts';
import { importFiles } from './import-files.ts';
import type { ImportOutcome } from './import-run.ts';
import { IMPORTERS } from './importers.ts';

interface Task {
  readonly files: readonly string[];
  readonly output: string;
  readonly format: string | undefined;
  readonly strict: boolean;
  readonly allEvents: boolean;
  /** Release of the captured kernel, where the captures can't say it. */
  readonly kernel: string | undefined;
  /** Threads that may work at a time. */
  readonly jobs: number | undefined;
  readonly json: boolean;
}

function readTask({ args, options }: CommandInvocation): Task {
  const { output, format } = options;
  if (args.length === 0) {
    throw new IorrError('USAGE', 'which capture?', { hint: 'iorr import trace.txt -o run.iorr' });
  }
  if (typeof output !== 'string' || output === '') {
    throw new IorrError('USAGE', 'where to? -o FILE is missing', { hint: `iorr import ${args.join(' ')} -o run.iorr` });
  }
  if (args.filter((file) => file === '-').length > 1) {
    throw new IorrError('USAGE', 'stdin (-) can be read only once', { hint: 'name the other capture by its path' });
  }
  const json = options['json'] === true;
  if (output === '-' && json) {
    throw new IorrError('USAGE', '-o - and --json would both write to stdout', { hint: 'name a file with -o' });
  }
  return {
    files: args,
    output,
    format: typeof format === 'string' ? format : undefined,
    strict: options['strict'] === true,
    allEvents: options['allEvents'] === true,
    kernel: readKernel(options['kernel']),
    jobs: readJobs(options['jobs']),
    json,
  };
}

/** `6.12.107` or the shorter `6.12`: designs follow the rules of the kernel that was recorded. */
function readKernel(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && /^\d{1,3}\.\d{1,3}[\w.+~-]{0,64}$/.test(value)) return value;
  throw new IorrError(
    'USAGE',
    `--kernel: a release such as 6.12 expected, found ${typeof value === 'string' ? value.slice(0, 40) : typeof value}`,
    {
      hint: 'what uname -r said on the captured machine',
    },
  );
}

function readJobs(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && /^[1-9]\d{0,3}$/.test(value)) return Number(value);
  const found = typeof value === 'string' ? value.slice(0, 40) : typeof value;
  throw new IorrError('USAGE', `--jobs: a whole number from 1 to 9999 expected, found ${found}`, {
    hint: '1 reads and encodes in one thread',
  });
}

/** With a bar on a terminal. Its length is known with the first bytes. */
async function run({ files, output, ...options }: Task, io: CommandIo): Promise<ImportOutcome> {
  let bar: CommandProgress | undefined;
  try {
    return await importFiles(files, output, {
      ...options,
      signal: io.signal,
      progress: (bytes, total) => {
        bar ??= io.progress('importing', total);
        bar.update(bytes);
      },
    });
  } finally {
    bar?.stop();
  }
}

function emptyError(task: Task, outcome: ImportOutcome): IorrError {
  const { health } = outcome;
  const [most] = health.entries.filter(({ kind }) => kind !== 'ignored').sort((a, b) => b.count - a.count);
  const why = most === undefined ? '' : `; most of it (${most.count} lines) is ${most.kind}: ${most.name}`;
  return new IorrError('FORMAT_EMPTY', `no event in it that a trace can hold${why}`, {
    place: { file: task.files.join(', ') },
    hint: 'capture with the events enabled: iommu:* intel_iommu:* dma:* in the guest, vtd_* in QEMU',
  });
}

export const importCommand: CommandSpec = {
  name: 'import',
  summary: 'convert captures into a trace; several captures of one run are joined',
  args: ['FILE...'],
  options: [
    { flags: '-o, --output <file>', description: 'the trace to write; - is stdout' },
    {
      flags: '--format <name>',
      description: 'what the captures are, if that is not found out by itself',
      choices: IMPORTERS.map((importer) => importer.name),
    },
    {
      flags: '--all-events',
      description: 'keep kernel events that no stream is for (stream event), with all their fields: a larger trace',
    },
    { flags: '--kernel <release>', description: 'the captured kernel, such as 6.12, where the captures do not say' },
    {
      flags: '--jobs <number>',
      description:
        'threads; a second one encodes while the first reads (default: all CPUs for files of 64 MiB and more, else 1); the trace is the same',
    },
    { flags: '--strict', description: 'exit 4 if anything was malformed, unknown, lost or truncated' },
    { flags: '--json', description: 'one JSON document on stdout' },
  ],
  examples: [
    { command: 'iorr import trace.txt.zst -o run.iorr', does: 'a tracefs text, compressed or not' },
    {
      command: 'iorr import trace.txt qemu_trace.log -o run.iorr',
      does: 'both sides of one run: clocks fitted, maps attributed to domains',
    },
    {
      command: 'cat trace.dat | iorr import - --strict -o run.iorr',
      does: 'from stdin; exit 4 if anything in it was not understood',
    },
  ],

  async run(invocation: CommandInvocation): Promise<number> {
    const { io } = invocation;
    const task = readTask(invocation);
    const outcome = await run(task, io);
    const { result, health, input } = outcome;
    if (result.events === 0 && result.complete) {
      throw emptyError(task, outcome);
    }
    io.err(summaryText(result, health));
    if (task.json) {
      const { strict, allEvents, kernel } = task;
      const options = {
        ...(task.format === undefined ? {} : { format: task.format }),
        strict,
        allEvents,
        ...(kernel === undefined ? {} : { kernel }),
      };
      io.out(toJson(makeEnvelope('import', { version: toolVersion(), input, options, health, result })));
    }
    if (!result.complete) return INTERRUPTED;
    return task.strict && isIncomplete(health) ? 4 : 0;
  },
};

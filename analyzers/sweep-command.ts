import { availableParallelism } from 'node:os';
import { callsHeader } from '../replay/engine/derived-trace.ts';
import { mergeResults } from '../replay/sweep/merge-results.ts';
import { planPasses } from '../replay/sweep/passes.ts';
import { runSweep } from '../replay/sweep/run-sweep.ts';
import { runClusterSweep } from '../replay/sweep/sweep-cluster.ts';
import { SWEPT, crossProduct, sweepPoint } from '../replay/sweep/sweep-point.ts';
import type { SweepParameter, SweepQuestion, SweepResult } from '../replay/sweep/sweep-point.ts';
import type { CommandInvocation, CommandSpec } from '../traces/command.ts';
import { INTERRUPTED } from '../traces/command.ts';
import { describeInput, makeEnvelope } from '../traces/envelope.ts';
import { IorrError } from '../traces/errors.ts';
import { openTrace } from '../traces/file.ts';
import { toJson } from '../traces/plain-json.ts';
import { toolVersion } from '../traces/tool.ts';
import { coreCounts } from './core-counts.ts';
import { DRIVER_OPTION, driverOf } from './driver-option.ts';
import { OutputFile } from './output-file.ts';
import { accessFlag, costsOption, hardwareFlag, hardwareOption, profileFlag } from './profile-option.ts';
import { REDIS_OPTIONS, redisOption } from './redis-option.ts';
import { formatNumberOf } from './report/format-units.ts';
import { openJournal } from './sweep/sweep-journal.ts';
import { sweepHtml } from './sweep/sweep-html.ts';
import { sweepParquet } from './sweep/sweep-output.ts';
import { sweepText } from './sweep/sweep-text.ts';
import { splitParameters, sweptParameters } from './sweep/sweep-values.ts';
import { sweepReport } from './sweep/sweep.ts';
import { traceHash } from './sweep/trace-hash.ts';
import { CLONE_OPTIONS, clonesOption, tenantCounts } from './tenants-option.ts';
import { seedOption, wholeNumberOption } from './whole-number-option.ts';
import { COMPARE_KNOBS, DESIGN_WORDS, PATH_WORDS } from './model-words.ts';

const MOST_JOBS = 1024;
const COUNTS = ['misses', 'iotlb', 'all'] as const;
/** What progress is counted in. */
const STEPS = 10_000;

type Options = CommandInvocation['options'];

function textOf(options: Options, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

function names(text: string | undefined): readonly string[] {
  return [...new Set((text ?? '').split(',').map((name) => name.trim()))].filter((name) => name !== '');
}

/** `--tenants`, `--designs`, `--batch`, `--paths` and `--cores` as lists like those of `--set`. */
function namedParameters(options: Options): readonly SweepParameter[] {
  const batches = names(textOf(options, 'batch')).map((size) => `batch-n@${size}`);
  const designs = [...names(textOf(options, 'designs')), ...batches];
  const paths = names(textOf(options, 'paths'));
  const cores = textOf(options, 'cores');
  const tenants = textOf(options, 'tenants');
  return [
    ...(tenants === undefined ? [] : [{ name: SWEPT.tenants, values: tenantCounts(tenants) }]),
    ...(designs.length > 0 ? [{ name: SWEPT.design, values: designs }] : []),
    ...(paths.length > 0 ? [{ name: SWEPT.path, values: paths }] : []),
    ...(cores === undefined ? [] : [{ name: SWEPT.cores, values: coreCounts(cores) }]),
  ];
}

export const sweepCommand: CommandSpec = {
  name: 'sweep',
  summary: 'replays a trace at every point of lists of parameters: geometries, designs, batches, cores, costs',
  args: ['FILE'],
  options: [
    {
      flags: '--set <name=values>',
      values: COMPARE_KNOBS,
      description:
        'values of a parameter with commas, or doubled from one to another: sets=16,64,256, ways=1..16; repeatable',
      repeatable: true,
    },
    {
      flags: '--designs <names>',
      values: DESIGN_WORDS,
      list: true,
      orFile: true,
      description: 'designs to vary, with commas; without, the recorded commands are replayed',
    },
    { flags: '--batch <sizes>', description: 'sizes of batches of unmaps to vary: designs batch-n@SIZE' },
    {
      flags: '--paths <names>',
      values: PATH_WORDS,
      list: true,
      description: 'ways of the commands to the hardware to vary',
    },
    { flags: '--cores <list>', description: 'core counts to vary, of designs: 1,2,4..64' },
    { flags: '--tenants <list>', description: 'clones of the trace behind one IOMMU to vary: 1,2,4,...,64' },
    ...CLONE_OPTIONS,
    {
      flags: '--counts <what>',
      description:
        'misses: lookups and misses, fastest; iotlb: misses by cause; for both geometries share a pass; all: also walks, exposure, stale hits',
      default: 'iotlb',
      choices: COUNTS,
    },
    hardwareFlag(),
    profileFlag(),
    accessFlag(),
    { flags: '--seed <number>', description: 'of the access model and of offsets of tenants', default: '1' },
    DRIVER_OPTION,
    {
      flags: '-o, --output <file>',
      description: 'the result, .json or .parquet; beside it a journal from which a sweep that was killed goes on',
    },
    { flags: '--html <file>', description: 'also write one self-contained page with pictures and a table to sort' },
    { flags: '--jobs <number>', description: 'passes at a time; default: the CPUs of the machine' },
    ...REDIS_OPTIONS,
    { flags: '--json', description: 'one JSON document on stdout' },
  ],
  examples: [
    {
      command:
        'iorr sweep run.iorr --hardware vtd-64x4 --set sets=1..128 --set ways=1..8 -o iotlb.json --html iotlb.html',
      does: 'misses of 32 geometries, from one pass',
    },
    {
      command: 'iorr sweep run.iorr --designs linux-strict,linux-lazy --batch 8,64 --cores 1..64 -o cores.json',
      does: 'what designs cost and how far they scale',
    },
    {
      command:
        'iorr sweep run.iorr --counts all --set walk-cache.l1=4..64 --set iotlb.replacement=0,1,2,3 -o walks.parquet',
      does: 'walk caches and replacement, for a notebook',
    },
    {
      command:
        'iorr sweep run.iorr --counts all --set sets=1..512 --set ways=1..16 -o all.json --redis redis://10.0.0.5',
      does: 'by all machines that run iorr worker --redis redis://10.0.0.5',
    },
  ],
  async run({ args, options, io }) {
    const [file] = args;
    if (file === undefined)
      throw new IorrError('USAGE', 'a trace expected', { hint: 'iorr sweep run.iorr --set ways=1..16' });
    if (file === '-') {
      throw new IorrError('USAGE', 'a sweep reads its trace more than once: a file expected, not stdin', {
        hint: 'iorr sweep run.iorr --set sets=16,32,64',
      });
    }
    const listed = Array.isArray(options['set']) ? options['set'].map(String) : [];
    const { swept, settings } = splitParameters([...namedParameters(options), ...sweptParameters(listed)]);
    const jobs = wholeNumberOption(options, 'jobs', 1, MOST_JOBS, availableParallelism());
    const seed = seedOption(options);
    const output = textOf(options, 'output');
    const page = textOf(options, 'html');
    const access = textOf(options, 'access');
    const trace = openTrace(file);
    const hash = traceHash(file);
    const written = output === undefined ? undefined : new OutputFile(output);
    const opened = page === undefined ? undefined : new OutputFile(page);
    try {
      const question: SweepQuestion = {
        hardware: hardwareOption(String(options['hardware']), callsHeader(trace)),
        profile: costsOption(String(options['profile']), trace.header),
        settings,
        counts: COUNTS.find((name) => name === options['counts']) ?? 'iotlb',
        seed,
        ...driverOf(options),
        ...(access === undefined ? {} : { access }),
        ...(swept.some(({ name }) => name === SWEPT.tenants) ? { clones: clonesOption(options) } : {}),
      };
      const points = crossProduct(swept).map((values) => sweepPoint(hash, toolVersion(), question, values));
      // values that nothing takes are told before any work
      planPasses(points);
      const journal = output === undefined ? undefined : openJournal(output, points);
      const found: SweepResult[] = [...(journal?.results ?? [])];
      let { missing } = mergeResults(points, found);
      const before = points.length - missing.length;
      if (before > 0) io.err(`going on after ${before} of ${points.length} points\n`);
      const progress = io.progress('sweeping', STEPS);
      let whole = false;
      try {
        if (missing.length > 0) {
          const run = {
            file,
            points: missing,
            signal: io.signal,
            done: (results: readonly SweepResult[]): void => {
              journal?.add(results);
              found.push(...results);
            },
            progress: (share: number): void =>
              progress.update((STEPS * (before + share * (points.length - before))) / points.length),
          };
          const link = await redisOption(options);
          const { passes, shared } = await (link === undefined
            ? runSweep({ ...run, jobs })
            : runClusterSweep({ ...run, link, note: (text) => io.err(text) })
          ).finally(() => link?.close());
          progress.stop();
          if (!io.signal.aborted)
            io.err(
              `${formatNumberOf(missing.length, 'point')}, ${formatNumberOf(passes, 'reading')} of the trace; ${formatNumberOf(shared, 'point')} shared one\n`,
            );
        }
        const merged = mergeResults(points, found);
        ({ missing } = merged);
        if (missing.length > 0) {
          const kept = output === undefined ? '' : ': the same command goes on from there';
          io.err(`interrupted after ${merged.results.length} of ${points.length} points${kept}\n`);
          return INTERRUPTED;
        }
        const report = sweepReport(points, swept, merged);
        const parts = {
          version: toolVersion(),
          input: [describeInput(file, trace, trace.bytes)],
          options: {
            set: listed,
            designs: textOf(options, 'designs') ?? null,
            batch: textOf(options, 'batch') ?? null,
            paths: textOf(options, 'paths') ?? null,
            cores: textOf(options, 'cores') ?? null,
            tenants: textOf(options, 'tenants') ?? null,
            spread: textOf(options, 'spread') ?? null,
            addresses: String(options['addresses']),
            counts: question.counts,
            hardware: question.hardware.name,
            profile: question.profile.name,
            access: access ?? null,
            seed,
            ...driverOf(options),
          },
          health: trace.health,
          result: report,
        };
        const document = toJson(makeEnvelope('sweep', parts));
        if (written !== undefined) {
          written.writeWhole(written.path.endsWith('.parquet') ? await sweepParquet(report) : document);
          whole = true;
          io.err(`wrote ${written.path}\n`);
        }
        if (opened !== undefined) {
          opened.writeWhole(sweepHtml(report, { file, version: toolVersion(), health: trace.health }));
          io.err(`wrote ${opened.path}\n`);
        }
        if (options['json'] === true) io.out(document);
        else io.out(sweepText(file, report));
        return 0;
      } catch (error) {
        progress.stop();
        if (journal !== undefined && found.length > 0) {
          io.err(`${found.length} of ${points.length} points are kept: the same command goes on from there\n`);
        }
        throw error;
      } finally {
        progress.stop();
        journal?.close(whole);
      }
    } finally {
      trace.close();
    }
  },
};

import type { CommandInvocation, CommandSpec } from '../traces/command.ts';
import { describeInput, makeEnvelope } from '../traces/envelope.ts';
import type { ReportInput } from '../traces/envelope.ts';
import { IorrError } from '../traces/errors.ts';
import { openTrace } from '../traces/file.ts';
import { EMPTY_HEALTH } from '../traces/header.ts';
import type { HealthReport } from '../traces/health.ts';
import { toJson } from '../traces/plain-json.ts';
import { toolVersion } from '../traces/tool.ts';
import { diffGate, parseDiffCondition, parseThreshold } from './diff/diff-gate.ts';
import type { GatedKinds } from './diff/diff-gate.ts';
import type { DiffResult } from './diff/diff-result.ts';
import { diffResults } from './diff/diff-results.ts';
import { diffList, diffMarkdown, diffText } from './diff/diff-text.ts';
import { diffTraces, readSide, sharedUnit } from './diff/diff-traces.ts';
import type { TraceComparison } from './diff/diff-traces.ts';
import { compareHalves } from './diff/splits.ts';
import type { SplitsResult } from './diff/splits.ts';
import { isResultFile, readResultFile } from './diff/result-file.ts';
import { OutputFile } from './output-file.ts';
import { hardwareFlag, hardwareOption } from './profile-option.ts';
import { paintFor } from './report/paint.ts';
import { seedOption, wholeNumberOption } from './whole-number-option.ts';

const EXIT_GATE = 3;
const MOST_RESAMPLES = 100_000;
const MOST_SPLITS = 10_000;

type Options = CommandInvocation['options'];

interface Compared extends TraceComparison {
  readonly of: string;
  readonly input: readonly ReportInput[];
  readonly health: HealthReport;
  readonly gated: GatedKinds;
}

interface Settings {
  readonly seed: number;
  readonly resamples: number;
  readonly threshold: number;
}

function ofTraces(
  files: readonly [string, string],
  options: Options,
  settings: Settings,
  io: CommandInvocation['io'],
): Compared {
  const a = openTrace(files[0]);
  try {
    const b = openTrace(files[1]);
    const progress = io.progress('comparing', 4);
    try {
      const name = String(options['hardware']);
      const hardware = options['replay'] === false ? undefined : name;
      const compared = diffTraces(a, b, {
        ...settings,
        hardware: hardware === undefined ? undefined : (trace) => hardwareOption(hardware, trace.header),
        progress: (done) => progress.update(done),
      });
      const lost = (trace: typeof a, which: string): string[] =>
        trace.health.lost + trace.health.truncated > 0
          ? [`The ${which} trace lost events: its figures are lower bounds (iorr info tells more).`]
          : [];
      return {
        ...compared,
        caveats: [...lost(a, 'first'), ...lost(b, 'second'), ...compared.caveats],
        of: 'trace',
        input: [describeInput(files[0], a, a.bytes), describeInput(files[1], b, b.bytes)],
        health: joined(a.health, b.health),
        gated: 'counts',
      };
    } finally {
      progress.stop();
      b.close();
    }
  } finally {
    a.close();
  }
}

function joined(a: HealthReport, b: HealthReport): HealthReport {
  return {
    malformed: a.malformed + b.malformed,
    unknown: a.unknown + b.unknown,
    lost: a.lost + b.lost,
    truncated: a.truncated + b.truncated,
    ignored: a.ignored + b.ignored,
    entries: [...a.entries, ...b.entries],
  };
}

function ofResults(files: readonly [string, string], settings: Settings): Compared {
  const [a, b] = [readResultFile(files[0]), readResultFile(files[1])];
  return {
    ...diffResults(a, b, settings),
    of: a.command,
    input: [],
    health: EMPTY_HEALTH,
    gated: a.command === 'bench' || a.command === 'github' ? 'all' : 'counts',
  };
}

function settingsOf(options: Options): Settings {
  return {
    seed: seedOption(options),
    resamples: wholeNumberOption(options, 'resamples', 99, MOST_RESAMPLES),
    threshold: parseThreshold(String(options['threshold'])),
  };
}

function conditionsOf(options: Options): readonly string[] {
  const list = Array.isArray(options['failOn']) ? options['failOn'].map(String) : [];
  return list.length === 0 ? ['worse'] : list;
}

/** `--splits`: how much the gate can be trusted on a trace. */
function runSplits(file: string, options: Options, io: CommandInvocation['io']): number {
  const settings = settingsOf(options);
  const texts = conditionsOf(options);
  const conditions = texts.map((text) => parseDiffCondition(text));
  const dealt = {
    splits: wholeNumberOption(options, 'splits', 1, MOST_SPLITS),
    windows: wholeNumberOption(options, 'windows', 4, 1024),
  };
  const trace = openTrace(file);
  const progress = io.progress('comparing halves', dealt.splits);
  try {
    const unit = sharedUnit(trace, trace);
    const name = String(options['hardware']);
    const hardware = options['replay'] === false ? undefined : hardwareOption(name, trace.header);
    const side = readSide(trace, unit, hardware === undefined ? undefined : () => hardware);
    const result = compareHalves(side, unit, conditions, dealt, settings, (done) => progress.update(done));
    if (options['json'] === true) {
      const effective = { ...settings, ...dealt, failOn: texts, hardware: name, replay: hardware !== undefined };
      const input = [describeInput(file, trace, trace.bytes)];
      const { health } = trace;
      io.out(toJson(makeEnvelope('diff', { version: toolVersion(), input, options: effective, health, result })));
    } else io.out(splitsText(result));
    return 0;
  } finally {
    progress.stop();
    trace.close();
  }
}

function splitsText({ splits, windows, alarms, share, byMetric }: SplitsResult): string {
  const names = Object.entries(byMetric).map(([name, count]) => `  ${name}: ${count}\n`);
  const percent = (share * 100).toFixed(1);
  return `${splits} splits into random halves of ${windows} windows: the gate failed in ${alarms} (${percent} %)\n${names.join('')}`;
}

export const diffCommand: CommandSpec = {
  name: 'diff',
  summary: 'compares two traces or two results, with intervals and a verdict for each metric; a gate for regressions',
  args: ['A', '[B]'],
  options: [
    {
      flags: '--fail-on <condition>',
      values: ['worse', 'none'],
      description:
        "exit with 3 if it holds for sure: 'commands/unmap > +2%'; worse (any count, or benchmark, beyond the threshold; the default), none; repeatable",
      repeatable: true,
    },
    { flags: '--threshold <share>', description: 'smaller changes are none', default: '1%' },
    hardwareFlag('hardware profile, or a profile file, that traces are replayed on'),
    { flags: '--no-replay', description: 'leave out what only a replay tells: misses of the IOTLB, exposure' },
    { flags: '--resamples <number>', description: 'draws for each interval', default: '1999' },
    { flags: '--seed <number>', description: 'of the draws', default: '1' },
    {
      flags: '--splits <number>',
      description:
        'with A alone: compares random halves of it so often, and tells how often the gate fails without a reason',
    },
    {
      flags: '--windows <number>',
      description: 'windows of equal work that --splits deals out to its halves',
      default: '40',
    },
    { flags: '--json', description: 'one JSON document on stdout' },
    { flags: '--markdown', description: 'for a pull request: what matters, and the rest folded away' },
    { flags: '--markdown-to <file>', description: 'also write the Markdown into a file' },
    { flags: '--github', description: "the list that GitHub's benchmark actions read" },
  ],
  examples: [
    { command: 'iorr diff before.iorr after.iorr', does: 'did this build send more commands for the same work?' },
    {
      command: "iorr diff before.iorr after.iorr --fail-on 'commands/unmap > +2%' --markdown-to comment.md",
      does: 'a gate for CI, and a comment for the pull request',
    },
    { command: 'iorr diff monday.json tuesday.json', does: 'two results of compare, replay, analyze or bench --json' },
  ],

  async run({ args, options, io }) {
    const [a, b] = args;
    if (a !== undefined && b === undefined && options['splits'] !== undefined) return runSplits(a, options, io);
    if (options['splits'] !== undefined) {
      throw new IorrError('USAGE', '--splits takes one trace', { hint: 'iorr diff run.iorr --splits 200' });
    }
    if (a === undefined || b === undefined || args.length > 2) {
      throw new IorrError('USAGE', `two traces or two results expected, found ${args.length}`, {
        hint: 'iorr diff before.iorr after.iorr',
      });
    }
    if (a === '-' && b === '-') throw new IorrError('USAGE', 'only one of the two can be stdin');
    const printed = ['json', 'markdown', 'github'].filter((name) => options[name] === true);
    if (printed.length > 1) throw new IorrError('USAGE', `--${printed[0]} and --${printed[1]} exclude each other`);
    const texts = conditionsOf(options);
    const conditions = texts.map((text) => parseDiffCondition(text));
    const settings = settingsOf(options);
    const kinds = [isResultFile(a), isResultFile(b)];
    if (kinds[0] !== kinds[1]) {
      const what = (result: boolean | undefined): string => (result === true ? 'a result' : 'a trace');
      throw new IorrError('USAGE', `${a} is ${what(kinds[0])}, ${b} is ${what(kinds[1])}: two of one kind expected`, {
        hint: 'iorr diff takes two .iorr traces, or two documents of one command with --json',
      });
    }
    const path = options['markdownTo'];
    const output = typeof path === 'string' ? new OutputFile(path) : undefined;
    const { of, input, health, gated, ...compared } =
      kinds[0] === true ? ofResults([a, b], settings) : ofTraces([a, b], options, settings, io);
    const { alignment, sameWork, metrics, missing, caveats } = compared;
    const gate = diffGate(conditions, compared, gated);
    const result: DiffResult = {
      of,
      alignment,
      sameWork,
      threshold: settings.threshold,
      metrics,
      missing,
      caveats,
      gate,
    };
    if (output !== undefined) output.writeWhole(diffMarkdown(result, [a, b]));
    if (options['json'] === true) {
      const effective = {
        ...settings,
        failOn: texts,
        hardware: String(options['hardware']),
        replay: options['replay'] !== false,
      };
      io.out(toJson(makeEnvelope('diff', { version: toolVersion(), input, options: effective, health, result })));
    } else if (options['github'] === true) io.out(diffList(result));
    else if (options['markdown'] === true) io.out(diffMarkdown(result, [a, b]));
    else io.out(diffText(result, [a, b], paintFor(io.colour)));
    // scripts that take another output see why it failed all the same
    if (gate.breached && (options['json'] === true || options['github'] === true)) {
      for (const { text, state, why } of gate.conditions) if (state === 'breached') io.err(`gate ${text}: ${why}\n`);
    }
    return gate.breached ? EXIT_GATE : 0;
  },
};

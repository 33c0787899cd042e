import { cpus } from 'node:os';
import { diffGate, parseDiffCondition, parseThreshold } from '../analyzers/diff/diff-gate.ts';
import type { DiffCondition } from '../analyzers/diff/diff-gate.ts';
import type { DiffResult } from '../analyzers/diff/diff-result.ts';
import { diffResults } from '../analyzers/diff/diff-results.ts';
import { diffMarkdown, diffText } from '../analyzers/diff/diff-text.ts';
import { readResultFile } from '../analyzers/diff/result-file.ts';
import type { ResultFile } from '../analyzers/diff/result-file.ts';
import { OutputFile } from '../analyzers/output-file.ts';
import { formatDecimal, formatShare } from '../analyzers/report/format-units.ts';
import { paintFor } from '../analyzers/report/paint.ts';
import { layOut } from '../analyzers/report/plain-table.ts';
import type { CommandInvocation, CommandIo, CommandSpec } from '../traces/command.ts';
import { INTERRUPTED } from '../traces/command.ts';
import { givenOptions, makeEnvelope } from '../traces/envelope.ts';
import { IorrError } from '../traces/errors.ts';
import { EMPTY_HEALTH } from '../traces/header.ts';
import { toJson } from '../traces/plain-json.ts';
import { toolVersion } from '../traces/tool.ts';
import { joinTurns, measureOther } from './against.ts';
import { measure } from './measure.ts';
import type { BenchFigure } from './measure.ts';
import type { BenchSuite } from './suite.ts';
import { SUITES, chooseSuites } from './suites.ts';

/** What `iorr bench` answers. */
export interface BenchResult {
  readonly machine: { readonly node: string; readonly cpu: string; readonly cpus: number };
  readonly figures: readonly BenchFigure[];
  /** Largest A/A difference of all figures: what this machine makes of no difference at all. */
  readonly noise: number;
}

const DEFAULT_MS = 1500;
const EXIT_GATE = 3;
const DEFAULT_THRESHOLD = '5%';

function readMilliseconds(value: unknown): number {
  const text = typeof value === 'string' || typeof value === 'number' ? String(value) : String(DEFAULT_MS);
  const milliseconds = Number(text);
  if (/^\d+$/.test(text) && milliseconds >= 1 && milliseconds <= 3_600_000) return milliseconds;
  throw new IorrError('USAGE', `--time expects milliseconds from 1 to 3600000, got "${text}"`);
}

/** Measures suite after suite; undefined if it was interrupted. */
async function measureAll(
  suites: readonly BenchSuite[],
  milliseconds: number,
  io: CommandIo,
): Promise<BenchFigure[] | undefined> {
  const figures: BenchFigure[] = [];
  const progress = io.progress('measuring', suites.length);
  try {
    for (const [done, suite] of suites.entries()) {
      const prepared = await suite.prepare();
      const cases = 'cases' in prepared ? prepared.cases : prepared;
      try {
        for (const [i, one] of cases.entries()) {
          const figure = await measure(suite.name, one, milliseconds, () => io.signal.aborted);
          if (figure === undefined) return undefined;
          figures.push(figure);
          progress.update(done + (i + 1) / cases.length);
        }
      } finally {
        if ('cases' in prepared) await prepared.close();
      }
    }
    return figures;
  } finally {
    progress.stop();
  }
}

const million = (rate: number): string => formatDecimal(rate / 1e6);

function table(result: BenchResult): string {
  const rows: (readonly string[] | { readonly heading: string })[] = [];
  let suite = '';
  for (const figure of result.figures) {
    if (figure.suite !== suite) rows.push({ heading: figure.suite });
    ({ suite } = figure);
    rows.push([
      `  ${figure.name}`,
      `${million(figure.median)} M ${figure.unit}`,
      million(figure.min),
      million(figure.max),
      formatShare(figure.spread, 1),
      formatShare(figure.noise, 1),
      String(figure.runs),
    ]);
  }
  const { machine } = result;
  const foot = [
    `${machine.cpu}, ${machine.cpus} CPUs, Node ${machine.node}. Wall time, one thread but where it says more.`,
    'spread: the middle half of the runs. A/A: how far the same code differs from itself here, measured in turns;',
    `smaller changes than that say nothing (worst: ${formatShare(result.noise, 1)}).`,
  ];
  const head = ['', 'median', 'slowest', 'fastest', 'spread', 'A/A', 'runs'];
  return `${layOut({ head, rows })}\n\n${foot.join('\n')}\n`;
}

/** The list that GitHub's benchmark actions read (tool `customBiggerIsBetter`). */
function actionList(figures: readonly BenchFigure[]): string {
  const list = figures.map((figure) => ({
    name: `${figure.suite}: ${figure.name}`,
    unit: figure.unit,
    value: Math.round(figure.median),
    range: `${Math.round(figure.min)} to ${Math.round(figure.max)}`,
    extra: `A/A ${(figure.noise * 100).toFixed(2)}%, spread ${(figure.spread * 100).toFixed(2)}%, ${figure.runs} runs`,
  }));
  return `${JSON.stringify(list, null, 2)}\n`;
}

function machine(): BenchResult['machine'] {
  const processors = cpus();
  return { node: process.versions.node, cpu: processors[0]?.model.trim() ?? 'unknown', cpus: processors.length };
}

interface Gate {
  /** Stored figures, or the other build's. */
  readonly baseline: ResultFile;
  readonly conditions: readonly DiffCondition[];
  readonly threshold: number;
}

const DRAWS = { seed: 1, resamples: 1000 };

/** The gate of `iorr diff`, on our own suites. */
function compareWith({ baseline, conditions, threshold }: Gate, result: BenchResult): DiffResult {
  const list = baseline.command === 'github' ? (JSON.parse(actionList(result.figures)) as unknown) : result;
  const now = {
    file: 'this build',
    command: baseline.command,
    version: toolVersion(),
    inputs: [],
    options: baseline.options,
    result: list,
  };
  const compared = diffResults(baseline, now, { ...DRAWS, threshold });
  return { of: baseline.command, ...compared, threshold, gate: diffGate(conditions, compared, 'all') };
}

function readConditions(options: CommandInvocation['options']): Omit<Gate, 'baseline'> {
  const list = Array.isArray(options['failOn']) ? options['failOn'].map(String) : ['worse'];
  return {
    conditions: list.map((text) => parseDiffCondition(text)),
    threshold: parseThreshold(typeof options['threshold'] === 'string' ? options['threshold'] : DEFAULT_THRESHOLD),
  };
}

export const benchCommand: CommandSpec = {
  name: 'bench',
  summary: 'how fast this machine encodes, decodes, imports and replays, with its noise beside it',
  args: [],
  options: [
    {
      flags: '--suite <names>',
      values: SUITES.map(({ name }) => name),
      list: true,
      description: `comma-separated: ${SUITES.map((suite) => suite.name).join(', ')}; default all`,
    },
    { flags: '--time <ms>', description: 'time for each figure', default: String(DEFAULT_MS) },
    {
      flags: '--baseline <file>',
      description:
        'compare with what bench printed before with --json or --github, and exit with 3 if a figure is worse',
    },
    {
      flags: '--against <cli>',
      description: 'compare with another build, in turns with it (other, this, this, other): name its dist/cli.js',
    },
    {
      flags: '--fail-on <condition>',
      values: ['worse', 'none'],
      description:
        "of the comparison: worse (the default), none, or a figure: 'decode: packet-nic, all columns < -10%'; repeatable",
      repeatable: true,
    },
    {
      flags: '--threshold <share>',
      description: 'of the comparison: smaller changes are none',
      default: DEFAULT_THRESHOLD,
    },
    { flags: '--markdown-to <file>', description: 'also write the comparison for a pull request into a file' },
    { flags: '--json', description: 'print the result as one JSON document' },
    { flags: '--github', description: "print the list that GitHub's benchmark actions read" },
  ],
  examples: [
    { command: 'iorr bench', does: 'measure everything' },
    { command: 'iorr bench --suite encode,decode --time 5000', does: 'two suites, more exactly' },
    {
      command: 'iorr bench --baseline main.json',
      does: 'a gate: is this build slower than what main.json tells of main?',
    },
    { command: 'iorr bench --github > bench.json', does: 'for a benchmark action of a pull request' },
  ],

  async run({ args, options, io }: CommandInvocation): Promise<number> {
    if (args.length > 0) throw new IorrError('USAGE', `bench takes no arguments, got "${args[0]}"`);
    if (options['json'] === true && options['github'] === true) {
      throw new IorrError('USAGE', '--json and --github exclude each other', { hint: 'choose one of them' });
    }
    const list = options['suite'];
    const suites = chooseSuites(typeof list === 'string' ? list : undefined);
    const milliseconds = readMilliseconds(options['time']);
    const { baseline: file, against: cli, markdownTo } = options;
    const markdown = typeof markdownTo === 'string' ? new OutputFile(markdownTo) : undefined;
    if (typeof file === 'string' && typeof cli === 'string') {
      throw new IorrError('USAGE', '--baseline and --against exclude each other');
    }
    const asked = readConditions(options);
    let baseline = typeof file === 'string' ? readResultFile(file) : undefined;
    if (baseline !== undefined && baseline.command !== 'bench' && baseline.command !== 'github') {
      throw new IorrError('USAGE', `a result of bench expected, found one of ${baseline.command}`, {
        place: { file: baseline.file },
      });
    }
    const names = suites.map((suite) => suite.name);
    const turn = typeof cli === 'string' ? Math.ceil(milliseconds / 2) : milliseconds;
    const before = typeof cli === 'string' ? await measureOther(cli, names, turn) : [];
    const first = await measureAll(suites, turn, io);
    const second = first === undefined || typeof cli !== 'string' ? first : await measureAll(suites, turn, io);
    if (first === undefined || second === undefined) {
      io.err('interrupted; nothing was measured to its end\n');
      return INTERRUPTED;
    }
    const figures = typeof cli === 'string' ? joinTurns(first, second) : first;
    if (typeof cli === 'string') {
      const result = { machine: machine(), figures: joinTurns(before, await measureOther(cli, names, turn)) };
      baseline = { file: cli, command: 'bench', version: '', inputs: [], options: {}, result };
    }
    const result: BenchResult = {
      machine: machine(),
      figures,
      noise: Math.max(0, ...figures.map((figure) => figure.noise)),
    };
    const compared = baseline === undefined ? undefined : compareWith({ baseline, ...asked }, result);
    const sides = [baseline?.file ?? '', 'this build'] as const;
    if (compared !== undefined) markdown?.writeWhole(diffMarkdown(compared, sides));
    if (options['github'] === true) io.out(actionList(figures));
    else if (options['json'] === true) {
      const effective = {
        suite: names,
        time: milliseconds,
        ...givenOptions(options, ['baseline', 'against', 'failOn', ...(compared === undefined ? [] : ['threshold'])]),
      };
      const whole = compared === undefined ? result : { ...result, diff: compared };
      const parts = { version: toolVersion(), input: [], options: effective, health: EMPTY_HEALTH, result: whole };
      io.out(toJson(makeEnvelope('bench', parts)));
    } else if (compared === undefined) io.out(table(result));
    else io.out(diffText(compared, sides, paintFor(io.colour)));
    return compared?.gate.breached === true ? EXIT_GATE : 0;
  },
};

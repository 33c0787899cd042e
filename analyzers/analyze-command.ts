import type { CommandExample, CommandSpec } from '../traces/command.ts';
import { describeInput, makeEnvelope } from '../traces/envelope.ts';
import { IorrError } from '../traces/errors.ts';
import { openTrace } from '../traces/file.ts';
import { nearest } from '../traces/nearest.ts';
import { toJson } from '../traces/plain-json.ts';
import { toolVersion } from '../traces/tool.ts';
import { ANALYSES } from './analyses.ts';
import type { Analysis } from './analysis.ts';
import { DRIVER_OPTION, driverOf } from './driver-option.ts';
import { parseDuration } from './duration.ts';
import { breach, parseGates } from './gate.ts';
import { OutputFile } from './output-file.ts';
import { HARDWARE_KNOBS } from './model-words.ts';
import { hardwareFlag } from './profile-option.ts';
import { WatchedTrace } from './watched-trace.ts';

const EXIT_GATE = 3;
const NAMES = ANALYSES.map(({ name }) => name).join(', ');

/** What `--fail-on` takes beside paths of the result. */
const GATE_WORDS = [...new Set(ANALYSES.flatMap(({ gates = {} }) => Object.keys(gates)))];

/** `--sample`: a share of the pages. */
function sampleOf(value: unknown, { name, samples }: Analysis): { readonly sample?: number } {
  if (typeof value !== 'string') return {};
  const sample = Number(value);
  if (samples !== true) {
    const able = ANALYSES.filter((one) => one.samples === true).map((one) => one.name);
    throw new IorrError('USAGE', `analyze ${name} looks at all pages`, { hint: `--sample is for ${able.join(', ')}` });
  }
  if (value.trim() !== '' && sample > 0 && sample <= 1) return sample === 1 ? {} : { sample };
  throw new IorrError('USAGE', `--sample ${value}: a share above 0, at most 1 expected`, { hint: '--sample 0.01' });
}

const EXAMPLES: readonly CommandExample[] = [
  { command: 'iorr analyze ioctl s.iorr', does: 'calls, errors and latency by request, batch sizes' },
  { command: 'iorr analyze ioctl s.iorr --json | jq .result.requests[0]', does: 'the most frequent request' },
  { command: 'iorr analyze safety run.iorr --fail-on stale,missing', does: 'a gate: no command may be missing' },
  { command: 'iorr analyze batching run.iorr', does: 'what larger batches of unmaps would cost and expose' },
  { command: 'iorr analyze latency run.iorr', does: 'from submission to completion, as percentiles over time' },
  { command: 'iorr analyze dirty vm.iorr --html dirty.html', does: 'what is written when, as numbers and pictures' },
  {
    command: 'iorr analyze iotlb run.iorr --hardware vtd-64x4 --html iotlb.html',
    does: 'misses of every size and associativity, the chosen one marked',
  },
  {
    command: 'iorr analyze iotlb huge.iorr --sample 0.01 --json',
    does: 'the curve of large sizes from 1 % of the pages',
  },
  { command: 'iorr analyze pri run.iorr --fail-on unanswered', does: 'page requests to their answers, stage by stage' },
  { command: 'iorr analyze ioctl s.iorr --at 21.4s', does: 'every open /dev/iommu and its objects at that time' },
];

/** Help of one analysis: `iorr analyze dirty --help`. */
function about([name]: readonly string[]): string | undefined {
  const analysis = ANALYSES.find((known) => known.name === name);
  if (analysis === undefined) return undefined;
  const { samples, gates = {} } = analysis;
  const named = Object.entries(gates).map(([gate, path]) => (gate === path ? gate : `${gate} (${path})`));
  const own = [...(samples === true ? ['--sample'] : []), ...(analysis.summary.includes('--at') ? ['--at'] : [])];
  const lines = EXAMPLES.filter(({ command }) => command.startsWith(`iorr analyze ${analysis.name} `)).map(
    ({ command, does }) => `  ${command}\n      ${does}`,
  );
  return [
    '',
    `analyze ${analysis.name}: ${analysis.summary}`,
    ...(own.length === 0 ? [] : [`Of the options that not all have, it takes ${own.join(', ')}.`]),
    `--fail-on takes ${[...named, 'any path of the result with a comparison'].join(', ')}.`,
    '',
    'Examples:',
    ...lines,
  ].join('\n');
}

export const analyzeCommand: CommandSpec = {
  name: 'analyze',
  summary: `asks one question of a trace: ${NAMES}`,
  args: ['NAME', 'FILE'],
  argValues: [ANALYSES.map(({ name }) => name)],
  options: [
    { flags: '--at <time>', description: 'the state at a time since the beginning of the trace: 1.5s, 200ms' },
    {
      flags: '--fail-on <expr>',
      values: GATE_WORDS,
      list: true,
      description: 'exit with 3 if it holds: stale, missing, wasted>100, exposure.ns.p99>2e6',
    },
    hardwareFlag('hardware profile for what was cached'),
    {
      flags: '--set <name=value>',
      values: HARDWARE_KNOBS,
      list: true,
      description: 'change one of its parameters',
      repeatable: true,
    },
    DRIVER_OPTION,
    {
      flags: '--sample <share>',
      description: 'follow this share of the pages, chosen by hash: for huge traces (iotlb)',
    },
    { flags: '--json', description: 'one JSON document on stdout' },
    { flags: '--html <file>', description: 'also write one self-contained page with pictures' },
  ],
  examples: EXAMPLES,
  about,
  async run({ args, options, io }) {
    const [name, file] = args;
    const analysis = ANALYSES.find((known) => known.name === name);
    if (analysis === undefined) {
      const found = name === undefined ? '' : `, found ${JSON.stringify(name)}`;
      const near =
        name === undefined
          ? undefined
          : nearest(
              name,
              ANALYSES.map((known) => known.name),
            );
      throw new IorrError('USAGE', `an analysis expected (${NAMES})${found}`, {
        hint: near === undefined ? 'iorr analyze ioctl s.iorr' : `did you mean '${near}'?`,
      });
    }
    if (file === undefined) {
      throw new IorrError('USAGE', 'a trace expected', { hint: `iorr analyze ${analysis.name} s.iorr` });
    }
    const at = typeof options['at'] === 'string' ? parseDuration(options['at'], '--at') : undefined;
    const gates = typeof options['failOn'] === 'string' ? parseGates(options['failOn'], analysis.gates ?? {}) : [];
    const hardware = typeof options['hardware'] === 'string' ? options['hardware'] : 'auto';
    const settings = Array.isArray(options['set']) ? options['set'].map(String) : [];
    const sample = sampleOf(options['sample'], analysis);
    const page = typeof options['html'] === 'string' ? options['html'] : undefined;
    if (page !== undefined && at !== undefined) {
      throw new IorrError('USAGE', 'a state at a time has no page', { hint: 'leave out --at, or --html' });
    }
    const trace = openTrace(file);
    try {
      const output = page === undefined ? undefined : new OutputFile(page);
      const question = { file, at, hardware, settings, ...driverOf(options), ...sample };
      const watched = new WatchedTrace(trace, (pass) =>
        io.progress(`analysing${pass > 1 ? `, reading ${pass}` : ''}`, trace.eventCount),
      );
      const { result, text, html } = await analysis.run(watched, question);
      if (options['json'] === true) {
        const input = [describeInput(file, trace, trace.bytes)];
        const parts = {
          version: toolVersion(),
          input,
          options: {
            at: at ?? null,
            hardware,
            set: settings,
            ...driverOf(options),
            ...sample,
            failOn: typeof options['failOn'] === 'string' ? options['failOn'] : null,
          },
          health: trace.health,
          result,
        };
        io.out(toJson(makeEnvelope(`analyze ${analysis.name}`, parts)));
      } else io.out(text);
      if (output !== undefined && html !== undefined) {
        output.writeWhole(html({ file, version: toolVersion(), health: trace.health }));
        io.err(`wrote ${output.path}\n`);
      }
      const breaches = gates.map((gate) => breach(gate, result)).filter((found) => found !== undefined);
      for (const found of breaches) io.err(`iorr: gate breached: ${found}\n`);
      return breaches.length > 0 ? EXIT_GATE : 0;
    } finally {
      trace.close();
    }
  },
};

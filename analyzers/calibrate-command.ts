import { MOST_CURVE_BYTES, parseReachCurve } from '../replay/calibrate/reach-curve.ts';
import type { ReachCurve, ReachSeries } from '../replay/calibrate/reach-curve.ts';
import { REACH_FAMILY_COUNT, fitReach } from '../replay/calibrate/reach-fit.ts';
import { fitTrace } from '../replay/calibrate/trace-fit.ts';
import { COST_PROFILES } from '../replay/costs/cost-profiles.ts';
import { HARDWARE } from '../replay/hardware/profiles.ts';
import { profileText } from '../replay/profile-file.ts';
import type { CommandInvocation, CommandSpec } from '../traces/command.ts';
import { INTERRUPTED } from '../traces/command.ts';
import { describeInput, makeEnvelope } from '../traces/envelope.ts';
import { IorrError } from '../traces/errors.ts';
import { openTrace } from '../traces/file.ts';
import { EMPTY_HEALTH } from '../traces/header.ts';
import { toJson } from '../traces/plain-json.ts';
import { toolVersion } from '../traces/tool.ts';
import { calibrateHarvest } from './calibrate-harvest.ts';
import { reachProfile, traceProfile } from './calibrate-profile.ts';
import { reachText, traceText } from './calibrate-text.ts';
import { costsOption, profileFlag, readSmallFile } from './profile-option.ts';
import { withOutput } from './profile-output.ts';
import { HARDWARE_WORDS } from './model-words.ts';

/** Hardware that a fitted geometry is put into, for what a curve does not tell. */
const DEFAULT_BASE = 'vtd-64x4';

function seedOf(options: CommandInvocation['options']): number {
  const text = String(options['seed']);
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new IorrError('USAGE', `--seed ${text}: a whole number expected`);
}

function textOption(options: CommandInvocation['options'], name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

function windowsOf(text: string | undefined): readonly number[] | undefined {
  if (text === undefined) return undefined;
  const parts = text.split(',').map((part) => part.trim());
  const bad = parts.find((part) => !/^\d{1,15}$/.test(part));
  if (bad === undefined && parts.length <= 256) return parts.map(Number);
  throw new IorrError('USAGE', `--windows: bytes with commas expected, got "${(bad ?? text).slice(0, 40)}"`);
}

/** The curve of a file; what is wrong with it is said with the file's name. */
function curveIn(file: string, series: ReachSeries): ReachCurve {
  const text = readSmallFile(file, MOST_CURVE_BYTES);
  try {
    return parseReachCurve(text, series);
  } catch (error) {
    if (!(error instanceof IorrError)) throw error;
    const { code, message, hint, place, cause } = error;
    throw new IorrError(code, message, { hint, cause, place: { file, ...place } });
  }
}

/** `--reach CURVE`: a geometry. */
async function calibrateReach(file: string, { options, io }: CommandInvocation): Promise<number> {
  const seed = seedOf(options);
  const base = textOption(options, 'hardware') ?? DEFAULT_BASE;
  if (!HARDWARE.some(({ name, iotlb }) => name === base && iotlb === 'set-associative')) {
    const names = HARDWARE.filter(({ iotlb }) => iotlb === 'set-associative').map(({ name }) => name);
    throw new IorrError('USAGE', `--hardware ${base}: one with an IOTLB of sets expected`, { hint: names.join(', ') });
  }
  const machine = textOption(options, 'machine');
  const state = textOption(options, 'state');
  const curve = curveIn(file, { machine, state });
  const windows = windowsOf(textOption(options, 'windows'));
  const progress = io.progress('fitting', REACH_FAMILY_COUNT);
  const done = await withOutput(options['output'], async () => {
    const result = await fitReach(curve, {
      seed,
      ...(windows === undefined ? {} : { windows }),
      signal: io.signal,
      progress: (fitted) => progress.update(fitted),
    });
    progress.stop();
    if (result === undefined) return undefined;
    if (options['json'] === true) {
      const effective = {
        reach: file,
        hardware: base,
        machine: machine ?? null,
        state: state ?? null,
        windows: windows?.map(String) ?? null,
        seed,
      };
      const parts = { version: toolVersion(), input: [], options: effective, health: EMPTY_HEALTH, result };
      io.out(toJson(makeEnvelope('calibrate', parts)));
    } else io.out(reachText(file, result));
    return profileText(reachProfile(file, base, result));
  });
  return done ? 0 : INTERRUPTED;
}

/** A trace: what its durations tell. */
async function calibrateTrace(file: string, { options, io }: CommandInvocation): Promise<number> {
  const seed = seedOf(options);
  const trace = openTrace(file);
  const progress = io.progress('reading', trace.eventCount);
  try {
    const base = costsOption(String(options['profile']), trace.header);
    const done = await withOutput(options['output'], async () => {
      const result = await fitTrace(trace, {
        source: file,
        base,
        seed,
        signal: io.signal,
        progress: (events) => progress.update(events),
      });
      progress.stop();
      if (result === undefined) return undefined;
      if (options['json'] === true) {
        const effective = { profile: base.name, seed };
        const input = [describeInput(file, trace)];
        const parts = { version: toolVersion(), input, options: effective, health: trace.health, result };
        io.out(toJson(makeEnvelope('calibrate', parts)));
      } else io.out(traceText(file, result));
      return profileText(traceProfile(file, base, result));
    });
    return done ? 0 : INTERRUPTED;
  } finally {
    progress.stop();
    trace.close();
  }
}

export const calibrateCommand: CommandSpec = {
  name: 'calibrate',
  summary:
    'fits a profile to measurements: costs to a trace, a cache geometry to a reach curve, or dirty harvests to this machine',
  args: ['[TRACE]'],
  options: [
    {
      flags: '--reach <curve>',
      description: 'fit a geometry to this curve (docs/calibrate.md) instead of costs to a trace',
    },
    {
      flags: '--harvest',
      description: 'measure here what harvests of dirty bits take: real page tables, clean and dirty, by threads',
    },
    { flags: '--memory <gib>', description: 'with --harvest: guest memory in 4 KiB leaves; default 64' },
    { flags: '-o, --output <file>', description: 'also write a profile that --profile and --hardware take' },
    {
      flags: '--machine <name>',
      description: 'of a curve file with several machines; default: the first with an IOMMU',
    },
    {
      flags: '--windows <bytes>',
      description: 'with --reach: fit these windows alone (with commas) and predict the others; default all',
    },
    { flags: '--state <name>', description: 'of a curve file with several cache states; default DWarm' },
    {
      flags: '--hardware <name>',
      values: HARDWARE_WORDS,
      description: `with --reach: where the profile's other parameters come from; default ${DEFAULT_BASE}`,
    },
    profileFlag(
      `with a trace: where costs come from that it can't tell: auto, ${COST_PROFILES.map(({ name }) => name).join(', ')}, or a profile file`,
    ),
    { flags: '--seed <number>', description: 'of simulated reads, and of resampling', default: '1' },
    { flags: '--json', description: 'one JSON document on stdout' },
  ],
  examples: [
    { command: 'iorr calibrate run.iorr -o profile.json', does: 'what the durations of a trace tell' },
    { command: 'iorr compare run.iorr --profile ./profile.json', does: 'and use it' },
    {
      command: 'iorr calibrate --reach curve.json -o unit.json',
      does: 'entries, walks and device behind a reach curve',
    },
    { command: 'iorr compare run.iorr --hardware ./unit.json --access ring', does: 'and use those caches' },
    { command: 'iorr calibrate --harvest -o harvest.json', does: 'how fast this machine finds dirty pages' },
  ],
  async run(invocation) {
    const { args, options } = invocation;
    const curve = textOption(options, 'reach');
    const file = args[0];
    if (options['harvest'] === true) {
      if (file !== undefined || curve !== undefined) {
        throw new IorrError('USAGE', '--harvest measures this machine; it takes no trace and no curve', {
          hint: 'run it once for each',
        });
      }
      return (await calibrateHarvest(invocation, seedOf(options))) ? 0 : INTERRUPTED;
    }
    if (options['memory'] !== undefined) throw new IorrError('USAGE', '--memory goes with --harvest');
    if (curve !== undefined) {
      if (file !== undefined) {
        throw new IorrError('USAGE', '--reach fits a curve; it takes no trace', { hint: 'run it once for each' });
      }
      return calibrateReach(curve, invocation);
    }
    if (file === undefined) {
      throw new IorrError('USAGE', 'a trace, --reach CURVE or --harvest expected', {
        hint: 'iorr calibrate run.iorr -o profile.json',
      });
    }
    return calibrateTrace(file, invocation);
  },
};

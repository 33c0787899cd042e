import { availableParallelism } from 'node:os';
import { setImmediate as turn } from 'node:timers/promises';
import { ACCESS_MODELS, accessModel } from '../replay/access/access-models.ts';
import { SEGMENTS_OF_START, countInWorkers } from '../replay/engine/count-pool.ts';
import { countSteps, countedResult } from '../replay/engine/count-replay.ts';
import type { CountOptions, CountedReplay } from '../replay/engine/count-replay.ts';
import { callsHeader, deriveIntents } from '../replay/engine/derived-trace.ts';
import { replaySteps } from '../replay/engine/replay.ts';
import type { ReplayOptions } from '../replay/engine/replay.ts';
import type { HardwareProfile } from '../replay/hardware/profile.ts';
import { withSettings } from '../replay/hardware/profiles.ts';
import { workerLanes } from '../replay/parts/part-lanes.ts';
import { replayInParts } from '../replay/parts/replay-in-parts.ts';
import type { ReplayResult } from '../replay/results.ts';
import type { CommandInvocation, CommandProgress, CommandSpec } from '../traces/command.ts';
import { INTERRUPTED } from '../traces/command.ts';
import { describeInput, makeEnvelope } from '../traces/envelope.ts';
import { IorrError } from '../traces/errors.ts';
import { openTrace } from '../traces/file.ts';
import type { OpenTrace } from '../traces/file.ts';
import { toolVersion } from '../traces/tool.ts';
import { DRIVER_OPTION, driverOf } from './driver-option.ts';
import { hardwareOption, WHOSE_CACHES } from './profile-option.ts';
import { countedText } from './counted-text.ts';
import { jsonRenderer, terminalRenderer } from './report/index.ts';
import { toJson } from '../traces/plain-json.ts';
import { seedOption, wholeNumberOption } from './whole-number-option.ts';
import { HARDWARE_KNOBS } from './model-words.ts';

/** Repeats at most: a trace of a million events would play for days. */
const MOST_REPEATS = 1_000_000;
const MOST_JOBS = 256;

/** A worker a core, but none that would have done before it has started. */
function usualJobs(trace: OpenTrace): number {
  return Math.max(1, Math.min(availableParallelism(), Math.floor(trace.segmentCount / SEGMENTS_OF_START)));
}

/** Counts by workers where the trace can be counted in stretches, else here; undefined if it was interrupted. */
async function count(
  file: string,
  trace: OpenTrace,
  options: CountOptions,
  jobs: number,
  io: CommandInvocation['io'],
  progress: CommandProgress,
): Promise<CountedReplay | undefined> {
  const clock = (): number => performance.now() * 1e6;
  const began = clock();
  if (jobs > 1 && trace.segmentCount > 1 && deriveIntents(trace, options.driver) === undefined) {
    const counts = await countInWorkers(file, trace, options.hardware, jobs, {
      signal: io.signal,
      progress: (share) => progress.update(share * trace.eventCount),
    });
    if (io.signal.aborted) return undefined;
    if (counts !== undefined) {
      // so that their events are counted as lost
      for (const number of counts.damaged) trace.readSegment(number);
      return countedResult(trace, options, counts, clock() - began);
    }
  }
  return taken(countSteps(trace, { ...options, clock }), io, progress);
}

/** Plays by several threads where the trace and the hardware can be split, else here; undefined if it was interrupted. */
async function play(
  trace: OpenTrace,
  options: ReplayOptions & { readonly hardware: HardwareProfile },
  jobs: number,
  io: CommandInvocation['io'],
  progress: CommandProgress,
  asked: boolean,
): Promise<ReplayResult | undefined> {
  if (jobs > 1) {
    const answer = await replayInParts(trace, {
      ...options,
      // this thread plays what is behind the sets
      lanes: (hardware) => workerLanes(hardware, jobs - 1),
      signal: io.signal,
      progress: (events) => progress.update(events),
    });
    if ('result' in answer) return answer.result;
    if ('aborted' in answer) return undefined;
    if (asked) io.err(`one thread: ${answer.refused}\n`);
  }
  return taken(replaySteps(trace, options), io, progress);
}

/** Takes steps, each of which tells how many events are done, to their result; undefined if it was interrupted. */
async function taken<Result>(
  steps: Generator<number, Result>,
  io: CommandInvocation['io'],
  progress: CommandProgress,
): Promise<Result | undefined> {
  let step = steps.next();
  for (let n = 0; step.done !== true; n++, step = steps.next()) {
    progress.update(step.value);
    // now and then, so that Ctrl-C is heard; it costs microseconds each time
    if (n % 16 === 0) await turn();
    if (io.signal.aborted) return undefined;
  }
  return step.value;
}

export const replayCommand: CommandSpec = {
  name: 'replay',
  summary: 'plays a trace as it was recorded on a modelled IOMMU: hits, misses and their causes, exposure, stale hits',
  args: ['FILE'],
  options: [
    WHOSE_CACHES,
    {
      flags: '--set <name=value>',
      values: HARDWARE_KNOBS,
      list: true,
      description: 'a parameter of the hardware: sets=128,ways=8; repeatable',
      repeatable: true,
    },
    {
      flags: '--access <model>',
      description: 'accesses of a model instead of recorded ones; results say so',
      default: 'none',
      choices: ACCESS_MODELS.map(({ name }) => name),
    },
    { flags: '--seed <number>', description: 'of the access model', default: '1' },
    {
      flags: '--repeat <times>',
      description:
        'play the trace so often as one long trace; wallNs and eventsPerSecond then tell the speed (decoding included; start of the process and opening of the file are not)',
      default: '1',
    },
    DRIVER_OPTION,
    {
      flags: '--counts',
      description:
        'only how many hits, misses and reads of walks, and what commands drop: no causes, no exposure, no times, and many times as fast',
    },
    {
      flags: '--jobs <number>',
      description:
        'threads; the result does not depend on it (default: one a core, fewer for short traces). What can not be split by the sets of the IOTLB runs in one, which is said on stderr where more were asked for',
    },
    { flags: '--json', description: 'one JSON document on stdout' },
  ],
  examples: [
    { command: 'iorr replay run.iorr', does: 'on the hardware that the trace says it ran on' },
    { command: 'iorr replay run.iorr --hardware vtd-64x4 --set sets=128,ways=8', does: 'on a larger IOTLB' },
    { command: 'iorr replay q.iorr --repeat 20 --json | jq .result.eventsPerSecond', does: 'how fast is the replay?' },
    {
      command: 'iorr replay run.iorr --counts --set sets=128,ways=8',
      does: 'hits of a larger IOTLB, as fast as can be',
    },
    { command: 'iorr replay guest.iorr --access ring', does: 'a trace without DMA, with accesses of a model' },
  ],
  async run({ args, options, io }) {
    const file = args[0];
    if (file === undefined) throw new IorrError('USAGE', 'a trace expected', { hint: 'iorr replay run.iorr' });
    const repeat = wholeNumberOption(options, 'repeat', 1, MOST_REPEATS);
    const seed = seedOption(options);
    const access = String(options['access']);
    const settings = Array.isArray(options['set']) ? options['set'].map(String) : [];
    const counts = options['counts'] === true;
    if (counts && (repeat !== 1 || access !== 'none')) {
      throw new IorrError('USAGE', '--counts plays recorded accesses once', {
        hint: 'leave out --repeat and --access',
      });
    }
    const trace = openTrace(file);
    const progress = io.progress('replaying', trace.eventCount * repeat);
    try {
      const hardware = withSettings(hardwareOption(String(options['hardware']), callsHeader(trace)), settings);
      const jobs = wholeNumberOption(options, 'jobs', 1, MOST_JOBS, usualJobs(trace));
      if (counts) {
        const result = await count(file, trace, { hardware, ...driverOf(options) }, jobs, io, progress);
        if (result === undefined) return INTERRUPTED;
        progress.stop();
        const report = makeEnvelope('replay', {
          version: toolVersion(),
          input: [describeInput(file, trace, trace.bytes)],
          options: { hardware: hardware.name, set: settings, counts: true, ...driverOf(options) },
          health: trace.health,
          result,
        });
        io.out(options['json'] === true ? toJson(report) : countedText(file, result));
        return 0;
      }
      const replay: ReplayOptions & { readonly hardware: HardwareProfile } = {
        hardware,
        repeat,
        ...driverOf(options),
        clock: () => performance.now() * 1e6,
        ...(access === 'none' ? {} : { accesses: { factory: accessModel(access), seed } }),
      };
      const result = await play(trace, replay, jobs, io, progress, options['jobs'] !== undefined);
      if (result === undefined) return INTERRUPTED;
      progress.stop();
      const report = makeEnvelope('replay', {
        version: toolVersion(),
        input: [describeInput(file, trace, trace.bytes)],
        options: { hardware: hardware.name, set: settings, access, seed, repeat, ...driverOf(options) },
        health: trace.health,
        result,
      });
      const renderer = options['json'] === true ? jsonRenderer : terminalRenderer;
      io.out(renderer.render(report, { columns: io.columns, colour: io.colour }));
      return 0;
    } finally {
      progress.stop();
      trace.close();
    }
  },
};

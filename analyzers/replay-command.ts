import { setImmediate as turn } from 'node:timers/promises';
import { ACCESS_MODELS, accessModel } from '../replay/access/access-models.ts';
import { callsHeader } from '../replay/engine/derived-trace.ts';
import { replaySteps } from '../replay/engine/replay.ts';
import type { ReplayOptions } from '../replay/engine/replay.ts';
import { HARDWARE, withSettings } from '../replay/hardware/profiles.ts';
import type { CommandInvocation, CommandSpec } from '../traces/command.ts';
import { describeInput, makeEnvelope } from '../traces/envelope.ts';
import { IorrError } from '../traces/errors.ts';
import { openTrace } from '../traces/file.ts';
import { toolVersion } from '../traces/tool.ts';
import { DRIVER_OPTION, driverOf } from './driver-option.ts';
import { hardwareOption } from './profile-option.ts';
import { jsonRenderer, terminalRenderer } from './report/index.ts';

const INTERRUPTED = 130;
/** Repeats at most: a trace of a million events would play for days. */
const MOST_REPEATS = 1_000_000;

function wholeNumber(options: CommandInvocation['options'], name: string, low: number, high: number): number {
  const text = String(options[name]);
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= low && value <= high) return value;
  throw new IorrError('USAGE', `--${name} ${text}: a whole number from ${low} to ${high} expected`);
}

export const replayCommand: CommandSpec = {
  name: 'replay',
  summary: 'plays a trace as it was recorded on a modelled IOMMU: hits, misses and their causes, exposure, stale hits',
  args: ['FILE'],
  options: [
    {
      flags: '--hardware <name>',
      description: `whose caches: auto (QEMU's where QEMU emulated the IOMMU, else a generic server), ${HARDWARE.map(({ name }) => name).join(', ')}, or a profile file`,
      default: 'auto',
    },
    {
      flags: '--set <name=value>',
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
    { flags: '--json', description: 'one JSON document on stdout' },
  ],
  examples: [
    { command: 'iorr replay run.iorr', does: 'on the hardware that the trace says it ran on' },
    { command: 'iorr replay run.iorr --hardware vtd-64x4 --set sets=128,ways=8', does: 'on a larger IOTLB' },
    { command: 'iorr replay q.iorr --repeat 20 --json | jq .result.eventsPerSecond', does: 'how fast is the replay?' },
    { command: 'iorr replay guest.iorr --access ring', does: 'a trace without DMA, with accesses of a model' },
  ],
  async run({ args, options, io }) {
    const file = args[0];
    if (file === undefined) throw new IorrError('USAGE', 'a trace expected', { hint: 'iorr replay run.iorr' });
    const repeat = wholeNumber(options, 'repeat', 1, MOST_REPEATS);
    const seed = wholeNumber(options, 'seed', 0, Number.MAX_SAFE_INTEGER);
    const access = String(options['access']);
    const settings = Array.isArray(options['set']) ? options['set'].map(String) : [];
    const trace = openTrace(file);
    const progress = io.progress('replaying', trace.eventCount * repeat);
    try {
      const hardware = withSettings(hardwareOption(String(options['hardware']), callsHeader(trace)), settings);
      const replay: ReplayOptions = {
        hardware,
        repeat,
        ...driverOf(options),
        clock: () => performance.now() * 1e6,
        ...(access === 'none' ? {} : { accesses: { factory: accessModel(access), seed } }),
      };
      const steps = replaySteps(trace, replay);
      let step = steps.next();
      for (let n = 0; step.done !== true; n++, step = steps.next()) {
        progress.update(step.value);
        // now and then, so that Ctrl-C is heard; it costs microseconds each time
        if (n % 16 === 0) await turn();
        if (io.signal.aborted) return INTERRUPTED;
      }
      progress.stop();
      const report = makeEnvelope('replay', {
        version: toolVersion(),
        input: [describeInput(file, trace, trace.bytes)],
        options: { hardware: hardware.name, set: settings, access, seed, repeat, ...driverOf(options) },
        health: trace.health,
        result: step.value,
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

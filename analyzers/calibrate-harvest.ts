import { availableParallelism, cpus, loadavg } from 'node:os';
import { harvestProfile } from '../replay/harvest/harvest-profile.ts';
import { measureHarvest } from '../replay/harvest/measure-harvest.ts';
import { profileText } from '../replay/profile-file.ts';
import type { CommandInvocation } from '../traces/command.ts';
import { makeEnvelope } from '../traces/envelope.ts';
import { IorrError } from '../traces/errors.ts';
import { EMPTY_HEALTH } from '../traces/header.ts';
import { toJson } from '../traces/plain-json.ts';
import { toolVersion } from '../traces/tool.ts';
import { harvestText } from './harvest-text.ts';
import { withOutput } from './profile-output.ts';

const FORMAT = 'vtd-second-stage-48';
const LEAF_SHIFT = 12;
const GIB = 2 ** 30;
const DEFAULT_GIB = 64;
/** Its tables and their copy are 1 GiB. */
const MOST_GIB = 256;
const ROUNDS = 9;
const MOST_THREADS = 64;
/** Load for each processor from which on rates say little. */
const BUSY = 0.5;

/** `--harvest`: what harvests of dirty bits take on this machine. False: interrupted. */
export async function calibrateHarvest({ options, io }: CommandInvocation, seed: number): Promise<boolean> {
  const gib = gibOf(options['memory']);
  const processor = cpus()[0]?.model.trim() ?? 'unknown';
  const threads = threadCounts(availableParallelism());
  const [load = 0] = loadavg();
  if (load > BUSY * availableParallelism()) {
    io.err(
      `iorr: the machine is busy (load ${load.toFixed(1)}): the figures will be too low; run it again when it is idle\n`,
    );
  }
  const progress = io.progress('measuring', ROUNDS);
  try {
    return await withOutput(options['output'], async () => {
      const result = await measureHarvest({
        format: FORMAT,
        leafShift: LEAF_SHIFT,
        bytes: gib * GIB,
        clock: () => Number(process.hrtime.bigint()),
        threads,
        rounds: ROUNDS,
        seed,
        signal: io.signal,
        progress: (rounds) => progress.update(rounds),
      });
      progress.stop();
      if (result === undefined) return undefined;
      if (options['json'] === true) {
        const effective = { harvest: true, memory: gib, seed };
        const parts = { version: toolVersion(), input: [], options: effective, health: EMPTY_HEALTH, result };
        io.out(toJson(makeEnvelope('calibrate', parts)));
      } else io.out(harvestText(processor, result));
      return profileText(harvestProfile(processor, result));
    });
  } finally {
    progress.stop();
  }
}

/** 1, 2, 4 and so on, and the last: a thread on every processor. */
function threadCounts(processors: number): readonly number[] {
  const most = Math.min(processors, MOST_THREADS);
  const counts: number[] = [];
  for (let count = 1; count < most; count *= 2) counts.push(count);
  return [...counts, most];
}

function gibOf(value: unknown): number {
  if (value === undefined) return DEFAULT_GIB;
  const text = typeof value === 'string' ? value : '';
  const gib = Number(text);
  if (/^\d{1,3}$/.test(text) && gib >= 1 && gib <= MOST_GIB) return gib;
  throw new IorrError('USAGE', `--memory ${text}: GiB from 1 to ${MOST_GIB} expected`, {
    hint: 'tables of 64 GiB are 128 MiB: more than most caches hold',
  });
}

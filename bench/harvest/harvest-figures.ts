import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { medianOf } from '../../replay/calibrate/robust-fit.ts';
import { harvestUnderWrites } from '../../replay/harvest/concurrent-harvest.ts';
import { HarvestLanes } from '../../replay/harvest/harvest-lanes.ts';
import { measureHarvest } from '../../replay/harvest/measure-harvest.ts';
import { buildSharedTables } from '../../replay/harvest/table-memory.ts';
import type { Figure } from '../figures.ts';

/** How fast harvests of real page tables are, beside a plain loop, and what they lose. Slow; the machine should be idle. */

const SOURCE = fileURLToPath(new URL('scan-loop.c', import.meta.url));
const VTD = 'vtd-second-stage-48';
/** Scans of one start of the plain loop: the first is not yet in the caches of anything. */
const SCANS = 5;
/** Scans of 512 KiB: a few hundredths of a second. */
const CACHED_TURNS = 2000;

/** Builds the plain loop; undefined where there is no compiler. */
export function buildScanLoop(folder: string): string | undefined {
  const program = join(folder, 'scan-loop');
  const { status } = spawnSync('gcc', ['-O2', '-o', program, SOURCE], { stdio: 'ignore' });
  return status === 0 ? program : undefined;
}

/**
 * Bytes a second of the plain loop, in one process or of several at once together: from the median of some scans, each of so many
 * turns over the memory.
 */
export function scanLoopRate(program: string, bytes: number, processes = 1, turns = 1): number {
  const args = [bytes, SCANS, processes, turns].map(String);
  const { status, stdout } = spawnSync(program, args, { encoding: 'utf8' });
  const rates = stdout.trim().split('\n').map(Number);
  if (status !== 0 || rates.length !== SCANS * processes) throw new Error(`scan-loop exited with ${status}`);
  return medianOf(rates) * processes;
}

interface RateOptions {
  /** The plain loop; without one the copy is what a harvest is compared with. */
  readonly loop: string | undefined;
  readonly rounds: number;
}

/** 64 GiB in 4 KiB leaves: rate of a core, beside the plain loop and a copy, and with two threads. */
export async function rateFigures({ loop, rounds }: RateOptions): Promise<readonly Figure[]> {
  const loopScaling: number[] = [];
  const measured = await measureHarvest({
    format: VTD,
    leafShift: 12,
    bytes: 2 ** 36,
    clock: () => Number(process.hrtime.bigint()),
    threads: [1, 2],
    rounds,
    seed: 1,
    reference:
      loop === undefined
        ? undefined
        : (bytes) => {
            const alone = scanLoopRate(loop, bytes);
            loopScaling.push(scanLoopRate(loop, bytes, 2) / alone);
            return alone;
          },
  });
  if (measured === undefined) throw new Error('nobody interrupts it');
  const [one, two] = measured.cold;
  const command = 'iorr calibrate --harvest';
  const of = (name: string, value: number, unit: string, least: number): Figure => ({
    name: `harvest of 64 GiB in 4 KiB leaves, median of ${rounds} rounds: ${name}`,
    value,
    unit,
    limit: { least },
    command,
  });
  const { reference, toCopy } = measured;
  const bandwidth = reference === undefined ? Number.POSITIVE_INFINITY : reference.rate.value * medianOf(loopScaling);
  // where one core takes most of what memory gives, two can't take twice as much: two plain loops at once say how much that is
  const least = (two?.rate.value ?? 0) >= 0.9 * bandwidth ? 0 : 1.8;
  return [
    of('clean cold tables', (one?.rate.value ?? 0) / 1e9, 'GB/s of a core', 1.5),
    of('to a copy of the tables (TypedArray.set)', toCopy.value, 'times', 0.7),
    ...(reference === undefined ? [] : [of('to a plain C loop (gcc -O2)', reference.ratio.value, 'times', 0.7)]),
    of('two threads to one', two?.scaling.value ?? 0, 'times', least),
    of('clean cold tables, two threads', (two?.rate.value ?? 0) / 1e9, 'GB/s', 0),
    ...(reference === undefined
      ? []
      : [of('what two plain C loops at once read: the limit', bandwidth / 1e9, 'GB/s', 0)]),
    of('clean warm tables', measured.warm.value / 1e9, 'GB/s of a core', 0),
    ...measured.dirty.map(({ share, perLeaf }) => of(`a dirty leaf of ${share * 100} %`, perLeaf.value, 'ns', 0)),
  ];
}

/**
 * Two threads over tables that the caches of their cores hold, so that memory is no limit: what the code itself and its threads
 * allow. Each start and wake-up is spread over many scans.
 */
export async function cachedScalingFigures({ loop, rounds }: RateOptions): Promise<readonly Figure[]> {
  const clock = (): number => Number(process.hrtime.bigint());
  const shared = buildSharedTables({ format: VTD, leafShift: 12, bytes: 2 ** 28 });
  const lanes = await HarvestLanes.start(shared, 2);
  const scaling: number[] = [];
  const byCpu: number[] = [];
  const alone: number[] = [];
  const loopScaling: number[] = [];
  try {
    for (const threads of [1, 2]) lanes.harvest(threads, true, CACHED_TURNS);
    for (let round = 0; round < rounds; round++) {
      const rates = new Map<number, number>();
      const cpu = new Map<number, number>();
      // to and fro, so that neither is always the first
      for (const threads of round % 2 === 0 ? [1, 2] : [2, 1]) {
        const used = process.cpuUsage();
        const from = clock();
        lanes.harvest(threads, true, CACHED_TURNS);
        rates.set(threads, (shared.leafBytes * CACHED_TURNS) / (clock() - from));
        const { user, system } = process.cpuUsage(used);
        cpu.set(threads, user + system);
      }
      const one = rates.get(1) ?? Number.NaN;
      alone.push(one);
      scaling.push((rates.get(2) ?? Number.NaN) / one);
      byCpu.push((2 * (cpu.get(1) ?? Number.NaN)) / (cpu.get(2) ?? Number.NaN));
      if (loop === undefined) continue;
      const [single, both] = [1, 2].map((processes) =>
        scanLoopRate(loop, shared.leafBytes, processes, CACHED_TURNS / SCANS),
      );
      loopScaling.push((both ?? Number.NaN) / (single ?? Number.NaN));
    }
  } finally {
    await lanes.stop();
  }
  const name = `harvest of ${shared.leafBytes / 1024} KiB of tables again and again, median of ${rounds} rounds`;
  const command = 'IORR_FULL=1 npx vitest run bench/harvest';
  // two CPUs may be two threads of one core, or others may take turns on them: two plain loops at once say what is to be had
  const had = loopScaling.length === 0 ? 2 : medianOf(loopScaling);
  const least = Math.min(1.8, 0.9 * had);
  return [
    ...(loop === undefined
      ? []
      : [{ name: `${name}: two plain C loops to one`, value: had, unit: 'times', limit: { least: 0 }, command }]),
    { name: `${name}: one thread`, value: medianOf(alone), unit: 'GB/s', limit: { least: 1.5 }, command },
    { name: `${name}: two threads to one`, value: medianOf(scaling), unit: 'times', limit: { least }, command },
    // the same where other programs take turns on the cores
    {
      name: `${name}: two threads to one by CPU time`,
      value: medianOf(byCpu),
      unit: 'times',
      limit: { least },
      command,
    },
  ];
}

/** Two writers and two harvesters over the same tables. */
export async function lossFigures(writes: number): Promise<readonly Figure[]> {
  const command = `harvestUnderWrites, ${writes} writes`;
  const figures: Figure[] = [];
  for (const [format, leafShift] of [[VTD, 12] as const, ['amd-v1', 16] as const]) {
    const bytes = 2 ** leafShift * 65536;
    const run = await harvestUnderWrites({ format, leafShift, bytes, writers: 2, harvesters: 2, writes, seed: 1 });
    const name = `${format}, leaves of 2^${leafShift} bytes, ${run.passes} harvests meanwhile`;
    figures.push({ name: `${name}: writes lost`, value: run.lost, unit: 'writes', limit: { most: 0 }, command });
    const apart = Math.abs(run.sets - run.clears);
    figures.push({
      name: `${name}: bits set and not cleared`,
      value: apart,
      unit: 'bits',
      limit: { most: 0 },
      command,
    });
  }
  return figures;
}

import { Random } from '../../traces/random.ts';
import type { Nanoseconds } from '../../traces/units.ts';
import { runDmaPipeline } from '../time/dma-pipeline.ts';
import type { DmaPipelineCounts } from '../time/dma-pipeline.ts';
import { FIRST_PAGE, ReachCachePool, reachOdds } from './reach-caches.ts';
import type { ReachCaches, ReachGeometry } from './reach-caches.ts';
import type { ReachPoint } from './reach-curve.ts';

/** A unit and a device that a curve may be of. */
export interface ReachMachine {
  readonly geometry: ReachGeometry;
  /** Walks side by side. */
  readonly walkers: number;
  /** One table read of a walk. */
  readonly walkReadNs: Nanoseconds;
  /** Reads that the device has under way at most, where throughput was measured. */
  readonly outstanding: number;
  /** The device takes data in the order of its requests. */
  readonly inOrder: boolean;
  /** From one request to the next at least. */
  readonly requestNs: Nanoseconds;
  /** A read without a walk in windows of which no time without the IOMMU is known. */
  readonly hitNs: Nanoseconds;
}

export function pagesOf(point: ReachPoint): number {
  return Math.max(1, Math.ceil(point.window / 4096));
}

/** A read without a walk in this window: as measured with the IOMMU off, or the machine's own figure. */
export function hitNsOf(machine: ReachMachine, point: ReachPoint): Nanoseconds {
  return point.offNs ?? machine.hitNs;
}

/** Average latency of single reads, without a simulation. */
export function expectedLatency(machine: ReachMachine, point: ReachPoint): Nanoseconds {
  const { miss, walkReads } = reachOdds(machine.geometry, pagesOf(point));
  return hitNsOf(machine, point) + miss * walkReads * machine.walkReadNs;
}

/** Transactions per second of `reads` simulated reads. */
export function simulatedThroughput(
  machine: ReachMachine,
  point: ReachPoint,
  reads: number,
  seed: number,
  pool: ReachCachePool = new ReachCachePool(),
): number {
  // without misses nothing is random: a place is free after each hit (Little's law)
  if (reachOdds(machine.geometry, pagesOf(point)).miss === 0) {
    return 1e9 / Math.max(hitNsOf(machine, point) / machine.outstanding, machine.requestNs);
  }
  const { elapsedNs } = simulate(machine, point, machine.outstanding, reads, seed, pool);
  // n requests are n - 1 intervals
  return (1e9 * (reads - 1)) / elapsedNs;
}

/** Average latency of `reads` simulated single reads. */
export function simulatedLatency(machine: ReachMachine, point: ReachPoint, reads: number, seed: number): Nanoseconds {
  return simulate(machine, point, 1, reads, seed, new ReachCachePool()).latencyNs / reads;
}

/** Reads that bring the pipeline into its stride before anything is counted. */
const WARM_READS = 300;

/** Fills the caches as a long run of such reads would have: all that fits, or a random choice. */
function warmed(geometry: ReachGeometry, pages: number, random: Random, pool: ReachCachePool): ReachCaches {
  const caches = pool.take(geometry);
  for (let table = 0; table < pages; table += PAGES_OF_TABLE) caches.walk(FIRST_PAGE + table);
  const entries = geometry.sets * geometry.ways;
  if (pages <= 2 * entries) {
    for (let page = FIRST_PAGE + pages - 1; page >= FIRST_PAGE; page--) caches.fill(page);
    return caches;
  }
  // each page once at most, as good as at random: with several sets more of them, until all sets are full
  let step = Math.floor(pages * GOLDEN);
  while (divisor(step, pages) !== 1) step++;
  const count = geometry.sets === 1 ? entries : Math.min(pages, 4 * entries);
  let page = random.below(pages);
  for (let i = 0; i < count; i++) {
    caches.fill(FIRST_PAGE + page);
    page = (page + step) % pages;
  }
  return caches;
}

const PAGES_OF_TABLE = 512;
const GOLDEN = 0.6180339887;

/** Greatest common divisor. */
function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}

function simulate(
  machine: ReachMachine,
  point: ReachPoint,
  outstanding: number,
  reads: number,
  seed: number,
  pool: ReachCachePool,
): DmaPipelineCounts {
  const pages = pagesOf(point);
  const random = new Random(seed);
  const caches = warmed(machine.geometry, pages, random, pool);
  const options = {
    outstanding,
    inOrder: machine.inOrder,
    walkers: machine.walkers,
    hitNs: hitNsOf(machine, point),
    walkReadNs: machine.walkReadNs,
    requestNs: outstanding === 1 ? 0 : machine.requestNs,
  };
  return runDmaPipeline(options, caches, () => FIRST_PAGE + random.below(pages), reads, WARM_READS);
}

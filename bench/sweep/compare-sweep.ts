import { genericServer } from '../../replay/costs/generic-server.ts';
import { planPasses } from '../../replay/sweep/passes.ts';
import { runPass } from '../../replay/sweep/run-pass.ts';
import { crossProduct, sweepPoint } from '../../replay/sweep/sweep-point.ts';
import type { SweepPoint, SweepQuestion } from '../../replay/sweep/sweep-point.ts';
import type { Trace } from '../../traces/trace.ts';
import { limitHardware } from '../limit/limit-hardware.ts';

/** Eight numbers of sets by eight associativities, and the one of the speed limit among them. */
const SETS = [1, 2, 4, 8, 16, 32, 64, 128] as const;
const WAYS = [1, 2, 3, 4, 5, 6, 7, 8] as const;
const ONE = [64, 4] as const;

/** Times are medians over the rounds, of CPU time for one event in ns. */
export interface SweepComparison {
  readonly name: string;
  readonly events: number;
  /** Readings of the trace for all points. */
  readonly passes: number;
  readonly points: number;
  readonly one: number;
  readonly all: number;
  /** Median of the rounds' ratios. */
  readonly ratio: number;
  /** The one geometry came out the same in both. */
  readonly agrees: boolean;
}

function pointsOf(
  sets: readonly number[],
  ways: readonly number[],
  counts: SweepQuestion['counts'],
): readonly SweepPoint[] {
  const question: SweepQuestion = { hardware: limitHardware, profile: genericServer, settings: [], counts, seed: 1 };
  const lists = [
    { name: 'iotlb.sets', values: sets },
    { name: 'iotlb.ways', values: ways },
  ];
  return crossProduct(lists).map((values) => sweepPoint('trace', '0', question, values));
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >>> 1] ?? Number.NaN;

/** Plays one geometry and 64 in turns, from decoded columns. */
export async function compareSweep(
  name: string,
  trace: Trace,
  rounds: number,
  counts: SweepQuestion['counts'],
): Promise<SweepComparison> {
  const single = pointsOf([ONE[0]], [ONE[1]], counts);
  const many = pointsOf(SETS, WAYS, counts);
  const play = async (
    points: readonly SweepPoint[],
  ): Promise<{ ns: number; misses: (number | null | undefined)[] }> => {
    const misses: (number | null | undefined)[] = [];
    const before = process.cpuUsage();
    for (const pass of planPasses(points)) {
      for (const result of await runPass(pass, trace)) misses.push(result.metrics['misses']);
    }
    const { user, system } = process.cpuUsage(before);
    return { ns: ((user + system) * 1000) / trace.eventCount, misses };
  };
  const one: number[] = [];
  const all: number[] = [];
  let agrees = true;
  for (let round = 0; round <= rounds; round++) {
    const alone = await play(single);
    const among = await play(many);
    const at = many.findIndex(({ values }) => values['iotlb.sets'] === ONE[0] && values['iotlb.ways'] === ONE[1]);
    agrees &&= alone.misses[0] === among.misses[at];
    // the first round compiles
    if (round === 0) continue;
    one.push(alone.ns);
    all.push(among.ns);
  }
  return {
    name,
    events: trace.eventCount,
    passes: planPasses(many).length,
    points: many.length,
    one: median(one),
    all: median(all),
    ratio: median(all.map((ns, i) => ns / (one[i] ?? Number.NaN))),
    agrees,
  };
}

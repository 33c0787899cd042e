import type { Crossover, CrossoverBoundary } from '../../replay/dirty/crossover-result.ts';
import type { DirtyResult } from '../../replay/dirty/dirty-result.ts';
import { formatBytes, formatCount, formatDecimal, formatNs, formatShare } from '../report/format-units.ts';

const CRITERIA = { cost: 'cost', migration: 'cost and link' } as const;

export const LATENCY_TITLES = [
  'method',
  'page request',
  'standing',
  'latency',
  'device stall',
  'under way',
  'throughput lost',
];

/** What page requests do, by the latency of the parameters and by those that were published; empty without such methods. */
export function latencyRows({ methods }: DirtyResult): readonly (readonly string[])[] {
  return methods.flatMap((row) =>
    (row.pri?.latencies ?? []).map((one) => [
      row.name,
      one.name,
      one.standing,
      formatNs(one.latencyNs),
      formatNs(one.deviceStallNs),
      formatDecimal(one.underWay),
      formatShare(one.throughputLost, 1),
    ]),
  );
}

export const STORM_TITLES = [
  'method',
  'protected',
  'blocks at once',
  'faults',
  'mean',
  'p99',
  'longest',
  'waiting at most',
  'in the queue',
  'overflow',
  'stalled',
  'blocked',
];

/** Page requests of the pass with the most of them, as its blocks are protected at once or in slices. */
export function stormRows({ methods }: DirtyResult): readonly (readonly string[])[] {
  return methods.flatMap((row) =>
    (row.pri?.storms?.storms ?? []).map((one) => [
      row.name,
      one.name,
      formatCount(one.blocksAtOnce),
      formatCount(one.faults),
      formatNs(one.latency.mean),
      formatNs(one.latency.p99),
      formatNs(one.latency.max),
      formatCount(one.waitingMax),
      formatCount(one.queueMax),
      formatShare(one.overflowProbability, 1),
      formatShare(one.stallShare, 1),
      formatShare(one.blockedShare, 1),
    ]),
  );
}

export const BOUNDARY_TITLES = ['method', 'against', 'by', 'at', 'costs less', 'same cost here at'];

type Turn = Pick<CrossoverBoundary, 'wins' | 'dirtyBytesPerSecond'>;

/** `below 450 MiB/s`. */
function turn({ wins, dirtyBytesPerSecond }: Turn): string {
  if (dirtyBytesPerSecond === null) return wins === 'always' ? 'at any rate' : 'at no rate';
  return `${wins} ${formatBytes(dirtyBytesPerSecond)}/s`;
}

function where({ wins, dirtyBytesPerSecond }: Turn): string {
  if (dirtyBytesPerSecond === null) return wins === 'always' ? 'however much is written' : 'nowhere';
  return `where ${wins === 'below' ? 'less' : 'more'} than ${formatBytes(dirtyBytesPerSecond)} becomes dirty in a second`;
}

/** Methods by page requests against those that are not. */
function asked(crossover: Crossover): (boundary: Pick<CrossoverBoundary, 'against'>) => boolean {
  const others = crossover.methods.filter(({ byRequest }) => !byRequest).map(({ name }) => name);
  return ({ against }) => others.length === 0 || others.includes(against);
}

export function boundaryRows({ crossover }: DirtyResult): readonly (readonly string[])[] {
  if (crossover === null) return [];
  const here = crossover.scales.indexOf(1);
  return crossover.maps.flatMap(({ criterion, boundaries }) =>
    boundaries.filter(asked(crossover)).map((boundary) => {
      const at = boundary.latencyNs[here] ?? null;
      return [
        boundary.method,
        boundary.against,
        CRITERIA[criterion],
        formatNs(boundary.atLatencyNs),
        turn(boundary),
        at === null ? '-' : formatNs(at),
      ];
    }),
  );
}

/** Titles and rows of the boundaries by link: a column for each. */
export function linkRows({ crossover }: DirtyResult): readonly (readonly string[])[] {
  if (crossover === null) return [];
  const pairs = crossover.links[0]?.boundaries.filter(asked(crossover)) ?? [];
  const rows = pairs.map(({ method, against }) => [
    method,
    against,
    ...crossover.links.map(({ boundaries }) => {
      const found = boundaries.find((one) => one.method === method && one.against === against);
      return found === undefined ? '-' : turn(found);
    }),
  ]);
  const titles = crossover.links.map(
    ({ linkBytesPerSecond }) => `${formatDecimal((linkBytesPerSecond * 8) / 1e9)} Gbit/s`,
  );
  return [['method', 'against', ...titles], ...rows];
}

/** Where page requests pay, in one sentence; empty where they are not compared. */
export function crossoverSentence({ crossover }: DirtyResult): string {
  const map = crossover?.maps[0];
  if (crossover === null || map === undefined) return '';
  const parts = map.boundaries.filter(asked(crossover)).map((boundary) => {
    const { method, against, atLatencyNs } = boundary;
    return `${method} at ${formatNs(atLatencyNs)} a request costs less than ${against} ${where(boundary)}`;
  });
  return parts.length === 0 ? '' : `By processors and waits, ${parts.slice(0, 2).join('; ')}.`;
}

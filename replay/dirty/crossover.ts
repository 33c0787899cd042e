import type { Nanoseconds } from '../../traces/units.ts';
import { leastCost } from './cost-lines.ts';
import type { CostLine } from './cost-lines.ts';
import type {
  Crossover,
  CrossoverBoundary,
  CrossoverCheck,
  CrossoverMap,
  CrossoverMark,
  CrossoverMethod,
} from './crossover-result.ts';
import { noCounts } from './dirty-counts.ts';
import type { DirtyCounts } from './dirty-counts.ts';
import type { DirtyMethodFactory, DirtyPlanRule } from './dirty-method.ts';
import type { HarvestCosts } from './harvest-costs.ts';
import type { WriteStream } from './write-stream.ts';
import { writtenBlocks } from './written-blocks.ts';

const PAGE_SHIFT = 12;
const PAGE_BYTES = 4096;
const LARGE = 21;
const TABLE_BITS = 9;
/** 2^-14 to 2^4 times as fast, in steps of half an octave. */
const SLOWEST = -28;
const FASTEST = 8;
/** Numbers of requests that differ by less are the same. */
const SAME = 1e-9;
const GBIT = 1e9 / 8;
const LINKS = [1, 10, 25, 100, 400].map((gbit) => gbit * GBIT);

/** A method as it ran on the trace: sums over its harvests. */
export interface MeasuredMethod {
  readonly name: string;
  readonly method: DirtyMethodFactory;
  readonly rule: DirtyPlanRule;
  readonly costs: HarvestCosts;
  /** Of the harvests; of everything. */
  readonly counts: DirtyCounts;
  readonly tracking: DirtyCounts;
  /** Of a run that tracks nothing. */
  readonly untracked: { readonly misses: number; readonly walkReads: number };
  readonly reported: number;
  readonly ranges: number;
  readonly unmapNs: Nanoseconds;
  readonly chunkPages: number;
}

export interface CrossoverOptions {
  readonly stream: WriteStream;
  readonly methods: readonly MeasuredMethod[];
  readonly harvests: number;
  readonly intervalNs: Nanoseconds;
  readonly linkBytesPerSecond: number;
  readonly marks: readonly CrossoverMark[];
  /** Names of methods that take no part. */
  readonly left: readonly string[];
  /** Runs a method on the writes at a scale; tells the cost of a pass. */
  readonly run: (name: string, scale: number) => Nanoseconds;
  /** Scales that are run. */
  readonly checked: readonly number[];
}

/** How fast the writes come, beside the trace's own. */
export function crossoverScales(): readonly number[] {
  return Array.from({ length: FASTEST - SLOWEST + 1 }, (_, i) => 2 ** ((SLOWEST + i) / 2));
}

/**
 * Scales what methods did on a trace to writes that come faster or slower. Harvests stay where they are, so that each sees a
 * window of the trace that is longer or shorter: what is written in it is known exactly (`writtenBlocks`), and all counts
 * that come of writes grow with it; scans do not.
 */
export function crossover(options: CrossoverOptions): Crossover {
  const { stream, intervalNs, harvests, linkBytesPerSecond } = options;
  const scales = crossoverScales();
  const one = scales.indexOf(1);
  const windows = scales.map((scale) => scale * intervalNs);
  const known = new Map<number, readonly number[]>();
  const written = (shift: number): readonly number[] => {
    const found = known.get(shift) ?? writtenBlocks(stream, shift, windows);
    known.set(shift, found);
    return found;
  };
  const pages = written(PAGE_SHIFT);
  const growth = (shift: number): readonly number[] => {
    const blocks = written(shift);
    const now = blocks[one]!;
    return blocks.map((count) => (now === 0 ? 0 : count / now));
  };
  const dirtyBytesPerSecond = pages.map((count) => (count * PAGE_BYTES * 1e9) / intervalNs);
  const scaled = options.methods.map((method) => {
    const { told, scannedLeaf } = method.rule;
    const grown = {
      told: growth(told),
      tables: growth((told >= LARGE ? LARGE : PAGE_SHIFT) + TABLE_BITS),
      chunks: growth(PAGE_SHIFT + Math.log2(method.chunkPages)),
    };
    const passes = scales.map((scale, i) =>
      onePass(method, harvests, {
        told: grown.told[i]!,
        tables: scannedLeaf > 0 ? 1 : grown.tables[i]!,
        chunks: grown.chunks[i]!,
        scale,
      }),
    );
    return {
      measured: method,
      own: ownLatency(method),
      costs: {
        name: method.name,
        byRequest: method.method.sets === 'page-request',
        ofDevices: method.method.sets !== 'fault',
        fixedNs: passes.map((pass) => pass.fixedNs),
        requests: passes.map((pass) => pass.requests),
        reportedBytes: grown.told.map((factor) => (factor * method.reported * PAGE_BYTES) / harvests),
        saturatedNs: passes.map(({ requests }) =>
          requests === 0 ? null : (method.costs.faults.together * intervalNs) / requests,
        ),
      } satisfies CrossoverMethod,
    };
  });
  const map = (criterion: CrossoverMap['criterion'], link: number): CrossoverMap => {
    const lines = scales.map((_, i) =>
      scaled.map(({ costs: { name, fixedNs, requests, reportedBytes } }): CostLine => {
        const onLink = link === 0 ? 0 : (reportedBytes[i]! / link) * 1e9;
        return { name, fixed: fixedNs[i]! + onLink, slope: requests[i]! };
      }),
    );
    return {
      criterion,
      winners: lines.map((here) => leastCost(here.filter((_, m) => scaled[m]?.costs.ofDevices === true))),
      boundaries: scaled
        .filter(({ costs }) => costs.byRequest)
        .flatMap(({ costs: { name }, own }) =>
          scaled
            .filter(({ costs }) => costs.name !== name)
            .map(({ costs }) => boundary(name, costs.name, own, lines, dirtyBytesPerSecond)),
        ),
    };
  };
  const checks = options.checked.flatMap((scale) =>
    scaled.map(({ measured: { name }, costs, own }): CrossoverCheck => {
      const i = scales.indexOf(scale);
      const formulaNs = costs.fixedNs[i]! + costs.requests[i]! * own;
      return { scale, method: name, formulaNs, runNs: options.run(name, scale) };
    }),
  );
  return {
    intervalNs,
    scales,
    dirtyBytesPerSecond,
    methods: scaled.map(({ costs }) => costs),
    marks: options.marks,
    maps: [map('cost', 0), map('migration', linkBytesPerSecond)],
    links: LINKS.map((link) => ({
      linkBytesPerSecond: link,
      boundaries: map('migration', link).boundaries.map(
        ({ method, against, wins, atLatencyNs, dirtyBytesPerSecond: turn }) => ({
          method,
          against,
          wins,
          atLatencyNs,
          dirtyBytesPerSecond: turn,
        }),
      ),
    })),
    checks,
    left: options.left,
  };
}

/** Mean latency of the requests of a row, by its parameters. */
function ownLatency({ costs, tracking, untracked }: MeasuredMethod): Nanoseconds {
  return tracking.faults === 0 ? 0 : costs.faults.waits(tracking, untracked.walkReads).faultNs / tracking.faults;
}

/** Factors of what is counted in one pass. */
interface Growth {
  readonly told: number;
  readonly tables: number;
  readonly chunks: number;
  readonly scale: number;
}

interface PassCost {
  readonly fixedNs: Nanoseconds;
  readonly requests: number;
}

/** Counts of one pass, scaled, and what they cost apart from the latency of page requests. */
function onePass(measured: MeasuredMethod, harvests: number, { told, tables, chunks, scale }: Growth): PassCost {
  const { costs, counts, tracking } = measured;
  const counted = noCounts();
  counted.calls = counts.calls / harvests;
  counted.bitmapBytes = counts.bitmapBytes / harvests;
  counted.entriesRead = (counts.entriesRead / harvests) * tables;
  counted.tablesVisited = (counts.tablesVisited / harvests) * tables;
  counted.entriesCleared = (counts.entriesCleared / harvests) * told;
  counted.ringEntries = (counts.ringEntries / harvests) * told;
  counted.flushes = (counts.flushes / harvests) * chunks;
  const part = costs.part(counted, (measured.ranges / harvests) * told);
  const writers = noCounts();
  for (const name of ['faults', 'updates', 'retranslations'] as const) {
    writers[name] = (tracking[name] / harvests) * told;
  }
  const walks = addedWalks(measured);
  writers.walkReads = (walks.ofAccesses * scale + walks.ofFirstWrites * told) / harvests;
  // linear in the latency: two points give the line
  const near = costs.faults.waits(writers, 0, 1);
  const far = costs.faults.waits(writers, 0, 2);
  const requests = far.stallNs - near.stallNs;
  const fixedNs =
    costs.wall([part], 1, 0) + near.hostNs + near.stallNs - requests + (measured.unmapNs / harvests) * scale;
  return { fixedNs, requests };
}

/** Walk reads beyond those of a run that tracks nothing: of every access, where leaves became smaller, and of first writes. */
function addedWalks({ method, rule, tracking, untracked }: MeasuredMethod): {
  readonly ofAccesses: number;
  readonly ofFirstWrites: number;
} {
  const added = Math.max(0, tracking.walkReads - untracked.walkReads);
  const smaller = method.sets !== 'hardware' && rule.told < LARGE;
  const walked = tracking.misses + tracking.retranslations;
  const each = walked === 0 ? 0 : tracking.walkReads / walked;
  const ofAccesses = smaller ? Math.min(added, Math.max(0, tracking.misses - untracked.misses) * each) : 0;
  return { ofAccesses, ofFirstWrites: added - ofAccesses };
}

function boundary(
  method: string,
  against: string,
  atLatencyNs: Nanoseconds,
  lines: readonly (readonly CostLine[])[],
  rates: readonly number[],
): CrossoverBoundary {
  const pairs = lines.map((here) => ({
    mine: here.find(({ name }) => name === method)!,
    other: here.find(({ name }) => name === against)!,
  }));
  const latencyNs = pairs.map(({ mine, other }): Nanoseconds | null => {
    const more = mine.slope - other.slope;
    const at = (other.fixed - mine.fixed) / more;
    return at > 0 && Math.abs(more) > mine.slope * SAME ? at : null;
  });
  // what the method saves
  const saved = pairs.map(
    ({ mine, other }) => other.fixed + other.slope * atLatencyNs - mine.fixed - mine.slope * atLatencyNs,
  );
  const first = saved[0]! >= 0;
  const turn = saved.findIndex((ns) => ns >= 0 !== first);
  if (turn < 0) {
    return { method, against, latencyNs, wins: first ? 'always' : 'never', atLatencyNs, dirtyBytesPerSecond: null };
  }
  const share = saved[turn - 1]! / (saved[turn - 1]! - saved[turn]!);
  const [low, high] = [rates[turn - 1]!, rates[turn]!];
  const dirtyBytesPerSecond = low > 0 ? low * (high / low) ** share : high;
  return { method, against, latencyNs, wins: first ? 'below' : 'above', atLatencyNs, dirtyBytesPerSecond };
}

import { derivationCaveats, deriveIntents } from '../../replay/engine/derived-trace.ts';
import { replayTrace } from '../../replay/engine/replay.ts';
import { isStackHardware, lruHardware } from '../../replay/distances/lru-hardware.ts';
import { missCurveSteps } from '../../replay/distances/miss-curve.ts';
import type { CurvePart, CurvePoint, MissCurve } from '../../replay/distances/miss-curve.ts';
import type { PageSample } from '../../replay/distances/page-sample.ts';
import { parameterOf } from '../../replay/hardware/profile.ts';
import type { HardwareProfile } from '../../replay/hardware/profile.ts';
import { withSettings } from '../../replay/hardware/profiles.ts';
import type { IotlbCounts, ProfileParameter } from '../../replay/results.ts';
import type { Trace } from '../../traces/trace.ts';
import type { DomainId, RequesterId } from '../../traces/units.ts';
import { kneeOf, reachOfShare } from './knee.ts';

/** Ways of caches with sets that are told beside those without. */
const WAYS = [1, 2, 4, 8, 16] as const;
const SETS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096] as const;
/** Shares of what any size can hit. */
const SHARES = [0.5, 0.9, 0.99, 0.999] as const;

/** The IOTLB of the chosen hardware, replayed. */
export interface ChosenIotlb {
  readonly organisation: HardwareProfile['iotlb'];
  /** Of one bank; null where sizes have banks of their own, or there are no sets. */
  readonly sets: number | null;
  readonly ways: number | null;
  readonly entries: number;
  /** One bank, least recently used replaced: a geometry of the curves. */
  readonly onCurve: boolean;
  /** Null of a sample. */
  readonly iotlb: IotlbCounts | null;
}

/** A device or domain: what it misses at each size of the curve, and at which size it has 99 % of what it can hit. */
export interface IotlbPart extends CurvePart {
  readonly entries99: number | null;
}

export interface IotlbResult {
  readonly hardware: string;
  readonly lookups: number;
  /** Null where all lookups were followed. */
  readonly sample: { readonly rate: number; readonly seed: number; readonly lookups: number } | null;
  readonly chosen: ChosenIotlb;
  /** Fully associative, least recently used replaced. */
  readonly curve: readonly CurvePoint[];
  /** Misses that no size avoids: compulsory, and what commands took away. */
  readonly unavoidable: number;
  readonly knee: { readonly entries: number; readonly missRatio: number } | null;
  /** The smallest size that has this share of what any size can hit. */
  readonly reach: readonly { readonly share: number; readonly entries: number }[];
  /** By ways: misses of so many sets of them. Empty of a sample. */
  readonly associativity: readonly {
    readonly ways: number;
    readonly points: readonly {
      readonly sets: number;
      readonly entries: number;
      readonly misses: number;
      readonly conflict: number;
    }[];
  }[];
  readonly devices: readonly (IotlbPart & { readonly rid: RequesterId })[];
  readonly domains: readonly (IotlbPart & { readonly domain: DomainId })[];
  /** Lookups where sizes may have gone different ways (`StackDistances.inexact`): 0 where all counts are exact. */
  readonly inexact: number;
  /** Sizes and geometries were each replayed, since one stack does not tell them. */
  readonly separate: boolean;
  readonly parameters: readonly ProfileParameter[];
  readonly caveats: readonly string[];
}

export interface IotlbOptions {
  readonly hardware: HardwareProfile;
  readonly driver?: string;
  readonly sample?: { readonly pages: PageSample; readonly seed: number };
}

/** What every size of the IOTLB would miss on a trace's recorded accesses, and where the chosen one stands. */
export function analyzeIotlb(recording: Trace, { hardware, driver, sample }: IotlbOptions): IotlbResult {
  const derived = deriveIntents(recording, driver);
  const trace = derived ?? recording;
  const replayed = sample === undefined ? replayTrace(trace, { hardware }) : undefined;
  const { entries, sets, ways } = sizeOf(hardware);
  const steps = missCurveSteps(trace, {
    hardware,
    also: entries > 0 ? [entries] : [],
    ...(sample === undefined ? { sets: SETS, ways: WAYS.at(-1) ?? 1 } : { sample: sample.pages }),
  });
  const curve = lastOf(steps);
  const inexact = curve.distances.inexact();
  const separate = inexact > 0 && sample === undefined;
  const points = separate ? replayPoints(trace, hardware, curve.points) : curve.points;
  const last = points.at(-1);
  const most = last?.entries ?? 1;
  return {
    hardware: hardware.name,
    lookups: curve.lookups,
    sample: sample === undefined ? null : { rate: sample.pages.rate, seed: sample.seed, lookups: curve.followed },
    chosen: {
      organisation: hardware.iotlb,
      sets,
      ways,
      entries,
      onCurve: isStackHardware(hardware),
      iotlb: replayed?.iotlb ?? null,
    },
    curve: points,
    unavoidable: last?.misses ?? 0,
    knee: kneeOf(points),
    reach: SHARES.map((share) => ({ share, entries: reachOfShare(points, share) ?? most })),
    associativity: sample === undefined ? associativity(trace, hardware, curve, most, separate) : [],
    devices: curve.devices.map((part) => withReach(part, points)),
    domains: curve.domains.map((part) => withReach(part, points)),
    inexact,
    separate,
    parameters: hardware.parameters,
    caveats: [
      ...(derived === undefined ? [] : derivationCaveats(derived)),
      ...(replayed?.caveats ?? []),
      ...caveatsOf(hardware, curve, sample),
    ],
  };
}

function lastOf<T>(steps: Generator<unknown, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** Entries in all, and sets and ways of a single bank. */
function sizeOf(hardware: HardwareProfile): { entries: number; sets: number | null; ways: number | null } {
  if (hardware.iotlb === 'none') return { entries: 0, sets: null, ways: null };
  if (hardware.iotlb !== 'set-associative') {
    return { entries: parameterOf(hardware, 'iotlb.capacity'), sets: null, ways: null };
  }
  const value = (name: string): number => parameterOf(hardware, `iotlb.${name}`);
  const banks = ['', 'large-', 'huge-'].map((bank) => value(`${bank}sets`) * value(`${bank}ways`));
  const entries = banks.reduce((sum, count) => sum + count, 0);
  const single = banks[0] === entries;
  return { entries, sets: single ? value('sets') : null, ways: single ? value('ways') : null };
}

/** Each size by a replay of its own. */
function replayPoints(trace: Trace, hardware: HardwareProfile, points: readonly CurvePoint[]): readonly CurvePoint[] {
  return points.map((point) => {
    const counts = replayTrace(trace, { hardware: lruHardware(hardware, point.entries) }).iotlb;
    return { ...point, ...counts };
  });
}

/** Geometries up to twice the size that has all that can be had. */
function associativity(
  trace: Trace,
  hardware: HardwareProfile,
  { distances }: MissCurve,
  most: number,
  separate: boolean,
): IotlbResult['associativity'] {
  return WAYS.map((ways) => ({
    ways,
    points: SETS.filter((sets) => sets === 1 || sets * ways <= 2 * most).map((sets) => {
      const settings = [`iotlb.sets=${sets}`, `iotlb.ways=${ways}`];
      const own = separate
        ? replayTrace(trace, { hardware: withSettings(lruHardware(hardware, 1), settings) }).iotlb
        : null;
      const { misses, causes } = own ?? distances.withSets(sets, ways);
      return { sets, entries: sets * ways, misses, conflict: causes.conflict };
    }),
  }));
}

function withReach<T extends CurvePart>(part: T, points: readonly CurvePoint[]): T & IotlbPart {
  const own = points.map(({ entries }, i) => ({ entries, lookups: part.lookups, misses: part.misses[i] ?? 0 }));
  return { ...part, entries99: reachOfShare(own, 0.99) };
}

function caveatsOf(hardware: HardwareProfile, curve: MissCurve, sample: IotlbOptions['sample']): readonly string[] {
  const inexact = curve.distances.inexact();
  return [
    ...(isStackHardware(hardware)
      ? []
      : [
          `the IOTLB of ${hardware.name} is none that replaces the least recently used entry of one bank: its curves are those of one that does`,
        ]),
    ...(curve.distances.evicted() > 0
      ? [`more than ${curve.capacity} pages at a time: larger sizes are not followed, sets only about`]
      : []),
    ...(inexact > 0
      ? [
          sample === undefined
            ? `${inexact} lookups depend on what else a size holds (a stale translation, or one of another size): each size was replayed by itself; devices and domains are about right`
            : `${inexact} lookups depend on what else a size holds (a stale translation, or one of another size): figures are about right`,
        ]
      : []),
    ...(sample === undefined
      ? []
      : [
          `${(sample.pages.rate * 100).toPrecision(3)} % of the pages were followed (seed ${sample.seed}): misses are estimates, with their standard errors; the chosen geometry was not replayed`,
        ]),
  ];
}

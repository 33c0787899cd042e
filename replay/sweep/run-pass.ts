import type { Trace } from '../../traces/trace.ts';
import { accessModel } from '../access/access-models.ts';
import { distanceSteps } from '../distances/miss-curve.ts';
import { compareTrace } from '../engine/compare.ts';
import { derivationCaveats, deriveIntents } from '../engine/derived-trace.ts';
import { replaySteps } from '../engine/replay.ts';
import { parameterOf } from '../hardware/profile.ts';
import { countPass, missMetrics } from './count-pass.ts';
import { clonedTrace } from './cloned-trace.ts';
import { planPasses } from './passes.ts';
import type { SweepPass } from './passes.ts';
import type { ResolvedPoint } from './resolve-point.ts';
import { designMetrics, iotlbMetrics, replayMetrics } from './sweep-metrics.ts';
import type { SweepPoint, SweepResult } from './sweep-point.ts';

/** Told how much of a pass is done, 0 to 1. */
export type PassProgress = (share: number) => void;

/** Runs one point by itself: the same figures as in any pass. */
export async function runPoint(point: SweepPoint, trace: Trace): Promise<SweepResult> {
  const [pass] = planPasses([point]);
  if (pass === undefined) throw new RangeError('a point makes a pass');
  const [result] = await runPass(pass, trace);
  if (result === undefined) throw new RangeError('a pass answers each of its points');
  return result;
}

/** Results of the pass's points, in their order. They depend on the points and the trace alone. */
export async function runPass(
  pass: SweepPass,
  recording: Trace,
  progress: PassProgress = () => undefined,
): Promise<readonly SweepResult[]> {
  const [first] = pass.points;
  if (first === undefined) return [];
  if (first.tenants === 1) return runAlone(pass, recording, progress);
  const { trace, caveats } = clonedTrace(recording, first);
  const results = await runAlone(pass, trace, progress);
  return results.map((result) => ({ ...result, caveats: [...caveats, ...result.caveats] }));
}

async function runAlone(pass: SweepPass, trace: Trace, progress: PassProgress): Promise<readonly SweepResult[]> {
  if (pass.points[0]?.point.question.counts === 'misses' && pass.kind !== 'designs') {
    const counted = countPass(pass, trace, progress);
    if (counted !== undefined) return counted;
    const results = await runWhole(pass, trace, progress);
    return results.map(({ metrics, ...result }) => ({
      ...result,
      metrics: missMetrics(metrics['lookups'] ?? null, metrics['misses'] ?? null),
    }));
  }
  return runWhole(pass, trace, progress);
}

async function runWhole(pass: SweepPass, trace: Trace, progress: PassProgress): Promise<readonly SweepResult[]> {
  switch (pass.kind) {
    case 'stacks':
      return byStacks(pass.points, trace, progress) ?? replayedAll(pass.points, trace, progress);
    case 'designs':
      return compared(pass.points, trace, progress);
    default:
      return replayedAll(pass.points, trace, progress);
  }
}

function resultOf({ point }: ResolvedPoint, metrics: SweepResult['metrics'], caveats: readonly string[]): SweepResult {
  return { id: point.id, metrics, caveats };
}

/** Undefined where one stack does not tell what every geometry does. */
function byStacks(
  points: readonly ResolvedPoint[],
  recording: Trace,
  progress: PassProgress,
): readonly SweepResult[] | undefined {
  const [first] = points;
  if (first === undefined) return [];
  const derived = deriveIntents(recording, first.point.question.driver);
  const trace = derived ?? recording;
  const geometry = ({ hardware }: ResolvedPoint): readonly [sets: number, ways: number] => [
    parameterOf(hardware, 'iotlb.sets'),
    parameterOf(hardware, 'iotlb.ways'),
  ];
  const split = points.map(geometry).filter(([sets]) => sets > 1);
  const sets = [...new Set(split.map(([count]) => count))].sort((a, b) => a - b);
  const ways = Math.max(1, ...split.map(([, count]) => count));
  const steps = distanceSteps(trace, { hardware: first.hardware, sets, ways });
  for (;;) {
    const step = steps.next();
    if (step.done !== true) {
      progress(step.value / Math.max(1, trace.eventCount));
      continue;
    }
    const distances = step.value;
    if (distances.inexact() > 0) return undefined;
    const caveats = derived === undefined ? [] : derivationCaveats(derived);
    return points.map((point) => {
      const [count, size] = geometry(point);
      const counts = count === 1 ? distances.full(size) : distances.withSets(count, size);
      return resultOf(point, iotlbMetrics(counts.lookups > 0 ? counts : null), caveats);
    });
  }
}

function replayedAll(points: readonly ResolvedPoint[], trace: Trace, progress: PassProgress): readonly SweepResult[] {
  return points.map((point, i) => replayed(point, trace, (share) => progress((i + share) / points.length)));
}

function replayed(resolved: ResolvedPoint, trace: Trace, progress: PassProgress): SweepResult {
  const { hardware, point } = resolved;
  const { access, seed, driver, counts } = point.question;
  const steps = replaySteps(trace, {
    hardware,
    ...(driver === undefined ? {} : { driver }),
    ...(access === undefined || access === 'recorded' ? {} : { accesses: { factory: accessModel(access), seed } }),
  });
  let step = steps.next();
  for (; step.done !== true; step = steps.next()) progress(step.value / Math.max(1, trace.eventCount));
  const result = step.value;
  const all = counts === 'all';
  // of misses alone only where maps come from is to be said: as a pass for many says
  const derived = all ? undefined : deriveIntents(trace, driver);
  const caveats = all ? result.caveats : derived === undefined ? [] : derivationCaveats(derived);
  return resultOf(resolved, all ? replayMetrics(result) : iotlbMetrics(result.iotlb), caveats);
}

/** Rows of one comparison on the same hardware. */
async function compared(
  points: readonly ResolvedPoint[],
  trace: Trace,
  progress: PassProgress,
): Promise<readonly SweepResult[]> {
  const [first] = points;
  if (first === undefined) return [];
  const { access, seed, driver } = first.point.question;
  const distinct = <T>(values: readonly T[]): readonly T[] => [...new Set(values)];
  const cores = distinct(points.flatMap((point) => (point.cores === undefined ? [] : [point.cores])));
  const byPath = new Map<string, ResolvedPoint[]>();
  for (const point of points) byPath.set(point.path, [...(byPath.get(point.path) ?? []), point]);
  const results = new Map<ResolvedPoint, SweepResult>();
  let done = 0;
  for (const [path, rows] of byPath) {
    const designs = distinct(rows.flatMap((row) => (row.design === undefined ? [] : [row.design])));
    const result = await compareTrace(trace, {
      designs,
      paths: [path],
      hardware: first.hardware,
      profile: first.profile,
      parameters: first.parameters,
      seed,
      cores: [...cores].sort((a, b) => a - b),
      ...(access === undefined ? {} : { access }),
      ...(driver === undefined ? {} : { driver }),
      progress: (events) => progress((done + events / Math.max(1, trace.eventCount)) / byPath.size),
    });
    done++;
    if (result === undefined) throw new RangeError('nobody aborts a pass');
    for (const row of rows) {
      const own = result.designs[designs.indexOf(row.design ?? '')];
      if (own === undefined) throw new RangeError('each design of a pass has a row');
      // what the figures rest on is told of all rows together: it would depend on who else is in the pass
      results.set(row, resultOf(row, designMetrics(own, row.cores), []));
    }
  }
  return points.map((point) => results.get(point)!);
}

import type { Trace } from '../../traces/trace.ts';
import { costsOf } from '../costs/cost-profile.ts';
import type { CostProfile } from '../costs/cost-profile.ts';
import { PUBLISHED_LATENCIES } from '../faults/pri-parameters.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { crossover } from './crossover.ts';
import type { MeasuredMethod } from './crossover.ts';
import type { Crossover } from './crossover-result.ts';
import { dirtyCaveats, largestRun } from './dirty-caveats.ts';
import { dirtyMethods } from './dirty-methods.ts';
import type { NamedMethod } from './dirty-methods.ts';
import type { DirtyMethodOptions, DirtyPlanRule } from './dirty-method.ts';
import { dirtyParameter, dirtyParameterTable, recordedParameters } from './dirty-parameters.ts';
import type { DirtyParameter } from './dirty-parameters.ts';
import { throughputLost } from './wait-costs.ts';
import { planHarvest } from './dirty-plan.ts';
import type { DirtyPlan, DirtyResult, DirtyRow, DirtyThreads, FaultStorms } from './dirty-result.ts';
import { faultStorms } from './fault-storms.ts';
import { HarvestCosts } from './harvest-costs.ts';
import { harvestTimes, studyHarvests } from './harvest-study.ts';
import type { HarvestStudy, HarvestTimes } from './harvest-study.ts';
import { harvestTables } from './harvest-tables.ts';
import type { HarvestTables } from './harvest-tables.ts';
import { adBits } from './methods/ad-bits.ts';
import { smallestLeaf } from './methods/split-leaves.ts';
import { preCopy } from './pre-copy.ts';
import { priFigures } from './pri-figures.ts';
import { requestDevices } from './request-devices.ts';
import { Tracking, mappedAtStart } from './tracking.ts';
import { readWriteStream, withoutReads } from './write-stream.ts';
import type { WriteStream } from './write-stream.ts';
import { inWritersTime } from './writers-time.ts';
import { withHiddenWrites } from './hidden-writes.ts';

const PAGE_BYTES = 4096;
const GIB = 2 ** 30;
/** Scales of the crossover that are run too, as many as are asked for. */
const CHECKED = [0.25, 4, 0.0625, 2];
const USUAL_LINK = 1.25e9;
const USUAL_DOWNTIME = 300e6;

export interface CompareDirtyOptions {
  /** `ad-bits@4k,split-on-dirty`. */
  readonly methods: string;
  /** `auto`, or a name of `HARVEST_TABLES`. */
  readonly tables: string;
  /** Numbers of harvest threads. */
  readonly threads: readonly number[];
  readonly hardware: HardwareProfile;
  readonly profile: CostProfile;
  /** Null: as the trace's migration was told, else 10 Gbit/s and 300 ms. */
  readonly linkBytesPerSecond: number | null;
  readonly downtimeLimitNs: number | null;
  /** Bytes of memory that each method is planned for; 0: none. */
  readonly planBytes: number;
  readonly parameters: ReadonlyMap<string, number>;
  readonly seed: number;
  /** Told how much is done, of 1. */
  readonly progress?: (share: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Lets every method find out about the writes of a trace: what it reports, what it costs with each number of threads, and what
 * a migration makes of it. Returns undefined if it was aborted.
 */
export async function compareDirty(trace: Trace, options: CompareDirtyOptions): Promise<DirtyResult | undefined> {
  const { hardware, profile, signal } = options;
  const tables = harvestTables(options.tables, hardware);
  const methods = dirtyMethods(options.methods, tables);
  const stream = readWriteStream(trace, undefined, signal);
  if (stream === undefined) return undefined;
  const { migration } = stream;
  // what the trace's migration was told, behind what the user says
  const given = recordedParameters(migration, profile.dirty);
  const parameter = dirtyParameter(options.parameters, given);
  const linkBytesPerSecond = options.linkBytesPerSecond ?? migration?.linkBytesPerSecond ?? USUAL_LINK;
  const downtimeLimitNs = options.downtimeLimitNs ?? migration?.downtimeLimitNs ?? USUAL_DOWNTIME;
  const migrated = withHiddenWrites(inWritersTime(stream));
  const times = harvestTimes(stream, parameter('dirty.interval') * 1e6);
  const mapped = mappedAtStart(stream);
  const run: Run = {
    options,
    parameter,
    tables,
    stream,
    migrated,
    writes: withoutReads(migrated),
    linkBytesPerSecond,
    downtimeLimitNs,
    times,
    mapped,
    untracked: new Map(),
  };
  const steps = methods.length * (options.threads.length + 1);
  let done = 0;
  const rows: DirtyRow[] = [];
  const measured: MeasuredMethod[] = [];
  for (const method of methods) {
    const { tracking, counts, costs } = begin(run, method);
    const study = studyHarvests(tracking, counts, times);
    options.progress?.(++done / steps);
    const threads: DirtyThreads[] = [];
    for (const count of options.threads) {
      // between runs, so that Ctrl-C is seen
      await nextTurn();
      if (signal?.aborted === true) return undefined;
      threads.push(withThreads(run, method, costs, study, count));
      options.progress?.(++done / steps);
    }
    const row = rowOf(run, method, { tracking, study, threads, costs });
    rows.push(row);
    const rule = method.method.plan(method.value);
    if (rule !== undefined && !method.method.logsAgain) measured.push(measuredOf(run, method, rule, { row, costs }));
  }
  return {
    hardware: hardware.name,
    profile: profile.name,
    tables: tables.name,
    source: stream.source,
    events: stream.length,
    startNs: stream.startNs,
    durationNs: stream.endNs - stream.startNs,
    memoryBytes: mapped * PAGE_BYTES,
    harvests: times.at.length,
    interval: times.interval,
    linkBytesPerSecond,
    downtimeLimitNs,
    recorded: migration?.outcome ?? null,
    methods: rows,
    crossover: crossoverOf(run, methods, measured, rows),
    parameters: [...hardware.parameters, ...profile.parameters, ...dirtyParameterTable(options.parameters, given)],
    caveats: dirtyCaveats({
      stream,
      tables,
      methods,
      rows,
      options: methodOptions(run),
      devices: requestDevices(trace.header.machine),
    }),
  };
}

interface Run {
  readonly options: CompareDirtyOptions;
  readonly parameter: DirtyParameter;
  readonly tables: HarvestTables;
  readonly stream: WriteStream;
  /** The same in the time of its writers, and that without reads. */
  readonly migrated: WriteStream;
  readonly writes: WriteStream;
  readonly linkBytesPerSecond: number;
  readonly downtimeLimitNs: number;
  readonly times: HarvestTimes;
  /** Pages that are mapped where the tracking begins. */
  readonly mapped: number;
  /** By leaf size: misses and walk reads of the stream when nothing is tracked. */
  readonly untracked: Map<number, { readonly misses: number; readonly walkReads: number }>;
}

interface Begun {
  readonly tracking: Tracking;
  readonly counts: HarvestStudy['counts'];
  readonly costs: HarvestCosts;
}

function methodOptions({ options, tables, parameter }: Run): DirtyMethodOptions {
  return {
    hardware: options.hardware,
    tables,
    flush: parameter('dirty.flush') !== 0,
    contiguousDefect: parameter('dirty.contiguous-defect') !== 0,
    mergeAfter: Math.round(parameter('dirty.merge-after')),
  };
}

/** Pages of a harvest call over so many bytes of memory: a power of two, and never less than a leaf. */
function chunkPages({ parameter, options }: Run, { method, value }: NamedMethod, bytes: number): number {
  const set = parameter('dirty.chunk');
  const wanted = set > 0 ? set * 2 ** 20 : Math.min(GIB, bytes / Math.max(...options.threads));
  const power = Math.floor(Math.log2(Math.max(1, wanted / PAGE_BYTES)));
  return 2 ** Math.max(power, method.untrackedLeaf(value) - 12);
}

/** A method at the start of the stream; `migrating`: what its accesses cost is not asked for. */
function begin(run: Run, row: NamedMethod, migrating = false): Begun {
  const { stream, options, parameter } = run;
  const set = methodOptions(run);
  const method = row.method.create(row.value, set);
  const firstWrites = migrating && set.flush && !row.method.logsAgain;
  const costs = new HarvestCosts(costsOf(options.profile), parameter, row.method, stream.source === 'ram');
  const tracking = new Tracking({
    stream: firstWrites ? run.writes : migrating ? run.migrated : stream,
    method,
    costs,
    chunkPages: chunkPages(run, row, run.mapped * PAGE_BYTES),
    firstWrites,
    granulePages: row.method.sets === 'hardware' ? 2 ** (smallestLeaf(run.tables) - 12) : 1,
  });
  return { tracking, counts: method.counts, costs };
}

/** What the stream costs the IOTLB when its tables have leaves of a size and nothing is tracked. */
function untracked(run: Run, leafShift: number): { readonly misses: number; readonly walkReads: number } {
  let known = run.untracked.get(leafShift);
  if (known === undefined) {
    const { tracking, counts } = begin(run, { name: '', method: adBits, value: leafShift });
    for (const at of run.times.at) tracking.playTo(at);
    known = { misses: counts.misses, walkReads: counts.walkReads };
    run.untracked.set(leafShift, known);
  }
  return known;
}

function withThreads(
  run: Run,
  row: NamedMethod,
  costs: HarvestCosts,
  study: HarvestStudy,
  threads: number,
): DirtyThreads {
  const { parameter } = run;
  const order = Math.round(parameter('dirty.order'));
  const wallNs = study.outcomes.map((outcome) => Math.round(costs.wall(outcome.parts, threads, order)));
  const harvestNs = wallNs.reduce((sum, ns) => sum + ns, 0);
  const gib = (mappedOf(study) * PAGE_BYTES) / GIB;
  const { linkBytesPerSecond, downtimeLimitNs } = run;
  return {
    threads,
    harvestNs,
    worstNs: Math.max(...wallNs),
    nsPerGiB: gib === 0 ? 0 : harvestNs / gib,
    startNs: Math.round(costs.wall(study.started, threads, order)),
    stopNs: Math.round(costs.wall(study.stopped, threads, order)),
    migration: preCopy(begin(run, row, true).tracking, {
      costs,
      parameter,
      threads,
      linkBytesPerSecond,
      downtimeLimitNs,
    }),
    wallNs,
  };
}

interface Finished {
  readonly tracking: Tracking;
  readonly study: HarvestStudy;
  readonly threads: readonly DirtyThreads[];
  readonly costs: HarvestCosts;
}

function rowOf(run: Run, row: NamedMethod, { tracking, study, threads, costs }: Finished): DirtyRow {
  const { method, value, name } = row;
  const sum = (values: readonly number[]): number => values.reduce((total, one) => total + one, 0);
  const { series } = study;
  const base = untracked(run, method.untrackedLeaf(value));
  const waits = costs.faults.waits(study.tracking, base.walkReads);
  const durationNs = run.stream.endNs - run.stream.startNs;
  return {
    name,
    canMiss: method.misses(methodOptions(run)) ?? null,
    written: sum(series.written),
    reported: sum(series.reported),
    over: sum(series.over),
    missed: sum(series.missed),
    ranges: sum(series.ranges),
    counts: study.counts,
    tracking: study.tracking,
    missesCaused: study.tracking.misses - base.misses,
    stallNs: Math.round(waits.stallNs),
    throughputLost: throughputLost(waits.lostNs, durationNs),
    handlerNs: Math.round(waits.hostNs),
    pri:
      method.sets === 'page-request'
        ? priFigures(run.parameter, costs, study.tracking, base, durationNs, stormsOf(run, row))
        : null,
    unmapHarvests: tracking.unmapHarvests,
    unmapNs: Math.round(tracking.unmapNs),
    threads,
    series,
    plan: planOf(run, row, study, costs),
  };
}

/** What of a row can be scaled to other rates of writing. */
function measuredOf(
  run: Run,
  { name, method, value }: NamedMethod,
  rule: DirtyPlanRule,
  { row, costs }: { readonly row: DirtyRow; readonly costs: HarvestCosts },
): MeasuredMethod {
  return {
    name,
    method,
    rule,
    costs,
    counts: row.counts,
    tracking: row.tracking,
    untracked: untracked(run, method.untrackedLeaf(value)),
    reported: row.reported,
    ranges: row.ranges,
    unmapNs: row.unmapNs,
    chunkPages: chunkPages(run, { name, method, value }, run.mapped * PAGE_BYTES),
  };
}

/** Null where no method by page requests is compared with another that can be scaled. */
function crossoverOf(
  run: Run,
  methods: readonly NamedMethod[],
  measured: readonly MeasuredMethod[],
  rows: readonly DirtyRow[],
): Crossover | null {
  const { stream, times, parameter } = run;
  if (parameter('dirty.flush') === 0 || measured.length < 2) return null;
  if (!measured.some(({ method }) => method.sets === 'page-request')) return null;
  const harvests = times.at.length;
  const intervalNs = Math.max(1, ((times.at.at(-1) ?? stream.endNs) - stream.startNs) / harvests);
  const latencies = rows.find(({ pri }) => pri !== null)?.pri?.latencies ?? [];
  return crossover({
    stream,
    methods: measured,
    harvests,
    intervalNs,
    linkBytesPerSecond: run.linkBytesPerSecond,
    marks: latencies.map(({ name, standing, latencyNs }) => ({ name, standing, latencyNs })),
    left: methods.map(({ name }) => name).filter((name) => !measured.some((one) => one.name === name)),
    checked: CHECKED.slice(0, parameter('crossover.checks')),
    run: (name, scale) => passAt(run, methods.find((one) => one.name === name)!, scale * intervalNs),
  });
}

/** Cost of a pass when the writes of so many ns of the trace are harvested at once, as it is run. */
function passAt(run: Run, row: NamedMethod, intervalNs: number): number {
  const { tracking, counts, costs } = begin(run, row);
  const { startNs, endNs } = run.stream;
  const times = harvestTimes(run.stream, intervalNs);
  const study = studyHarvests(tracking, counts, times);
  const base = untracked(run, row.method.untrackedLeaf(row.value));
  const waits = costs.faults.waits(study.tracking, base.walkReads);
  const walls = study.outcomes.reduce((sum, { parts }) => sum + costs.wall(parts, 1, 0), 0);
  return ((walls + waits.hostNs + waits.stallNs + tracking.unmapNs) * intervalNs) / Math.max(1, endNs - startNs);
}

function stormsOf({ stream, times, options, parameter }: Run, { method, value }: NamedMethod): FaultStorms | null {
  const { hardware, seed } = options;
  return faultStorms({
    stream,
    at: times.at,
    blockShift: method.plan(value)?.told ?? 12,
    hardware,
    parameter,
    published: PUBLISHED_LATENCIES.flatMap(({ name, ns }) => (ns > 0 ? [{ name, latencyNs: ns }] : [])),
    seed,
  });
}

/** Pages that all harvests together went over. */
function mappedOf({ outcomes }: HarvestStudy): number {
  return outcomes.reduce((sum, outcome) => sum + outcome.mapped, 0);
}

function planOf(run: Run, row: NamedMethod, study: HarvestStudy, costs: HarvestCosts): DirtyPlan | null {
  const { options, parameter, tables } = run;
  const all = mappedOf(study);
  const rule = row.method.plan(row.value);
  if (options.planBytes === 0 || rule === undefined || all === 0) return null;
  // how dirty leaves of a size are that the trace can't have, it does not tell
  if (2 ** rule.scannedLeaf > largestRun(run.stream)) return null;
  const { counts, series } = study;
  const reported = series.reported.reduce((sum, pages) => sum + pages, 0);
  const ranges = series.ranges.reduce((sum, count) => sum + count, 0);
  return planHarvest({
    bytes: options.planBytes,
    rule,
    format: tables.format,
    shares: {
      reported: Math.min(1, reported / all),
      cleared: counts.entriesCleared / all,
      ranges: reported === 0 ? 1 : ranges / reported,
      ring: counts.ringEntries / all,
      tables: counts.tablesVisited / all,
    },
    costs,
    parameter,
    chunkPages: chunkPages(run, row, options.planBytes),
    threads: options.threads,
    seed: options.seed,
  });
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

import { IorrError } from '../../traces/errors.ts';
import { DIALECT, STREAM_ID } from '../../traces/schema.ts';
import type { Segment } from '../../traces/segment.ts';
import type { Trace } from '../../traces/trace.ts';
import type { DomainId, Nanoseconds } from '../../traces/units.ts';
import { atcParameterTable } from '../atc/atc-parameters.ts';
import { findAtcPolicy } from '../atc/atc-policy.ts';
import { costsOf } from '../costs/cost-profile.ts';
import { assumedTimes } from '../costs/assumed-times.ts';
import type { CostProfile } from '../costs/cost-profile.ts';
import type { DesignFactory } from '../designs/design.ts';
import { designParameterTable, designTrouble, namedDesign } from '../designs/designs.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { native } from '../paths/native.ts';
import { findPath, pathParameterTable } from '../paths/paths.ts';
import type { CompareResult, DesignResult, ProfileParameter } from '../results.ts';
import { compareCaveats } from './compare-caveats.ts';
import { RECORDED } from './compare-group.ts';
import type { GroupRow, GroupSpec, RowSpec } from './compare-group.ts';
import { inlineFeeder, pooledFeeder } from './compare-pool.ts';
import { derivationCaveats, deriveIntents } from './derived-trace.ts';
import type { DerivedTrace } from './derived-trace.ts';
import { loadDesigns } from './design-modules.ts';
import type { DesignModule } from './design-modules.ts';
import { contextOn } from './design-context.ts';
import { COMPARE_COLUMNS } from './design-run.ts';
import type { RunOptions } from './design-run.ts';
import { overMappedCaveats } from './over-mapped.ts';
import { readInvTraits } from './inv-traits.ts';
import { REPLAY_COLUMNS } from './replay.ts';

/** What is compared, and on which hardware. */
export interface CompareOptions {
  /** Names of the registry or of designs in `modules`, in the order of the rows; `name@value` sets the first parameter. */
  readonly designs: readonly string[];
  /** Names of the registry of paths; each design has a row on each. Default: `native`. */
  readonly paths?: readonly string[];
  /** ES modules with designs of the user's own (docs/designs.md). */
  readonly modules?: readonly DesignModule[];
  readonly hardware: HardwareProfile;
  readonly profile: CostProfile;
  /** Driver under VFIO devices by whose rules ioctls are carried out, of a trace that has nothing else. */
  readonly driver?: string;
  /** Of devices that do not answer ATC invalidations; default: as Linux does on that hardware. */
  readonly atcPolicy?: string;
  /** `recorded`, or an access model; default: recorded where the trace has accesses, else `none`. */
  readonly access?: string;
  readonly seed?: number;
  /** Core counts to scale the trace's submitters to. */
  readonly cores?: readonly number[];
  /** Workers; 1 runs in this thread. The result does not depend on it. */
  readonly jobs?: number;
  /** Values of design parameters that replace the defaults, and `kernel`: major x 100 + minor of the Linux whose rules hold. */
  readonly parameters?: ReadonlyMap<string, number>;
  /** Told after each segment how many events are done. */
  readonly progress?: (events: number) => void;
  readonly signal?: AbortSignal;
}

/** Marks that a result carries at most. */
const MOST_MARKS = 1000;

const COLUMNS = {
  ...REPLAY_COLUMNS,
  ...COMPARE_COLUMNS,
  mark: ['text'],
} as const;

/**
 * Lets every design handle the intents of a trace (maps, unmaps, attachments, accesses) on the same hardware and tells what each
 * would cost and leave exposed. Returns undefined if it was aborted.
 */
export async function compareTrace(recording: Trace, options: CompareOptions): Promise<CompareResult | undefined> {
  const derived = deriveIntents(recording, options.driver);
  const trace = derived ?? recording;
  const counts = trace.streamCounts;
  if (counts.map + counts.unmap === 0) {
    throw new IorrError('STREAM_MISSING', 'a comparison needs maps and unmaps; this trace has none', {
      hint:
        counts.ioctl > 0
          ? "its ioctls map nothing, or their structs were not recorded; import the kernel's trace of the same run"
          : "import the kernel's trace of the same run together with this one",
    });
  }
  const access = options.access ?? (counts.dma > 0 ? 'recorded' : 'none');
  if (access === 'recorded' && counts.dma === 0) {
    throw new IorrError('STREAM_MISSING', 'the trace has no recorded accesses', {
      hint: "import QEMU's log of the same run with it, or name a model: --access ring, touch-once or uniform",
    });
  }
  const traits = readInvTraits(trace);
  const kernel = options.parameters?.get('kernel');
  const context = contextOn(options.hardware, {
    ...traits.context,
    ...(kernel === undefined ? {} : { kernel }),
  });
  const run: RunOptions = {
    hardware: options.hardware,
    costs: costsOf(options.profile),
    interrupts: traits.interrupts,
    access,
    seed: options.seed ?? 1,
    cores: options.cores ?? [],
    atcPolicy: findAtcPolicy(options.atcPolicy ?? (context.dialect === DIALECT.smmuv3 ? 'continue' : 'retry')),
    context,
    unmanaged: derived === undefined ? traits.unmanaged : allDomains(derived),
    rangeFlushes: traits.rangeFlushes,
    parameters: options.parameters ?? new Map(),
    modules: options.modules ?? [],
  };
  const known = await loadDesigns(run.modules);
  for (const name of options.designs) refuseUnknown(name, known);
  const paths = options.paths ?? [native.name];
  for (const path of paths) refuseImpossible(path, run);
  const asked: readonly RowSpec[] = [
    ...(traits.commands > 0 ? [{ design: RECORDED, path: native.name }] : []),
    ...options.designs.flatMap((design) => paths.map((path) => ({ design, path }))),
  ];
  const walked = await walk(trace, split(asked, run, options.jobs ?? 1), known, options);
  if (walked === undefined) return undefined;
  const rows = asked.map((_, i) => rowOf(walked.rows, i));
  const recorded = rows.flatMap((row) => ('recorded' in row ? [row.recorded] : []))[0] ?? null;
  const designs = rows.flatMap((row) => ('recorded' in row ? [] : [row]));
  return {
    hardware: options.hardware.name,
    profile: options.profile.name,
    access,
    events: walked.events,
    durationNs: walked.durationNs,
    recorded,
    designs: designs.map((row) => withUnitNames(row.result, trace.strings)),
    marks: walked.marks,
    parameters: [
      ...(kernel === undefined ? [] : [kernelParameter(kernel)]),
      ...options.hardware.parameters,
      ...options.profile.parameters,
      ...designParameterTable(options.designs, run.parameters, known),
      ...pathParameterTable(paths, run.parameters),
      ...(designs.some(({ result }) => result.atc !== null) ? atcParameterTable(run.parameters) : []),
    ],
    caveats: [
      ...paths.flatMap((path) => whatIfOf(path)),
      ...overMappedCaveats(designs.map((row) => row.result)),
      ...(derived === undefined ? [] : derivationCaveats(derived)),
      ...compareCaveats(trace, {
        access,
        traits,
        dialect: run.context.dialect,
        recorded,
        lateNs: designs.reduce((most, { result }) => Math.max(most, result.time.lateNs), 0),
        facts: designs.map((row) => row.facts),
      }),
      ...assumedCosts(options.profile),
    ],
  };
}

/** Workers know units by number only. */
function withUnitNames(result: DesignResult, strings: readonly string[]): DesignResult {
  const queues = result.time.queues.map((queue) => {
    const name = strings[queue.unit];
    return name === undefined ? queue : { ...queue, name };
  });
  return { ...result, time: { ...result.time, queues } };
}

/** User space owns every domain that its calls made. */
function allDomains({ derivation }: DerivedTrace): ReadonlySet<DomainId> {
  return new Set(derivation.domains);
}

function refuseImpossible(name: string, { context, hardware }: RunOptions): void {
  const reason = findPath(name).impossible?.(context);
  if (reason === undefined) return;
  throw new IorrError('USAGE', `--paths ${name}: ${reason}; the hardware is ${hardware.name}`, {
    hint: 'leave it out, or name other hardware with --hardware',
  });
}

function whatIfOf(name: string): readonly string[] {
  const { whatIf } = findPath(name);
  return whatIf === undefined ? [] : [`path ${name} is a what-if: ${whatIf}`];
}

/** Which costs nobody measured. */
function assumedCosts(profile: CostProfile): readonly string[] {
  const assumed = assumedTimes(profile.parameters);
  if (assumed.length === 0) return [];
  const names = assumed.map(({ name }) => name).join(', ');
  return [
    `${assumed.length} costs of ${profile.name} are assumed, orders of magnitude (${names}); --sensitivity tells what rests on them`,
  ];
}

function kernelParameter(value: number): ProfileParameter {
  return { name: 'kernel', value, unit: 'major x 100 + minor', source: 'set by the user', standing: 'assumed' };
}

/** Before any work: a name that no design has. */
function refuseUnknown(name: string, designs: readonly DesignFactory[]): void {
  if (namedDesign(name, designs) !== undefined) return;
  const [message, hint] = designTrouble(name, designs);
  throw new IorrError('USAGE', message, { hint });
}

/** Deals the rows out to as many groups as there are jobs. */
function split(rows: readonly RowSpec[], options: RunOptions, jobs: number): readonly GroupSpec[] {
  const groups = Math.max(1, Math.min(Math.floor(jobs), rows.length));
  return Array.from({ length: groups }, (_, g) => ({ rows: rows.filter((_row, i) => i % groups === g), options }));
}

/** Undoes the dealing: row i of those asked for is in group i mod n. */
function rowOf(groups: readonly (readonly GroupRow[])[], i: number): GroupRow {
  const row = groups[i % groups.length]?.[Math.floor(i / groups.length)];
  if (row === undefined) throw new RangeError(`no row ${i}`);
  return row;
}

interface Walked {
  readonly rows: readonly (readonly GroupRow[])[];
  readonly events: number;
  readonly durationNs: Nanoseconds;
  readonly marks: CompareResult['marks'];
}

/** Decodes the trace once and feeds every group. */
async function walk(
  trace: Trace,
  specs: readonly GroupSpec[],
  designs: readonly DesignFactory[],
  options: CompareOptions,
): Promise<Walked | undefined> {
  // a design of the user's runs in a worker even alone: it may end it, or never return
  const pooled = specs.length > 1 || (options.modules ?? []).length > 0;
  const feeder = pooled ? pooledFeeder(specs, options.signal) : inlineFeeder(specs, designs);
  const marks: { t: Nanoseconds; text: string }[] = [];
  let events = 0;
  let start = 0;
  let end = 0;
  try {
    for (const segment of trace.segments({ columns: COLUMNS, shared: pooled, reuse: !pooled })) {
      if (options.signal?.aborted === true) return undefined;
      if (segment.count === 0) continue;
      if (events === 0) start = segment.time[0] ?? 0;
      end = Math.max(end, segment.time[segment.count - 1] ?? 0);
      events += segment.count;
      if (segment.rows.mark.count > 0) collectMarks(segment, trace.strings, marks);
      await feeder.feed(segment);
      options.progress?.(events);
    }
    const rows = await feeder.finish();
    if (rows === undefined) return undefined;
    return { rows, events, durationNs: Math.max(0, end - start), marks };
  } finally {
    await feeder.stop();
  }
}

function collectMarks(segment: Segment, strings: readonly string[], marks: { t: Nanoseconds; text: string }[]): void {
  const { stream, time, count, rows } = segment;
  let row = 0;
  for (let i = 0; i < count; i++) {
    if (stream[i] !== STREAM_ID.mark) continue;
    const text = strings[rows.mark.columns.text[row++] ?? -1];
    if (text !== undefined && marks.length < MOST_MARKS) marks.push({ t: time[i] ?? 0, text });
  }
}

import { IorrError } from '../../traces/errors.ts';
import type { Trace } from '../../traces/trace.ts';
import type { HardwareProfile } from '../../replay/hardware/profile.ts';
import { tenantHits, fairnessOf } from '../../replay/tenants/fairness.ts';
import type { Fairness } from '../../replay/tenants/fairness.ts';
import type { TenantTrace } from '../../replay/tenants/tenant-trace.ts';
import { missesText, resourcesOf } from './binding.ts';
import { headroom, meets } from './goal.ts';
import type { Goal } from './goal.ts';
import { Measurer } from './measurer.ts';
import type { MeasureOptions, Setting } from './measurer.ts';
import type { Direction, Measurement, Study } from './plan-metric.ts';
import { TENANTS, costOf, kindOf } from './plan-parameters.ts';
import type { PlanAxis } from './plan-parameters.ts';
import type { GoalOutcome, MoreLoad, PlanAnswer, PlanResult, PlannedGoal, PlannedSetting } from './plan-result.ts';
import { findCheapest, smaller } from './search.ts';
import type { Verdict } from './search.ts';

/** Settings that are measured one by one at most, and in readings that many share. */
const MOST_SINGLE = 512;
const MOST_TOGETHER = 4096;
/** Events of a trace of tenants that is played for more than the answer: with twice as many, and for each by itself. */
const MOST_EXTRA = 20_000_000;

export interface PlanOptions extends Omit<MeasureOptions, 'studies' | 'measured'> {
  readonly goals: readonly Goal[];
  /** Empty: hardware as it is. */
  readonly axes: readonly PlanAxis[];
  /** Ascending; several: an answer for each. */
  readonly tenants: readonly number[];
  /** Told of each setting that was measured. */
  readonly told?: (setting: PlannedSetting) => void;
}

/** The studies that tell all goals: each by the cheapest that is needed anyway. */
export function studiesOf(goals: readonly Goal[], axes: readonly PlanAxis[], design: string | undefined): Set<Study> {
  const studies = new Set<Study>();
  const wantsDesign = design !== undefined || axes.some(({ name }) => ['design', 'path', 'cores'].includes(name));
  const all = goals.map(({ metric }) => metric.studies);
  if (all.some((of) => of.length === 1 && of[0] === 'design')) studies.add('design');
  for (const of of all) {
    if (of.some((study) => studies.has(study))) continue;
    const named = wantsDesign && of.includes('design') ? 'design' : of[0];
    if (named !== undefined) studies.add(named);
  }
  // one replay tells what the IOTLB alone would
  if (studies.has('design')) studies.delete('replay');
  if (studies.has('design') || studies.has('replay')) studies.delete('iotlb');
  return studies;
}

/** The smallest hardware that meets goals on a trace. */
export async function planTrace(sources: readonly Trace[], options: PlanOptions): Promise<PlanResult> {
  const { goals, axes, question } = options;
  const studies = studiesOf(goals, axes, options.design);
  const measured = (measurement: Measurement): void => {
    const { values, tenants } = measurement;
    const outcomes = outcomesOf(goals, measurement);
    options.told?.({ values, tenants, holds: outcomes.every(({ holds }) => holds), goals: outcomes });
  };
  const measurer = new Measurer(sources, { ...options, studies, measured });
  const varied = axes.some(({ name }) => name === TENANTS);
  const counts = varied ? [options.tenants[0] ?? 1] : options.tenants;
  const answers: PlanAnswer[] = [];
  let basis: Measurement | undefined;
  const caveats = new Set<string>();
  for (const tenants of counts) {
    const planned = await planFor(measurer, options, tenants, studies);
    answers.push(planned.answer);
    basis ??= planned.measured;
    for (const caveat of planned.measured?.caveats ?? []) caveats.add(caveat);
  }
  const most = Math.max(...counts, ...answers.map(({ chosen }) => chosen?.tenants ?? 1), ...(varied ? [2] : []));
  const cloned = most > 1 || sources.length > 1;
  const clones = cloned ? measurer.tenantTrace(most) : undefined;
  const usesDesign = studies.has('design');
  return {
    hardware: question.hardware.name,
    profile: question.profile.name,
    design: usesDesign ? (options.design ?? 'linux-strict') : null,
    goals: goals.map(plannedGoal),
    vary: axes.map(({ name, kind, values }) => ({ name, kind, values })),
    answers,
    spreadNs: clones?.spreadNs ?? null,
    evaluations: measurer.evaluations,
    readings: measurer.readings,
    parameters: basis?.parameters ?? [],
    caveats: [...planCaveats({ sources, clones, usesDesign, options, answers }), ...caveats],
  };
}

/** A goal as results have it. */
export function plannedGoal({ text, metric, statistic, operator, limit }: Goal): PlannedGoal {
  return { text, metric: metric.name, statistic, operator, limit, unit: metric.unit };
}

interface PlannedFor {
  readonly answer: PlanAnswer;
  readonly measured: Measurement | undefined;
}

async function planFor(
  measurer: Measurer,
  options: PlanOptions,
  tenants: number,
  studies: ReadonlySet<Study>,
): Promise<PlannedFor> {
  const { goals, axes } = options;
  const hardware = measurer.hardwareOf({ values: {}, tenants });
  const settingOf = (indexes: readonly number[]): Setting => {
    const values = Object.fromEntries(axes.map(({ name, values: own }, i) => [name, own[indexes[i] ?? 0] ?? '']));
    const clones = values[TENANTS];
    return { values, tenants: clones === undefined ? tenants : Number(clones) };
  };
  const measured = new Map<string, Measurement>();
  const measure = async (settings: readonly (readonly number[])[]): Promise<readonly Verdict[]> => {
    const found = await measurer.measure(settings.map(settingOf));
    return settings.map((indexes, i) => {
      const measurement = found[i]!; // one for each
      measured.set(indexes.join(), measurement);
      const values = goals.map((goal) => goal.metric.value(measurement, goal.statistic));
      return {
        indexes,
        holds: goals.every((goal, k) => meets(goal, values[k] ?? null)),
        scores: goals.map(({ metric }, k) => orient(metric.better, values[k] ?? null)),
      };
    });
  };
  const product = axes.reduce((count, { values }) => count * values.length, 1);
  const all = product <= MOST_TOGETHER ? everyIndex(axes).map(settingOf) : [];
  const together = all.length > 0 && measurer.together(all);
  const outcome = await findCheapest({
    axes: axes.map((axis) => ({
      name: axis.name,
      length: axis.values.length,
      monotone: goals.every((goal) => isMonotone(goal, axis, hardware)),
    })),
    cost: (indexes) => costOf(axes, indexes),
    measure,
    together,
    most: together ? MOST_TOGETHER : MOST_SINGLE,
  });
  const plannedOf = (indexes: readonly number[]): PlannedSetting => {
    const { values, tenants: clones } = settingOf(indexes);
    const outcomes = outcomesOf(goals, measured.get(indexes.join()));
    return { values, tenants: clones, holds: outcomes.every(({ holds }) => holds), goals: outcomes };
  };
  const evaluated = outcome.evaluated
    .toSorted((a, b) => costOf(axes, a.indexes) - costOf(axes, b.indexes))
    .map(({ indexes }) => plannedOf(indexes));
  const { answer } = outcome;
  const base = { tenants, method: outcome.method, refuted: outcome.refuted, evaluated };
  if (answer === null) {
    const closest = evaluated.toSorted((a, b) => worst(b.goals) - worst(a.goals))[0] ?? null;
    const nearest =
      closest === null
        ? undefined
        : outcome.evaluated.find(({ indexes }) => sameValues(settingOf(indexes).values, closest.values));
    const of = nearest === undefined ? undefined : measured.get(nearest.indexes.join());
    return {
      answer: {
        ...base,
        chosen: null,
        closest,
        smaller: [],
        binds: bindsOf(closest, of),
        moreLoad: null,
        fairness: null,
        overflow: of?.pri?.tail ?? null,
        until: null,
      },
      measured: of,
    };
  }
  const less = smaller(answer.indexes);
  await measure(less);
  const chosen = plannedOf(answer.indexes);
  const at = measured.get(answer.indexes.join())!; // it was measured
  const more = await moreLoad(measurer, options, chosen, studies);
  const until = await untilBreaks(measurer, options, chosen);
  return {
    answer: {
      ...base,
      chosen,
      closest: null,
      smaller: less.map((indexes) => ({
        parameter: axes.find((_, i) => indexes[i] !== answer.indexes[i])?.name ?? '',
        ...plannedOf(indexes),
      })),
      binds: bindsOf(chosen, at),
      moreLoad: more,
      fairness: fairnessAt(measurer, chosen),
      overflow: at.pri?.tail ?? null,
      until,
    },
    measured: at,
  };
}

function everyIndex(axes: readonly PlanAxis[]): readonly (readonly number[])[] {
  let all: readonly (readonly number[])[] = [[]];
  for (const { values } of axes) all = all.flatMap((one) => values.map((_, index) => [...one, index]));
  return all;
}

function sameValues(a: object, b: object): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function orient(better: 'more' | 'less', value: number | null): number | null {
  return value === null ? null : better === 'more' ? value : -value;
}

/** Whether a goal gets no harder along an axis, from its first value to its last. */
function isMonotone(goal: Goal, { name, kind }: PlanAxis, hardware: HardwareProfile): boolean {
  const { metric, operator, limit } = goal;
  if (kind === 'choice' || (operator === '=' && limit !== 0)) return false;
  // more tenants share what there is; what refutes it is seen on the way
  const direction: Direction =
    name === TENANTS
      ? metric.name === 'fairness'
        ? undefined
        : metric.better === 'less'
          ? 'up'
          : 'down'
      : metric.direction(name, hardware);
  if (direction === undefined || direction === 'same') return direction === 'same';
  const betterUp = (direction === 'up') === (metric.better === 'more');
  return betterUp === (kind === 'hardware');
}

function outcomesOf(goals: readonly Goal[], measured: Measurement | undefined): readonly GoalOutcome[] {
  return goals.map((goal): GoalOutcome => {
    const value = measured === undefined ? null : goal.metric.value(measured, goal.statistic);
    const unbounded = value !== null && !Number.isFinite(value);
    const known = value === null || unbounded ? null : value;
    const room = headroom(goal, known);
    return {
      goal: goal.text,
      value: known,
      unbounded,
      holds: meets(goal, value),
      margin: known === null ? null : goal.metric.better === 'less' ? goal.limit - known : known - goal.limit,
      headroom: room,
    };
  });
}

function worst(outcomes: readonly GoalOutcome[]): number {
  return Math.min(
    ...outcomes.map(({ holds, headroom: room, unbounded, margin }) =>
      holds ? 1 : unbounded ? -1e300 : (room ?? (margin === null ? -1e299 : margin)),
    ),
  );
}

function bindsOf(setting: PlannedSetting | null, measured: Measurement | undefined): PlanAnswer['binds'] {
  if (setting === null || measured === undefined) return null;
  const known = setting.goals.filter((outcome) => outcome.headroom !== null);
  const [tightest] = known.toSorted((a, b) => (a.headroom ?? 0) - (b.headroom ?? 0));
  return {
    goal: tightest?.goal ?? setting.goals[0]?.goal ?? null,
    headroom: tightest?.headroom ?? null,
    resources: resourcesOf(measured),
    misses: missesText(measured),
  };
}

/** Twice the tenants, or requests twice as fast: which goal breaks. Null where neither means anything. */
async function moreLoad(
  measurer: Measurer,
  { goals, tenants: asked }: PlanOptions,
  { values, tenants }: PlannedSetting,
  studies: ReadonlySet<Study>,
): Promise<MoreLoad | null> {
  const requests = studies.size === 1 && studies.has('pri');
  // until when more tenants are served is told by itself
  if (studies.has('dirty') || (!requests && Math.max(...asked) > tenants)) return null;
  if (!requests && measurer.events * tenants * 2 > MOST_EXTRA) return null;
  const setting: Setting = requests
    ? { values: { ...values, 'prq.speed': Number(values['prq.speed'] ?? 1) * 2 }, tenants }
    : {
        values: values[TENANTS] === undefined ? values : { ...values, [TENANTS]: tenants * 2 },
        tenants: tenants * 2,
      };
  try {
    const measured = await measurer.measure([setting]);
    const outcomes = outcomesOf(goals, measured[0]);
    const broken = outcomes.filter(({ holds }) => !holds).toSorted((a, b) => worst([a]) - worst([b]));
    return {
      what: requests ? 'page requests twice as fast' : `${tenants * 2} tenants`,
      goals: outcomes,
      breaks: broken[0]?.goal ?? null,
    };
  } catch (error) {
    // hardware has no numbers for so many
    if (error instanceof IorrError && error.code === 'LIMIT') return null;
    throw error;
  }
}

/** How many tenants the setting holds for: up to the most that were asked about. */
async function untilBreaks(
  measurer: Measurer,
  { goals, tenants: asked }: PlanOptions,
  { values, tenants }: PlannedSetting,
): Promise<PlanAnswer['until']> {
  const most = Math.max(...asked);
  if (most <= 1) return null;
  const holdsFor = async (count: number): Promise<boolean> => {
    const own = values[TENANTS] === undefined ? values : { ...values, [TENANTS]: count };
    const measured = await measurer.measure([{ values: own, tenants: count }]);
    return outcomesOf(goals, measured[0]).every(({ holds }) => holds);
  };
  let low = tenants;
  let high: number | null = null;
  for (const count of asked.filter((one) => one > tenants)) {
    const holds = await holdsFor(count);
    if (!holds) {
      high = count;
      break;
    }
    low = count;
  }
  while (high !== null && high - low > 1) {
    const middle = (low + high) >> 1;
    const holds = await holdsFor(middle);
    if (holds) low = middle;
    else high = middle;
  }
  return { holds: low, breaks: high };
}

/** Of hit rates with the recorded commands; null of one tenant. */
function fairnessAt(measurer: Measurer, { values, tenants }: PlannedSetting): Fairness | null {
  if (tenants < 2) return null;
  const trace = measurer.tenantTrace(tenants);
  if (trace.streamCounts.dma === 0 || trace.eventCount > MOST_EXTRA) return null;
  return fairnessOf(tenantHits(trace, measurer.hardwareOf({ values, tenants })));
}

interface CaveatFacts {
  readonly sources: readonly Trace[];
  readonly clones: TenantTrace | undefined;
  readonly usesDesign: boolean;
  readonly options: PlanOptions;
  readonly answers: readonly PlanAnswer[];
}

function planCaveats({ sources, clones, usesDesign, options, answers }: CaveatFacts): readonly string[] {
  const lost = sources.reduce((sum, { health }) => sum + health.lost, 0);
  const said: readonly (readonly [boolean, string])[] = [
    [
      lost > 0,
      `${lost} events were lost while recording: loads are lower bounds, and so is the hardware that meets a goal`,
    ],
    [clones !== undefined, 'tenants are clones: their own domains, requesters, CPUs and starting times, one IOMMU'],
    [
      (clones?.wideCommands ?? 0) > 0,
      `${clones?.wideCommands} commands of ${clones?.tenants} tenants name no domain, and drop what all of them have`,
    ],
    [
      usesDesign && options.design === undefined && !options.axes.some(({ name }) => name === 'design'),
      'commands are those of linux-strict: --design names another',
    ],
    [
      answers.some(({ refuted }) => refuted.length > 0),
      `the goals are not monotone in ${[...new Set(answers.flatMap(({ refuted }) => refuted))].join(', ')} on this trace: all values were measured`,
    ],
    [
      answers.some(({ overflow }) => overflow?.basis === 'fitted' || overflow?.basis === 'closed-form'),
      'a probability that is too small to simulate is extrapolated from shallower queues: a storm that the recording does not have is likelier to overflow',
    ],
    [
      options.axes.some(({ name }) => kindOf(name) === 'hardware') && answers.some(({ chosen }) => chosen !== null),
      'the answer is the smallest of the values that were given: those between were not measured',
    ],
  ];
  return said.flatMap(([is, text]) => (is ? [text] : []));
}

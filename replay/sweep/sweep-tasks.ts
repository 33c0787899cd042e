import { createHash } from 'node:crypto';
import { IorrError } from '../../traces/errors.ts';
import { ACCESS_MODELS } from '../access/access-models.ts';
import type { ClusterTask } from '../cluster/distribute.ts';
import { COST_NAMES, costUnit } from '../costs/cost-profile.ts';
import type { CostProfile } from '../costs/cost-profile.ts';
import { DRIVER_NAMES } from '../engine/chosen-hardware.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { HARDWARE, withSettings } from '../hardware/profiles.ts';
import type { ProfileParameter, Standing } from '../results.ts';
import { MOST_DISTANCE } from '../tenants/tenant-names.ts';
import { planPasses } from './passes.ts';
import { sweepPoint } from './sweep-point.ts';
import type { SweepMetrics, SweepPoint, SweepQuestion, SweepResult, SweepValues } from './sweep-point.ts';

/** Points of a task, names of a point's values, and so on: more is none of ours. */
const MOST_POINTS = 100_000;
const MOST_VALUES = 1000;
const MOST_TEXT = 10_000;
const LARGEST_COST = 1e12;
/** All that may be counted; the compiler tells if one is missing. */
const COUNTS: { readonly [C in SweepQuestion['counts']]: C } = { misses: 'misses', iotlb: 'iotlb', all: 'all' };
const STANDINGS: readonly Standing[] = ['measured', 'published', 'fitted', 'assumed'];

/** A task for each pass; those with most points first: they take longest. */
export function sweepTasks(
  points: readonly SweepPoint[],
): readonly (ClusterTask & { readonly points: readonly SweepPoint[] })[] {
  return planPasses(points)
    .toSorted((a, b) => b.points.length - a.points.length)
    .map((pass) => {
      const own = pass.points.map(({ point }) => point);
      const hash = createHash('sha256');
      for (const { id } of own) hash.update(id);
      return { id: hash.digest('hex'), text: tasksText(own), points: own };
    });
}

/** What many points ask alike is said once. */
function tasksText(points: readonly SweepPoint[]): string {
  const questions = new Map<SweepQuestion, number>();
  const rows = points.map(({ id, trace, version, question, values }) => {
    if (!questions.has(question)) questions.set(question, questions.size);
    return [id, trace, version, questions.get(question), values];
  });
  return JSON.stringify({ questions: [...questions.keys()], points: rows });
}

/**
 * The points of a task's text, which may be anybody's: each is what its id says, and asks for what is built in, within the limits that
 * the command line has. Nothing in it is run. Throws `USAGE`.
 */
export function parseTask(text: string): readonly SweepPoint[] {
  const task = recordOf(json(text), 'a task');
  const questions = listOf(task['questions'], MOST_POINTS, 'questions').map(questionOf);
  const points = listOf(task['points'], MOST_POINTS, 'points').map((row) => {
    const [id, trace, version, index, values] = listOf(row, 5, 'a point');
    const question = typeof index === 'number' ? questions[index] : undefined;
    if (question === undefined) throw refusal('a point without its question');
    const point = sweepPoint(textOf(trace, 'trace'), textOf(version, 'version'), question, valuesOf(values));
    if (point.id !== id) throw refusal('a point that is not what its id says');
    return point;
  });
  if (points.length === 0) throw refusal('a task without points');
  // names and values that nothing takes
  planPasses(points);
  return points;
}

/** Results of a task as text. */
export function resultsText(results: readonly SweepResult[]): string {
  return JSON.stringify(results);
}

/** Results from a text, which may be anybody's: one of each point, in order. Throws `REDIS_FAILED`. */
export function parseResults(text: string, points: readonly SweepPoint[]): readonly SweepResult[] {
  try {
    const rows = listOf(json(text), points.length, 'results');
    if (rows.length !== points.length) throw refusal(`${rows.length} results of ${points.length} points`);
    return rows.map((row, i) => {
      const { id, metrics, caveats } = recordOf(row, 'a result');
      if (id !== points[i]?.id) throw refusal('a result of another point');
      return {
        id: textOf(id, 'id'),
        metrics: metricsOf(metrics),
        caveats: listOf(caveats, MOST_VALUES, 'caveats').map((caveat) => textOf(caveat, 'a caveat')),
      };
    });
  } catch (error) {
    throw new IorrError(
      'REDIS_FAILED',
      `a worker's answer: ${error instanceof Error ? error.message : String(error)}`,
      {
        hint: 'who else writes to this Redis?',
        cause: error,
      },
    );
  }
}

function refusal(message: string): IorrError {
  return new IorrError('USAGE', message, { hint: 'who else writes to this Redis?' });
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw refusal('no JSON');
  }
}

function recordOf(value: unknown, what: string): { readonly [key: string]: unknown } {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as { readonly [key: string]: unknown };
  }
  throw refusal(`${what} is no object`);
}

function listOf(value: unknown, most: number, what: string): readonly unknown[] {
  if (Array.isArray(value) && value.length <= most) return value;
  throw refusal(`${what}: a list of at most ${most} expected`);
}

function textOf(value: unknown, what: string): string {
  if (typeof value === 'string' && value.length <= MOST_TEXT) return value;
  throw refusal(`${what}: a text expected`);
}

function numberOf(value: unknown, low: number, high: number, what: string): number {
  if (typeof value === 'number' && value >= low && value <= high) return value;
  throw refusal(`${what}: a number from ${low} to ${high} expected`);
}

function entriesOf(value: unknown, what: string): readonly (readonly [string, unknown])[] {
  const entries = Object.entries(recordOf(value, what));
  if (entries.length <= MOST_VALUES && entries.every(([name]) => name.length <= MOST_TEXT)) return entries;
  throw refusal(`${what}: too many names`);
}

function valuesOf(value: unknown): SweepValues {
  return Object.fromEntries(
    entriesOf(value, 'values').map(([name, item]) => {
      if (typeof item === 'number' && Number.isFinite(item)) return [name, item];
      return [name, textOf(item, name)];
    }),
  );
}

function metricsOf(value: unknown): SweepMetrics {
  return Object.fromEntries(
    entriesOf(value, 'metrics').map(([name, item]) => {
      return [name, item === null ? null : numberOf(item, -Number.MAX_VALUE, Number.MAX_VALUE, name)];
    }),
  );
}

function oneOf<T extends string>(value: unknown, known: readonly T[], what: string): T {
  const found = known.find((name) => name === value);
  if (found !== undefined) return found;
  throw refusal(`${what} ${JSON.stringify(value)?.slice(0, 40)}; known: ${known.join(', ')}`);
}

/** Keys in the order that a point's id is a hash of. */
function questionOf(value: unknown): SweepQuestion {
  const question = recordOf(value, 'a question');
  const { access, driver, clones } = question;
  const models = ['recorded', ...ACCESS_MODELS.map(({ name }) => name)];
  const checked: SweepQuestion = {
    hardware: hardwareOf(question['hardware']),
    profile: costsOf(question['profile']),
    settings: listOf(question['settings'], MOST_VALUES, 'settings').map((text) => textOf(text, 'a setting')),
    counts: oneOf(question['counts'], Object.values(COUNTS), 'counts'),
    seed: numberOf(question['seed'], 0, Number.MAX_SAFE_INTEGER, 'seed'),
    ...(access === undefined ? {} : { access: oneOf(access, models, 'access') }),
    ...(driver === undefined ? {} : { driver: oneOf(driver, DRIVER_NAMES, 'driver') }),
    ...(clones === undefined ? {} : { clones: clonesOf(clones) }),
  };
  return inOrderOf(question, checked);
}

function clonesOf(value: unknown): NonNullable<SweepQuestion['clones']> {
  const clones = recordOf(value, 'clones');
  const { pages, spreadNs } = clones;
  return inOrderOf(clones, {
    ...(pages === undefined ? {} : { pages: pages === 'keyed' ? pages : numberOf(pages, 0, MOST_DISTANCE, 'pages') }),
    ...(spreadNs === undefined ? {} : { spreadNs: numberOf(spreadNs, 0, Number.MAX_SAFE_INTEGER, 'spread') }),
  });
}

/** The same, with keys in the order that they came in: hashes see it. */
function inOrderOf<T extends object>(came: { readonly [key: string]: unknown }, checked: T): T {
  const order = Object.keys(came);
  return Object.fromEntries(Object.entries(checked).sort(([a], [b]) => order.indexOf(a) - order.indexOf(b))) as T;
}

function parametersOf(value: unknown): readonly ProfileParameter[] {
  return listOf(value, MOST_VALUES, 'parameters').map((item) => {
    const parameter = recordOf(item, 'a parameter');
    const { interval, n } = parameter;
    return inOrderOf(parameter, {
      name: textOf(parameter['name'], 'name'),
      value: numberOf(parameter['value'], 0, LARGEST_COST, 'value'),
      unit: textOf(parameter['unit'], 'unit'),
      source: textOf(parameter['source'], 'source'),
      standing: oneOf(parameter['standing'], STANDINGS, 'standing'),
      ...(interval === undefined
        ? {}
        : {
            interval: listOf(interval, 2, 'interval').map((end) =>
              numberOf(end, -LARGEST_COST, LARGEST_COST, 'interval'),
            ),
          }),
      ...(n === undefined ? {} : { n: numberOf(n, 0, Number.MAX_SAFE_INTEGER, 'n') }),
    });
  });
}

/** A profile as one that is built in, with values that it could be set to. */
function hardwareOf(value: unknown): HardwareProfile {
  const profile = recordOf(value, 'hardware');
  const parameters = parametersOf(profile['parameters']);
  const names = parameters.map(({ name }) => name).join();
  const bases = HARDWARE.filter(
    (known) =>
      known.architecture === profile['architecture'] &&
      known.iotlb === profile['iotlb'] &&
      known.parameters.map(({ name }) => name).join() === names,
  );
  const base = bases.find((known) => couldBeSetTo(known, parameters));
  if (base === undefined) throw refusal('hardware that none that is built in can be set to');
  return inOrderOf(profile, {
    name: textOf(profile['name'], 'name'),
    summary: textOf(profile['summary'], 'summary'),
    architecture: base.architecture,
    iotlb: base.iotlb,
    parameters,
  });
}

function couldBeSetTo(base: HardwareProfile, parameters: readonly ProfileParameter[]): boolean {
  // a value that is built in may be one that nobody can set
  const changed = parameters.filter(({ value }, i) => value !== base.parameters[i]?.value);
  try {
    withSettings(
      base,
      changed.map(({ name, value }) => `${name}=${value}`),
    );
    return true;
  } catch (error) {
    if (error instanceof IorrError) return false;
    throw error;
  }
}

function costsOf(value: unknown): CostProfile {
  const profile = recordOf(value, 'costs');
  const parameters = parametersOf(profile['parameters']);
  for (const name of COST_NAMES) {
    if (parameters.find((parameter) => parameter.name === name)?.unit !== costUnit(name)) {
      throw refusal(`costs without ${name} in ${costUnit(name)}`);
    }
  }
  return inOrderOf(profile, {
    name: textOf(profile['name'], 'name'),
    summary: textOf(profile['summary'], 'summary'),
    parameters,
    ...(profile['dirty'] === undefined ? {} : { dirty: parametersOf(profile['dirty']) }),
  });
}

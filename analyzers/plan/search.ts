import { IorrError } from '../../traces/errors.ts';

/** What came of one setting, by the index of its value on each axis. */
export interface Verdict {
  readonly indexes: readonly number[];
  readonly holds: boolean;
  /** By goal: larger is better; null where it is not known. */
  readonly scores: readonly (number | null)[];
}

export interface SearchProblem {
  /** Values of each axis; goals that are monotone on an axis get no harder with its index. */
  readonly axes: readonly { readonly name: string; readonly length: number; readonly monotone: boolean }[];
  readonly cost: (indexes: readonly number[]) => number;
  readonly measure: (settings: readonly (readonly number[])[]) => Promise<readonly Verdict[]>;
  /** All settings together take no longer than a few. */
  readonly together: boolean;
  readonly most: number;
}

export type SearchMethod = 'one pass' | 'bisection' | 'sweep';

export interface SearchOutcome {
  /** The cheapest setting that holds; null: none does. */
  readonly answer: Verdict | null;
  readonly evaluated: readonly Verdict[];
  readonly method: SearchMethod;
  /** Axes on which a goal was claimed to be monotone and was found not to be. */
  readonly refuted: readonly string[];
}

/**
 * The cheapest setting that holds. Along the longest monotone axis by bisection, for each combination of the others that may still
 * be cheaper than what was found; what was measured is checked against the claim, and where it is refuted, or there was none, all
 * settings are measured. Throws `LIMIT` for more settings than `most`.
 */
export async function findCheapest(problem: SearchProblem): Promise<SearchOutcome> {
  const known = new Map<string, Verdict>();
  const { axes, cost, together } = problem;
  const measure = async (settings: readonly (readonly number[])[]): Promise<void> => {
    const missing = settings.filter((indexes) => !known.has(indexes.join()));
    if (missing.length === 0) return;
    for (const verdict of await problem.measure(missing)) known.set(verdict.indexes.join(), verdict);
  };
  const line = longest(axes);
  if (together || line < 0) {
    await measure(everything(problem));
    return outcome(known, problem, together ? 'one pass' : 'sweep', []);
  }
  const others = combinations(axes.map((axis, i) => (i === line ? 1 : axis.length)));
  const byCost = others.toSorted((a, b) => cost(a) - cost(b));
  let best = Number.POSITIVE_INFINITY;
  for (const base of byCost) {
    const at = (index: number): readonly number[] => base.map((other, i) => (i === line ? index : other));
    let high = (axes[line]?.length ?? 0) - 1;
    while (high >= 0 && cost(at(high)) >= best) high--;
    if (high < 0) continue;
    await measure([at(high)]);
    if (known.get(at(high).join())?.holds !== true) continue;
    let low = 0;
    while (low < high) {
      const middle = (low + high) >> 1;
      await measure([at(middle)]);
      if (known.get(at(middle).join())?.holds === true) high = middle;
      else low = middle + 1;
    }
    best = cost(at(high));
  }
  const found = cheapest(known, cost);
  // the neighbours that are one step smaller, which tell by how much they fail
  if (found !== null) await measure(smaller(found.indexes));
  const refuted = refutedAxes([...known.values()], axes);
  if (refuted.length === 0) return outcome(known, problem, 'bisection', []);
  await measure(everything(problem));
  return outcome(known, problem, 'sweep', refuted);
}

/** Settings with one step less on one axis. */
export function smaller(indexes: readonly number[]): readonly (readonly number[])[] {
  return indexes.flatMap((index, axis) =>
    index > 0 ? [indexes.map((other, i) => (i === axis ? index - 1 : other))] : [],
  );
}

function outcome(
  known: ReadonlyMap<string, Verdict>,
  { cost }: SearchProblem,
  method: SearchMethod,
  refuted: readonly string[],
): SearchOutcome {
  return { answer: cheapest(known, cost), evaluated: [...known.values()], method, refuted };
}

function cheapest(known: ReadonlyMap<string, Verdict>, cost: SearchProblem['cost']): Verdict | null {
  const holding = [...known.values()].filter(({ holds }) => holds);
  const [first] = holding.sort((a, b) => cost(a.indexes) - cost(b.indexes) || compare(a.indexes, b.indexes));
  return first ?? null;
}

/** Of equal cost, the one with less of the first parameter. */
function compare(a: readonly number[], b: readonly number[]): number {
  for (const [i, index] of a.entries()) if (index !== b[i]) return index - (b[i] ?? 0);
  return 0;
}

function longest(axes: SearchProblem['axes']): number {
  let found = -1;
  axes.forEach(({ monotone, length }, i) => {
    if (monotone && length > 1 && length > (axes[found]?.length ?? 0)) found = i;
  });
  return found;
}

function everything({ axes, most }: SearchProblem): readonly (readonly number[])[] {
  const count = axes.reduce((product, { length }) => product * length, 1);
  if (count > most) {
    throw new IorrError('LIMIT', `${count} settings to measure, ${most} are the most`, {
      hint: 'give fewer values to --vary',
    });
  }
  return combinations(axes.map(({ length }) => length));
}

function combinations(lengths: readonly number[]): readonly (readonly number[])[] {
  let all: readonly (readonly number[])[] = [[]];
  for (const length of lengths) all = all.flatMap((one) => Array.from({ length }, (_, index) => [...one, index]));
  return all;
}

/** Axes claimed monotone along which a goal's score, or whether all hold, falls from one measured setting to the next. */
function refutedAxes(verdicts: readonly Verdict[], axes: SearchProblem['axes']): readonly string[] {
  return axes.flatMap(({ name, monotone }, axis) => {
    if (!monotone) return [];
    const lines = new Map<string, Verdict[]>();
    for (const verdict of verdicts) {
      const key = verdict.indexes.filter((_, i) => i !== axis).join();
      lines.set(key, [...(lines.get(key) ?? []), verdict]);
    }
    const falls = [...lines.values()].some((line) => {
      const sorted = line.toSorted((a, b) => (a.indexes[axis] ?? 0) - (b.indexes[axis] ?? 0));
      return sorted.some((verdict, i) => {
        const before = sorted[i - 1];
        if (before === undefined) return false;
        if (before.holds && !verdict.holds) return true;
        return verdict.scores.some((score, goal) => (score ?? 0) < (before.scores[goal] ?? score ?? 0));
      });
    });
    return falls ? [name] : [];
  });
}

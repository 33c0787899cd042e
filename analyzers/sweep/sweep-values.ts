import { SWEPT } from '../../replay/sweep/sweep-point.ts';
import type { SweepParameter } from '../../replay/sweep/sweep-point.ts';
import { IorrError } from '../../traces/errors.ts';

/** Points of a sweep at most. */
const MOST_POINTS = 100_000;
const MOST_VALUES = 4096;

/** `8`, `0.5`; `1..64`: doubled from the first to the last. */
const RANGE = /^(\d+)\.\.(\d+)$/;

/** The lists of `--set name=v1,v2,4..64`, or of another `option`; a name given twice has both lists. Throws `USAGE`. */
export function sweptParameters(settings: readonly string[], option = '--set'): readonly SweepParameter[] {
  const lists = new Map<string, (number | string)[]>();
  for (const setting of settings) {
    const at = setting.indexOf('=');
    const name = setting.slice(0, Math.max(0, at)).trim();
    const text = setting.slice(at + 1);
    if (name === '' || text.includes('=')) {
      throw new IorrError('USAGE', `${option} ${setting}: one name and its values expected`, {
        hint: `${option} sets=16,32,64 ${option} ways=1..16`,
      });
    }
    lists.set(name, [...(lists.get(name) ?? []), ...valuesOf(`${option} ${setting}`, text)]);
  }
  return [...lists].map(([name, values]) => ({ name, values: [...new Set(values)] }));
}

function valuesOf(setting: string, text: string): readonly (number | string)[] {
  const values = text.split(',').flatMap((part): (number | string)[] => {
    const value = part.trim();
    const [, first, last] = RANGE.exec(value) ?? [];
    if (first === undefined || last === undefined) {
      if (value === '') throw new IorrError('USAGE', `${setting}: a value is missing`);
      const number = Number(value);
      return [Number.isFinite(number) ? number : value];
    }
    return doubled(Number(first), Number(last), setting);
  });
  if (values.length <= MOST_VALUES) return values;
  throw new IorrError('USAGE', `${setting}: ${values.length} values, ${MOST_VALUES} are the most`);
}

function doubled(from: number, to: number, setting: string): number[] {
  if (from < 1 || to < from || to > Number.MAX_SAFE_INTEGER) {
    throw new IorrError('USAGE', `${setting}: a range goes up from 1 or more`, { hint: 'for example ways=1..16' });
  }
  const range: number[] = [];
  for (let value = from; value < to; value *= 2) range.push(value);
  return [...range, to];
}

/** What varies, and what is the same everywhere, of all that was given. Throws `USAGE` for nothing, or too much. */
export function splitParameters(parameters: readonly SweepParameter[]): {
  readonly swept: readonly SweepParameter[];
  readonly settings: readonly string[];
} {
  const special: readonly string[] = Object.values(SWEPT);
  const fixed = parameters.filter(({ name, values }) => values.length === 1 && !special.includes(name));
  const swept = parameters.filter((parameter) => !fixed.includes(parameter));
  const points = swept.reduce((product, { values }) => product * values.length, 1);
  if (points === 1) {
    throw new IorrError('USAGE', 'nothing varies: a sweep has at least one list of values', {
      hint: '--set sets=16,32,64,128 --set ways=1..16',
    });
  }
  if (points > MOST_POINTS) {
    throw new IorrError('USAGE', `${points} points, ${MOST_POINTS} are the most`, { hint: 'give fewer values' });
  }
  return { swept, settings: fixed.map(({ name, values }) => `${name}=${values[0]}`) };
}

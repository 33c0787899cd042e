import { IorrError } from '../traces/errors.ts';
import type { Nanoseconds } from '../traces/units.ts';

const UNITS: { readonly [unit: string]: number } = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9 };

/** `1.5s`, `200ms`, `12us`, `900ns`, `2m`; a number alone is seconds. Throws USAGE otherwise. */
export function parseDuration(text: string, option: string): Nanoseconds {
  // 12.5ms: number, unit
  const match = /^(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m)?$/.exec(text);
  const [, number, unit = 's'] = match ?? [];
  const factor = UNITS[unit];
  if (number === undefined || factor === undefined) {
    throw new IorrError(
      'USAGE',
      `${option}: a time such as 1.5s, 200ms or 12us expected, found ${JSON.stringify(text)}`,
      { hint: `for example ${option} 200ms; units are ns, us, ms, s and m` },
    );
  }
  return Math.round(Number(number) * factor);
}

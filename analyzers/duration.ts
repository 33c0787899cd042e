import { IorrError } from '../traces/errors.ts';
import type { Nanoseconds } from '../traces/units.ts';

const UNITS: { readonly [unit: string]: number } = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9 };
/** What people write for a unit. */
const WORDS: { readonly [unit: string]: readonly string[] } = {
  ns: ['ns', 'nsec', 'nsecs', 'nanosecond', 'nanoseconds'],
  us: ['us', 'usec', 'usecs', 'microsecond', 'microseconds'],
  ms: ['ms', 'msec', 'msecs', 'millisecond', 'milliseconds'],
  s: ['s', 'sec', 'secs', 'second', 'seconds'],
  m: ['m', 'min', 'mins', 'minute', 'minutes'],
};

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
      { hint: hint(text, option) },
    );
  }
  return Math.round(Number(number) * factor);
}

/** `10sec` most likely means seconds. */
function hint(text: string, option: string): string {
  // 10sec: number, word
  const [, number, word] = /^(\d+(?:\.\d+)?)\s*([a-zµ]+)$/i.exec(text) ?? [];
  const unit = Object.entries(WORDS).find(([, names]) => names.includes(word?.toLowerCase() ?? ''))?.[0];
  if (number !== undefined && unit !== undefined) return `did you mean ${option} ${number}${unit}?`;
  return `for example ${option} 200ms; units are ns, us, ms, s and m`;
}

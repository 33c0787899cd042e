import { IorrError } from '../../traces/errors.ts';

/** Amounts on the command line: a number and a unit. */

const TIME_MS: { readonly [unit: string]: number } = { ms: 1, s: 1000, '': 1000, m: 60_000, min: 60_000, h: 3_600_000 };
const SIZE: { readonly [unit: string]: number } = {
  '': 1,
  B: 1,
  k: 1024,
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  T: 1024 ** 4,
};

// 1.5s   100M   64KiB   30
const QUANTITY = /^(\d{1,15}(?:\.\d{1,6})?)([A-Za-z]*)$/;

function parse(option: string, text: string, units: { readonly [unit: string]: number }, example: string): number {
  const [, number = '', unit = ''] = QUANTITY.exec(text) ?? [];
  const factor = units[unit];
  const value = Math.round(Number(number) * (factor ?? 0));
  if (number !== '' && factor !== undefined && value > 0 && Number.isSafeInteger(value)) return value;
  throw new IorrError('USAGE', `${option} expects an amount above 0 such as ${example}, got "${text}"`);
}

/** Milliseconds of `30s`, `1.5m`, `100ms`, `2h`; a bare number is seconds. Throws `IorrError` USAGE. */
export function parseDuration(option: string, text: string): number {
  return parse(option, text, TIME_MS, '30s, 500ms, 5m');
}

/** Bytes of `100M`, `64KiB`, `1G`; a bare number is bytes. Throws `IorrError` USAGE. */
export function parseSize(option: string, text: string): number {
  return parse(option, text.replace(/i?B$/, ''), SIZE, '64K, 100M, 2G');
}

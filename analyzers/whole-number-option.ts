import type { CommandInvocation } from '../traces/command.ts';
import { IorrError } from '../traces/errors.ts';

/** The whole number of `--name`, or `otherwise` where it was not given. Throws `USAGE` outside of `low` to `high`. */
export function wholeNumberOption(
  options: CommandInvocation['options'],
  name: string,
  low: number,
  high: number,
  otherwise?: number,
): number {
  const given = options[name];
  if (given === undefined && otherwise !== undefined) return otherwise;
  const text = String(given);
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= low && value <= high) return value;
  throw new IorrError('USAGE', `--${name} ${text}: a whole number from ${low} to ${high} expected`);
}

/** `--seed`, 1 where it was not given. Throws `USAGE`. */
export function seedOption(options: CommandInvocation['options']): number {
  return wholeNumberOption(options, 'seed', 0, Number.MAX_SAFE_INTEGER, 1);
}

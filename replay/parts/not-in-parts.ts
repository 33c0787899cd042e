import { IorrError } from '../../traces/errors.ts';

/** Refuses a trace whose replay can't be split by sets: `LIMIT` with the reason. */
export function notInParts(what: string): IorrError {
  return new IorrError('LIMIT', what, { hint: 'one thread plays it' });
}

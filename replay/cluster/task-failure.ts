import { ERROR_CODES, IorrError } from '../../traces/errors.ts';
import type { ErrorCode } from '../../traces/errors.ts';
import { parseObject } from './sweep-entry.ts';

/** Characters of a message that are passed on. */
const MOST_TEXT = 4000;

/** What a worker says of a task that can't be done, as the text that is kept with it. */
export function failureText(error: unknown, worker: string): string {
  const message = error instanceof Error ? error.message : String(error);
  const ours = error instanceof IorrError ? { code: error.code, hint: error.hint.slice(0, MOST_TEXT) } : {};
  return JSON.stringify({ iorr: 1, worker, message: message.slice(0, MOST_TEXT), ...ours });
}

/** The error that such a text is of. What else BullMQ says: workers that died of it. */
export function taskFailure(text: string): IorrError {
  const value = parseObject(text);
  if (value?.['iorr'] === 1 && typeof value['message'] === 'string') {
    const { code, hint, worker } = value;
    const where = typeof worker === 'string' ? ` (at the worker ${worker})` : '';
    return new IorrError(isCode(code) ? code : 'REDIS_FAILED', `a point failed${where}: ${value['message']}`, {
      hint: typeof hint === 'string' ? hint : '',
    });
  }
  if (text.includes('stalled')) {
    return new IorrError('REDIS_FAILED', 'a point was given up: each worker that ran it was gone before it was done', {
      hint: 'workers may need more memory for it; sweep it alone without --redis',
    });
  }
  return new IorrError('REDIS_FAILED', `a point failed: ${text.slice(0, MOST_TEXT)}`, {
    hint: "look into the workers' output",
  });
}

function isCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(ERROR_CODES, value);
}

import { IorrError } from './errors.ts';
import type { ErrorCode, ErrorPlace } from './errors.ts';

/** An error as plain data: classes don't cross between threads. */
export interface PlainError {
  /** Undefined: not one of ours; then the message is all there is of it, with its stack. */
  readonly code: ErrorCode | undefined;
  readonly message: string;
  readonly hint: string;
  readonly place: ErrorPlace;
}

export function plainError(error: unknown): PlainError {
  if (error instanceof IorrError) {
    const { code, message, hint, place } = error;
    return { code, message, hint, place };
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: undefined, message, hint: '', place: {} };
}

/** The error that it was in the other thread. */
export function errorOf({ code, message, hint, place }: PlainError): Error {
  return code === undefined ? new Error(message) : new IorrError(code, message, { hint, place });
}

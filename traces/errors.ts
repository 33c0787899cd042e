/**
 * Every error that iorr raises on purpose, by code. A call that can't be done throws an `IorrError`; data that can't be
 * read is counted in a `Health` instead.
 */
export const ERROR_CODES = {
  USAGE: { exit: 2, title: 'usage' },
  FILE_UNREADABLE: { exit: 1, title: 'cannot read' },
  FILE_UNWRITABLE: { exit: 1, title: 'cannot write' },
  FORMAT_UNKNOWN: { exit: 1, title: 'unknown format' },
  FORMAT_EMPTY: { exit: 1, title: 'nothing in it' },
  TRACE_DAMAGED: { exit: 1, title: 'damaged trace' },
  TRACE_NEWER: { exit: 1, title: 'newer trace format' },
  LIMIT: { exit: 1, title: 'limit exceeded' },
  STREAM_MISSING: { exit: 1, title: 'stream missing' },
  RECORDING_FAILED: { exit: 125, title: 'recording failed' },
  PROGRAM_NOT_EXECUTABLE: { exit: 126, title: 'cannot run' },
  PROGRAM_NOT_FOUND: { exit: 127, title: 'no such program' },
  DESIGN_FAILED: { exit: 1, title: 'design failed' },
  JOIN_IMPOSSIBLE: { exit: 1, title: 'captures do not join' },
  NOTHING_TO_VERIFY: { exit: 3, title: 'nothing to verify' },
  PACKAGE_MISSING: { exit: 1, title: 'package missing' },
  REDIS_FAILED: { exit: 1, title: 'Redis failed' },
  WORKER_REFUSED: { exit: 1, title: 'worker refused' },
  INCOMPLETE: { exit: 4, title: 'incomplete data' },
} as const;

/** Name of an error, for programs. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** Where in an input it went wrong, as far as that is known. */
export interface ErrorPlace {
  readonly file?: string;
  /** 1-based line of a text input. */
  readonly line?: number;
  /** Byte offset of a binary input. */
  readonly offset?: number;
  /** Index of the event in the trace. */
  readonly event?: number;
}

/** A failure with a code, a place and the next step. `message` holds what was expected and what came. */
export class IorrError extends Error {
  readonly code: ErrorCode;
  readonly place: ErrorPlace;
  readonly hint: string;

  constructor(code: ErrorCode, message: string, options: { place?: ErrorPlace; hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'IorrError';
    this.code = code;
    this.place = options.place ?? {};
    this.hint = options.hint ?? '';
  }

  get exitCode(): number {
    return ERROR_CODES[this.code].exit;
  }
}

/** `file:line`, `file at byte 12`, or nothing. */
export function formatPlace(place: ErrorPlace): string {
  const parts: string[] = [];
  if (place.file !== undefined) parts.push(place.line === undefined ? place.file : `${place.file}:${place.line}`);
  else if (place.line !== undefined) parts.push(`line ${place.line}`);
  if (place.offset !== undefined) parts.push(`at byte ${place.offset}`);
  if (place.event !== undefined) parts.push(`event ${place.event}`);
  return parts.join(' ');
}

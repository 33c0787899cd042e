import { IorrError } from '../../traces/errors.ts';

/** Beginnings of replies, and texts of errors of the connection, that waiting does not mend. */
const KEPT_OUT = /\b(?:NOAUTH|WRONGPASS|NOPERM)\b|invalid password|without any password configured/;
const TLS_TROUBLE = /\b(?:self[- ]signed|certificate|CERT_|ERR_TLS|ERR_SSL|wrong version number)\b/i;

/** What a client says of commands that were under way when a connection was lost; and a Redis that is still reading what it kept. */
const LOST = /Connection is closed|ECONNRESET|EPIPE|Command aborted|isn't writeable|\bLOADING\b/;

/** An answer did not come because the connection was lost: whoever asked asks again. */
export class AnswerLost extends Error {}

export function isLost(error: unknown): boolean {
  return error instanceof AnswerLost || LOST.test(describe(error));
}

/** True for what another attempt would answer the same way. */
export function isFinal(error: unknown): boolean {
  const text = describe(error);
  return KEPT_OUT.test(text) || TLS_TROUBLE.test(text);
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' && !error.message.includes(code) ? `${code} ${error.message}` : error.message;
}

/** What went wrong at a Redis, with what to do next. Errors of ours stay as they are. `shown`: its address without a password. */
export function redisTrouble(error: unknown, shown: string): IorrError {
  if (error instanceof IorrError) return error;
  const text = describe(error);
  const failed = (message: string, hint: string): IorrError =>
    new IorrError('REDIS_FAILED', `the Redis at ${shown} ${message}`, { hint, cause: error });
  if (/\bOOM\b/.test(text)) {
    return failed(
      'is full (maxmemory)',
      'raise its maxmemory: it holds the trace once, and the points; or end other sweeps there',
    );
  }
  if (KEPT_OUT.test(text)) {
    return failed(
      `does not let us in: ${text}`,
      'user and password as in redis://USER:PASSWORD@HOST, or IORR_REDIS_PASSWORD; the user needs all commands on keys iorr:*',
    );
  }
  if (TLS_TROUBLE.test(text)) {
    return failed(
      `does not speak TLS as we do: ${text}`,
      'rediss:// is with TLS; NODE_EXTRA_CA_CERTS=FILE trusts an own CA',
    );
  }
  if (/\bMISCONF\b/.test(text)) return failed(`takes no writes: ${text}`, 'look at the disk that it saves to');
  if (/\bREADONLY\b/.test(text)) return failed('is a read-only copy of another', 'name the other');
  if (/unknown command/i.test(text)) return failed(`is too old or too bare: ${text}`, 'Redis 6.2 or later is needed');
  return failed(`failed: ${text}`, 'look into its log');
}

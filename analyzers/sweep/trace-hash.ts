import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { IorrError } from '../../traces/errors.ts';
import { systemReason } from '../../traces/system-reason.ts';

const CHUNK = 1 << 20;

/** SHA-256 of a file's bytes: what points name their trace by. Throws `FILE_UNREADABLE`. */
export function traceHash(file: string): string {
  const hash = createHash('sha256');
  const chunk = new Uint8Array(CHUNK);
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'r');
    for (let got = CHUNK; got > 0; ) {
      got = readSync(descriptor, chunk);
      hash.update(chunk.subarray(0, got));
    }
  } catch (error) {
    throw new IorrError('FILE_UNREADABLE', systemReason(error), {
      place: { file },
      hint: 'check the name and its permissions',
      cause: error,
    });
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
  return hash.digest('hex');
}

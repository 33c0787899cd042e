import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs';
import type { SweepPoint, SweepResult } from '../../replay/sweep/sweep-point.ts';
import { IorrError } from '../../traces/errors.ts';
import { systemReason } from '../../traces/system-reason.ts';

/** More would be none of ours: 100,000 points with a kilobyte each. */
const MOST_BYTES = 100 * 2 ** 20;

/** What a sweep did so far, beside its output: a line for itself, then one for each result. A killed sweep goes on from it. */
export interface SweepJournal {
  /** What an earlier run of the same sweep left. */
  readonly results: readonly SweepResult[];
  add(results: readonly SweepResult[]): void;
  /** Ends it; `done`: it is not needed any more. */
  close(done: boolean): void;
}

/** Name of a sweep: hash of its points. */
function sweepId(points: readonly SweepPoint[]): string {
  const hash = createHash('sha256');
  for (const { id } of points) hash.update(id);
  return hash.digest('hex');
}

/** Opens the journal of an output file. What belongs to another sweep is begun anew. Throws `FILE_UNWRITABLE`. */
export function openJournal(output: string, points: readonly SweepPoint[]): SweepJournal {
  const file = `${output}.journal`;
  const head = `${JSON.stringify({ sweep: sweepId(points) })}\n`;
  try {
    const results = existsSync(file) ? resume(file, head, new Set(points.map(({ id }) => id))) : undefined;
    const descriptor = openSync(file, results === undefined ? 'w' : 'a');
    if (results === undefined) writeSync(descriptor, head);
    return {
      results: results ?? [],
      add: (found) => {
        writeSync(descriptor, found.map((result) => `${JSON.stringify(result)}\n`).join(''));
      },
      close: (done) => {
        closeSync(descriptor);
        if (done) rmSync(file);
      },
    };
  } catch (error) {
    throw new IorrError('FILE_UNWRITABLE', systemReason(error), {
      place: { file },
      hint: 'the journal of a sweep lies beside its output',
      cause: error,
    });
  }
}

/** Results of the whole lines; a line that was cut is taken off. Undefined where it is another sweep's. */
function resume(file: string, head: string, ids: ReadonlySet<string>): readonly SweepResult[] | undefined {
  if (statSync(file).size > MOST_BYTES) return undefined;
  const text = readFileSync(file, 'utf8');
  const found = readJournal(text, head, ids);
  if (found !== undefined) truncateSync(file, Buffer.byteLength(text.slice(0, found.whole)));
  return found?.results;
}

/** Results of the lines that are whole, and how much of the text these are; undefined where it is another sweep's. */
export function readJournal(
  text: string,
  head: string,
  ids: ReadonlySet<string>,
): { readonly results: readonly SweepResult[]; readonly whole: number } | undefined {
  if (!text.startsWith(head)) return undefined;
  const results: SweepResult[] = [];
  let whole = head.length;
  for (let end = text.indexOf('\n', whole); end >= 0; end = text.indexOf('\n', whole)) {
    const result = parsed(text.slice(whole, end));
    if (result === undefined || !ids.has(result.id)) break;
    results.push(result);
    whole = end + 1;
  }
  return { results, whole };
}

function parsed(line: string): SweepResult | undefined {
  try {
    const value = JSON.parse(line) as Partial<SweepResult> | null;
    const good =
      typeof value?.id === 'string' &&
      typeof value.metrics === 'object' &&
      value.metrics !== null &&
      Object.values(value.metrics).every((metric) => metric === null || typeof metric === 'number') &&
      Array.isArray(value.caveats) &&
      value.caveats.every((caveat) => typeof caveat === 'string');
    return good ? (value as SweepResult) : undefined;
  } catch {
    return undefined;
  }
}

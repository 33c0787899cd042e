import { SCHEMA_VERSION } from '../../../traces/envelope.ts';
import type { ReportInput } from '../../../traces/envelope.ts';
import { IorrError } from '../../../traces/errors.ts';
import { readSmallFile } from '../../profile-option.ts';
import type { Chapter } from '../chapter.ts';
import { shellWord } from '../reproduce.ts';
import { RESULT_KINDS } from './result-kinds.ts';
import type { ResultEnvelope, ResultKind } from './result-kinds.ts';
import { ShapeError, each, list, mapOf, number, oneOf, optional, orNull, record, text } from './shape.ts';

/** A result that a page shows. */
export interface ResultDocument {
  /** As the user named it. */
  readonly file: string;
  readonly report: ResultEnvelope;
  readonly chapter: Chapter;
  /** Place of its kind on a page. */
  readonly order: number;
}

/** No result that a command prints is as large. */
const MOST_BYTES = 128 * 2 ** 20;

const health = record({
  ...each('malformed unknown lost truncated ignored', number),
  entries: list(
    record({
      kind: oneOf('malformed', 'unknown', 'lost', 'truncated', 'ignored'),
      name: text,
      count: number,
      first: list(text),
    }),
  ),
});

const envelope = record({
  version: text,
  command: text,
  input: list(
    record({
      file: text,
      events: number,
      bytes: optional(number),
      sources: list(record(each('format producer', text))),
      host: record({ kernel: optional(text), cpus: optional(number), iommu: optional(text) }),
      clock: record({ ...each('name epochNs', text), resolutionNs: number }),
      fidelity: mapOf(text),
    }),
  ),
  options: mapOf((value, path) => {
    if (Array.isArray(value)) list(text)(value, path);
    else if (typeof value !== 'boolean')
      orNull((one, at) => (typeof one === 'string' ? undefined : number(one, at)))(value, path);
  }),
  health,
});

/** The same for results of one trace, however its file was called: so many events since the same instant. */
export function traceKey(inputs: readonly Pick<ReportInput, 'clock' | 'events'>[]): string {
  return inputs.map(({ clock, events }) => `${events} events since ${clock.epochNs}`).join(', ');
}

function refused(file: string, message: string, hint: string): IorrError {
  return new IorrError('FORMAT_UNKNOWN', message, { place: { file }, hint });
}

function kindOf({ command, result }: ResultEnvelope): ResultKind | undefined {
  const names = typeof result === 'object' && result !== null ? result : {};
  return RESULT_KINDS.find(
    (kind) => kind.command === command && (kind.sign === undefined || Object.hasOwn(names, kind.sign)),
  );
}

/** Numbers of the right form may still contradict each other: a block of half a byte, a list that is shorter than its neighbour. */
function chapterOf(kind: ResultKind, report: ResultEnvelope, file: string): Chapter {
  try {
    return kind.chapter(report);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new IorrError('FORMAT_UNKNOWN', `a result of ${kind.command} whose figures contradict each other: ${why}`, {
      place: { file },
      hint: 'run the command again',
      cause: error,
    });
  }
}

/** One result from the text of its file. Throws `FORMAT_UNKNOWN` with the place in the document that is not as it should be. */
export function parseResultDocument(content: string, file: string): ResultDocument {
  let document: unknown;
  try {
    document = JSON.parse(content.replace(/^\uFEFF/, ''));
  } catch (error) {
    if (/^.iorr\r\n/.test(content)) {
      throw refused(file, 'a result expected, found a trace', `iorr replay ${shellWord(file)} --json > result.json`);
    }
    const why = error instanceof Error ? error.message : String(error);
    throw refused(file, `a result expected, found no JSON: ${why}`, 'iorr replay run.iorr --json > result.json');
  }
  const { tool, schemaVersion, command } = { ...(document as object) } as { readonly [name: string]: unknown };
  if (tool !== 'iorr') {
    throw refused(file, 'a result of iorr expected, found other JSON', 'name files that a command printed with --json');
  }
  if (schemaVersion !== SCHEMA_VERSION) {
    const newer = typeof schemaVersion === 'number' && schemaVersion > SCHEMA_VERSION;
    throw refused(
      file,
      `a result of schema version ${SCHEMA_VERSION} expected, found ${JSON.stringify(schemaVersion) ?? 'none'}`,
      newer ? 'a newer iorr wrote it: use that one' : 'run the command again with this iorr',
    );
  }
  const report = document as ResultEnvelope;
  const kind = kindOf(report);
  if (kind === undefined) {
    const known = [...new Set(RESULT_KINDS.map((one) => one.command))].join(', ');
    throw refused(
      file,
      `no page shows a result of ${JSON.stringify(command) ?? 'nothing'}`,
      `results of ${known} have one`,
    );
  }
  try {
    envelope(report, 'document');
    kind.shape(report.result, 'result');
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    throw refused(
      file,
      `a result of ${kind.command} expected, but ${error.message}`,
      `iorr ${report.version} wrote it: run the command again with this iorr`,
    );
  }
  return { file, report, chapter: chapterOf(kind, report, file), order: RESULT_KINDS.indexOf(kind) };
}

/** One result of a file. Throws `FILE_UNREADABLE`, `LIMIT`, `FORMAT_UNKNOWN`. */
export function readResultDocument(file: string): ResultDocument {
  return parseResultDocument(readSmallFile(file, MOST_BYTES), file);
}

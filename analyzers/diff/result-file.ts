import { closeSync, openSync, readSync } from 'node:fs';
import { IorrError } from '../../traces/errors.ts';
import { readSmallFile } from '../profile-option.ts';

/** A result that a command printed with `--json`, or the list of `iorr bench --github`. */
export interface ResultFile {
  readonly file: string;
  /** `replay`, `compare`, ...; `github` for a list. */
  readonly command: string;
  readonly version: string;
  readonly inputs: readonly unknown[];
  readonly options: { readonly [name: string]: unknown };
  readonly result: unknown;
}

/** No result that a command prints is as large. */
const MOST_BYTES = 128 * 2 ** 20;

/** Whether a file begins as JSON does; traces begin with their magic. Stdin is taken for a trace. Throws `FILE_UNREADABLE`. */
export function isResultFile(file: string): boolean {
  if (file === '-') return false;
  const bytes = Buffer.alloc(64);
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'r');
    const length = readSync(descriptor, bytes, 0, bytes.length, 0);
    return /^[\uFEFF\s]*[[{]/.test(bytes.toString('utf8', 0, length));
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    const why =
      code === 'ENOENT'
        ? 'no such file'
        : code === 'EISDIR'
          ? 'a trace or a result expected, found a directory'
          : String(error);
    throw new IorrError('FILE_UNREADABLE', why, { place: { file }, hint: 'check the path', cause: error });
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function notAResult(file: string, what: string): IorrError {
  return new IorrError('FORMAT_UNKNOWN', what, {
    place: { file },
    hint: 'name two .iorr traces, or two results that a command printed with --json',
  });
}

/** Reads a result. Throws `FILE_UNREADABLE`, `LIMIT`, `FORMAT_UNKNOWN`. */
export function readResultFile(file: string): ResultFile {
  return parseResult(readSmallFile(file, MOST_BYTES), file);
}

/** A result from its text. Throws `FORMAT_UNKNOWN`. */
export function parseResult(text: string, file: string): ResultFile {
  let document: unknown;
  try {
    document = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw notAResult(file, `no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (Array.isArray(document)) {
    return { file, command: 'github', version: '', inputs: [], options: {}, result: document };
  }
  if (typeof document !== 'object' || document === null) throw notAResult(file, 'JSON, but no result of iorr');
  const { tool, command, schemaVersion, version, input, options, result } = document as { [name: string]: unknown };
  if (tool !== 'iorr' || typeof command !== 'string') throw notAResult(file, 'JSON, but no result of iorr');
  if (schemaVersion !== 1) {
    throw notAResult(file, `a result of schema version ${String(schemaVersion)}, this iorr reads version 1`);
  }
  if (typeof result !== 'object' || result === null)
    throw notAResult(file, `a document of ${command} without a result`);
  return {
    file,
    command,
    version: typeof version === 'string' ? version : '',
    inputs: Array.isArray(input) ? input : [],
    options: typeof options === 'object' && options !== null ? (options as { [name: string]: unknown }) : {},
    result,
  };
}

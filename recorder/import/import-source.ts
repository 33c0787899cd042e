import { basename } from 'node:path';
import { IorrError } from '../../traces/errors.ts';
import { Health } from '../../traces/health.ts';
import { decompress } from './decompress.ts';
import { HEAD_BYTES } from './importer.ts';
import type { ImportHeader, Importer } from './importer.ts';
import { IMPORTERS, detectImporter, findImporter } from './importers.ts';
import type { InputFile } from './open-input.ts';

/** An input whose format is known, ready to be read. */
export interface ImportSource {
  readonly input: InputFile;
  readonly importer: Importer;
  readonly header: ImportHeader;
  /** Decompressed bytes from the very beginning; each chunk is valid until the next one is asked for. */
  readonly chunks: AsyncGenerator<Uint8Array>;
  /** Troubles of this input, those of its compression included. */
  readonly health: Health;
}

/** Captures that are known and not read, by how they begin, and how to turn them into one that is. */
const CONVERTIBLE: readonly { readonly begins: string; readonly what: string; readonly hint: string }[] = [
  { begins: '\x17\x08Dtracing', what: 'a trace-cmd file', hint: 'trace-cmd report FILE | iorr import - -o OUT.iorr' },
  { begins: 'PERFILE2', what: 'a perf.data file', hint: 'perf script -i FILE | iorr import - -o OUT.iorr' },
];

/**
 * Reads the beginning of an input and finds its importer. Throws `IorrError` FORMAT_EMPTY, FORMAT_UNKNOWN; errors of reading
 * are thrown on.
 */
export async function openSource(input: InputFile, format: string | undefined): Promise<ImportSource> {
  const health = new Health();
  let damage: string | undefined;
  const chunks = decompress(input.chunks(), (what) => {
    damage = what;
    health.add('truncated', `compressed data: ${what}`, `${basename(input.name)} after ${input.read()} bytes`);
  });
  const head = await readHead(chunks);
  if (head.length === 0) {
    const hint =
      damage === undefined ? 'was the capture stopped before anything was written?' : 'copy it again from its source';
    const what = damage === undefined ? 'it is empty' : `it holds nothing readable (${damage})`;
    throw new IorrError('FORMAT_EMPTY', `a capture expected: ${what}`, { place: { file: input.name }, hint });
  }
  const importer = format === undefined ? detectImporter(head) : findImporter(format);
  if (importer === undefined) throw unknownFormat(input.name, head);
  async function* whole(): AsyncGenerator<Uint8Array> {
    yield head;
    yield* chunks;
  }
  return { input, importer, header: importer.describe(head), chunks: whole(), health };
}

/** Copies the first chunks, until there are `HEAD_BYTES` or no more. */
async function readHead(chunks: AsyncGenerator<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  while (length < HEAD_BYTES) {
    const step = await chunks.next();
    if (step.done === true) break;
    parts.push(Uint8Array.from(step.value));
    length += step.value.length;
  }
  return Buffer.concat(parts);
}

function unknownFormat(file: string, head: Uint8Array): IorrError {
  const known = IMPORTERS.map((importer) => `${importer.name} (${importer.description})`).join('; ');
  const begins = Buffer.from(head.subarray(0, 16)).toString('latin1');
  const convertible = CONVERTIBLE.find((one) => begins.startsWith(one.begins));
  const what = convertible === undefined ? 'not a capture of a known format' : `${convertible.what}, which is not read`;
  return new IorrError('FORMAT_UNKNOWN', `${what}: it begins with ${showStart(head)}`, {
    place: { file },
    hint: convertible?.hint ?? `known formats: ${known}. If it is one of them, name it with --format`,
  });
}

/** The first bytes as text, with everything but printable ASCII escaped. */
export function showStart(head: Uint8Array): string {
  const text = Array.from(head.subarray(0, 48), (byte) => {
    if (byte === 0x0a) return '\\n';
    if (byte === 0x22 || byte === 0x5c) return `\\${String.fromCharCode(byte)}`;
    return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
  });
  return `"${text.join('')}"${head.length > 48 ? '...' : ''}`;
}

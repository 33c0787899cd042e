import { basename } from 'node:path';
import { IorrError } from '../../traces/errors.ts';
import { Health } from '../../traces/health.ts';
import type { ByteSource } from '../../traces/format/bytes-io.ts';
import { SNIFF_BYTES, decompress, sniffCompression } from './decompress.ts';
import { HEAD_BYTES } from './importer.ts';
import type { ImportHeader, Importer } from './importer.ts';
import { IMPORTERS, detectImporter, findImporter } from './importers.ts';
import type { InputFile } from './open-input.ts';
import { spill } from './spill.ts';

/** An input whose format is known, ready to be read. */
export interface ImportSource {
  readonly input: InputFile;
  readonly importer: Importer;
  readonly header: ImportHeader;
  /** Events that no stream is for are wanted. */
  readonly allEvents: boolean;
  /** Decompressed bytes from the very beginning; each chunk is valid until the next one is asked for. */
  readonly chunks: AsyncGenerator<Uint8Array>;
  /** The decompressed bytes in any order, where the importer asks for them; then `chunks` is not to be read. */
  readonly bytes: ByteSource | undefined;
  /** Troubles of this input, those of its compression included. */
  readonly health: Health;
  close(): Promise<void>;
}

/**
 * Reads the beginning of an input and finds its importer. Throws `IorrError` FORMAT_EMPTY, FORMAT_UNKNOWN; errors of reading
 * are thrown on.
 */
export async function openSource(
  input: InputFile,
  format: string | undefined,
  allEvents = false,
): Promise<ImportSource> {
  const health = new Health();
  let damage: string | undefined;
  const chunks = decompress(input.chunks(), (what) => {
    damage = what;
    health.add('truncated', `compressed data: ${what}`, `${basename(input.name)} after ${input.read()} bytes`);
  });
  const { bytes: head, pending } = await readHead(chunks);
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
    if (pending !== undefined) {
      const step = await pending;
      if (step.done === true) return;
      yield step.value;
    }
    yield* chunks;
  }
  const rest = whole();
  const seeing = (header: ImportHeader): ImportHeader =>
    allEvents && importer.keepsOthers === true
      ? { ...header, fidelity: { ...header.fidelity, event: 'partial' } }
      : header;
  const close = async (): Promise<void> => {
    await rest.return(undefined);
    await chunks.return(undefined);
  };
  if (importer.whole === undefined) {
    const header = seeing(importer.describe(head));
    return { input, importer, header, allEvents, chunks: rest, bytes: undefined, health, close };
  }
  const plain = plainBytes(input);
  const spilled = plain === undefined ? await spill(rest, input.name) : undefined;
  const bytes = plain ?? spilled?.bytes;
  const header = seeing(bytes === undefined ? importer.describe(head) : importer.whole.describe(bytes));
  const closeAll = async (): Promise<void> => {
    spilled?.close();
    await close();
  };
  return { input, importer, header, allEvents, chunks: rest, bytes, health, close: closeAll };
}

/** The input's own bytes where they are what the importer reads: a file that is not compressed. */
function plainBytes(input: InputFile): ByteSource | undefined {
  const bytes = input.bytes();
  return bytes === undefined || sniffCompression(bytes.read(0, SNIFF_BYTES)) !== 'none' ? undefined : bytes;
}

/** A pipe that has said something and then pauses is read by what it has said: what comes must not wait in memory. */
const PATIENCE_MS = 400;

interface Head {
  readonly bytes: Uint8Array;
  /** A chunk that was asked for and had not come when patience ran out. */
  readonly pending: Promise<IteratorResult<Uint8Array>> | undefined;
}

/** Copies the first chunks, until there are `HEAD_BYTES`, no more, or a pause. */
async function readHead(chunks: AsyncGenerator<Uint8Array>): Promise<Head> {
  const parts: Uint8Array[] = [];
  let length = 0;
  while (length < HEAD_BYTES) {
    const pending = chunks.next();
    const step = length === 0 ? await pending : await withPatience(pending);
    if (step === 'pause') return { bytes: Buffer.concat(parts), pending };
    if (step.done === true) break;
    parts.push(Uint8Array.from(step.value));
    length += step.value.length;
  }
  return { bytes: Buffer.concat(parts), pending: undefined };
}

async function withPatience<T>(promise: Promise<T>): Promise<T | 'pause'> {
  let timer: NodeJS.Timeout | undefined;
  const pause = new Promise<'pause'>((resolve) => {
    timer = setTimeout(() => resolve('pause'), PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, pause]);
  } finally {
    clearTimeout(timer);
  }
}

function unknownFormat(file: string, head: Uint8Array): IorrError {
  const known = IMPORTERS.map((importer) => `${importer.name} (${importer.description})`).join('; ');
  return new IorrError('FORMAT_UNKNOWN', `not a capture of a known format: it begins with ${showStart(head)}`, {
    place: { file },
    hint: `known formats: ${known}. If it is one of them, name it with --format`,
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

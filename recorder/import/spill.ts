import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IorrError } from '../../traces/errors.ts';
import { descriptorSource } from '../../traces/file.ts';
import type { ByteSource } from '../../traces/format/bytes-io.ts';

/** What came in pieces, in a file that has no name any more: nothing is left behind, however the process ends. */
export interface Spill {
  readonly bytes: ByteSource;
  close(): void;
}

/** Writes all chunks into a file without a name in the folder for temporary files. Throws `IorrError` FILE_UNWRITABLE. */
export async function spill(chunks: AsyncIterable<Uint8Array>, name: string): Promise<Spill> {
  const descriptor = openUnnamed(name);
  try {
    let size = 0;
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length; ) at += write(descriptor, chunk, at, size + at, name);
      size += chunk.length;
    }
    return { bytes: descriptorSource(descriptor, name, size), close: () => closeSync(descriptor) };
  } catch (error) {
    ftruncateSync(descriptor, 0);
    closeSync(descriptor);
    throw error;
  }
}

function openUnnamed(name: string): number {
  try {
    const folder = mkdtempSync(join(tmpdir(), 'iorr-'));
    try {
      return openSync(join(folder, 'input'), 'wx+', 0o600);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  } catch (error) {
    throw unwritable(name, error);
  }
}

function write(descriptor: number, chunk: Uint8Array, at: number, position: number, name: string): number {
  try {
    return writeSync(descriptor, chunk, at, chunk.length - at, position);
  } catch (error) {
    throw unwritable(name, error);
  }
}

function unwritable(name: string, error: unknown): IorrError {
  const what = error instanceof Error ? error.message : String(error);
  return new IorrError('FILE_UNWRITABLE', `a temporary copy of the decompressed input can't be written: ${what}`, {
    place: { file: name },
    hint: 'decompress it first, or name a folder with room in TMPDIR',
    cause: error,
  });
}

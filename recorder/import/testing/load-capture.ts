import { createReadStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { decompress } from '../decompress.ts';
import { HEAD_BYTES } from '../importer.ts';
import type { Importer } from '../importer.ts';
import { detectImporter } from '../importers.ts';
import { importBytes } from './read-import.ts';
import type { ImportedTrace } from './read-import.ts';

/** The folder of whole captures, beside the repository. */
export const CAPTURES = join(import.meta.dirname, '../../../../shared/captures');
/** Tests that take minutes read them, where they are at hand. */
export const CAPTURES_ARE_READ = process.env['IORR_FULL'] === '1' && existsSync(CAPTURES);

/** Unpacks and imports a capture, given by its place in `CAPTURES`. */
export async function loadCapture(path: string): Promise<ImportedTrace & { readonly importer: Importer }> {
  const parts: Uint8Array[] = [];
  const chunks = decompress(createReadStream(join(CAPTURES, path)), (what) => expect.fail(what));
  for await (const chunk of chunks) parts.push(Uint8Array.from(chunk));
  const bytes = Buffer.concat(parts);
  const importer = detectImporter(bytes.subarray(0, HEAD_BYTES));
  if (importer === undefined) throw new Error(`${path}: not recognised`);
  return { importer, ...importBytes(importer, bytes, { file: path }) };
}

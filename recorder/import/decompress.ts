import { Readable, pipeline } from 'node:stream';
import * as zlib from 'node:zlib';
import type { Transform } from 'node:stream';
import { ZstdDecoder } from '../../traces/zstd/decoder.ts';

export type Compression = 'gzip' | 'zstd' | 'none';

/** Bytes that `sniffCompression` needs. */
export const SNIFF_BYTES = 4;

/** Input of one step: an inflater that fails takes the output of its last step with it. */
const PIECE_BYTES = 8 * 1024;
/** Output of one step of an inflater; also what a small input can blow up to before anybody looks at it. */
const STEP_BYTES = 64 * 1024;

/** How an input is compressed, by its first bytes (RFC 1952 2.3.1; RFC 8878 3.1.1 and 3.1.2), not by its name. */
export function sniffCompression(head: Uint8Array): Compression {
  if (head[0] === 0x1f && head[1] === 0x8b && head[2] === 0x08) return 'gzip';
  const zstdFrame = head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd;
  const skippable = (head[0] ?? 0) >>> 4 === 5 && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18;
  return zstdFrame || skippable ? 'zstd' : 'none';
}

/** Zstd streams of node:zlib, in Node since 22.15. */
interface NativeZstd {
  createZstdDecompress(options?: object): Transform;
}

const nativeZstd = 'createZstdDecompress' in zlib ? (zlib as unknown as NativeZstd) : undefined;

/**
 * Decompresses what is compressed and passes on what isn't. Damage ends the output early: what could be read is yielded, then
 * `onDamage` is told why. Yields chunks of bounded size that are valid until the next one is asked for; errors of the source
 * itself are thrown on.
 */
export async function* decompress(
  chunks: AsyncIterable<Uint8Array>,
  onDamage: (what: string) => void,
): AsyncGenerator<Uint8Array> {
  const source = await withHead(chunks);
  switch (sniffCompression(source.head)) {
    case 'none':
      yield* source.chunks;
      return;
    case 'gzip':
      yield* inflate(source.chunks, zlib.createGunzip({ chunkSize: STEP_BYTES }), 'gzip', onDamage);
      return;
    case 'zstd':
      if (nativeZstd === undefined) yield* decodeZstd(source.chunks, onDamage);
      else yield* inflate(source.chunks, nativeZstd.createZstdDecompress({ chunkSize: STEP_BYTES }), 'zstd', onDamage);
  }
}

/** The first bytes of a source, and the whole source again. */
async function withHead(
  chunks: AsyncIterable<Uint8Array>,
): Promise<{ head: Uint8Array; chunks: AsyncIterable<Uint8Array> }> {
  const iterator = chunks[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  let length = 0;
  while (length < SNIFF_BYTES) {
    const step = await iterator.next();
    if (step.done === true) break;
    if (step.value.length === 0) continue;
    first.push(new Uint8Array(step.value));
    length += step.value.length;
  }
  async function* whole(): AsyncGenerator<Uint8Array> {
    try {
      yield* first;
      for (;;) {
        const step = await iterator.next();
        if (step.done === true) return;
        yield step.value;
      }
    } finally {
      await iterator.return?.();
    }
  }
  return { head: Buffer.concat(first), chunks: whole() };
}

/** Copies: an inflater in another thread may still be reading a piece when the next chunk is asked for. */
async function* pieces(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) yield new Uint8Array(chunk.subarray(at, at + PIECE_BYTES));
  }
}

async function* inflate(
  chunks: AsyncIterable<Uint8Array>,
  stream: Transform,
  name: string,
  onDamage: (what: string) => void,
): AsyncGenerator<Uint8Array> {
  let failure: Error | undefined;
  const source = Readable.from(pieces(chunks), { objectMode: true, highWaterMark: 1 });
  source.once('error', (error: Error) => {
    failure = error;
  });
  // The iteration below is told of errors too; this only ties the two streams together.
  pipeline(source, stream, () => {});
  try {
    for await (const chunk of stream) yield chunk as Uint8Array;
  } catch (error) {
    if (failure !== undefined) throw failure;
    const what = error instanceof Error ? error.message : String(error);
    onDamage(`${name}: ${what}`);
  }
}

async function* decodeZstd(
  chunks: AsyncIterable<Uint8Array>,
  onDamage: (what: string) => void,
): AsyncGenerator<Uint8Array> {
  const decoder = new ZstdDecoder();
  for await (const chunk of chunks) {
    yield* decoder.push(chunk);
    if (decoder.damage !== undefined) break;
  }
  decoder.end();
  if (decoder.damage !== undefined) onDamage(`zstd: ${decoder.damage}`);
}

import { createHash } from 'node:crypto';
import { IorrError } from '../../traces/errors.ts';
import type { ByteSource } from '../../traces/format/bytes-io.ts';
import { BLOCK_BYTES, MOST_BLOCKS, MOST_BLOCK_BYTES } from './cluster-limits.ts';

/** What a trace's bytes are made of: blocks of one length (the last may be shorter), each named by its SHA-256. */
export interface BlockManifest {
  /** SHA-256 of `bytes`, in hex. */
  readonly id: string;
  /** The manifest itself, as it is stored. */
  readonly bytes: Uint8Array;
  /** Bytes of the trace. */
  readonly size: number;
  readonly blockBytes: number;
  /** Hashes in hex, in order; the same content has the same name. */
  readonly blocks: readonly string[];
}

/** `iorrblk` and the layout's version. */
const MAGIC = Uint8Array.from([0x69, 0x6f, 0x72, 0x72, 0x62, 0x6c, 0x6b, 1]);
/** Magic, size of the trace (64 bits), bytes of a block (32 bits), little endian; then the hashes. */
const HEADER_BYTES = 20;
const HASH_BYTES = 32;

/** Bytes of the longest manifest. */
export const MOST_MANIFEST_BYTES: number = HEADER_BYTES + MOST_BLOCKS * HASH_BYTES;

export function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Bytes of a block. */
export function blockLength({ size, blockBytes }: BlockManifest, index: number): number {
  return Math.min(blockBytes, size - index * blockBytes);
}

/** Reads a trace once and names its blocks, and all of it. Throws `LIMIT` for one that is too long, `FILE_UNREADABLE`. */
export function cutIntoBlocks(
  source: ByteSource,
  blockBytes: number = BLOCK_BYTES,
): { readonly manifest: BlockManifest /** SHA-256 of the trace's bytes, in hex. */; readonly content: string } {
  const count = Math.ceil(source.size / blockBytes);
  if (count > MOST_BLOCKS) {
    throw new IorrError('LIMIT', `${source.size} bytes; at most ${MOST_BLOCKS * blockBytes} go over a Redis`, {
      place: { file: source.name },
      hint: 'cut the trace, or sweep without --redis',
    });
  }
  const bytes = Buffer.alloc(HEADER_BYTES + count * HASH_BYTES);
  bytes.set(MAGIC);
  bytes.writeBigUInt64LE(BigInt(source.size), 8);
  bytes.writeUInt32LE(blockBytes, 16);
  const content = createHash('sha256');
  for (let i = 0; i < count; i++) {
    const block = source.read(i * blockBytes, blockBytes);
    content.update(block);
    bytes.set(createHash('sha256').update(block).digest(), HEADER_BYTES + i * HASH_BYTES);
  }
  const manifest = readManifest(bytes, hashOf(bytes));
  if (manifest === undefined) throw new RangeError('a manifest that was just written does not read');
  return { manifest, content: content.digest('hex') };
}

/** Reads a manifest that is to have this hash; undefined for any other bytes. */
export function readManifest(bytes: Uint8Array, id: string): BlockManifest | undefined {
  if (bytes.length < HEADER_BYTES || bytes.length > MOST_MANIFEST_BYTES || hashOf(bytes) !== id) return undefined;
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) return undefined;
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const size = Number(view.readBigUInt64LE(8));
  const blockBytes = view.readUInt32LE(16);
  if (blockBytes === 0 || blockBytes > MOST_BLOCK_BYTES) return undefined;
  const count = Math.ceil(size / blockBytes);
  if (!Number.isSafeInteger(size) || HEADER_BYTES + count * HASH_BYTES !== bytes.length) return undefined;
  const blocks = Array.from({ length: count }, (_, i) =>
    view.toString('hex', HEADER_BYTES + i * HASH_BYTES, HEADER_BYTES + (i + 1) * HASH_BYTES),
  );
  return { id, bytes, size, blockBytes, blocks };
}

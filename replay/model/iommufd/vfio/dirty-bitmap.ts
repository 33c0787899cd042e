import type { Process } from '../process.ts';
import { StructView } from '../struct-view.ts';
import { Unjudged } from '../unjudged.ts';

/** The most bytes of a dirty bitmap (DIRTY_BITMAP_SIZE_MAX). */
export const MAX_BITMAP_BYTES = 256 << 20;
/** A longer bitmap (512 KiB) is in no recording. */
const MAX_JUDGED_PAGES = 1n << 22n;
const WORD_BITS = 64n;

/** struct vfio_bitmap {u64 pgsize, u64 size, u64 data}. */
export interface BitmapRequest {
  readonly pageSize: bigint;
  readonly bytes: bigint;
  readonly data: bigint;
}

/** Undefined: it can't be read. */
export function readRequest({ memory }: Process, address: bigint): BitmapRequest | undefined {
  const bytes = memory.read(address, 24);
  if (bytes === undefined) return undefined;
  const view = new StructView(bytes);
  return { pageSize: view.u64(0), bytes: view.u64(8), data: view.u64(16) };
}

/** Whether the bitmap has a bit for each page of `size` bytes, in whole 64-bit words (verify_bitmap_size). */
export function fits({ pageSize, bytes }: BitmapRequest, size: bigint): boolean {
  if (pageSize === 0n) return false;
  const pages = size / (pageSize & -pageSize);
  if (pages === 0n || bytes === 0n || bytes > MAX_BITMAP_BYTES) return false;
  return bytes >= ((pages + WORD_BITS - 1n) / WORD_BITS) * 8n;
}

/**
 * Writes the bits of one mapping, all set, into a bitmap that begins with the page at `base` (update_user_bitmap). Whole 64-bit
 * words are written: bits of the first that belong to pages before the mapping stay, those of the last behind it become 0.
 * False: EFAULT.
 */
export function writeBitmap(
  { memory }: Process,
  { pageSize, data }: BitmapRequest,
  base: bigint,
  dma: { readonly iova: bigint; readonly size: bigint },
): boolean {
  const pages = dma.size / pageSize;
  if (pages > MAX_JUDGED_PAGES) throw new Unjudged('a dirty bitmap longer than recordings hold');
  const first = (dma.iova - base) / pageSize;
  const shift = Number(first % WORD_BITS);
  const address = data + (first / WORD_BITS) * 8n;
  const bits = shift + Number(pages);
  const words = new Uint8Array(Math.ceil(bits / 64) * 8);
  words.fill(0xff, 0, bits >> 3);
  if (bits % 8 !== 0) words[bits >> 3] = (1 << (bits % 8)) - 1;
  if (shift > 0) {
    const kept = memory.read(address, 8);
    if (kept === undefined) return false;
    for (let i = 0; i * 8 < shift; i++) {
      const mask = shift >= i * 8 + 8 ? 0xff : (1 << (shift - i * 8)) - 1;
      words[i] = ((words[i] ?? 0) & ~mask) | ((kept[i] ?? 0) & mask);
    }
  }
  return memory.write(address, words);
}

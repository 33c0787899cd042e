import type { Access } from './access.ts';
import { U64_MAX } from './area-tree.ts';
import { PROT } from './address-space.ts';
import { PAGE_SIZE } from './backing.ts';
import { ERRNO } from './errno.ts';
import type { Pages } from './pages.ts';
import type { Process } from './process.ts';

/** `bytes`: a write of these; `into`: a read that goes to this user address. `slow`: page by page, by pinning. */
export type Transfer =
  | { readonly bytes: Uint8Array; readonly slow: boolean }
  | { readonly into: bigint; readonly slow: boolean };

/**
 * iommufd_access_rw, and the copy to the user that follows a read. Copies area by area: what lies before a hole is done. Bytes
 * read that were never seen come out as unknown.
 */
export function readWrite(access: Access, process: Process, iova: bigint, length: bigint, transfer: Transfer): number {
  if (length === 0n) return -ERRNO.EINVAL;
  const last = iova + length - 1n;
  if (last > U64_MAX) return -ERRNO.EOVERFLOW;
  const { ioas } = access;
  if (ioas === undefined) return -ERRNO.ENOENT;
  const parts: { readonly bytes: Uint8Array | undefined; readonly length: number }[] = [];
  let at = iova;
  for (const area of ioas.contiguous(iova, last)) {
    const end = area.last < last ? area.last : last;
    const count = Number(end - at) + 1;
    const { pages } = area;
    if (area.preventAccess) return -ERRNO.EINVAL;
    if (!area.allows('bytes' in transfer)) return -ERRNO.EPERM;
    if (pages.source.kind === 'dmabuf') return -ERRNO.EINVAL;
    const start = area.byteAt(at);
    if ('bytes' in transfer) {
      const done = Number(at - iova);
      const ret = writePages(pages, process, start, transfer.bytes.subarray(done, done + count), transfer.slow);
      if (ret !== 0) return ret;
    } else {
      const bytes = readPages(pages, process, start, count, transfer.slow);
      if (typeof bytes === 'number') return bytes;
      parts.push({ bytes, length: count });
    }
    at = end + 1n;
  }
  if (at <= last) return -ERRNO.ENOENT;
  if ('bytes' in transfer) return 0;
  let to = transfer.into;
  for (const part of parts) {
    if (!process.memory.writeRecalled(to, part.length, part.bytes)) return -ERRNO.EFAULT;
    to += BigInt(part.length);
  }
  return 0;
}

function writePages(pages: Pages, process: Process, start: number, bytes: Uint8Array, slow: boolean): number {
  const { source } = pages;
  const ret = check(pages, process, start, bytes.length, PROT.write, slow);
  if (ret !== 0) return ret;
  if (source.kind === 'user') source.poke(pages.base + start, bytes);
  else source.backing.remember(pages.base + start, bytes);
  return 0;
}

function readPages(
  pages: Pages,
  process: Process,
  start: number,
  length: number,
  slow: boolean,
): Uint8Array | number | undefined {
  const ret = check(pages, process, start, length, PROT.read, slow);
  if (ret !== 0) return ret;
  const { source, base } = pages;
  return source.kind === 'user' ? source.peek(base + start, length) : source.backing.recall(base + start, length);
}

/** The process's own memory is copied as a system call would; another's, or slowly, by pinning its pages. */
function check(pages: Pages, process: Process, start: number, length: number, prot: number, slow: boolean): number {
  const { source, base } = pages;
  const first = Math.floor(start / PAGE_SIZE);
  const last = Math.floor((start + length - 1) / PAGE_SIZE);
  if (source.kind !== 'user') return pages.probe(first, last);
  if (source === process.memory && !slow) return source.accessible(base + start, length, prot) ? 0 : -ERRNO.EFAULT;
  if (first === last && !source.gone) {
    const runs = source.pin(base + first * PAGE_SIZE, PAGE_SIZE, prot === PROT.write);
    return runs === undefined ? -ERRNO.EFAULT : 0;
  }
  return pages.probe(first, last);
}

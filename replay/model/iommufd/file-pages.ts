import { U64_MAX } from './area-tree.ts';
import { Backing, PAGE_SIZE } from './backing.ts';
import type { DmaBuffer } from './dma-buffer.ts';
import { ERRNO } from './errno.ts';
import type { PageAccount } from './locked-memory.ts';
import { Pages, pageCount } from './pages.ts';
import type { OpenFile, Process } from './process.ts';
import { Unjudged } from './unjudged.ts';

/** Behind files that are no memory: nothing of it can be pinned. */
const NOT_MEMORY = new Backing(0);

/** An open memfd, or another file: only a memfd's pages can be pinned. */
export interface MemoryFile extends OpenFile {
  readonly kind: 'memfd';
  readonly backing: Backing;
}

/** An open dma-buf. */
export interface DmabufFile extends OpenFile {
  readonly kind: 'dmabuf';
  readonly backing: Backing;
  readonly size: number;
  readonly state: DmaBuffer;
  /** Whether its exporter has the physical-vector hook that iommufd needs. */
  readonly importable: boolean;
}

/** iopt_map_file_pages: the pages of a file or a dma-buf, or a negative errno. A dma-buf's memory counts for nobody. */
export function filePages(
  process: Process,
  fd: number,
  start: bigint,
  length: bigint,
  writable: boolean,
  account?: PageAccount,
): Pages | number {
  if (length === 0n) return -ERRNO.EINVAL;
  if (start + length - 1n > U64_MAX) return -ERRNO.EOVERFLOW;
  const file = process.fds.get(fd);
  if (file === undefined) {
    if (!process.fdsKnown && fd >= 0) throw new Unjudged('file descriptors of the process are not known');
    return -ERRNO.EBADF;
  }
  if (length > U64_MAX - BigInt(PAGE_SIZE)) return -ERRNO.EINVAL;
  const offset = Number(start & BigInt(PAGE_SIZE - 1));
  const base = Number(start - BigInt(offset));
  const count = pageCount(offset, length);
  if (file.kind === 'dmabuf') {
    const { backing, size, state, importable } = file as DmabufFile;
    if (Number(start + length) > size) return -ERRNO.EINVAL;
    if (!importable) return -ERRNO.EOPNOTSUPP;
    if (state.revoked) return -ERRNO.ENODEV;
    return new Pages({ kind: 'dmabuf', backing, buffer: state, revocation: state.revocations }, base, count, writable);
  }
  const pinnable = file.kind === 'memfd';
  const backing = pinnable ? (file as MemoryFile).backing : NOT_MEMORY;
  return new Pages({ kind: 'file', backing, pinnable }, base, count, writable, account);
}

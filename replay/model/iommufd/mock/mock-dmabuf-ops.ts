import { Backing, PAGE_SIZE } from '../backing.ts';
import { DmaBuffer } from '../dma-buffer.ts';
import { ERRNO } from '../errno.ts';
import type { DmabufFile } from '../file-pages.ts';
import type { IoctlCall } from '../ioctl.ts';
import type { MockOp } from './mock-op.ts';

const MAX_PAGES = 512;
const O_CLOEXEC = 0x8_0000;

function get({ struct, process }: IoctlCall): number {
  const size = Math.ceil(struct.u32(16) / PAGE_SIZE) * PAGE_SIZE;
  if (size === 0 || size > MAX_PAGES * PAGE_SIZE) return -ERRNO.EINVAL;
  const file: DmabufFile = {
    kind: 'dmabuf',
    refs: 0,
    backing: new Backing(size),
    size,
    state: new DmaBuffer(),
    importable: true,
    release: () => undefined,
  };
  return process.install(file, (struct.u32(20) & O_CLOEXEC) !== 0);
}

function revoke({ struct, process }: IoctlCall): number {
  const file = process.fds.get(struct.i32(16));
  if (file === undefined) return -ERRNO.EBADF;
  if (file.kind !== 'dmabuf') return -ERRNO.EINVAL;
  const buffer = file as DmabufFile;
  if (!buffer.importable) return -ERRNO.EOPNOTSUPP;
  // This exporter tells of it also where nothing changes.
  buffer.state.notify(struct.u32(20) !== 0);
  return 0;
}

export const mockDmabufOps: readonly MockOp[] = [
  { op: 22, name: 'DMABUF_GET', handle: get },
  { op: 23, name: 'DMABUF_REVOKE', handle: revoke },
];

import { Access } from '../access.ts';
import { readWrite } from '../access-rw.ts';
import { pinError } from '../address-space.ts';
import { U64_MAX } from '../area-tree.ts';
import { PAGE_SIZE } from '../backing.ts';
import type { Context } from '../context.ts';
import { ERRNO } from '../errno.ts';
import type { IoctlCall } from '../ioctl.ts';
import { syzIova } from '../ioas-ioctls.ts';
import type { OpenFile, Process } from '../process.ts';
import { idOf } from './mock-op.ts';
import type { MockOp } from './mock-op.ts';

const FLAG = { write: 1, slow: 4, syz: 0x1_0000 } as const;
const MAX_LENGTH = 16n << 20n;
const PAGE = BigInt(PAGE_SIZE);

interface Item {
  readonly id: number;
  readonly iova: bigint;
  readonly length: bigint;
}

/** An access of the mock driver, behind an fd. */
class MockAccessFile implements OpenFile {
  readonly kind = 'access';
  refs = 0;
  readonly access: Access;
  #items: Item[] = [];
  #nextId = 0;

  constructor(context: Context, pins: boolean) {
    this.access = new Access(context, pins, (start, last) => this.#unmapped(start, last));
    context.hold();
  }

  /** Remembers what was pinned; the id that the user gives it back by. */
  add(iova: bigint, length: bigint): number {
    this.#items.push({ id: this.#nextId, iova, length });
    return this.#nextId++;
  }

  remove(id: number): boolean {
    const item = this.#items.find((known) => known.id === id);
    if (item === undefined) return false;
    this.#drop([item]);
    return true;
  }

  release(): void {
    const { context } = this.access;
    this.#unmapped(0n, U64_MAX);
    context.objects.remove(this.access);
    context.release();
  }

  #unmapped(start: bigint, last: bigint): void {
    this.#drop(this.#items.filter((item) => item.iova <= last && item.iova + item.length - 1n >= start));
  }

  #drop(items: readonly Item[]): void {
    this.#items = this.#items.filter((item) => !items.includes(item));
    for (const { iova, length } of items) this.access.unpin(iova, length);
  }
}

function accessFile(process: Process, fd: number): MockAccessFile | undefined {
  const file = process.fds.get(fd);
  return file instanceof MockAccessFile ? file : undefined;
}

function create(call: IoctlCall): number {
  const { context, struct, process } = call;
  const flags = struct.u32(20);
  if ((flags & ~1) !== 0) return -ERRNO.EOPNOTSUPP;
  const fd = process.nextFd();
  const file = new MockAccessFile(context, (flags & 1) !== 0);
  const undo = (): void => file.release();
  context.objects.add(file.access);
  const ioas = context.objects.find(idOf(call), 'ioas');
  const ret = ioas === undefined ? -ERRNO.ENOENT : file.access.attach(ioas);
  if (ret !== 0) {
    undo();
    return ret;
  }
  struct.setU32(16, fd);
  const answer = call.respond(undo);
  if (answer !== 0) return answer;
  process.installAt(fd, file);
  process.cloexec.add(fd);
  return answer;
}

function pages(call: IoctlCall): number {
  const { struct, process } = call;
  const flags = struct.u32(16);
  const length = struct.u64(32);
  const address = struct.u64(40);
  if (length > MAX_LENGTH) return -ERRNO.ENOMEM;
  if ((flags & ~(FLAG.write | FLAG.syz)) !== 0) return -ERRNO.EOPNOTSUPP;
  const file = accessFile(process, idOf(call) | 0);
  if (file === undefined) return -ERRNO.EBADFD;
  if (!file.access.pins) return -ERRNO.EOPNOTSUPP;
  const iova = (flags & FLAG.syz) !== 0 ? syzIova(file.access.ioas, struct.u64(24)) : struct.u64(24);
  const ret = file.access.pin(iova, length, (flags & FLAG.write) !== 0);
  if (ret !== 0) return ret;
  if (address !== 0n) {
    const wrong = checkPages(call, file.access, iova, length, address);
    if (wrong !== 0) {
      file.access.unpin(iova, length);
      return wrong;
    }
  }
  const id = file.add(iova, length);
  struct.setU32(20, id);
  return call.respond(() => file.remove(id));
}

/** iommufd_test_check_pages: the pinned pages against those behind a user address. */
function checkPages({ process }: IoctlCall, access: Access, iova: bigint, length: bigint, address: bigint): number {
  const first = iova & ~(PAGE - 1n);
  let user = address - (iova - first);
  for (const page of access.pinnedPages(iova, length)) {
    const behind = process.memory.page(user & ~(PAGE - 1n));
    if (behind === undefined) return pinError(Number(user & ~(PAGE - 1n)), 1);
    if (page === undefined || page.backing !== behind.backing || page.page !== behind.page) return -ERRNO.EBADE;
    user += PAGE;
  }
  return 0;
}

function destroyPages(call: IoctlCall): number {
  const file = accessFile(call.process, idOf(call) | 0);
  if (file === undefined) return -ERRNO.EBADFD;
  return file.remove(call.struct.u32(16)) ? 0 : -ERRNO.ENOENT;
}

function rw(call: IoctlCall): number {
  const { struct, process } = call;
  const flags = struct.u32(40);
  const length = struct.u64(24);
  const address = struct.u64(32);
  if (length > MAX_LENGTH) return -ERRNO.ENOMEM;
  if ((flags & ~(FLAG.write | FLAG.slow | FLAG.syz)) !== 0) return -ERRNO.EOPNOTSUPP;
  const file = accessFile(process, idOf(call) | 0);
  if (file === undefined) return -ERRNO.EBADFD;
  const iova = (flags & FLAG.syz) !== 0 ? syzIova(file.access.ioas, struct.u64(16)) : struct.u64(16);
  const slow = (flags & FLAG.slow) !== 0;
  if ((flags & FLAG.write) !== 0) {
    const bytes = process.memory.read(address, Number(length));
    if (bytes === undefined) return -ERRNO.EFAULT;
    return readWrite(file.access, process, iova, length, { bytes, slow });
  }
  return readWrite(file.access, process, iova, length, { into: address, slow });
}

function replaceIoas(call: IoctlCall): number {
  const file = accessFile(call.process, idOf(call) | 0);
  if (file === undefined) return -ERRNO.EBADFD;
  if (file.access.ioas === undefined) return -ERRNO.ENOENT;
  const ioas = file.access.context.objects.find(call.struct.u32(16), 'ioas');
  return ioas === undefined ? -ERRNO.ENOENT : file.access.attach(ioas);
}

export const mockAccessOps: readonly MockOp[] = [
  { op: 5, name: 'CREATE_ACCESS', handle: create },
  { op: 6, name: 'DESTROY_ACCESS_PAGES', handle: destroyPages },
  { op: 7, name: 'ACCESS_PAGES', handle: pages },
  { op: 8, name: 'ACCESS_RW', handle: rw },
  { op: 11, name: 'ACCESS_REPLACE_IOAS', handle: replaceIoas },
];

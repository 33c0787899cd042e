import type { AddressSpace } from './address-space.ts';
import type { Context } from './context.ts';
import type { LockedPages } from './locked-memory.ts';
import { Unjudged } from './unjudged.ts';

/**
 * An open file description. `kind` says what ioctl, read and write mean on it; the parts of the model extend the union by
 * their own interfaces. `release` runs when the last fd of the last process goes.
 */
export interface OpenFile {
  readonly kind:
    | 'iommufd'
    | 'fault'
    | 'veventq'
    | 'access'
    | 'dmabuf'
    | 'memfd'
    | 'vfioContainer'
    | 'vfioGroup'
    | 'vfioDevice'
    | 'other';
  refs: number;
  /**
   * Bytes that a read gives, or a negative errno. Undefined: not modelled. `writable`: whether `length` bytes at `offset` of the
   * caller's buffer can be written; if not given, all can.
   */
  read?(
    count: number,
    position: bigint | undefined,
    writable?: (offset: number, length: number) => boolean,
  ): Uint8Array | number;
  /** What poll finds, as its bits. Undefined: not modelled. */
  poll?(): number;
  /** What a write returns. Undefined: not modelled. */
  write?(bytes: Uint8Array, position: bigint | undefined): number;
  release(): void;
}

/** /dev/iommu. */
export interface IommufdFile extends OpenFile {
  readonly kind: 'iommufd';
  readonly context: Context;
}

/** A process as far as the calls need it: memory, fds, limits. */
export class Process {
  readonly pid: number;
  memory: AddressSpace;
  readonly fds = new Map<number, OpenFile>();
  /** False where the recording began after the process opened files: fd numbers can't be predicted then. */
  fdsKnown: boolean;
  /** Close-on-exec fds. */
  readonly cloexec = new Set<number>();
  /** End of the heap, once seen. */
  brk: number | undefined = undefined;
  /** CAP_IPC_LOCK: no accounting of locked memory. */
  ipcLock = true;
  /** CAP_SYS_RESOURCE, for OPTION RLIMIT_MODE. */
  sysResource = true;
  /** RLIMIT_MEMLOCK in bytes (Infinity: none), once seen. Undefined: not known. */
  memlock: number | undefined = undefined;
  /** Memory was locked that a limit would have counted, had it been known. */
  limitMissed = false;
  /** The real user; processes begin as one user until they are seen to change it. */
  user: LockedPages = { lockedPages: 0 };

  constructor(pid: number, memory: AddressSpace, fdsKnown = true) {
    this.pid = pid;
    this.memory = memory;
    this.fdsKnown = fdsKnown;
  }

  /** Lowest free fd number. Throws `Unjudged` where the table is not known. */
  nextFd(): number {
    if (!this.fdsKnown) throw new Unjudged('file descriptors of the process are not known');
    let fd = 0;
    while (this.fds.has(fd)) fd++;
    return fd;
  }

  /** Puts a new file at the lowest free number. */
  install(file: OpenFile, cloexec = false): number {
    const fd = this.nextFd();
    this.installAt(fd, file);
    if (cloexec) this.cloexec.add(fd);
    return fd;
  }

  installAt(fd: number, file: OpenFile): void {
    this.close(fd);
    file.refs++;
    this.fds.set(fd, file);
  }

  close(fd: number): boolean {
    const file = this.fds.get(fd);
    if (file === undefined) return false;
    this.fds.delete(fd);
    this.cloexec.delete(fd);
    file.refs--;
    if (file.refs === 0) file.release();
    return true;
  }

  closeAll(): void {
    for (const fd of this.fds.keys()) this.close(fd);
  }
}

import { AddressSpace } from '../../model/iommufd/address-space.ts';
import { Backing, PAGE_SIZE } from '../../model/iommufd/backing.ts';
import type { MemoryFile } from '../../model/iommufd/file-pages.ts';
import { iommufdIoctls } from '../../model/iommufd/families.ts';
import { runIoctl } from '../../model/iommufd/ioctl.ts';
import { openIommufd } from '../../model/iommufd/iommufd-file.ts';
import { Machine } from '../../model/iommufd/machine.ts';
import { mockBackend } from '../../model/iommufd/mock/mock-backend.ts';
import { Process } from '../../model/iommufd/process.ts';
import type { IommufdFile, OpenFile } from '../../model/iommufd/process.ts';
import { vfioCompat } from '../../model/iommufd/vfio/compat.ts';
import { RecordedCalls } from './recorded-calls.ts';

export const BUFFER = 0x1000_0000;
export const BUFFER_BYTES = 0x20_0000;
/** Where arrays and payloads of calls are. */
export const SCRATCH = 0x2000_0000;
/** The struct of a call, in a page that can be written, and in one that can't: there the copy of a result fails. */
const ARGUMENT = 0x7000_0000;
const FULL = 0x7100_0000;

const ENOMEM = 12;
const EFAULT = 14;
const EINVAL = 22;

/** What a call asks of the kernel while it runs: each may be made to fail. */
export type Step = 'fails' | 'refuses' | 'absorbed';

/** Memory behind a pointer of a call. */
interface Pointed {
  readonly field: string;
  readonly address: number;
  readonly bytes: Uint8Array;
}

/**
 * Records the calls of a process under fault injection: a model of IOMMUFD gives the results, and the N-th point at which a call
 * may be made to fail from arming on does so. Points of an ioctl, in their order: the copy of its struct (EFAULT), what it asks
 * for meanwhile (`steps`: ENOMEM, EINVAL, or absorbed), the copy of its result (EFAULT, after the work). For tests.
 */
export class FailingKernel {
  readonly calls = new RecordedCalls();
  readonly process: Process;
  readonly #machine = new Machine(mockBackend);
  readonly #proc: number;
  /** A memfd of `BUFFER_BYTES`. */
  readonly file: number;
  /** fail_nth of the task. */
  #left = 0;
  #armed = false;
  /** Ioctls that were made to fail, by errno, and what became of the other armed failures. */
  readonly injected = new Map<number, number>();
  failedOthers = 0;
  absorbed = 0;
  ioctls = 0;

  constructor() {
    const memory = new AddressSpace({ complete: true, trusted: true });
    const map = (start: number, bytes: number, prot: number): void => {
      const backing = new Backing();
      backing.zeroed = true;
      memory.map({ start, end: start + bytes, prot, shared: true, backing, page: 0 });
    };
    map(BUFFER, BUFFER_BYTES, 3);
    map(SCRATCH, 64 * PAGE_SIZE, 3);
    map(ARGUMENT, PAGE_SIZE, 3);
    map(FULL, PAGE_SIZE, 1);
    this.process = new Process(7, memory);
    this.#machine.processes.set(7, this.process);
    for (let fd = 0; fd < 3; fd++) this.process.install(other());
    const backing = new Backing(BUFFER_BYTES);
    const buffer: MemoryFile = { kind: 'memfd', refs: 0, backing, release: () => undefined };
    this.file = this.process.install(buffer);
    this.calls.call('memfd_create', { path: '/memfd:', fd: -1, ret: this.file });
    this.calls.call('ftruncate', { path: '/memfd:', fd: this.file, ret: 0, args: [this.file, BUFFER_BYTES] });
    this.#proc = this.process.install(other());
    this.calls.call('openat', { path: '/proc/self/fail-nth', fd: -1, ret: this.#proc });
  }

  arm(nth: number): void {
    const text = String(nth);
    this.calls.call('pwrite64', { path: '/proc/self/fail-nth', fd: this.#proc, ret: text.length, text });
    this.#left = nth;
    this.#armed = true;
  }

  /** Reads what is left and disarms, as a program must that can be hit doing so; whether the failure had come before. */
  disarm(): boolean {
    const { calls } = this;
    const file = { path: '/proc/self/fail-nth', fd: this.#proc };
    this.#armed = false;
    const left = this.#left;
    let came = left === 0;
    if (this.#due()) {
      calls.call('pread64', { ...file, ret: -EFAULT });
      came = false;
    } else calls.call('pread64', { ...file, ret: String(left).length + 1, text: `${left}\n` });
    if (this.#due()) calls.call('pwrite64', { ...file, ret: -EFAULT, text: '0' });
    calls.call('pwrite64', { ...file, ret: 1, text: '0' });
    this.#left = 0;
    return came;
  }

  open(): boolean {
    const { calls } = this;
    calls.iommufd = this.process.nextFd();
    if (this.#due()) {
      this.failedOthers++;
      calls.call('openat', { path: '/dev/iommu', fd: -1, ret: -ENOMEM });
      calls.iommufd = -1;
      return false;
    }
    if (this.#due()) this.absorbed++;
    this.process.install(openIommufd(this.#machine));
    calls.open();
    return true;
  }

  close(fd: number, path: string): void {
    if (this.#due()) this.absorbed++;
    this.process.close(fd);
    this.calls.call('close', { path, fd, ret: 0 });
  }

  /** Words of the struct afterwards, or a negative errno. */
  ioctl(request: number, words: readonly number[], steps: readonly Step[] = [], pointed: readonly Pointed[] = []) {
    this.ioctls++;
    const { calls, process } = this;
    const file = process.fds.get(calls.iommufd) as IommufdFile;
    const memory = pointed.map(({ field, address, bytes }) => {
      process.memory.poke(address, bytes);
      return { field, addressLo: address, addressHi: 0, lengthLo: bytes.length, lengthHi: 0, before: bytes.slice() };
    });
    let ret = this.#due() ? -EFAULT : 0;
    for (const step of ret === 0 ? steps : []) {
      if (!this.#due()) continue;
      if (step === 'absorbed') {
        this.absorbed++;
        continue;
      }
      ret = step === 'fails' ? -ENOMEM : -EINVAL;
      break;
    }
    const injected = ret !== 0;
    const before = Uint8Array.from(new Uint8Array(Uint32Array.from(words).buffer));
    let after: Uint8Array = before;
    if (!injected) {
      // Whether the copy of the result fails is known only when there is one: ask without an effect on what comes after.
      const answers = hasResult(request, words[1] ?? 0);
      const full = this.#left === 1 && answers;
      const address = full ? FULL : ARGUMENT;
      const region = { address, bytes: before, after: undefined as Uint8Array | undefined, unknown: false };
      process.memory.begin([region]);
      ret = runIoctl(iommufdIoctls, vfioCompat, file.context, process, request, BigInt(address));
      process.memory.end();
      if (answers && (ret >= 0 || full)) this.#due();
      if (full && ret >= 0) throw new Error(`request ${request.toString(16)} has no result to copy`);
      if (full && ret === -EFAULT) this.#count(EFAULT);
      after = region.after ?? before;
    } else this.#count(-ret);
    calls.ioctl({
      request,
      errno: ret < 0 ? -ret : 0,
      before: wordsOf(before),
      after: wordsOf(after),
      memory: memory.map((item) => {
        const now = process.memory.peek(item.addressLo, item.before.length) ?? item.before;
        return { ...item, after: now };
      }),
    });
    return ret < 0 ? ret : wordsOf(after);
  }

  /** Takes one point; whether it is made to fail. */
  #due(): boolean {
    if (this.#left === 0) return false;
    this.#left--;
    return this.#left === 0;
  }

  #count(errno: number): void {
    if (!this.#armed) throw new Error('a failure that nobody asked for');
    this.injected.set(errno, (this.injected.get(errno) ?? 0) + 1);
  }
}

/** Of IOMMU_TEST_CMD: checks, limits, the end of pins, data, a detach. */
const WITHOUT_RESULT = new Set([4, 6, 8, 9, 20]);

/** DESTROY and ALLOW_IOVAS give no struct back. */
function hasResult(request: number, op: number): boolean {
  if (request === 0x3ba0) return !WITHOUT_RESULT.has(op);
  return request !== 0x3b80 && request !== 0x3b82;
}

function other(): OpenFile {
  return { kind: 'other', refs: 0, release: () => undefined };
}

function wordsOf(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(i * 4, true));
}

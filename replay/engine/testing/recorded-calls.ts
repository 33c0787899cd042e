import { MemoryTrace } from '../../../traces/memory-trace.ts';
import { CALL_EVENT, SEEN, STREAM_ID } from '../../../traces/schema.ts';
import { encodeUserMemory } from '../../../traces/user-memory.ts';
import type { UserMemory } from '../../../traces/user-memory.ts';
import { testHeader } from '../../../traces/testing/test-header.ts';

const PID = 7;
const IOMMUFD = 3;

/** An ioctl on `iommufd`, a /dev/iommu, or on another file: u32 words of its struct before and after. */
interface RecordedIoctl {
  readonly request: number;
  readonly file?: { readonly fd: number; readonly path: string };
  readonly errno?: number;
  readonly before: readonly number[];
  readonly after?: readonly number[];
  readonly memory?: readonly UserMemory[];
}

/** A recording made call by call, of one process from its beginning. For tests. */
export class RecordedCalls {
  readonly trace: MemoryTrace;
  #time = 0;
  /** The thread that makes the next calls. */
  tid = PID;
  /** Descriptor of the next calls' /dev/iommu. */
  iommufd = IOMMUFD;

  /** `whole`: with the note that the recording begins here; `calls`: whether it tells of all calls. */
  constructor(whole = true, calls: 'full' | 'partial' = 'full') {
    this.trace = new MemoryTrace(testHeader({ fidelity: { ioctl: 'full', call: calls } }));
    if (!whole) return;
    const row = this.trace.begin(STREAM_ID.call, this.#time++, -1, PID);
    this.trace.rows.call.columns.event[row] = CALL_EVENT.start;
    this.trace.rows.call.columns.pid[row] = PID;
  }

  open(): this {
    return this.call('openat', { path: '/dev/iommu', fd: -1, ret: this.iommufd });
  }

  close(): this {
    return this.call('close', { path: '/dev/iommu', fd: this.iommufd, ret: 0 });
  }

  /** A system call; `ret` negative for an errno. */
  call(
    name: string,
    {
      path,
      fd,
      ret,
      text,
      args = [],
    }: {
      readonly path?: string;
      readonly fd: number;
      readonly ret: number;
      readonly text?: string;
      readonly args?: readonly number[];
    },
  ): this {
    const { trace } = this;
    const row = trace.begin(STREAM_ID.call, this.#time++, -1, this.tid);
    const { columns } = trace.rows.call;
    columns.event[row] = CALL_EVENT.syscall;
    columns.pid[row] = PID;
    columns.name[row] = trace.intern(name);
    columns.path[row] = path === undefined ? -1 : trace.intern(path);
    columns.fd[row] = fd;
    columns.retLo[row] = ret;
    columns.retHi[row] = ret < 0 ? -1 : 0;
    columns.errno[row] = ret < 0 ? -ret : 0;
    const words = [columns.a0Lo, columns.a1Lo, columns.a2Lo, columns.a3Lo];
    for (const [i, word] of words.entries()) word[row] = args[i] ?? 0;
    if (text !== undefined) trace.setBytes(columns.data, row, new TextEncoder().encode(text));
    return this;
  }

  ioctl({ request, file, errno = 0, before, after, memory = [] }: RecordedIoctl): this {
    const { trace } = this;
    const { fd, path } = file ?? { fd: this.iommufd, path: '/dev/iommu' };
    const row = trace.begin(STREAM_ID.ioctl, this.#time++, -1, this.tid);
    const { columns } = trace.rows.ioctl;
    columns.pid[row] = PID;
    columns.fd[row] = fd;
    columns.request[row] = request;
    columns.errno[row] = errno;
    columns.retLo[row] = -errno;
    columns.retHi[row] = errno === 0 ? 0 : -1;
    columns.path[row] = trace.intern(path);
    columns.argLo[row] = 0x1000;
    columns.seen[row] = SEEN.argument | SEEN.before | SEEN.after;
    trace.setBytes(columns.before, row, words(before));
    trace.setBytes(columns.after, row, words(after ?? before));
    if (memory.length > 0) trace.setBytes(columns.memory, row, encodeUserMemory(memory));
    return this;
  }

  lost(count: number): this {
    const row = this.trace.begin(STREAM_ID.lost, this.#time++, -1, PID);
    this.trace.rows.lost.columns.countLo[row] = count;
    return this;
  }
}

function words(values: readonly number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}

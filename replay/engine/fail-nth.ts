import { CALL_EVENT } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import { bytesOf, callEvents, signed } from './ioctl-events.ts';
import { failNthTask } from './fail-nth-file.ts';

/**
 * A stretch in which a task is armed: a write of N to its fail-nth file makes the N-th point from there at which a kernel
 * function can be made to fail do so, once (Documentation/fault-injection, lib/fault-inject.c: should_fail_ex). Every reading
 * of what is left ends a stretch and tells what became of it.
 */
export interface FailWindow {
  /**
   * Whether the failure came, and in a call that the model judges: false where something was left, or where it is known to have
   * hit another call; undefined where nobody looked.
   */
  fired: boolean | undefined;
}

/** What became of all the failures that were asked for. */
interface FailCounts {
  /** Stretches that began with a write of N. */
  armed: number;
  /** Those in which calls came to their end before the N-th point. */
  unfired: number;
  /** Calls that no model judges and that failed when a failure was due, by name. */
  readonly others: Map<string, number>;
}

interface Task {
  window: FailWindow | undefined;
  /** What the next write does if its bytes are not recorded: N and 0 alternate, and who reads is about to disarm. */
  next: 'arms' | 'disarms';
}

interface FailCall {
  readonly event: number;
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  readonly fd: number;
  readonly ret: number;
  readonly path: string | undefined;
  readonly text: () => string;
}

const WRITES = new Set(['write', 'pwrite64']);
const READS = new Set(['read', 'pread64']);
const TRANSFERS = new Set([...WRITES, ...READS, 'readv', 'writev', 'preadv', 'pwritev']);
const OPENS = new Set(['open', 'openat', 'openat2']);
const IOMMU = '/dev/iommu';
const ENOMEM = 12;
const EFAULT = 14;

/** When which task was armed. A child is not, whatever its parent was (kernel/fork.c: copy_process). */
export class FailNth {
  /** By event of a call that a task made while it was armed. */
  readonly #windows = new Map<number, FailWindow>();
  readonly #tasks = new Map<number, Task>();
  /** `pid:fd` of fail-nth files, for sources that name a file only where it is opened; the task that it arms. */
  readonly #files = new Map<string, number>();
  readonly counts: FailCounts = { armed: 0, unfired: 0, others: new Map() };

  constructor(trace: Trace) {
    if (!trace.strings.some((text) => failNthTask(text, 0, 0) !== undefined)) return;
    for (const { index, stream, row, segment } of callEvents(trace)) {
      const task = segment.task[index - segment.firstEvent] ?? -1;
      if (stream === 'ioctl') {
        const pid = segment.rows.ioctl.columns.pid[row] ?? 0;
        this.#note(index, task < 0 ? pid : task);
        continue;
      }
      if (stream !== 'call') continue;
      const { columns } = segment.rows.call;
      const pid = columns.pid[row] ?? 0;
      const tid = task < 0 ? pid : task;
      const event = columns.event[row];
      if (event === CALL_EVENT.start) this.#tasks.clear();
      else if (event === CALL_EVENT.exit) this.#tasks.delete(tid);
      if (event !== CALL_EVENT.syscall) continue;
      const name = trace.strings[columns.name[row] ?? -1] ?? '';
      const errno = columns.errno[row] ?? 0;
      const ret = errno > 0 ? -errno : signed(columns.retLo, columns.retHi, row);
      const path = trace.strings[columns.path[row] ?? -1];
      const text = (): string => new TextDecoder().decode(bytesOf(columns.data, row));
      this.#call({ event: index, name, pid, tid, fd: columns.fd[row] ?? -1, ret, path, text });
    }
  }

  /** What the task that made a call was armed with. */
  at(event: number): FailWindow | undefined {
    return this.#windows.get(event);
  }

  /** Whether anything was armed at all. */
  get any(): boolean {
    return this.counts.armed > 0;
  }

  #note(event: number, tid: number): FailWindow | undefined {
    const window = this.#tasks.get(tid)?.window;
    if (window !== undefined) this.#windows.set(event, window);
    return window;
  }

  #call(call: FailCall): void {
    const { name, pid, tid, fd, ret, path } = call;
    const named = path === undefined ? undefined : failNthTask(path, pid, tid);
    if (OPENS.has(name) && ret >= 0) {
      if (named === undefined) this.#files.delete(`${pid}:${ret}`);
      else this.#files.set(`${pid}:${ret}`, named);
      return;
    }
    const whom = named ?? (path === undefined ? this.#files.get(`${pid}:${fd}`) : undefined);
    if (whom !== undefined && READS.has(name)) this.#read(whom, ret, call.text());
    else if (whom !== undefined && WRITES.has(name)) this.#written(whom, ret, call.text());
    else {
      const window = this.#note(call.event, tid);
      if (window !== undefined && ret < 0) this.#failedElsewhere(window, call);
    }
  }

  /**
   * A call that no model judges failed while its task was armed. Nothing but an injection takes the memory that it needs away
   * from it; what else it may have failed by is its own affair.
   */
  #failedElsewhere(window: FailWindow, { name, ret, path }: FailCall): void {
    const opens = OPENS.has(name) && path === IOMMU;
    if (window.fired === false || TRANSFERS.has(name) || !(ret === -ENOMEM || opens)) return;
    window.fired = false;
    this.counts.others.set(name, (this.counts.others.get(name) ?? 0) + 1);
  }

  /** proc_fail_nth_read: what is left, before the copy of it to the reader takes one point itself. */
  #read(tid: number, ret: number, text: string): void {
    const task = this.#tasks.get(tid);
    if (task === undefined) return;
    task.next = 'disarms';
    const { window } = task;
    if (window === undefined) return;
    if (ret === -EFAULT) {
      // The failure that was due hit this very reading.
      window.fired = false;
      this.counts.unfired++;
      task.window = undefined;
      return;
    }
    if (ret <= 0 || text === '') return;
    if (Number.parseInt(text, 10) === 0) {
      window.fired ??= true;
      task.window = undefined;
      return;
    }
    window.fired = false;
    this.counts.unfired++;
    task.window = { fired: undefined };
  }

  #written(tid: number, ret: number, text: string): void {
    const task = this.#tasks.get(tid) ?? { window: undefined, next: 'arms' };
    this.#tasks.set(tid, task);
    if (ret < 0) {
      // The copy of the number failed, so the old one stands: none, if it was that point's turn. What was meant comes again.
      if (ret === -EFAULT && task.window !== undefined) {
        task.window.fired = false;
        task.window = undefined;
      }
      return;
    }
    if (ret === 0) return;
    const arms = text === '' ? task.next === 'arms' : Number.parseInt(text) > 0;
    task.next = arms ? 'disarms' : 'arms';
    task.window = arms ? { fired: undefined } : undefined;
    if (arms) this.counts.armed++;
  }
}

/** What is said of injected failures besides the calls that they made fail; `judged`: those of calls that the model knows. */
export function failureNotes({ counts }: FailNth, judged: number): string[] {
  const { armed, unfired, others } = counts;
  if (armed === 0) return [];
  const elsewhere = [...others].map(([name, count]) => `${count} ${name}`);
  const other = [...others.values()].reduce((sum, count) => sum + count, 0);
  const absorbed = Math.max(0, armed - unfired - other - judged);
  const calls = other === 0 ? '' : `, ${other} other calls (${elsewhere.join(', ')})`;
  return [
    `a failure was armed ${armed} times: ${judged} made an ioctl or a transfer of events fail${calls}, ${absorbed} were absorbed by calls that succeeded, ${unfired} did not come`,
  ];
}

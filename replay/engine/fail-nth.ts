import { CALL_EVENT } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import { bytesOf, callEvents, signed } from './ioctl-events.ts';

/**
 * While a task is armed: a write of N to its fail-nth file makes the N-th point from there at which a kernel function can be
 * made to fail do so, once (Documentation/fault-injection, lib/fault-inject.c). Reading the file back gives what is left of N.
 */
export interface FailWindow {
  readonly from: number;
  /** Event of the write that ended it. */
  to: number;
  /** Whether the failure came before the file was read back; undefined where nobody read it. */
  fired: boolean | undefined;
}

const FILE = /^\/proc\/(self|\d+)\/fail-nth$/;
const WRITES = new Set(['write', 'pwrite64']);
const READS = new Set(['read', 'pread64']);
const OPENS = new Set(['open', 'openat', 'openat2']);

/** When which process was armed. Of sources that don't say which task of a process, all of them count as armed. */
export class FailNth {
  readonly #windows = new Map<number, FailWindow[]>();
  readonly #open = new Map<number, FailWindow>();
  /** `pid:fd` of fail-nth files, for sources that name a file only where it is opened; the process that it arms. */
  readonly #files = new Map<string, number>();

  constructor(trace: Trace) {
    if (!trace.strings.some((text) => FILE.test(text))) return;
    for (const { index, stream, row, segment } of callEvents(trace)) {
      if (stream !== 'call') continue;
      const { columns } = segment.rows.call;
      const pid = columns.pid[row] ?? 0;
      const event = columns.event[row];
      if (event === CALL_EVENT.start) this.#open.clear();
      else if (event === CALL_EVENT.exit) this.#open.delete(pid);
      if (event !== CALL_EVENT.syscall) continue;
      const name = trace.strings[columns.name[row] ?? -1] ?? '';
      const errno = columns.errno[row] ?? 0;
      const ret = errno > 0 ? -errno : signed(columns.retLo, columns.retHi, row);
      const path = trace.strings[columns.path[row] ?? -1];
      const text = (): string => new TextDecoder().decode(bytesOf(columns.data, row));
      this.#call(index, { name, pid, fd: columns.fd[row] ?? -1, ret, path }, text);
    }
  }

  /** What a process is armed by at an event. */
  at(pid: number, event: number): FailWindow | undefined {
    return this.#windows.get(pid)?.find(({ from, to }) => event > from && event < to);
  }

  /** Whether anything was armed at all. */
  get any(): boolean {
    return this.#windows.size > 0;
  }

  #call(
    event: number,
    call: {
      readonly name: string;
      readonly pid: number;
      readonly fd: number;
      readonly ret: number;
      readonly path: string | undefined;
    },
    text: () => string,
  ): void {
    const { name, pid, fd, ret, path } = call;
    const match = path === undefined ? null : FILE.exec(path);
    const armed = match === null ? undefined : match[1] === 'self' ? pid : Number(match[1]);
    if (OPENS.has(name) && ret >= 0) {
      if (armed === undefined) this.#files.delete(`${pid}:${ret}`);
      else this.#files.set(`${pid}:${ret}`, armed);
      return;
    }
    const whom = armed ?? (path === undefined ? this.#files.get(`${pid}:${fd}`) : undefined);
    if (whom === undefined) return;
    if (READS.has(name)) this.#readBack(whom, ret, text());
    else if (WRITES.has(name) && ret > 0) this.#written(whom, event, text());
  }

  #readBack(pid: number, ret: number, text: string): void {
    const window = this.#open.get(pid);
    if (window === undefined || window.fired !== undefined) return;
    // A failure that hit this very read left all calls before it alone.
    if (ret < 0) window.fired = false;
    else if (text !== '') window.fired = Number.parseInt(text, 10) === 0;
  }

  #written(pid: number, event: number, text: string): void {
    const last = this.#open.get(pid);
    if (last !== undefined) {
      last.to = event;
      this.#open.delete(pid);
    }
    // Where the bytes were not recorded, writes alternate.
    const arms = text === '' ? last === undefined : Number.parseInt(text, 10) > 0;
    if (!arms) return;
    const window: FailWindow = { from: event, to: Number.POSITIVE_INFINITY, fired: undefined };
    this.#open.set(pid, window);
    const windows = this.#windows.get(pid) ?? [];
    windows.push(window);
    this.#windows.set(pid, windows);
  }
}

import { SEEN, STREAM_ID } from '../../../traces/schema.ts';
import type { Trace } from '../../../traces/trace.ts';
import type { Nanoseconds } from '../../../traces/units.ts';
import { mix } from './commands.ts';
import type { Fingerprints } from './commands.ts';
import { matchCommands } from './match-commands.ts';

const COLUMNS = { ioctl: ['pid', 'fd', 'request', 'duration', 'ret', 'errno', 'arg', 'seen'] } as const;
/** A log may say that a call returned so much before the kernel does, and after it: the clocks' uncertainty, a traced process. */
const EARLIEST: Nanoseconds = -1_000_000;
const LATEST: Nanoseconds = 100_000_000;
/** Threads of a trace that a log is tried against. */
const MOST_THREADS = 4096;

/** Ioctls of a trace, in its order. Times are when they returned. */
export class IoctlList {
  readonly time: Float64Array;
  readonly duration: Float64Array;
  readonly task: Int32Array;
  readonly pid: Int32Array;
  readonly #fd: Int32Array;
  readonly #request: Int32Array;
  /** What came of it: -errno or the value; 1 << 31 where it is not known. */
  readonly #result: Int32Array;
  readonly #argument: Float64Array;
  count = 0;
  /** Whether all have the number of their descriptor. */
  numbered = true;
  /** Whether all have the number of their thread. */
  named = true;
  #byTask: ReadonlyMap<number, Int32Array> | undefined;
  #argued = true;

  constructor(size: number) {
    this.time = new Float64Array(size);
    this.duration = new Float64Array(size);
    this.task = new Int32Array(size);
    this.pid = new Int32Array(size);
    this.#fd = new Int32Array(size);
    this.#request = new Int32Array(size);
    this.#result = new Int32Array(size);
    this.#argument = new Float64Array(size);
  }

  add(row: {
    time: number;
    duration: number;
    task: number;
    pid: number;
    fd: number;
    request: number;
    result: number;
    argument: number;
  }): void {
    const n = this.count++;
    this.time[n] = row.time;
    this.duration[n] = row.duration;
    this.task[n] = row.task;
    this.pid[n] = row.pid;
    this.#fd[n] = row.fd;
    this.#request[n] = row.request;
    this.#result[n] = row.result;
    this.#argument[n] = row.argument;
    if (row.fd < 0) this.numbered = false;
    if (row.task < 0) this.named = false;
    if (row.argument < 0) this.#argued = false;
  }

  /** Threads, those with most ioctls first. */
  get tasks(): number[] {
    return [...this.#threads()].sort(([a, n], [b, m]) => m.length - n.length || a - b).map(([task]) => task);
  }

  ofThread(task: number): Int32Array {
    return this.#threads().get(task) ?? new Int32Array(0);
  }

  #threads(): ReadonlyMap<number, Int32Array> {
    if (this.#byTask !== undefined) return this.#byTask;
    const lists = new Map<number, number[]>();
    for (let i = 0; i < this.count; i++) {
      const list = lists.get(this.task[i]!);
      if (list === undefined) lists.set(this.task[i]!, [i]);
      else list.push(i);
    }
    this.#byTask = new Map([...lists].map(([task, list]) => [task, Int32Array.from(list)]));
    return this.#byTask;
  }

  /** What both sources know of a call: request and result, and descriptor and argument where both have them. */
  fingerprints(rows: Int32Array, other: IoctlList): Fingerprints {
    const numbered = this.numbered && other.numbered;
    const argued = this.#argued && other.#argued;
    const key = new Int32Array(rows.length);
    const check = new Int32Array(rows.length);
    const time = new Float64Array(rows.length);
    rows.forEach((row, i) => {
      const request = this.#request[row]!;
      const result = this.#result[row]!;
      const fd = numbered ? this.#fd[row]! : -1;
      const argument = argued ? this.#argument[row]! | 0 : 0;
      key[i] = mix(0x1b873593, request, result, fd, argument);
      check[i] = mix(0x2545f491, argument, fd, result, request);
      time[i] = this.time[row]!;
    });
    return { key, check, time };
  }

  /** Pairs of the same thread of both, of ioctls that agree, in order and in time. */
  pairByTime(log: IoctlList, task: number, toTrace: (time: Nanoseconds) => Nanoseconds): [number, number][] {
    const own = this.ofThread(task);
    const others = log.ofThread(task);
    const mine = this.fingerprints(own, log);
    const theirs = log.fingerprints(others, this);
    const pairs: [number, number][] = [];
    let from = 0;
    for (let j = 0; j < others.length; j++) {
      const at = toTrace(theirs.time[j]!);
      for (let i = from; i < own.length; i++) {
        const late = at - mine.time[i]!;
        if (late < EARLIEST) break;
        if (late > LATEST || mine.key[i] !== theirs.key[j] || mine.check[i] !== theirs.check[j]) continue;
        pairs.push([own[i]!, others[j]!]);
        from = i + 1;
        break;
      }
    }
    return pairs;
  }
}

export function readIoctls(trace: Trace): IoctlList {
  const list = new IoctlList(trace.streamCounts.ioctl);
  for (const segment of trace.segments({ columns: COLUMNS })) {
    const { columns } = segment.rows.ioctl;
    let r = -1;
    for (let i = 0; i < segment.count; i++) {
      if (segment.stream[i] !== STREAM_ID.ioctl) continue;
      r++;
      const errno = columns.errno[r]!;
      const known = (columns.seen[r]! & SEEN.argument) !== 0;
      list.add({
        time: segment.time[i]!,
        duration: Math.max(0, columns.durationHi[r]! * 2 ** 32 + (columns.durationLo[r]! >>> 0)),
        task: segment.task[i]!,
        pid: columns.pid[r]!,
        fd: columns.fd[r]!,
        request: columns.request[r]!,
        result: errno < 0 ? 1 << 31 : errno > 0 ? -errno : columns.retLo[r]!,
        argument: known ? (columns.argHi[r]! >>> 0) * 2 ** 32 + (columns.argLo[r]! >>> 0) : -1,
      });
    }
  }
  return list;
}

/** Ioctls of one thread of a log and of a thread of the trace that are the same calls. */
export interface ThreadPairs {
  readonly logTask: number;
  readonly task: number;
  /** Rows of the trace and of the log, in order. */
  readonly pairs: readonly (readonly [number, number])[];
}

/**
 * Finds the thread of a trace that the busiest thread of a log is, of those that are not `taken`; null where no call is in both.
 * Runs of one program make the same calls: of the right one the two clocks differ by nearly the same at each.
 */
export function pairThread(trace: IoctlList, log: IoctlList, taken: ReadonlySet<number>): ThreadPairs | null {
  const [logTask] = log.tasks;
  if (logTask === undefined) return null;
  const rows = log.ofThread(logTask);
  const theirs = log.fingerprints(rows, trace);
  let best: (ThreadPairs & { readonly spread: number }) | null = null;
  const tasks = trace.tasks.slice(0, MOST_THREADS).filter((task) => !taken.has(task));
  // A log that names its threads names those of the trace, unless it was recorded in another PID namespace.
  if (tasks.includes(logTask)) tasks.unshift(logTask);
  for (const task of tasks) {
    const own = trace.ofThread(task);
    if (best !== null && own.length < NEARLY * best.pairs.length) continue;
    const match = matchCommands(trace.fingerprints(own, log), theirs);
    if (match === null) continue;
    const pairs: [number, number][] = [];
    match.hostOf.forEach((j, i) => {
      if (j >= 0) pairs.push([own[i]!, rows[j]!]);
    });
    const found = { logTask, task, pairs, spread: spreadOf(trace, log, pairs) };
    if (best === null || isBetter(found, best)) best = found;
    if (task === logTask && pairs.length === rows.length) break;
  }
  return best;
}

/** So many pairs are about as good as all. */
const NEARLY = 0.9;
/** Of the right run the clocks agree so much better. */
const CLEARLY = 4;

interface Rated {
  readonly pairs: { readonly length: number };
  readonly spread: number;
}

function isBetter(a: Rated, b: Rated): boolean {
  const near = a.pairs.length >= NEARLY * b.pairs.length && b.pairs.length >= NEARLY * a.pairs.length;
  if (near && a.spread * CLEARLY < b.spread) return true;
  if (near && b.spread * CLEARLY < a.spread) return false;
  return a.pairs.length > b.pairs.length || (a.pairs.length === b.pairs.length && a.spread < b.spread);
}

/** Half of the differences between the two clocks lie in so much time. */
function spreadOf(trace: IoctlList, log: IoctlList, pairs: readonly (readonly [number, number])[]): Nanoseconds {
  const differences = Float64Array.from(pairs, ([a, b]) => log.time[b]! - trace.time[a]!).sort();
  const at = (share: number): number => differences[Math.floor(share * (differences.length - 1))] ?? 0;
  return Math.max(1, at(0.75) - at(0.25));
}

import { IorrError } from '../../../traces/errors.ts';
import type { TraceHeader } from '../../../traces/header.ts';
import { createRowCopier } from '../../../traces/row-copier.ts';
import { CALL_EVENT, SEEN, STREAM_ID } from '../../../traces/schema.ts';
import type { BytesColumn, Columns } from '../../../traces/schema.ts';
import type { Segment } from '../../../traces/segment.ts';
import type { EventSink, Trace } from '../../../traces/trace.ts';
import { ABSENT } from '../../../traces/units.ts';
import type { Nanoseconds } from '../../../traces/units.ts';
import { createClockMapper, fitClock } from './clock-fit.ts';
import type { ClockFit } from './clock-fit.ts';
import { EventCursor } from './event-cursor.ts';
import { pairThread, readIoctls } from './ioctl-pairs.ts';
import type { IoctlList } from './ioctl-pairs.ts';

/** What one log of system calls added to a trace of the same machine's kernel. */
export interface CallLogReport {
  readonly format: string;
  /** Thread of the trace that most of the log is of. */
  readonly task: number;
  readonly ioctls: number;
  /** Ioctls that both have: the trace's rows got what the log knows of them. */
  readonly matched: number;
  /** Ioctls of the log that the trace lacks (they were added), and of its threads in the trace that the log lacks. */
  readonly logOnly: number;
  readonly traceOnly: number;
  /** Other calls and events of the log, all added. */
  readonly calls: number;
  /** Log's clock minus the trace's when the first call that both hold returned, ns as a decimal string; and how they drift apart. */
  readonly offsetNs: string;
  readonly driftPpm: number;
  readonly pieces: number;
  /** How much later the log says that a call returned. */
  readonly residualNs: ClockFit['residualNs'];
}

interface JoinedLog {
  readonly report: CallLogReport;
  /** Rows in the order of the log, at their times in the trace's clock. */
  readonly items: readonly LogItem[];
  /** By ioctl row of the trace: the log's row. */
  readonly matches: ReadonlyMap<number, LogRow>;
  readonly trace: Trace;
  readonly sources: number;
  /** Whether it has numbers of descriptors. */
  readonly numbered: boolean;
  /** Threads of the trace that it is of, with their processes. */
  readonly threads: ReadonlyMap<number, number>;
}

interface LogRow {
  readonly segment: Segment;
  readonly index: number;
  readonly row: number;
}

interface LogItem extends LogRow {
  readonly stream: number;
  readonly time: Nanoseconds;
  readonly task: number;
  readonly pid: number;
}

/** Share of a log's ioctls that a trace must have too, to be of the same run. */
const LEAST_SHARE = 0.5;

/** The header of a kernel's trace with logs of system calls. */
export function callLogHeaders(trace: TraceHeader, logs: readonly TraceHeader[]): TraceHeader {
  return {
    ...trace,
    sources: [...trace.sources, ...logs.flatMap(({ sources }) => sources)],
    host: logs.reduce((host, log) => ({ ...log.host, ...host }), trace.host),
    fidelity: logs.reduce((all, { fidelity }) => ({ ...fidelity, ...all }), trace.fidelity),
  };
}

/**
 * Joins logs of system calls with a trace of the kernel that they were made to: each ioctl that both hold becomes one event, with
 * the trace's times and the log's structs; what only a log has comes in its order at its place. Clocks are brought together by
 * these pairs (a log's call begins before and returns after the kernel's). Logs are held in memory.
 *
 * Throws `IorrError` JOIN_IMPOSSIBLE where a log's calls are not in the trace.
 */
export function joinCallLogs(trace: Trace, logs: readonly Trace[], sink: EventSink): CallLogReport[] {
  const ioctls = readIoctls(trace);
  let sources = trace.header.sources.length;
  const taken = new Set<number>();
  const joined = logs
    .map((log, place) => {
      const own = { log, ioctls: readIoctls(log), sources, place };
      sources += log.header.sources.length;
      return own;
    })
    // Logs that name their threads leave the others to those that don't.
    .sort((a, b) => Number(b.ioctls.named) - Number(a.ioctls.named) || a.place - b.place)
    .map((own) => {
      const epochNs = BigInt(own.log.header.clock.epochNs) - BigInt(trace.header.clock.epochNs);
      const one = joinLog(ioctls, own, epochNs, taken);
      for (const task of one.threads.keys()) taken.add(task);
      return { ...one, place: own.place };
    })
    .sort((a, b) => a.place - b.place);
  write(trace, joined, sink);
  return joined.map(({ report }) => report);
}

function joinLog(
  ioctls: IoctlList,
  { log, ioctls: own, sources }: { readonly log: Trace; readonly ioctls: IoctlList; readonly sources: number },
  epochNs: bigint,
  taken: ReadonlySet<number>,
): JoinedLog {
  const format = log.header.sources[0]?.format ?? 'unknown';
  const main = pairThread(ioctls, own, taken);
  if (main === null || main.pairs.length < LEAST_SHARE * own.ofThread(main.logTask).length) {
    throw new IorrError(
      'JOIN_IMPOSSIBLE',
      `the calls of the ${format} log are not in the trace: ${main?.pairs.length ?? 0} of ${own.count} ioctls agree in request, result and order`,
      {
        hint: 'give captures of one run, the trace with raw_syscalls:* or sys_enter_ioctl and sys_exit_ioctl; import the others one by one',
      },
    );
  }
  const clock = fitClock(
    Float64Array.from(main.pairs, ([, b]) => own.time[b]!),
    Float64Array.from(main.pairs, ([a]) => ioctls.time[a]!),
  );
  const toTrace = createClockMapper(clock.map);
  const partner = new Int32Array(own.count).fill(-1);
  for (const [a, b] of main.pairs) partner[b] = a;
  for (const task of own.tasks) {
    if (task === main.logTask) continue;
    for (const [a, b] of ioctls.pairByTime(own, task, toTrace)) partner[b] = a;
  }
  const place = new Placement(ioctls, own, partner, toTrace, main);
  const matches = new Map<number, LogRow>();
  const items: LogItem[] = [];
  let ioctl = 0;
  let calls = 0;
  for (const segment of log.segments()) {
    const row = new Int32Array(32);
    for (let i = 0; i < segment.count; i++) {
      const stream = segment.stream[i]!;
      const r = row[stream]!;
      row[stream] = r + 1;
      const at: LogRow = { segment, index: i, row: r };
      if (stream === STREAM_ID.ioctl) {
        const a = partner[ioctl]!;
        if (a >= 0) matches.set(a, at);
        else items.push({ ...at, stream, ...place.ioctl(ioctl) });
        ioctl++;
      } else {
        calls++;
        items.push({ ...at, stream, ...place.other(segment, i, stream, r, ioctl) });
      }
    }
  }
  const matched = matches.size;
  const threads = new Map<number, number>();
  for (const [a, { segment, row }] of matches) {
    const task = ioctls.task[a]!;
    if (!threads.has(task)) threads.set(task, processOf(ioctls.pid[a]!, segment.rows.ioctl.columns.pid[row]!, task));
  }
  let ofThreads = 0;
  for (let a = 0; a < ioctls.count; a++) if (threads.has(ioctls.task[a]!)) ofThreads++;
  const [first] = main.pairs;
  return {
    trace: log,
    sources,
    numbered: own.numbered,
    threads,
    matches,
    items,
    report: {
      format,
      task: main.task,
      ioctls: own.count,
      matched,
      logOnly: own.count - matched,
      traceOnly: ofThreads - matched,
      calls,
      offsetNs: String(
        epochNs + BigInt(Math.round(first === undefined ? 0 : own.time[first[1]]! - ioctls.time[first[0]]!)),
      ),
      driftPpm: clock.driftPpm,
      pieces: clock.pieces,
      residualNs: clock.residualNs,
    },
  };
}

/** The process of a thread: as the trace has it, as the log has it, else the thread's own number. */
function processOf(ofTrace: number, ofLog: number, task: number): number {
  if (ofTrace >= 0) return ofTrace;
  return ofLog >= 0 ? ofLog : task;
}

/** Where rows come that only the log has: at their mapped times, but between the ioctls that the log has before and after them. */
class Placement {
  readonly #ioctls: IoctlList;
  readonly #own: IoctlList;
  readonly #toTrace: (time: Nanoseconds) => Nanoseconds;
  /** By ioctl of the log: return of the newest pair before it, entry of the next pair at or after it. */
  readonly #after: Float64Array;
  readonly #before: Float64Array;
  /** Names of threads and processes where the log has none. */
  readonly #task: number;
  readonly #pid: number;

  constructor(
    ioctls: IoctlList,
    own: IoctlList,
    partner: Int32Array,
    toTrace: (time: Nanoseconds) => Nanoseconds,
    main: { readonly task: number; readonly pairs: readonly (readonly [number, number])[] },
  ) {
    this.#ioctls = ioctls;
    this.#own = own;
    this.#toTrace = toTrace;
    this.#task = main.task;
    const [a, b] = main.pairs[0] ?? [0, 0];
    this.#pid = processOf(ioctls.pid[a] ?? ABSENT, own.pid[b] ?? ABSENT, main.task);
    this.#after = new Float64Array(own.count + 1).fill(Number.NEGATIVE_INFINITY);
    this.#before = new Float64Array(own.count + 1).fill(Number.POSITIVE_INFINITY);
    for (let b = 0; b < own.count; b++) {
      const a = partner[b]!;
      this.#after[b + 1] = a < 0 ? this.#after[b]! : ioctls.time[a]!;
    }
    for (let b = own.count - 1; b >= 0; b--) {
      const a = partner[b]!;
      this.#before[b] = a < 0 ? this.#before[b + 1]! : ioctls.time[a]! - ioctls.duration[a]!;
    }
  }

  ioctl(b: number): { time: Nanoseconds; task: number; pid: number } {
    const { task, pid, time } = this.#own;
    return {
      time: this.#place(time[b]!, b),
      task: this.#named(task[b]!, this.#task),
      pid: this.#named(pid[b]!, this.#pid),
    };
  }

  /** `next`: number of the log's next ioctl. */
  other(
    segment: Segment,
    i: number,
    stream: number,
    row: number,
    next: number,
  ): { time: number; task: number; pid: number } {
    const pid = stream === STREAM_ID.call ? segment.rows.call.columns.pid[row]! : -1;
    return {
      time: this.#place(segment.time[i]!, next),
      task: this.#named(segment.task[i]!, this.#task),
      pid: this.#named(pid, this.#pid),
    };
  }

  #named(of: number, main: number): number {
    return of < 0 && this.#ioctls.count > 0 ? main : of;
  }

  #place(time: Nanoseconds, next: number): Nanoseconds {
    const before = this.#before[next] ?? Number.POSITIVE_INFINITY;
    const after = this.#after[next] ?? Number.NEGATIVE_INFINITY;
    return Math.max(0, after, Math.min(this.#toTrace(time), before));
  }
}

function write(trace: Trace, logs: readonly JoinedLog[], sink: EventSink): void {
  const copy = createRowCopier(trace, sink);
  const lines = logs.map((log) => ({
    ...log,
    copy: createRowCopier(log.trace, sink),
    // Threads of a log come in the order of its calls' returns: a late one may be clamped behind those after it.
    order: [...log.items].sort((a, b) => a.time - b.time),
    at: 0,
  }));
  let begun = false;
  const putLog = (line: (typeof lines)[number], item: LogItem): void => {
    line.at++;
    const { segment, index, row, stream, time, task, pid } = item;
    // What a log's beginning says of all processes holds for the first log only.
    const starts = stream === STREAM_ID.call && segment.rows.call.columns.event[row] === CALL_EVENT.start;
    if (starts && begun) return;
    begun = true;
    const source = line.sources + segment.source[index]!;
    const to = sink.begin(stream, time, segment.cpu[index]!, task, source);
    line.copy(segment, stream, row, to);
    if (stream === STREAM_ID.call) sink.rows.call.columns.pid[to] = pid;
    else if (stream === STREAM_ID.ioctl) sink.rows.ioctl.columns.pid[to] = pid;
  };
  const processes = new Map(logs.flatMap(({ threads }) => [...threads]));
  const cursor = new EventCursor(trace);
  let alive = cursor.next();
  while (alive) {
    const next = earliest(lines);
    if (next !== undefined && next.order[next.at]!.time < cursor.time) {
      putLog(next, next.order[next.at]!);
      continue;
    }
    const segment = cursor.segment!;
    const source = segment.source[cursor.index]!;
    const to = sink.begin(cursor.stream, cursor.time, cursor.cpu, cursor.task, source);
    copy(segment, cursor.stream, cursor.row, to);
    if (cursor.stream === STREAM_ID.ioctl || cursor.stream === STREAM_ID.call) {
      const { pid } = cursor.stream === STREAM_ID.ioctl ? sink.rows.ioctl.columns : sink.rows.call.columns;
      if (pid[to]! < 0) pid[to] = processes.get(cursor.task) ?? ABSENT;
    }
    if (cursor.stream === STREAM_ID.ioctl) {
      for (const { matches, trace: log, numbered } of lines) {
        const match = matches.get(cursor.streamRow);
        if (match === undefined) continue;
        fill(sink, to, log, match);
        // Of a log without descriptors a model knows each file by its kind from its beginning on; a number tells it less.
        if (!numbered) sink.rows.ioctl.columns.fd[to] = ABSENT;
      }
    }
    alive = cursor.next();
  }
  for (let next = earliest(lines); next !== undefined; next = earliest(lines)) putLog(next, next.order[next.at]!);
}

function earliest<L extends { readonly order: readonly LogItem[]; readonly at: number }>(
  lines: readonly L[],
): L | undefined {
  let found: L | undefined;
  for (const line of lines) {
    const item = line.order[line.at];
    if (item === undefined) continue;
    if (found === undefined || item.time < found.order[found.at]!.time) found = line;
  }
  return found;
}

/** What a log knows of an ioctl, and the trace does not. */
function fill(sink: EventSink, to: number, log: Trace, { segment, row }: LogRow): void {
  const source = segment.rows.ioctl.columns;
  const target = sink.rows.ioctl.columns;
  const seen = source.seen[row]!;
  const known = target.seen[to]!;
  if ((known & SEEN.argument) === 0 && (seen & SEEN.argument) !== 0) {
    target.argLo[to] = source.argLo[row]!;
    target.argHi[to] = source.argHi[row]!;
  }
  target.seen[to] = known | seen;
  const path = log.strings[source.path[row]!];
  if (path !== undefined && target.path[to]! < 0) target.path[to] = sink.intern(path);
  if ((known & SEEN.before) === 0) move(sink, source, target, 'before', row, to);
  if ((known & SEEN.after) === 0) move(sink, source, target, 'after', row, to);
  move(sink, source, target, 'memory', row, to);
}

function move(
  sink: EventSink,
  source: Columns<'ioctl'>,
  target: Columns<'ioctl'>,
  column: 'before' | 'after' | 'memory',
  row: number,
  to: number,
): void {
  const from: BytesColumn = source[column];
  const start = from.offsets[row] ?? 0;
  const end = from.offsets[row + 1] ?? start;
  if (end > start) sink.setBytes(target[column], to, from.data.subarray(start, end));
}

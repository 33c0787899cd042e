import { CALL_EVENT, INV_FORM, STREAM_ID } from '../../../traces/schema.ts';
import type { Segment } from '../../../traces/segment.ts';
import type { Trace } from '../../../traces/trace.ts';
import { pageNumber } from '../../../traces/units.ts';
import type { Nanoseconds } from '../../../traces/units.ts';
import { FAULT_QUEUE_FILE } from '../../../traces/ioctl-requests.ts';
import { VTD_TYPE, vtdType } from '../../../traces/dialects/vtd-fields.ts';
import { DIALECT } from '../../../traces/schema.ts';
import { RESPONSE, pageResponse, readPageResponse } from '../page-response.ts';
import { answeredBy } from './answered-by.ts';
import type { Answerers } from './answered-by.ts';
import { GroupJoin } from './group-join.ts';
import type { GroupAnswer, Moment, PriFinding, RequestGroup } from './page-request.ts';
import { UserJoin } from './user-join.ts';

/** What a trace shows of page requests. */
export interface PriHistory {
  /** Every group, in order of their first events. */
  readonly groups: readonly RequestGroup[];
  readonly findings: readonly PriFinding[];
  readonly requests: number;
  readonly duplicateRequests: number;
  readonly stopMarkers: number;
  /** Requests from before the trace, by the driver's own count. */
  readonly requestsBefore: number;
  /** Response commands. */
  readonly answers: number;
  readonly user: {
    readonly reads: number;
    readonly records: number;
    readonly writes: number;
    readonly responses: number;
    readonly refused: number;
    /** Records that the source cut away. */
    readonly cut: number;
    /** Reads and writes of which only the calls around them have times. */
    readonly untimed: number;
  };
  readonly answerers: Answerers;
  /** Times of the commands that invalidate device TLBs, by requester. */
  readonly deviceFlushes: ReadonlyMap<number, readonly Nanoseconds[]>;
  readonly startNs: Nanoseconds;
  readonly endNs: Nanoseconds;
  /** Events that the source lost, and where. */
  readonly lost: { readonly events: number; readonly places: number };
}

const COLUMNS = {
  prq: ['unit', 'rid', 'pasid', 'group', 'iova', 'access', 'seq'],
  prs: ['rid', 'pasid', 'group', 'code'],
  inv: ['dialect', 'form', 'w0', 'w1', 'lag'],
  ioctl: ['pid', 'request', 'duration', 'errno'],
  call: ['event', 'pid', 'name', 'fd', 'duration', 'ret', 'path', 'data'],
  lost: ['count'],
} as const;

/** DESTROY, ATTACH (which replaces), DETACH; FAULT_QUEUE_ALLOC. */
const TEARS_DOWN = new Set([0x3b80, 0x3b77, 0x3b78]);
const FAULT_QUEUE_ALLOC = 0x3b8e;
const CLOSES = new Set(['close', 'close_range', 'exit', 'exit_group']);
/** Source whose reads and writes have no time of their own. */
const UNTIMED = 'ioctl-hex';
/** Times of device-TLB invalidations that are kept for a requester. */
const MOST_FLUSHES = 1 << 20;

/** Reads all that a trace has of page requests, and joins it. Memory grows with the requests. */
export function readPriHistory(trace: Trace): PriHistory {
  const reader = new HistoryReader(trace);
  for (const segment of trace.segments({ columns: COLUMNS })) reader.segment(segment);
  return reader.finish();
}

class HistoryReader {
  readonly #trace: Trace;
  readonly #untimedSources: ReadonlySet<number>;
  readonly #findings: PriFinding[] = [];
  readonly #groups: GroupJoin;
  readonly #user: UserJoin;
  readonly #response = pageResponse();
  readonly #teardowns: Answerers['teardowns'][number][] = [];
  readonly #serving = new Set<number>();
  readonly #callers = new Set<number>();
  readonly #requesters = new Set<number>();
  readonly #kernel: Set<number>;
  readonly #flushes = new Map<number, Nanoseconds[]>();
  /** Reads and writes without a time, by thread, until its next call shows by when they were done. */
  readonly #pending = new Map<number, Moment[]>();
  #untimed = 0;
  #start = -1;
  #end = 0;
  #lost = 0;
  #places = 0;

  constructor(trace: Trace) {
    this.#trace = trace;
    this.#groups = new GroupJoin(this.#findings);
    this.#user = new UserJoin(this.#findings);
    const untimed = trace.header.sources.flatMap(({ format }, i) => (format === UNTIMED ? [i] : []));
    this.#untimedSources = new Set(untimed);
    this.#kernel = new Set(kernelWorkers(trace));
  }

  segment(segment: Segment): void {
    const { stream, time, count } = segment;
    const row = new Int32Array(32);
    for (let i = 0; i < count; i++) {
      const id = stream[i] ?? 0;
      const r = row[id] ?? 0;
      row[id] = r + 1;
      const at = time[i] ?? 0;
      if (this.#start < 0) this.#start = at;
      if (at > this.#end) this.#end = at;
      const event = segment.firstEvent + i;
      if (id === STREAM_ID.inv) this.#command(segment, i, r, at, event);
      else if (id === STREAM_ID.prq) this.#request(segment, i, r, at, event);
      else if (id === STREAM_ID.prs) this.#answered(segment, i, r, at, event);
      else if (id === STREAM_ID.ioctl) this.#ioctl(segment, i, r, at);
      else if (id === STREAM_ID.call) this.#call(segment, i, r, at, event);
      else if (id === STREAM_ID.lost) {
        this.#places++;
        const { countLo, countHi } = segment.rows.lost.columns;
        this.#lost += Math.max(1, (countHi[r] ?? 0) * 2 ** 32 + ((countLo[r] ?? 0) >>> 0));
      }
    }
  }

  finish(): PriHistory {
    for (const moments of this.#pending.values()) for (const moment of moments) moment.to = this.#end;
    const groups = this.#groups.finish();
    for (const { answer } of groups) {
      if (answer?.code === RESPONSE.success && this.#requesters.has(answer.task)) this.#kernel.add(answer.task);
    }
    for (const { answer, last } of this.#groups.spare) this.#spare(answer, last);
    this.#user.finish(groups);
    for (const group of groups) {
      narrow(group);
      this.#unwritten(group);
    }
    this.#compareCodes(groups);
    const { reads, records, writes, responses, refused, cut } = this.#user;
    return {
      groups,
      findings: this.#findings.sort((a, b) => a.event - b.event),
      requests: this.#groups.requests,
      duplicateRequests: this.#groups.duplicateRequests,
      stopMarkers: this.#groups.stopMarkers,
      requestsBefore: this.#groups.before,
      answers: this.#groups.answers,
      user: { reads, records, writes, responses, refused, cut, untimed: this.#untimed },
      answerers: this.#answerers(),
      deviceFlushes: this.#flushes,
      startNs: Math.max(0, this.#start),
      endNs: this.#end,
      lost: { events: this.#lost, places: this.#places },
    };
  }

  #request(segment: Segment, i: number, r: number, time: Nanoseconds, event: number): void {
    const { columns } = segment.rows.prq;
    const task = segment.task[i] ?? -1;
    if (task >= 0) this.#requesters.add(task);
    this.#groups.request({
      event,
      time,
      unit: this.#trace.strings[columns.unit[r] ?? -1] ?? '',
      rid: columns.rid[r] ?? 0,
      pasid: columns.pasid[r] ?? -1,
      index: columns.group[r] ?? 0,
      page: pageNumber(columns.iovaLo[r] ?? 0, columns.iovaHi[r] ?? 0),
      access: columns.access[r] ?? 0,
      seq: columns.seq[r] ?? -1,
      task,
    });
  }

  #command(segment: Segment, i: number, r: number, time: Nanoseconds, event: number): void {
    const { columns } = segment.rows.inv;
    const form = columns.form[r];
    if (form !== INV_FORM.words && form !== INV_FORM.decoded) return;
    const dialect = columns.dialect[r] ?? -1;
    const w0Lo = columns.w0Lo[r] ?? 0;
    const w0Hi = columns.w0Hi[r] ?? 0;
    if (dialect === DIALECT.vtd) this.#flush(w0Lo, w0Hi, time);
    const answer = this.#response;
    if (!readPageResponse(answer, dialect, w0Lo, w0Hi, columns.w1Lo[r] ?? 0, columns.w1Hi[r] ?? 0)) return;
    const lag = spanOf(columns.lagLo[r] ?? 0, columns.lagHi[r] ?? 0);
    this.#groups.answer({
      event,
      submitted: time - lag,
      completed: lag > 0 ? time : -1,
      rid: answer.rid,
      pasid: answer.pasid,
      index: answer.group,
      code: answer.code,
      task: segment.task[i] ?? -1,
    });
  }

  #flush(w0Lo: number, w0Hi: number, time: Nanoseconds): void {
    const type = vtdType(w0Lo);
    if (type !== VTD_TYPE.deviceTlb && type !== VTD_TYPE.pasidDeviceTlb) return;
    const rid = type === VTD_TYPE.deviceTlb ? w0Hi & 0xffff : w0Lo >>> 16;
    let times = this.#flushes.get(rid);
    if (times === undefined) {
      times = [];
      this.#flushes.set(rid, times);
    }
    if (times.length < MOST_FLUSHES) times.push(time);
  }

  #answered(segment: Segment, i: number, r: number, time: Nanoseconds, event: number): void {
    const { columns } = segment.rows.prs;
    this.#groups.answer({
      event,
      submitted: time,
      completed: -1,
      rid: columns.rid[r] ?? 0,
      pasid: columns.pasid[r] ?? -1,
      index: columns.group[r] ?? 0,
      code: columns.code[r] ?? 0,
      task: segment.task[i] ?? -1,
    });
  }

  #ioctl(segment: Segment, i: number, r: number, time: Nanoseconds): void {
    const { columns } = segment.rows.ioctl;
    const task = segment.task[i] ?? -1;
    const from = time - spanOf(columns.durationLo[r] ?? 0, columns.durationHi[r] ?? 0);
    this.#settle(task, from);
    if (task >= 0) this.#callers.add(task);
    const request = columns.request[r] ?? 0;
    if (request === FAULT_QUEUE_ALLOC && (columns.errno[r] ?? 0) === 0) {
      this.#serves(task, columns.pid[r] ?? -1);
    }
    if (TEARS_DOWN.has(request)) this.#teardowns.push({ task, from, to: time });
  }

  #call(segment: Segment, i: number, r: number, time: Nanoseconds, event: number): void {
    const { columns } = segment.rows.call;
    const task = segment.task[i] ?? -1;
    if (columns.event[r] === CALL_EVENT.exit) this.#teardowns.push({ task, from: 0, to: time });
    if (columns.event[r] !== CALL_EVENT.syscall) return;
    if (task >= 0) this.#callers.add(task);
    const { strings } = this.#trace;
    const name = strings[columns.name[r] ?? -1] ?? '';
    const from = time - spanOf(columns.durationLo[r] ?? 0, columns.durationHi[r] ?? 0);
    if (CLOSES.has(name))
      this.#teardowns.push({ task, from, to: name.startsWith('exit') ? Number.POSITIVE_INFINITY : time });
    const pid = columns.pid[r] ?? -1;
    const fd = columns.fd[r] ?? -1;
    const ret = (columns.retHi[r] ?? 0) * 2 ** 32 + ((columns.retLo[r] ?? 0) >>> 0);
    if (strings[columns.path[r] ?? -1] !== FAULT_QUEUE_FILE) return;
    const write = name === 'write' || name === 'pwrite64';
    if (!write && name !== 'read' && name !== 'pread64') return;
    const start = columns.data.offsets[r] ?? 0;
    // segments may use their arrays again
    const data = columns.data.data.slice(start, columns.data.offsets[r + 1] ?? start);
    this.#serves(task, pid);
    const untimed = this.#untimedSources.has(segment.source[i] ?? 0);
    // What a read gives is there when it returns; a response is decided on when its write begins.
    const when = write && !untimed ? from : time;
    const at: Moment = { from: when, to: when };
    if (untimed) {
      this.#untimed++;
      const moments = this.#pending.get(task) ?? [];
      if (moments.length === 0) this.#pending.set(task, moments);
      moments.push(at);
    } else this.#settle(task, from);
    this.#user.transfer({ event, at, returned: time, pid, task, fd, ret, write, data });
  }

  /** What the thread did before was done by now. */
  #settle(task: number, by: Nanoseconds): void {
    const moments = this.#pending.get(task);
    if (moments === undefined) return;
    for (const moment of moments) moment.to = Math.max(moment.from, by);
    this.#pending.delete(task);
  }

  #serves(task: number, pid: number): void {
    if (task >= 0) this.#serving.add(task);
    if (pid >= 0) this.#serving.add(pid);
  }

  /** A response to nothing that was asked. */
  #spare(answer: GroupAnswer, last: GroupAnswer | undefined): void {
    const { event, index, code, task } = answer;
    const add = (kind: PriFinding['kind'], what: string): void => {
      this.#findings.push({ event, kind, what, count: 1 });
    };
    if (task >= 0 && this.#requesters.has(task)) {
      add(
        'refused-request',
        `the driver refuses a request of group ${index} without a word of it (bad address or access)`,
      );
    } else if (last?.code === code) {
      add('duplicate-response', `group ${index} was answered by event ${last.event} and did not ask again`);
    } else add('orphan-response', `no request of group ${index} is in the trace`);
  }

  /** What was read and never answered, unless the kernel did when the queue went away. */
  #unwritten(group: RequestGroup): void {
    const { delivery, index } = group;
    if (delivery === undefined || delivery.response !== undefined) return;
    if (answeredBy(group, this.#answerers())?.cause === 'teardown') return;
    const what = `group ${index} was read, and no response to its cookie is in the trace`;
    this.#findings.push({ event: delivery.event, kind: 'unwritten-response', what, count: 1 });
  }

  #answerers(): Answerers {
    return {
      teardowns: this.#teardowns,
      serving: this.#serving,
      callers: this.#callers,
      calls: this.#callers.size > 0,
      kernel: this.#kernel,
    };
  }

  #compareCodes(groups: readonly RequestGroup[]): void {
    for (const { answer, delivery, index } of groups) {
      const code = delivery?.response?.code;
      if (answer === undefined || code === undefined || code === answer.code) continue;
      const what = `user space wrote ${code} for group ${index}, event ${delivery?.response?.event}; the device was told ${answer.code}`;
      this.#findings.push({ event: answer.event, kind: 'code-differs', what, count: 1 });
    }
  }
}

/** Threads that an importer knew for the kernel's by their names. */
function kernelWorkers({ notes }: Trace): number[] {
  const imports: readonly unknown[] = Array.isArray(notes['import']) ? notes['import'] : [];
  return imports.flatMap((one) => {
    const workers: unknown =
      typeof one === 'object' && one !== null ? (one as Record<string, unknown>)['answeringKernelWorkers'] : undefined;
    return Array.isArray(workers) ? workers.filter((task): task is number => typeof task === 'number') : [];
  });
}

/** A read comes behind the requests that it gives, a response before the command that carries it. */
function narrow({ requests, delivery, answer }: RequestGroup): void {
  if (delivery === undefined) return;
  const { at, response } = delivery;
  if (at.to > at.from) at.from = Math.min(at.to, Math.max(at.from, requests.at(-1)?.time ?? at.from));
  if (response === undefined) return;
  if (answer !== undefined && response.at.to > response.at.from) {
    response.at.to = Math.max(response.at.from, Math.min(response.at.to, answer.submitted));
  }
  if (response.at.from < at.from) response.at.from = Math.min(response.at.to, at.from);
  if (at.to > response.at.to) at.to = Math.max(at.from, response.at.to);
}

/** A span of up to 2^53 ns; what is longer or negative is no span. */
function spanOf(lo: number, hi: number): Nanoseconds {
  return hi < 0 || hi >= 0x20_0000 ? 0 : hi * 0x1_0000_0000 + (lo >>> 0);
}

import { IorrError } from '../../../traces/errors.ts';
import { ACCESS, INV_FORM, STREAM_ID } from '../../../traces/schema.ts';
import type { Columns } from '../../../traces/schema.ts';
import type { Trace } from '../../../traces/trace.ts';
import { pageNumber } from '../../../traces/units.ts';
import type { Nanoseconds } from '../../../traces/units.ts';
import type { WaitQuantiles } from '../../results.ts';
import { RESPONSE, pageResponse, readPageResponse } from '../page-response.ts';
import type { FaultArrivals } from './fault-arrivals.ts';
import { Samples } from './samples.ts';

/** 8 million requests are 500 MB. */
const MOST_REQUESTS = 8e6;
/** A driver may trace a request after its answer is out; a response that waits longer for its request answers something else. */
const MOST_EARLY: Nanoseconds = 100_000_000;
const COLUMNS = {
  prq: ['unit', 'rid', 'pasid', 'group', 'iova', 'access'],
  prs: ['unit', 'rid', 'pasid', 'group', 'code'],
  inv: ['dialect', 'form', 'w0', 'w1'],
} as const;

/** The page requests of a recording, and what it tells of how they were served. */
export interface RecordedFaults {
  readonly arrivals: FaultArrivals;
  /** Unit whose requests these are; requests of other units are left out. */
  readonly unit: string;
  readonly otherUnits: number;
  readonly requests: number;
  /** Groups that were answered, with what. */
  readonly answered: number;
  readonly refused: number;
  /** Groups without a response, groups that never got their last request, PASID stops, and responses to nothing. */
  readonly unanswered: number;
  readonly partial: number;
  readonly stopMarkers: number;
  readonly orphans: number;
  /** From the last request of a group to its response. */
  readonly responseNs: WaitQuantiles;
  /** Responses came in the order of the groups: one server, whose time is the response less what it did before. */
  readonly inOrder: boolean;
  readonly serviceNs: readonly Nanoseconds[];
}

interface OpenGroup {
  readonly device: number;
  readonly space: number;
  readonly begun: Nanoseconds;
  closed: Nanoseconds;
  readonly pages: number[];
  readonly times: number[];
  answered: Nanoseconds;
  code: number;
}

/** Reads the page requests of the unit that has most of them. Throws `STREAM_MISSING` without any, `LIMIT` for too many. */
export function readRecordedFaults(trace: Trace): RecordedFaults {
  if (trace.streamCounts.prq === 0) {
    throw new IorrError('STREAM_MISSING', 'page requests are compared on recorded ones; this trace has none', {
      hint: 'record intel_iommu:prq_report, or make a trace: iorr simulate sva',
    });
  }
  if (trace.streamCounts.prq > MOST_REQUESTS) {
    throw new IorrError('LIMIT', `${trace.streamCounts.prq} page requests; ${MOST_REQUESTS} at most`, {
      hint: 'cut the trace to a shorter time: iorr cut',
    });
  }
  const { unit, otherUnits } = busiestUnit(trace);
  const reader = new Reader(unit);
  for (const segment of trace.segments({ columns: COLUMNS, reuse: true })) {
    const { stream, time, count, rows } = segment;
    const row = new Int32Array(32);
    for (let i = 0; i < count; i++) {
      const id = stream[i]!; // in range, like the rest
      const r = row[id]!;
      row[id] = r + 1;
      if (id === STREAM_ID.prq) reader.request(rows.prq.columns, r, time[i]!);
      else if (id === STREAM_ID.prs) reader.response(rows.prs.columns, r, time[i]!);
      else if (id === STREAM_ID.inv) reader.command(rows.inv.columns, r, time[i]!);
    }
  }
  return reader.finish(trace.strings[unit] ?? '', otherUnits);
}

function busiestUnit(trace: Trace): { readonly unit: number; readonly otherUnits: number } {
  const requests = new Map<number, number>();
  for (const { rows } of trace.segments({ columns: { prq: ['unit'] }, reuse: true })) {
    const { columns, count } = rows.prq;
    for (let r = 0; r < count; r++) requests.set(columns.unit[r]!, (requests.get(columns.unit[r]!) ?? 0) + 1); // in range
  }
  const [most] = [...requests].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  return { unit: most?.[0] ?? -1, otherUnits: requests.size - 1 };
}

class Reader {
  readonly #unit: number;
  /** By requester, PASID and index: the group that grows, and groups that wait for a response, oldest first. */
  readonly #growing = new Map<number, OpenGroup>();
  readonly #waiting = new Map<number, OpenGroup[]>();
  readonly #early = new Map<number, { readonly at: Nanoseconds; readonly code: number }>();
  readonly #groups: OpenGroup[] = [];
  readonly #devices = new Map<number, number>();
  readonly #spaces = new Map<number, number>();
  readonly #response = pageResponse();
  #requests = 0;
  #stopMarkers = 0;
  #orphans = 0;

  constructor(unit: number) {
    this.#unit = unit;
  }

  request(columns: Columns<'prq'>, r: number, time: Nanoseconds): void {
    if (columns.unit[r] !== this.#unit) return;
    const access = columns.access[r]!; // in range, like the rest
    const rid = columns.rid[r]!;
    const pasid = columns.pasid[r]!;
    if ((access & (ACCESS.last | ACCESS.read | ACCESS.write | ACCESS.execute)) === ACCESS.last) {
      this.#stopMarkers++;
      return;
    }
    this.#requests++;
    const key = keyOf(rid, pasid, columns.group[r]!);
    let group = this.#growing.get(key);
    if (group === undefined) {
      const device = numberOf(this.#devices, rid);
      const space = numberOf(this.#spaces, (rid & 0x3f_ffff) * 0x20_0000 + pasid + 1);
      group = { device, space, begun: time, closed: -1, pages: [], times: [], answered: -1, code: RESPONSE.success };
      this.#growing.set(key, group);
    }
    group.pages.push(pageNumber(columns.iovaLo[r]!, columns.iovaHi[r]!));
    group.times.push(time);
    if ((access & ACCESS.last) === 0) return;
    this.#growing.delete(key);
    group.closed = time;
    this.#groups.push(group);
    const early = this.#early.get(key);
    this.#early.delete(key);
    if (early !== undefined && time - early.at <= MOST_EARLY) {
      group.answered = Math.max(early.at, time);
      group.code = early.code;
      return;
    }
    if (early !== undefined) this.#orphans++;
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) this.#waiting.set(key, [group]);
    else waiting.push(group);
  }

  response(columns: Columns<'prs'>, r: number, time: Nanoseconds): void {
    this.#answer(columns.rid[r]!, columns.pasid[r]!, columns.group[r]!, columns.code[r]!, time); // in range
  }

  command({ dialect, form, w0Lo, w0Hi, w1Lo, w1Hi }: Columns<'inv'>, r: number, time: Nanoseconds): void {
    if (form[r] !== INV_FORM.words && form[r] !== INV_FORM.decoded) return;
    const response = this.#response;
    if (!readPageResponse(response, dialect[r]!, w0Lo[r]!, w0Hi[r]!, w1Lo[r]!, w1Hi[r]!)) return; // in range
    this.#answer(response.rid, response.pasid, response.group, response.code, time);
  }

  #answer(rid: number, pasid: number, index: number, code: number, at: Nanoseconds): void {
    if (!this.#devices.has(rid)) {
      this.#orphans++;
      return;
    }
    const key = keyOf(rid, pasid, index);
    const group = this.#waiting.get(key)?.shift();
    if (group !== undefined) {
      group.answered = at;
      group.code = code;
    } else if (this.#growing.has(key)) this.#early.set(key, { at, code });
    else this.#orphans++;
  }

  finish(unit: string, otherUnits: number): RecordedFaults {
    const groups = this.#groups.sort((a, b) => a.begun - b.begun);
    const arrivals = this.#arrivals(groups);
    const response = new Samples(true);
    for (const group of groups) if (group.answered >= 0) response.add(Math.max(0, group.answered - group.closed));
    const answered = groups.filter((group) => group.answered >= 0);
    const { inOrder, serviceNs } = servedTimes(groups);
    arrivals.serviceNs.set(serviceNs);
    return {
      arrivals,
      unit,
      otherUnits,
      requests: this.#requests,
      answered: answered.length,
      refused: answered.filter(({ code }) => code !== RESPONSE.success).length,
      unanswered: groups.length - answered.length,
      partial: this.#growing.size,
      stopMarkers: this.#stopMarkers,
      orphans: this.#orphans,
      responseNs: response.quantiles(),
      inOrder,
      serviceNs: [...serviceNs].filter((ns) => ns >= 0),
    };
  }

  #arrivals(groups: readonly OpenGroup[]): FaultArrivals & { readonly serviceNs: Float64Array } {
    const requestsFrom = new Int32Array(groups.length + 1);
    groups.forEach(({ pages }, i) => {
      requestsFrom[i + 1] = requestsFrom[i]! + pages.length; // in range
    });
    const total = requestsFrom[groups.length]!;
    const page = new Float64Array(total);
    const space = new Int32Array(total);
    const offsetNs = new Float64Array(total);
    groups.forEach((group, i) => {
      const from = requestsFrom[i]!;
      page.set(group.pages, from);
      space.fill(group.space, from, from + group.pages.length);
      group.times.forEach((time, k) => {
        offsetNs[from + k] = time - group.begun;
      });
    });
    return {
      groups: groups.length,
      time: Float64Array.from(groups, ({ begun }) => begun),
      devices: Math.max(1, this.#devices.size),
      rids: [...this.#devices.keys()],
      device: Int32Array.from(groups, ({ device }) => device),
      requestsFrom,
      pages: { page, space, offsetNs },
      serviceNs: new Float64Array(groups.length).fill(Number.NaN),
      refused: Uint8Array.from(groups, ({ code }) => (code === RESPONSE.success ? 0 : 1)),
    };
  }
}

/**
 * What servers took. Where responses came in the order in which groups were complete, one server had them in turn: its time with
 * one is the response less the later of that group and the response before. Else several worked beside each other, and the whole
 * time to the response is taken, waits included.
 */
function servedTimes(groups: readonly OpenGroup[]): { readonly inOrder: boolean; readonly serviceNs: Float64Array } {
  const order = groups.map((_, i) => i).filter((i) => groups[i]!.answered >= 0); // in range
  order.sort((a, b) => groups[a]!.closed - groups[b]!.closed || a - b);
  const inOrder = order.every((i, k) => k === 0 || groups[order[k - 1]!]!.answered <= groups[i]!.answered);
  const serviceNs = new Float64Array(groups.length).fill(Number.NaN);
  let before = Number.NEGATIVE_INFINITY;
  for (const i of order) {
    const { answered, closed } = groups[i]!;
    serviceNs[i] = Math.max(0, answered - (inOrder ? Math.max(closed, before) : closed));
    before = answered;
  }
  return { inOrder, serviceNs };
}

function numberOf(numbers: Map<number, number>, key: number): number {
  let found = numbers.get(key);
  if (found === undefined) {
    found = numbers.size;
    numbers.set(key, found);
  }
  return found;
}

/** 32 + 21 + 9 bits would be too many for a double: stream ids are taken modulo 2^22. */
function keyOf(rid: number, pasid: number, group: number): number {
  return ((rid & 0x3f_ffff) * 0x20_0000 + (pasid + 1)) * 0x200 + (group & 0x1ff);
}

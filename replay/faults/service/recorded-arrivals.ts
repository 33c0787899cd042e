import { IorrError } from '../../../traces/errors.ts';
import type { Trace } from '../../../traces/trace.ts';
import type { Nanoseconds, PageNumber, RequesterId } from '../../../traces/units.ts';
import type { WaitQuantiles } from '../../results.ts';
import { RESPONSE } from '../page-response.ts';
import type { RequestGroup } from '../spans/page-request.ts';
import { readPriHistory } from '../spans/read-history.ts';
import type { FaultArrivals } from './fault-arrivals.ts';
import { Samples } from './samples.ts';

/** 2 million requests with all that is known of them are 600 MB. */
const MOST_REQUESTS = 2e6;

/** The page requests of a recording, and what it tells of how they were served. */
export interface RecordedFaults {
  readonly arrivals: FaultArrivals;
  /** `queue`: as drivers took them from the hardware; `user`: as user space read them, with others of the hardware unseen. */
  readonly source: 'queue' | 'user';
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

/** A group as the model needs it. */
interface ServedGroup {
  readonly rid: RequesterId;
  readonly pasid: number;
  readonly times: readonly Nanoseconds[];
  readonly pages: readonly PageNumber[];
  readonly begun: Nanoseconds;
  readonly closed: Nanoseconds;
  /** When the host had its response ready; -1: never seen. */
  readonly answered: Nanoseconds;
  readonly code: number;
}

/**
 * Reads the page requests of the unit that has most of them; where no source shows the hardware's side, the records that user
 * space read from fault queues. Throws `STREAM_MISSING` without any, `LIMIT` for too many.
 */
export function readRecordedFaults(trace: Trace): RecordedFaults {
  if (trace.streamCounts.prq > MOST_REQUESTS) {
    throw new IorrError('LIMIT', `${trace.streamCounts.prq} page requests; ${MOST_REQUESTS} at most`, {
      hint: 'cut the trace to a shorter time: iorr cut',
    });
  }
  const history = readPriHistory(trace);
  const seen = history.groups.filter(({ requests, delivery }) => requests.length > 0 || delivery !== undefined);
  if (seen.length === 0) {
    throw new IorrError('STREAM_MISSING', 'page requests are compared on recorded ones; this trace has none', {
      hint: 'record intel_iommu:prq_report, or make a trace: iorr simulate sva',
    });
  }
  const { unit, otherUnits } = busiestUnit(seen);
  const own = seen.filter((group) => unitOf(group) === unit);
  const groups = own
    .filter(({ closed, answer, requests }) => closed || answer !== undefined || requests.length === 0)
    .map(servedGroup)
    .sort((a, b) => a.begun - b.begun);
  const response = new Samples(true);
  for (const { answered, closed } of groups) if (answered >= 0) response.add(Math.max(0, answered - closed));
  const answered = groups.filter((group) => group.answered >= 0);
  const { inOrder, serviceNs } = servedTimes(groups);
  return {
    arrivals: { ...arrivalsOf(groups), serviceNs },
    source: history.requests > 0 ? 'queue' : 'user',
    unit,
    otherUnits,
    requests: groups.reduce((sum, { pages }) => sum + pages.length, 0),
    answered: answered.length,
    refused: answered.filter(({ code }) => code !== RESPONSE.success).length,
    unanswered: groups.length - answered.length,
    partial: own.length - groups.length,
    stopMarkers: history.stopMarkers,
    orphans: history.findings.reduce((sum, { kind, count }) => sum + (kind === 'orphan-response' ? count : 0), 0),
    responseNs: response.quantiles(),
    inOrder,
    serviceNs: [...serviceNs].filter((ns) => ns >= 0),
  };
}

function unitOf({ requests }: RequestGroup): string {
  return requests[0]?.unit ?? '';
}

function busiestUnit(groups: readonly RequestGroup[]): { readonly unit: string; readonly otherUnits: number } {
  const counts = new Map<string, number>();
  for (const group of groups) counts.set(unitOf(group), (counts.get(unitOf(group)) ?? 0) + 1);
  const [most] = [...counts].sort((a, b) => b[1] - a[1]);
  return { unit: most?.[0] ?? '', otherUnits: counts.size - 1 };
}

function servedGroup({ answer, delivery, pasid, requests, rid }: RequestGroup): ServedGroup {
  const read = delivery?.at.from ?? 0;
  const times = requests.length > 0 ? requests.map(({ time }) => time) : (delivery?.records ?? []).map(() => read);
  const pages = (requests.length > 0 ? requests : (delivery?.records ?? [])).map(({ page }) => page);
  return {
    rid,
    pasid,
    times,
    pages,
    begun: Math.min(...times),
    closed: Math.max(...times),
    answered: answer?.submitted ?? delivery?.response?.at.from ?? -1,
    code: answer?.code ?? delivery?.response?.code ?? RESPONSE.success,
  };
}

function arrivalsOf(groups: readonly ServedGroup[]): FaultArrivals {
  const devices = new Map<number, number>();
  const spaces = new Map<number, number>();
  const requestsFrom = new Int32Array(groups.length + 1);
  groups.forEach(({ pages }, i) => {
    requestsFrom[i + 1] = requestsFrom[i]! + pages.length; // in range
  });
  const total = requestsFrom[groups.length]!;
  const page = new Float64Array(total);
  const space = new Int32Array(total);
  const offsetNs = new Float64Array(total);
  groups.forEach(({ begun, pages, pasid, rid, times }, i) => {
    const from = requestsFrom[i]!;
    page.set(pages, from);
    space.fill(numberOf(spaces, rid * 0x20_0000 + pasid + 1), from, from + pages.length);
    times.forEach((time, k) => {
      offsetNs[from + k] = time - begun;
    });
  });
  return {
    groups: groups.length,
    time: Float64Array.from(groups, ({ begun }) => begun),
    device: Int32Array.from(groups, ({ rid }) => numberOf(devices, rid)),
    devices: devices.size,
    rids: [...devices.keys()],
    requestsFrom,
    pages: { page, space, offsetNs },
    refused: Uint8Array.from(groups, ({ code }) => (code === RESPONSE.success ? 0 : 1)),
  };
}

/**
 * What servers took. Where responses came in the order in which groups were complete, one server had them in turn: its time with
 * one is the response less the later of that group and the response before. Else several worked beside each other, and the whole
 * time to the response is taken, waits included.
 */
function servedTimes(groups: readonly ServedGroup[]): { readonly inOrder: boolean; readonly serviceNs: Float64Array } {
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

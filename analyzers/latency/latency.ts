import { PageRequestSpans } from '../../replay/faults/page-request-spans.ts';
import { pageResponse, readPageResponse } from '../../replay/faults/page-response.ts';
import { dialectById } from '../../traces/dialects/dialects.ts';
import { ioctlName } from '../../traces/ioctl-requests.ts';
import { DIALECT_NAMES, INV_FORM, STREAM_ID } from '../../traces/schema.ts';
import type { Columns } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import { formatRequester } from '../../traces/units.ts';
import type { Nanoseconds } from '../../traces/units.ts';
import { SpanTally } from './span-kinds.ts';
import type { SpanReport } from './span-kinds.ts';

/** Parts of the trace that are told apart. */
const BINS = 60;
/** Names told apart; what comes after is one row, so that hostile input can't fill memory. */
const MOST_NAMES = 500;
const OTHERS = '(others)';

export interface LatencyResult {
  readonly startNs: Nanoseconds;
  readonly binNs: Nanoseconds;
  /**
   * From the submission of a command to the hardware carrying it out, by dialect and type; a wait's or sync's is the time for which its
   * submitter waits. Null where no source saw both ends (import the kernel's trace and the hardware's log together).
   */
  readonly commands: readonly SpanReport[] | null;
  /** System calls by request, in the kernel; null without ioctls of known duration. */
  readonly ioctls: readonly SpanReport[] | null;
  /** From a group's last page request to its response, by requester; null without page requests. */
  readonly faults: {
    readonly spans: readonly SpanReport[];
    readonly requests: number;
    readonly groups: number;
    readonly responses: number;
    /** Groups that were never answered, responses to nothing, and groups given up because too many were open. */
    readonly unanswered: number;
    readonly orphans: number;
    readonly givenUp: number;
  } | null;
}

const COLUMNS = {
  ioctl: ['request', 'duration', 'errno'],
  inv: ['dialect', 'form', 'w0', 'w1', 'lag'],
  prq: ['rid', 'pasid', 'group', 'access'],
  prs: ['rid', 'pasid', 'group', 'latency'],
} as const;

/** Where time goes between asking and having: commands, calls, page requests. Exact quantiles; deterministic. */
export function analyzeLatency(trace: Trace): LatencyResult {
  const { startNs, binNs } = binsOf(trace);
  const tally = new LatencyTally(startNs, binNs);
  for (const segment of trace.segments({ columns: COLUMNS })) {
    const { stream, time, count, rows } = segment;
    const row = new Int32Array(32);
    for (let i = 0; i < count; i++) {
      const id = stream[i] ?? 0;
      const r = row[id] ?? 0;
      row[id] = r + 1;
      const at = time[i] ?? 0;
      if (id === STREAM_ID.inv) tally.command(rows.inv.columns, r, at);
      else if (id === STREAM_ID.ioctl) tally.ioctl(rows.ioctl.columns, r, at);
      else if (id === STREAM_ID.prq) tally.request(rows.prq.columns, r, at);
      else if (id === STREAM_ID.prs) tally.response(rows.prs.columns, r, at);
    }
  }
  return tally.result();
}

function binsOf(trace: Trace): { startNs: Nanoseconds; binNs: Nanoseconds } {
  let startNs = 0;
  let end = 0;
  let first = true;
  for (const { time, count } of trace.segments({ columns: {} })) {
    if (count === 0) continue;
    if (first) startNs = time[0] ?? 0;
    first = false;
    end = Math.max(end, time[count - 1] ?? 0);
  }
  return { startNs, binNs: Math.max(1, Math.ceil((end - startNs + 1) / BINS)) };
}

class LatencyTally {
  readonly #startNs: Nanoseconds;
  readonly #binNs: Nanoseconds;
  readonly #commands = new Map<number, SpanTally>();
  readonly #ioctls = new Map<number, SpanTally>();
  readonly #faults = new Map<number, SpanTally>();
  readonly #requests: PageRequestSpans;
  readonly #response = pageResponse();
  #groups = 0;

  constructor(startNs: Nanoseconds, binNs: Nanoseconds) {
    this.#startNs = startNs;
    this.#binNs = binNs;
    this.#requests = new PageRequestSpans(({ rid, ns, at }) => {
      this.#groups++;
      this.#add(this.#faults, rid, at, ns);
    });
  }

  command(
    columns: Pick<Columns<'inv'>, 'dialect' | 'form' | 'w0Lo' | 'w0Hi' | 'w1Lo' | 'w1Hi' | 'lagLo' | 'lagHi'>,
    r: number,
    at: Nanoseconds,
  ): void {
    const form = columns.form[r];
    if (form !== INV_FORM.words && form !== INV_FORM.decoded) return;
    const id = columns.dialect[r] ?? -1;
    const w0Lo = columns.w0Lo[r] ?? 0;
    const w0Hi = columns.w0Hi[r] ?? 0;
    const answer = this.#response;
    if (readPageResponse(answer, id, w0Lo, w0Hi, columns.w1Lo[r] ?? 0, columns.w1Hi[r] ?? 0)) {
      this.#requests.response(answer.rid, answer.pasid, answer.group, at);
    }
    const dialect = dialectById(id);
    const lag = spanOf(columns.lagLo[r] ?? 0, columns.lagHi[r] ?? 0);
    if (dialect === undefined || lag <= 0) return;
    this.#add(this.#commands, id * 64 + dialect.typeNumber(w0Lo, w0Hi), at, lag);
  }

  ioctl(
    columns: Pick<Columns<'ioctl'>, 'request' | 'durationLo' | 'durationHi' | 'errno'>,
    r: number,
    at: Nanoseconds,
  ): void {
    const ns = spanOf(columns.durationLo[r] ?? 0, columns.durationHi[r] ?? 0);
    // its time is when it returned
    if (ns > 0) this.#add(this.#ioctls, columns.request[r] ?? 0, at, ns);
  }

  request(columns: Pick<Columns<'prq'>, 'rid' | 'pasid' | 'group' | 'access'>, r: number, at: Nanoseconds): void {
    this.#requests.request(
      columns.rid[r] ?? 0,
      columns.pasid[r] ?? -1,
      columns.group[r] ?? 0,
      columns.access[r] ?? 0,
      at,
    );
  }

  response(columns: Pick<Columns<'prs'>, 'rid' | 'pasid' | 'group'>, r: number, at: Nanoseconds): void {
    this.#requests.response(columns.rid[r] ?? 0, columns.pasid[r] ?? -1, columns.group[r] ?? 0, at);
  }

  result(): LatencyResult {
    const { requests, responses, open, orphans, givenUp } = this.#requests;
    const reports = (spans: ReadonlyMap<number, SpanTally>, name: (key: number) => string): SpanReport[] =>
      [...spans]
        .map(([key, tally]) => tally.report(key === REST ? OTHERS : name(key), this.#startNs, this.#binNs))
        .sort((a, b) => b.sumNs - a.sumNs || (a.name < b.name ? -1 : 1));
    return {
      startNs: this.#startNs,
      binNs: this.#binNs,
      commands: this.#commands.size === 0 ? null : reports(this.#commands, commandName),
      ioctls: this.#ioctls.size === 0 ? null : reports(this.#ioctls, (request) => ioctlName(request)),
      faults:
        requests + responses === 0
          ? null
          : {
              spans: reports(this.#faults, formatRequester),
              requests,
              groups: this.#groups + open + givenUp,
              responses,
              unanswered: open,
              orphans,
              givenUp,
            },
    };
  }

  #add(spans: Map<number, SpanTally>, key: number, at: Nanoseconds, ns: Nanoseconds): void {
    const known = spans.get(key);
    const name = known === undefined && spans.size >= MOST_NAMES ? REST : key;
    let tally = known ?? spans.get(name);
    if (tally === undefined) {
      tally = new SpanTally(BINS);
      spans.set(name, tally);
    }
    tally.add(Math.min(BINS - 1, Math.max(0, Math.floor((at - this.#startNs) / this.#binNs))), ns);
  }
}

/** Key of all names beyond those that are told apart. */
const REST = -1;

/** A span of up to 2^53 ns; what is longer or negative is no span. */
function spanOf(lo: number, hi: number): Nanoseconds {
  return hi < 0 || hi >= 0x20_0000 ? 0 : hi * 0x1_0000_0000 + (lo >>> 0);
}

function commandName(key: number): string {
  const id = Math.floor(key / 64);
  return `${DIALECT_NAMES[id] ?? id} ${dialectById(id)?.typeNames[key % 64] ?? 'undefined'}`;
}

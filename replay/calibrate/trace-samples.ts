import { dialectById } from '../../traces/dialects/dialects.ts';
import { Random } from '../../traces/random.ts';
import { INV_FORM, STREAM_ID } from '../../traces/schema.ts';
import type { Columns } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import type { Nanoseconds } from '../../traces/units.ts';
import { PageRequestSpans } from '../faults/page-request-spans.ts';
import { pageResponse, readPageResponse } from '../faults/page-response.ts';
import { ioctlSize, sizeOf } from './ioctl-sizes.ts';
import { Reservoir } from './robust-fit.ts';

/** Samples of one kind that a fit works on; of more a seeded choice is taken. */
const MOST_SAMPLES = 1000;
/** Requests told apart, so that hostile input can't fill memory. */
const MOST_REQUESTS = 300;
/** Submissions that are under way at once at most. */
const MOST_OPEN = 4096;

const COLUMNS = {
  ioctl: ['request', 'duration', 'errno', 'before'],
  inv: ['unit', 'queue', 'dialect', 'form', 'w0', 'w1', 'lag'],
  prq: ['rid', 'pasid', 'group', 'access'],
  prs: ['rid', 'pasid', 'group'],
} as const;

/** The durations that a trace shows, by what they are of. */
export interface TraceSamples {
  /** Calls that succeeded, by request; sizes as `ioctlSize` says, 0 where it says nothing. */
  readonly ioctls: ReadonlyMap<number, Reservoir>;
  /** From a submission to the unit having done its first command, where that is for the unit's own caches. */
  readonly first: Reservoir;
  /** From one command of a submission to the next, of the unit's own caches and of a device's. */
  readonly nextOwn: Reservoir;
  readonly nextDevice: Reservoir;
  /** From the last command to its wait's completion. */
  readonly wait: Reservoir;
  /** From submission to completion; sizes: commands before the wait. */
  readonly submission: Reservoir;
  /** From the completion to the submitter's next event. */
  readonly resume: Reservoir;
  /** From a group's last page request to its response. */
  readonly pageRequests: Reservoir;
}

/** A submission of which commands were seen, but not its wait. */
interface OpenSubmission {
  /** When it was submitted. */
  readonly at: Nanoseconds;
  last: Nanoseconds;
  commands: number;
}

/** Walks the trace once. `undefined` if it was aborted. */
export async function collectSamples(
  trace: Trace,
  seed: number,
  signal?: AbortSignal,
  progress?: (events: number) => void,
): Promise<TraceSamples | undefined> {
  const tally = new SampleTally(seed);
  let events = 0;
  for (const segment of trace.segments({ columns: COLUMNS })) {
    // lets a signal through
    await new Promise((resolve) => setImmediate(resolve));
    if (signal?.aborted === true) return undefined;
    const { stream, time, cpu, count, rows } = segment;
    const row = new Int32Array(32);
    for (let i = 0; i < count; i++) {
      const id = stream[i] ?? 0;
      const r = row[id] ?? 0;
      row[id] = r + 1;
      const at = time[i] ?? 0;
      if (id === STREAM_ID.inv) tally.command(rows.inv.columns, r, at, cpu[i] ?? -1);
      else {
        tally.step(at, cpu[i] ?? -1);
        if (id === STREAM_ID.ioctl) tally.ioctl(rows.ioctl.columns, r);
        else if (id === STREAM_ID.prq) tally.request(rows.prq.columns, r, at);
        else if (id === STREAM_ID.prs) tally.response(rows.prs.columns, r, at);
      }
    }
    events += count;
    progress?.(events);
  }
  return tally;
}

type InvColumns = Pick<
  Columns<'inv'>,
  'unit' | 'queue' | 'dialect' | 'form' | 'w0Lo' | 'w0Hi' | 'w1Lo' | 'w1Hi' | 'lagLo' | 'lagHi'
>;

class SampleTally implements TraceSamples {
  readonly ioctls = new Map<number, Reservoir>();
  readonly first: Reservoir;
  readonly nextOwn: Reservoir;
  readonly nextDevice: Reservoir;
  readonly wait: Reservoir;
  readonly submission: Reservoir;
  readonly resume: Reservoir;
  readonly pageRequests: Reservoir;
  readonly #random: Random;
  readonly #open = new Map<string, OpenSubmission>();
  /** When the newest wait of a CPU was done. */
  readonly #completed = new Map<number, Nanoseconds>();
  readonly #spans: PageRequestSpans;
  readonly #response = pageResponse();

  constructor(seed: number) {
    const random = new Random(seed);
    const reservoir = (): Reservoir => new Reservoir(MOST_SAMPLES, random);
    this.#random = random;
    this.first = reservoir();
    this.nextOwn = reservoir();
    this.nextDevice = reservoir();
    this.wait = reservoir();
    this.submission = reservoir();
    this.resume = reservoir();
    this.pageRequests = reservoir();
    this.#spans = new PageRequestSpans(({ ns }) => this.pageRequests.add(ns, 0));
  }

  /** Something that a CPU did after it had waited. */
  step(at: Nanoseconds, cpu: number): void {
    const done = this.#completed.get(cpu);
    if (done === undefined) return;
    this.#completed.delete(cpu);
    if (at > done) this.resume.add(at - done, 0);
  }

  command(columns: InvColumns, r: number, at: Nanoseconds, cpu: number): void {
    const form = columns.form[r];
    if (form !== INV_FORM.words && form !== INV_FORM.decoded) {
      this.step(at, cpu);
      return;
    }
    const dialect = dialectById(columns.dialect[r] ?? -1);
    const w0Lo = columns.w0Lo[r] ?? 0;
    const w0Hi = columns.w0Hi[r] ?? 0;
    const answer = this.#response;
    if (readPageResponse(answer, columns.dialect[r] ?? -1, w0Lo, w0Hi, columns.w1Lo[r] ?? 0, columns.w1Hi[r] ?? 0)) {
      this.#spans.response(answer.rid, answer.pasid, answer.group, at);
    }
    const lag = spanOf(columns.lagLo[r] ?? 0, columns.lagHi[r] ?? 0);
    if (dialect === undefined || lag <= 0) return;
    const key = `${columns.unit[r]} ${columns.queue[r]} ${cpu}`;
    const submitted = at - lag;
    const type = dialect.typeNumber(w0Lo, w0Hi);
    const open = this.#openOf(key, submitted);
    if (type === dialect.completion) {
      if (open !== undefined) this.wait.add(Math.max(0, at - open.last), 0);
      this.submission.add(lag, open?.commands ?? 0);
      this.#open.delete(key);
      if (cpu >= 0) this.#completed.set(cpu, at);
      return;
    }
    const ofDevice = dialect.deviceTlb.includes(type);
    if (open === undefined) {
      if (!ofDevice) this.first.add(lag, 0);
      if (this.#open.size >= MOST_OPEN) this.#open.clear();
      this.#open.set(key, { at: submitted, last: at, commands: 1 });
      return;
    }
    (ofDevice ? this.nextDevice : this.nextOwn).add(Math.max(0, at - open.last), 0);
    open.last = at;
    open.commands++;
  }

  ioctl(
    columns: Pick<Columns<'ioctl'>, 'request' | 'durationLo' | 'durationHi' | 'errno' | 'before'>,
    r: number,
  ): void {
    const ns = spanOf(columns.durationLo[r] ?? 0, columns.durationHi[r] ?? 0);
    if (ns <= 0 || columns.errno[r] !== 0) return;
    const request = columns.request[r] ?? 0;
    let samples = this.ioctls.get(request);
    if (samples === undefined) {
      if (this.ioctls.size >= MOST_REQUESTS) return;
      samples = new Reservoir(MOST_SAMPLES, this.#random);
      this.ioctls.set(request, samples);
    }
    const known = ioctlSize(request);
    const { offsets, data } = columns.before;
    const size = known === undefined ? 0 : sizeOf(known, data.subarray(offsets[r] ?? 0, offsets[r + 1] ?? 0));
    if (size >= 0) samples.add(ns, size);
  }

  request(columns: Pick<Columns<'prq'>, 'rid' | 'pasid' | 'group' | 'access'>, r: number, at: Nanoseconds): void {
    const { rid, pasid, group, access } = columns;
    this.#spans.request(rid[r] ?? 0, pasid[r] ?? -1, group[r] ?? 0, access[r] ?? 0, at);
  }

  response(columns: Pick<Columns<'prs'>, 'rid' | 'pasid' | 'group'>, r: number, at: Nanoseconds): void {
    this.#spans.response(columns.rid[r] ?? 0, columns.pasid[r] ?? -1, columns.group[r] ?? 0, at);
  }

  /** The submission that a command belongs to: commands of one submission have one submission time. */
  #openOf(key: string, submitted: Nanoseconds): OpenSubmission | undefined {
    const open = this.#open.get(key);
    if (open === undefined || Math.abs(open.at - submitted) <= SAME_SUBMISSION_NS) return open;
    this.#open.delete(key);
    return undefined;
  }
}

/** Sources join clocks to within some ns. */
const SAME_SUBMISSION_NS = 100;

/** A span of up to 2^53 ns; what is longer or negative is no span. */
function spanOf(lo: number, hi: number): Nanoseconds {
  return hi < 0 || hi >= 0x20_0000 ? 0 : hi * 0x1_0000_0000 + (lo >>> 0);
}

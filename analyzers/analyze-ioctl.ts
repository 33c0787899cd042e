import { compareContainers } from '../replay/engine/container-differences.ts';
import type { ContainerComparison } from '../replay/engine/container-differences.ts';
import { findPasids } from '../replay/engine/guest-pasid.ts';
import type { DevicePasid } from '../replay/engine/guest-pasid.ts';
import { findAddressUpdates } from '../replay/engine/vaddr-windows.ts';
import type { AddressUpdates } from '../replay/engine/vaddr-windows.ts';
import { errnoName } from '../traces/errno-names.ts';
import { ioctlName } from '../traces/ioctl-requests.ts';
import { SEEN, STREAM_ID } from '../traces/schema.ts';
import type { BytesColumn, Columns } from '../traces/schema.ts';
import type { Trace } from '../traces/trace.ts';
import { Sample } from './sample.ts';
import type { Spread } from './sample.ts';

/** Calls of one request on one kind of file. */
export interface RequestReport {
  readonly name: string;
  /** As the `path` column has it; null where the source did not say. */
  readonly file: string | null;
  readonly calls: number;
  readonly failed: number;
  /** Calls whose result the source did not tell. */
  readonly unknown: number;
  /** Failed calls by errno. */
  readonly errnos: { readonly [errno: string]: number };
  /** ns in the kernel; null where the source has no durations. */
  readonly latencyNs: Spread | null;
}

/** How much one call asked for: the larger, the fewer calls for the same work. */
export interface BatchReport {
  readonly name: string;
  /** What is counted: `entries` of a list, `bytes` of a range. */
  readonly unit: 'entries' | 'bytes' | 'calls in a row';
  readonly size: Spread;
}

export interface IoctlAnalysis {
  readonly calls: number;
  readonly failed: number;
  readonly unknown: number;
  readonly processes: number;
  readonly durationNs: number;
  /** Time in the kernel of all calls together; null where the source has no durations. */
  readonly kernelNs: number | null;
  readonly requests: readonly RequestReport[];
  readonly batches: readonly BatchReport[];
  /** Container calls as TYPE1 and as iommufd would answer them; null where the recording has no VFIO devices. */
  readonly containers: ContainerComparison | null;
  /** How memory behind mappings passed to other processes; null where no call asks for that. */
  readonly addresses: AddressUpdates | null;
  /** Devices whose PASIDs, or config space, the recording shows. */
  readonly pasids: readonly DevicePasid[];
}

/** Where a struct says how much it asks for (include/uapi/linux/iommufd.h, vfio.h). */
const SIZES: ReadonlyMap<number, { readonly unit: 'entries' | 'bytes'; readonly at: number; readonly bytes: 4 | 8 }> =
  new Map([
    [0x3b71, { unit: 'bytes', at: 24, bytes: 8 }],
    [0x3b72, { unit: 'bytes', at: 16, bytes: 8 }],
    [0x3b82, { unit: 'entries', at: 8, bytes: 4 }],
    [0x3b83, { unit: 'bytes', at: 16, bytes: 8 }],
    [0x3b85, { unit: 'bytes', at: 24, bytes: 8 }],
    [0x3b86, { unit: 'bytes', at: 16, bytes: 8 }],
    [0x3b8c, { unit: 'bytes', at: 24, bytes: 8 }],
    [0x3b8d, { unit: 'entries', at: 24, bytes: 4 }],
    [0x3b8f, { unit: 'bytes', at: 24, bytes: 8 }],
  ]);
const FAULT_FILE = 'anon_inode:[iommufd-pgfault]';
/** struct iommu_hwpt_pgfault, struct iommu_hwpt_page_response. */
const FAULT_RECORD_BYTES = 40;
const RESPONSE_BYTES = 8;
/** A request whose length is all addresses means everything, and is no size. */
const EVERYTHING = 2 ** 63;

/** Requests told apart; what comes after is one row, so that hostile input can't fill memory. */
const MAX_REQUESTS = 1000;
const OTHERS = '(others)';

/** Calls, errors, latency and batch sizes of all ioctls. */
export function analyzeIoctl(trace: Trace): IoctlAnalysis {
  const run = new IoctlTally(trace.strings);
  for (const segment of trace.segments({ columns: { ioctl: 'all', call: ['name', 'path', 'ret', 'errno'] } })) {
    let ioctl = 0;
    let call = 0;
    for (let i = 0; i < segment.count; i++) {
      const stream = segment.stream[i];
      if (stream === STREAM_ID.ioctl)
        run.ioctl(segment.rows.ioctl.columns, ioctl++, segment.time[i] ?? 0, segment.task[i] ?? 0);
      else if (stream === STREAM_ID.call) run.call(segment.rows.call.columns, call++);
    }
  }
  return {
    ...run.result(),
    containers: compareContainers(trace) ?? null,
    addresses: findAddressUpdates(trace) ?? null,
    pasids: findPasids(trace),
  };
}

interface RequestTally {
  readonly name: string;
  readonly file: string | null;
  readonly latency: Sample;
  readonly size: Sample;
  readonly rows: Sample;
  readonly errnos: Map<number, number>;
  readonly request: number;
  calls: number;
  failed: number;
  unknown: number;
}

class IoctlTally {
  readonly #strings: readonly string[];
  readonly #requests = new Map<string, RequestTally>();
  readonly #faults = new Sample();
  readonly #responses = new Sample();
  /** By task: the newest request, and how often in a row it came. */
  readonly #runs = new Map<number, { tally: RequestTally; length: number }>();
  readonly #processes = new Set<number>();
  #first = -1;
  #last = 0;
  #kernel = 0;

  constructor(strings: readonly string[]) {
    this.#strings = strings;
  }

  ioctl(columns: Columns<'ioctl'>, row: number, time: number, task: number): void {
    const request = (columns.request[row] ?? 0) >>> 0;
    const known = ((columns.seen[row] ?? 0) & SEEN.before) !== 0;
    const before = known ? bytesOf(columns.before, row) : undefined;
    const tally = this.#tallyOf(request, this.#strings[columns.path[row] ?? -1], before);
    const duration = (columns.durationHi[row] ?? 0) * 2 ** 32 + ((columns.durationLo[row] ?? 0) >>> 0);
    const errno = columns.errno[row] ?? 0;
    tally.calls++;
    tally.latency.add(duration);
    this.#kernel += duration;
    if (errno > 0) {
      tally.failed++;
      tally.errnos.set(errno, (tally.errnos.get(errno) ?? 0) + 1);
    } else if (errno < 0) tally.unknown++;
    // What a failed call asked for may be anything.
    const size = before === undefined || errno !== 0 ? undefined : sizeOf(request, before);
    if (size !== undefined) tally.size.add(size);
    this.#inRow(tally, task);
    this.#processes.add(columns.pid[row] ?? -1);
    const begun = Math.max(0, time - duration);
    if (this.#first < 0 || begun < this.#first) this.#first = begun;
    this.#last = Math.max(this.#last, time);
  }

  /** Records read from fault queues and responses written to them. */
  call(columns: Columns<'call'>, row: number): void {
    if (this.#strings[columns.path[row] ?? -1] !== FAULT_FILE || columns.errno[row] !== 0) return;
    const name = this.#strings[columns.name[row] ?? -1];
    const bytes = columns.retLo[row] ?? 0;
    if (name === 'read' && bytes > 0) this.#faults.add(Math.floor(bytes / FAULT_RECORD_BYTES));
    else if (name === 'write' && bytes > 0) this.#responses.add(Math.floor(bytes / RESPONSE_BYTES));
  }

  result(): Omit<IoctlAnalysis, 'containers' | 'addresses' | 'pasids'> {
    for (const run of this.#runs.values()) run.tally.rows.add(run.length);
    const tallies = [...this.#requests.values()].sort((a, b) => b.calls - a.calls || a.request - b.request);
    const sum = (of: (tally: RequestTally) => number): number => tallies.reduce((total, tally) => total + of(tally), 0);
    return {
      calls: sum(({ calls }) => calls),
      failed: sum(({ failed }) => failed),
      unknown: sum(({ unknown }) => unknown),
      processes: this.#processes.size,
      durationNs: Math.max(0, this.#last - Math.max(0, this.#first)),
      kernelNs: this.#kernel === 0 ? null : this.#kernel,
      requests: tallies.map((tally) => ({
        name: tally.name,
        file: tally.file,
        calls: tally.calls,
        failed: tally.failed,
        unknown: tally.unknown,
        errnos: Object.fromEntries(
          [...tally.errnos]
            .sort((a, b) => b[1] - a[1] || a[0] - b[0])
            .map(([errno, count]) => [errnoName(errno), count]),
        ),
        latencyNs: this.#kernel === 0 ? null : tally.latency.spread(),
      })),
      batches: this.#batches(tallies),
    };
  }

  #batches(tallies: readonly RequestTally[]): BatchReport[] {
    const sizes = tallies
      .filter(({ size }) => size.count > 0)
      .map(({ name, request, size }) => ({ name, unit: SIZES.get(request)?.unit ?? 'bytes', size: size.spread() }));
    const events = [
      { name: 'read of fault records', size: this.#faults },
      { name: 'write of page responses', size: this.#responses },
    ].filter(({ size }) => size.count > 0);
    // A request that one thread repeats could be one call, if there were one that takes a list.
    const rows = tallies
      .filter(({ rows: inRow }) => inRow.spread().max > 1)
      .map(({ name, rows: inRow }) => ({ name, unit: 'calls in a row' as const, size: inRow.spread() }));
    return [
      ...sizes,
      ...events.map(({ name, size }) => ({ name, unit: 'entries' as const, size: size.spread() })),
      ...rows,
    ];
  }

  #tallyOf(request: number, file: string | undefined, before: Uint8Array | undefined): RequestTally {
    const name = ioctlName(request, file, before);
    let key = `${name}\n${file ?? ''}`;
    let tally = this.#requests.get(key);
    if (tally === undefined && this.#requests.size >= MAX_REQUESTS) {
      key = OTHERS;
      tally = this.#requests.get(key);
    }
    if (tally === undefined) {
      const samples = { latency: new Sample(), size: new Sample(), rows: new Sample() };
      const counts = { calls: 0, failed: 0, unknown: 0 };
      const whose = key === OTHERS ? { name: OTHERS, file: null } : { name, file: file ?? null };
      tally = { ...whose, request, ...samples, errnos: new Map<number, number>(), ...counts };
      this.#requests.set(key, tally);
    }
    return tally;
  }

  #inRow(tally: RequestTally, task: number): void {
    const run = this.#runs.get(task);
    if (run?.tally === tally) {
      run.length++;
      return;
    }
    run?.tally.rows.add(run.length);
    this.#runs.set(task, { tally, length: 1 });
  }
}

function bytesOf(column: BytesColumn, row: number): Uint8Array {
  return column.data.subarray(column.offsets[row] ?? 0, column.offsets[row + 1] ?? 0);
}

function sizeOf(request: number, struct: Uint8Array): number | undefined {
  const where = SIZES.get(request);
  if (where === undefined || struct.length < where.at + where.bytes) return undefined;
  const view = new DataView(struct.buffer, struct.byteOffset, struct.byteLength);
  const low = view.getUint32(where.at, true);
  const size = where.bytes === 4 ? low : view.getUint32(where.at + 4, true) * 2 ** 32 + low;
  return size >= EVERYTHING ? undefined : size;
}

import { IorrError } from '../../traces/errors.ts';
import { ATTACH, DIRTY_OP, DIRTY_SPACE, STREAM_ID } from '../../traces/schema.ts';
import type { Segment } from '../../traces/segment.ts';
import type { Trace } from '../../traces/trace.ts';
import { ABSENT, pageNumber } from '../../traces/units.ts';
import type { DomainId, Nanoseconds } from '../../traces/units.ts';
import { DeviceDomains } from '../engine/device-domains.ts';
import { changesTables } from '../engine/table-changes.ts';
import { DMA_WRITE, dmaWrite, leavesTablesAlone } from './dma-writes.ts';
import { MigrationRecord } from './recorded-migration.ts';
import type { HeldBack, RecordedMigration } from './recorded-migration.ts';

const PAGE_SHIFT = 12;
/** Pages of 2 MiB: memory of a machine is a multiple of it. */
const RAM_UNIT = 512;
/** 40 million operations are 920 MB. */
const MOST_OPERATIONS = 40e6;
const MOST_COUNT = 2 ** 30;
const MOST_SPACES = 1 << 15;
const MIGRATION = 1;

/** `kind` of an operation. */
export const OPERATION = { read: 0, write: 1, map: 2, unmap: 3 } as const;

/** Maps, unmaps and accesses of a trace in its order; all arrays have the same length. */
export interface WriteStream {
  /** `dma`: accesses of devices; `ram`: writes of processors to a machine's memory, by QEMU. */
  readonly source: 'dma' | 'ram';
  readonly length: number;
  readonly kind: Uint8Array;
  /** Address space: index in `domains`. */
  readonly space: Uint16Array;
  readonly time: Float64Array;
  /** First 4 KiB page and number of pages. */
  readonly page: Float64Array;
  readonly count: Int32Array;
  readonly domains: readonly DomainId[];
  /** Where a recorded migration begins, else the first event. */
  readonly startNs: Nanoseconds;
  readonly endNs: Nanoseconds;
  /** Recorded harvests or synchronisations after `startNs`, ascending. */
  readonly harvests: readonly Nanoseconds[];
  /** Accesses that name no address space, or that were refused. */
  readonly ignored: number;
  /** Writes of which the source only says that the mapping allows them. */
  readonly assumed: number;
  /** When the writers were held back, ascending; and what QEMU told of the migration. */
  readonly held: readonly HeldBack[];
  readonly migration: RecordedMigration | null;
}

export const WRITE_STREAM_COLUMNS = {
  map: ['origin', 'domain', 'device', 'iova', 'size'],
  unmap: ['origin', 'domain', 'device', 'iova', 'size'],
  attach: ['kind', 'device', 'domain'],
  dma: ['rid', 'domain', 'iova', 'length', 'access', 'outcome', 'perm'],
  dirty: ['op', 'iova', 'length', 'space', 'flags', 'count', 'name'],
} as const;

/**
 * Reads what methods are compared on. A trace with accesses of devices and maps gives those; one with the writes that QEMU
 * logged gives them in one address space that maps the machine's memory to itself. Throws `STREAM_MISSING` without either and
 * `LIMIT` where there are too many. Returns undefined if it was aborted.
 */
export function readWriteStream(
  trace: Trace,
  progress?: (events: number) => void,
  signal?: AbortSignal,
): WriteStream | undefined {
  const { dma, map, unmap, dirty } = trace.streamCounts;
  const source = dma > 0 && map > 0 ? 'dma' : 'ram';
  if (source === 'ram' && dirty === 0) {
    throw new IorrError('STREAM_MISSING', 'methods of dirty tracking are compared on writes; this trace has none', {
      hint: "import QEMU's log with DMA or memory_notdirty events, or make one: iorr simulate vm",
    });
  }
  const size = source === 'dma' ? dma + map + unmap : dirty;
  if (size > MOST_OPERATIONS) {
    throw new IorrError('LIMIT', `${size} accesses, maps and unmaps; ${MOST_OPERATIONS} at most`, {
      hint: 'cut the trace to a shorter time: iorr cut',
    });
  }
  const reader = new StreamReader(source, size + 2, trace.strings);
  let events = 0;
  for (const segment of trace.segments({ columns: WRITE_STREAM_COLUMNS, reuse: true })) {
    if (signal?.aborted === true) return undefined;
    reader.segment(segment);
    events += segment.count;
    progress?.(events);
  }
  const stream = reader.finish();
  if (stream.kind.subarray(0, stream.length).includes(OPERATION.write)) return stream;
  throw new IorrError('STREAM_MISSING', 'the trace has no write to compare methods of dirty tracking on', {
    hint:
      stream.ignored > 0
        ? `${stream.ignored} accesses belong to no domain that is mapped`
        : 'iorr simulate vm makes one',
  });
}

/** The stream without reads, where only what becomes dirty matters. */
export function withoutReads(stream: WriteStream): WriteStream {
  const { kind, space, time, page, count } = stream;
  let length = 0;
  for (let i = 0; i < stream.length; i++) if (kind[i] !== OPERATION.read) length++;
  if (length === stream.length) return stream;
  const places = new Int32Array(length);
  length = 0;
  for (let i = 0; i < stream.length; i++) if (kind[i] !== OPERATION.read) places[length++] = i;
  return {
    ...stream,
    length,
    kind: Uint8Array.from(places, (i) => kind[i]!),
    space: Uint16Array.from(places, (i) => space[i]!),
    time: Float64Array.from(places, (i) => time[i]!),
    page: Float64Array.from(places, (i) => page[i]!),
    count: Int32Array.from(places, (i) => count[i]!),
  };
}

class StreamReader {
  readonly #source: 'dma' | 'ram';
  readonly #strings: readonly string[];
  readonly #kind: Uint8Array;
  readonly #space: Uint16Array;
  readonly #time: Float64Array;
  readonly #page: Float64Array;
  readonly #count: Int32Array;
  readonly #domains: DomainId[] = [];
  readonly #spaceOf = new Map<DomainId, number>();
  readonly #devices = new DeviceDomains();
  readonly #row = new Int32Array(32);
  readonly #harvests: Nanoseconds[] = [];
  readonly #record = new MigrationRecord();
  #length = 0;
  #ignored = 0;
  #assumed = 0;
  #first = -1;
  #last = 0;
  #start = -1;
  #writes = false;

  constructor(source: 'dma' | 'ram', size: number, strings: readonly string[]) {
    this.#source = source;
    this.#strings = strings;
    this.#kind = new Uint8Array(size);
    this.#space = new Uint16Array(size);
    this.#time = new Float64Array(size);
    this.#page = new Float64Array(size);
    this.#count = new Int32Array(size);
    // the first place is for the memory of a machine
    if (source === 'ram') this.#put(OPERATION.map, this.#spaceNumber(0), 0, 0, 0);
  }

  segment(segment: Segment): void {
    const { stream, time, cpu, task, count, rows } = segment;
    const row = this.#row.fill(0);
    for (let i = 0; i < count; i++) {
      const id = stream[i]!;
      const r = row[id]!;
      row[id] = r + 1;
      const at = time[i]!;
      switch (id) {
        case STREAM_ID.dirty:
          this.#dirty(rows.dirty.columns, r, at);
          break;
        case STREAM_ID.dma:
          if (this.#source === 'dma') this.#dma(rows.dma.columns, r, at);
          break;
        case STREAM_ID.map:
          if (this.#source === 'dma') this.#table(rows.map.columns, r, at, OPERATION.map);
          break;
        case STREAM_ID.unmap:
          if (this.#source === 'dma') this.#table(rows.unmap.columns, r, at, OPERATION.unmap);
          break;
        case STREAM_ID.attach:
          this.#attach(rows.attach.columns, r, cpu[i]!, task[i]!);
          break;
        default:
      }
    }
  }

  finish(): WriteStream {
    if (this.#source === 'ram') {
      let highest = this.#record.ramPages;
      for (let i = 1; i < this.#length; i++) highest = Math.max(highest, this.#page[i]! + this.#count[i]!);
      this.#count[0] = Math.min(MOST_COUNT, Math.ceil(highest / RAM_UNIT) * RAM_UNIT);
      this.#time[0] = Math.max(0, this.#first);
    }
    let start = this.#start >= 0 ? this.#start : this.#first;
    let harvests = this.#harvests.filter((at) => at > start).sort((a, b) => a - b);
    if (this.#source === 'ram' && this.#start >= 0 && harvests.length > 1) {
      // QEMU's first synchronisation begins the tracking: all memory is sent anyway (migration/ram.c, ram_init_bitmaps)
      start = harvests[0]!;
      harvests = harvests.slice(1);
    }
    return {
      source: this.#source,
      length: this.#length,
      kind: this.#kind,
      space: this.#space,
      time: this.#time,
      page: this.#page,
      count: this.#count,
      domains: this.#domains,
      startNs: Math.max(0, start),
      endNs: Math.max(this.#last, start, harvests.at(-1) ?? 0, 0),
      harvests,
      ignored: this.#ignored,
      assumed: this.#assumed,
      held: this.#record.held,
      migration: this.#record.result(),
    };
  }

  #dirty(columns: Segment['rows']['dirty']['columns'], r: number, at: Nanoseconds): void {
    const op = columns.op[r]!;
    if (op === DIRTY_OP.syncStart || op === DIRTY_OP.harvest) this.#harvests.push(at);
    if (op === DIRTY_OP.start && (columns.flags[r]! & MIGRATION) !== 0 && this.#start < 0) this.#start = at;
    if (this.#source !== 'ram') return;
    if (op === DIRTY_OP.report) this.#record.report(this.#strings[columns.name[r]!] ?? '');
    if (op === DIRTY_OP.throttle) this.#record.throttled(at, columns.countLo[r]! >>> 0);
    if (op === DIRTY_OP.state) this.#record.state(at, this.#strings[columns.name[r]!] ?? '');
    if ((op !== DIRTY_OP.write && op !== DIRTY_OP.set) || columns.space[r] !== DIRTY_SPACE.ram) return;
    // a `set` repeats its `write`; alone it is one
    if (op === DIRTY_OP.write) this.#writes = true;
    else if (this.#writes) return;
    this.#access(OPERATION.write, 0, at, columns.iovaLo[r]!, columns.iovaHi[r]!, columns.lengthLo[r]! >>> 0);
  }

  #dma(columns: Segment['rows']['dma']['columns'], r: number, at: Nanoseconds): void {
    const named = columns.domain[r]!;
    const domain = named === ABSENT ? this.#devices.of(columns.rid[r]!) : named;
    const space = this.#spaceOf.get(domain);
    if (space === undefined || leavesTablesAlone(columns.outcome[r]!)) {
      this.#ignored++;
      return;
    }
    const writes = dmaWrite(columns.access[r]!, columns.perm[r]!);
    if (writes === DMA_WRITE.permitted || writes === DMA_WRITE.assumed) this.#assumed++;
    const kind = writes === DMA_WRITE.no ? OPERATION.read : OPERATION.write;
    this.#access(kind, space, at, columns.iovaLo[r]!, columns.iovaHi[r]!, columns.length[r]! >>> 0);
  }

  #access(kind: number, space: number, at: Nanoseconds, lo: number, hi: number, bytes: number): void {
    const page = pageNumber(lo, hi);
    const pages = bytes === 0 ? 1 : Math.ceil(((lo & 0xfff) + bytes) / 2 ** PAGE_SHIFT);
    this.#put(kind, space, at, page, pages);
  }

  #table(
    columns: Segment['rows']['unmap']['columns'] | Segment['rows']['map']['columns'],
    r: number,
    at: Nanoseconds,
    kind: number,
  ): void {
    const named = columns.domain[r]!;
    if (!changesTables(columns.origin[r]!, named)) return;
    const domain = named === ABSENT ? this.#devices.of(columns.device[r]!) : named;
    if (domain === ABSENT) return;
    const page = pageNumber(columns.iovaLo[r]!, columns.iovaHi[r]!);
    const pages = pageNumber(columns.sizeLo[r]!, columns.sizeHi[r]!);
    if (pages === 0) return;
    this.#put(kind, this.#spaceNumber(domain), at, page, Math.min(MOST_COUNT, pages));
  }

  #attach(columns: Segment['rows']['attach']['columns'], r: number, cpu: number, task: number): void {
    const submitter = cpu * 0x1_0000_0000 + task;
    const kind = columns.kind[r];
    if (kind === ATTACH.tagAssign) this.#devices.tagAssigned(submitter, columns.domain[r]!);
    else if (kind === ATTACH.attach) this.#devices.attached(submitter, columns.device[r]!, columns.domain[r]!);
  }

  #spaceNumber(domain: DomainId): number {
    let space = this.#spaceOf.get(domain);
    if (space === undefined) {
      space = this.#domains.length;
      if (space >= MOST_SPACES) {
        throw new IorrError('LIMIT', `more than ${MOST_SPACES} domains`, { hint: 'filter the trace to fewer' });
      }
      this.#domains.push(domain);
      this.#spaceOf.set(domain, space);
    }
    return space;
  }

  #put(kind: number, space: number, at: Nanoseconds, page: number, pages: number): void {
    const i = this.#length++;
    this.#kind[i] = kind;
    this.#space[i] = space;
    this.#time[i] = at;
    this.#page[i] = page;
    this.#count[i] = pages;
    if (this.#source === 'ram' && i === 0) return;
    if (this.#first < 0) this.#first = at;
    this.#last = Math.max(this.#last, at);
  }
}

import type { TraceHeader } from '../../traces/header.ts';
import type { HealthReport } from '../../traces/health.ts';
import { INV_FORM, STREAMS, STREAM_ID, STREAM_NAMES } from '../../traces/schema.ts';
import type { ColumnKind, StreamName } from '../../traces/schema.ts';
import { columnProperties } from '../../traces/segment.ts';
import type { Segment } from '../../traces/segment.ts';
import type { ReadPlan, Trace } from '../../traces/trace.ts';
import type { DomainId, Nanoseconds, RequesterId } from '../../traces/units.ts';
import { EventHeap } from '../time/event-heap.ts';
import { MergedSegment } from './merged-segment.ts';
import { createRenaming, neededColumns } from './row-names.ts';
import { SegmentWindow } from './segment-window.ts';
import type { CopiedColumns, WindowSegment } from './segment-window.ts';
import { sourceNames, spreadOf, tenantNumbers } from './tenant-names.ts';
import type { SourceNames, TenantNumbers, TenantOptions } from './tenant-names.ts';

/** What only one system can have recorded: calls name files and processes. */
const LEFT_OUT: ReadonlySet<StreamName> = new Set(['ioctl', 'call', 'event']);

/**
 * Several tenants behind one IOMMU: each plays one of the traces in turn, cloned where there are more tenants than traces. A tenant
 * has domains, requesters, CPUs and tasks of its own, starts at an offset of its own in time, and may use addresses of its own;
 * PASIDs are numbers within a requester or domain and stay. Units, and commands that name no domain, are everybody's. Actions on
 * the whole unit are the first tenant's alone.
 *
 * Every reading of the segments merges anew: what is held are the segments between the first and the last tenant's places, once
 * for all tenants.
 */
export class TenantTrace implements Trace {
  readonly header: TraceHeader;
  readonly strings: readonly string[];
  readonly streamCounts: { readonly [S in StreamName]: number };
  readonly eventCount: number;
  readonly tenants: number;
  /** Commands of all tenants that name no domain, and drop what everybody has. */
  readonly wideCommands: number;
  /** Offsets in time are spread over this. */
  readonly spreadNs: Nanoseconds;
  readonly numbers: readonly TenantNumbers[];
  readonly #sources: readonly Trace[];
  /** By source: its texts in `strings`; undefined: the same. */
  readonly #texts: readonly (Int32Array | undefined)[];
  readonly #byRid = new Map<RequesterId, number>();
  readonly #byDomain = new Map<DomainId, number>();
  #held = 0;

  /**
   * Reads each of the traces once, unless `names` holds what that tells. Throws `LIMIT` where hardware has too few numbers for so
   * many tenants.
   */
  constructor(
    sources: readonly Trace[],
    options: TenantOptions,
    names: readonly SourceNames[] = sources.map(sourceNames),
  ) {
    const [first] = sources;
    if (first === undefined || options.tenants < 1) throw new RangeError('tenants need a trace');
    this.#sources = sources;
    this.tenants = options.tenants;
    this.spreadNs = spreadOf(names, options);
    this.numbers = tenantNumbers(names, options);
    this.numbers.forEach(({ rids, domains }, tenant) => {
      for (const rid of rids.values()) if (!this.#byRid.has(rid)) this.#byRid.set(rid, tenant);
      for (const domain of domains.values()) if (!this.#byDomain.has(domain)) this.#byDomain.set(domain, tenant);
    });
    const strings = [...first.strings];
    this.#texts = sources.map((source, i) => (i === 0 ? undefined : mergeTexts(strings, source.strings)));
    this.strings = strings;
    const counts = Object.fromEntries(STREAM_NAMES.map((name) => [name, 0])) as { [S in StreamName]: number };
    this.wideCommands = this.numbers.reduce((sum, { source }) => sum + names[source]!.wide, 0);
    this.numbers.forEach(({ source }, tenant) => {
      const own = names[source]!;
      for (const name of STREAM_NAMES) if (!LEFT_OUT.has(name)) counts[name] += own.counts[name];
      if (tenant > 0) counts.inv -= own.resets;
    });
    this.streamCounts = counts;
    this.eventCount = Object.values(counts).reduce((sum, count) => sum + count, 0);
    const { ioctl: _ioctl, call: _call, event: _event, ...fidelity } = first.header.fidelity;
    this.header = { ...first.header, fidelity };
  }

  get health(): HealthReport {
    return this.#sources[0]!.health;
  }

  get notes(): Trace['notes'] {
    return { ...this.#sources[0]!.notes, tenants: this.tenants };
  }

  /** Segments that the last reading held at once, of all traces together. */
  get segmentsHeld(): number {
    return this.#held;
  }

  /** The tenant that an access belongs to; -1 where its requester and domain are nobody's. */
  tenantOf(rid: RequesterId, domain: DomainId): number {
    return this.#byRid.get(rid) ?? this.#byDomain.get(domain) ?? -1;
  }

  /** `from`, `to`, `shared` and `arrays` are not looked at. */
  *segments(plan: ReadPlan = {}): Generator<Segment> {
    const wanted = wantedColumns(plan);
    const columns = copiedColumns(wanted);
    const readers = this.#sources.map((_, of) => this.numbers.filter(({ source }) => source === of).length);
    const windows = this.#sources.map(
      (source, i) => new SegmentWindow(source.segments({ columns: wanted }), columns, readers[i]!),
    );
    const merged = new MergedSegment(columns, plan.reuse === true);
    const rename = createRenaming(columns, merged);
    const heap = new EventHeap();
    const cursors = this.numbers.map((numbers) => new Cursor(windows[numbers.source]!, numbers.shiftNs));
    cursors.forEach((cursor, tenant) => {
      if (cursor.skip(tenant > 0)) heap.push(cursor.time, 0, tenant);
    });
    while (heap.count > 0) {
      const tenant = heap.pop();
      const cursor = cursors[tenant]!;
      const numbers = this.numbers[tenant]!;
      const own = tenant === 0 && this.#sources.length === 1;
      const texts = this.#texts[numbers.source];
      // as long as it is this tenant's turn
      for (;;) {
        const { held, event } = cursor;
        const { segment } = held!;
        const id = segment.stream[event]!;
        const cpu = segment.cpu[event] ?? -1;
        const task = segment.task[event] ?? -1;
        const row = merged.add(
          held!,
          event,
          cursor.rows[id]!,
          cursor.time,
          cpu < 0 ? cpu : cpu + numbers.cpus,
          task <= 0 ? task : (task + numbers.tasks) | 0,
        );
        if (!own) rename(id, row, numbers, texts);
        if (merged.full) yield merged.take();
        cursor.step();
        if (!cursor.skip(tenant > 0)) break;
        if (cursor.time >= heap.time) {
          heap.push(cursor.time, 0, tenant);
          break;
        }
      }
    }
    this.#held = windows.reduce((sum, { most }) => sum + most, 0);
    if (merged.count > 0) yield merged.take();
  }
}

/** Where one tenant is in its trace. */
class Cursor {
  readonly rows: Int32Array = new Int32Array(STREAM_NAMES.length);
  held: WindowSegment | undefined;
  event = 0;
  time = 0;
  readonly #window: SegmentWindow;
  readonly #shift: Nanoseconds;
  #index = 0;

  constructor(window: SegmentWindow, shift: Nanoseconds) {
    this.#window = window;
    this.#shift = shift;
    this.held = window.at(0);
  }

  step(): void {
    this.rows[this.held!.segment.stream[this.event]!]!++;
    this.event++;
  }

  /** Goes to the next event that is played, if it is not at one; false: there is none. */
  skip(cloned: boolean): boolean {
    for (;;) {
      const { held } = this;
      if (held === undefined) return false;
      const { segment } = held;
      if (this.event >= segment.count) {
        this.#window.pass(this.#index);
        this.#index++;
        this.held = this.#window.at(this.#index);
        this.event = 0;
        this.rows.fill(0);
        continue;
      }
      const id = segment.stream[this.event]!;
      if (!LEFT_OUT.has(STREAM_NAMES[id]!) && !(cloned && id === STREAM_ID.inv && this.#isReset(segment))) {
        this.time = segment.time[this.event]! + this.#shift;
        return true;
      }
      this.step();
    }
  }

  #isReset(segment: Segment): boolean {
    const { form } = segment.rows.inv.columns;
    return form[this.rows[STREAM_ID.inv]!] === INV_FORM.reset;
  }
}

/** Columns to read: those of the plan, and what renaming needs; of inv always the form. */
function wantedColumns({ columns }: ReadPlan): { [S in StreamName]?: readonly string[] | 'all' } {
  const wanted: { [S in StreamName]?: readonly string[] | 'all' } = {};
  for (const name of STREAM_NAMES) {
    const asked = columns === undefined ? 'all' : columns[name];
    if (LEFT_OUT.has(name)) continue;
    if (name === 'inv' || asked !== undefined) wanted[name] = neededColumns(name, asked ?? []);
  }
  return wanted;
}

function copiedColumns(
  wanted: { readonly [S in StreamName]?: readonly string[] | 'all' },
): Readonly<Record<StreamName, CopiedColumns>> {
  const copied: Record<string, CopiedColumns> = {};
  for (const name of STREAM_NAMES) {
    const asked = wanted[name] ?? [];
    const kinds = Object.entries(STREAMS[name] as Record<string, ColumnKind>).filter(
      ([column]) => asked === 'all' || asked.includes(column),
    );
    copied[name] = {
      ints: kinds.flatMap(([column, kind]) => (kind === 'bytes' ? [] : columnProperties(column, kind))),
      bytes: kinds.flatMap(([column, kind]) => (kind === 'bytes' ? [column] : [])),
    };
  }
  return copied as Readonly<Record<StreamName, CopiedColumns>>;
}

/** Adds texts to a table and tells where each is there. */
function mergeTexts(strings: string[], texts: readonly string[]): Int32Array {
  const known = new Map(strings.map((text, i) => [text, i]));
  return Int32Array.from(texts, (text) => {
    const at = known.get(text);
    if (at !== undefined) return at;
    known.set(text, strings.length);
    return strings.push(text) - 1;
  });
}

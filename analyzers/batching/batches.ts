import { commandScope, readScope, SCOPE } from '../../replay/model/command-scope.ts';
import { changesTables } from '../../replay/engine/table-changes.ts';
import { dialectById } from '../../traces/dialects/dialects.ts';
import { INV_FORM, STREAM_ID } from '../../traces/schema.ts';
import type { Columns } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import { ABSENT, formatRequester, pageNumber } from '../../traces/units.ts';
import { Sample } from '../sample.ts';
import type { Spread } from '../sample.ts';

/** Submitters, devices and domains told apart. */
const MOST_GROUPS = 256;

/** Sizes of batches, by who made them. */
export interface BatchSizes {
  readonly name: string;
  readonly batches: number;
  readonly size: Spread;
}

export interface BatchingCounts {
  readonly unmaps: number;
  readonly unmappedPages: number;
  /** Commands that drop translations; waits, and those that configure, are not among them. */
  readonly commands: number;
  /** Commands with their wait: what one CPU handed over and waited for. Null where the trace has no waits. */
  readonly submits: number | null;
  readonly commandsPerSubmit: Spread | null;
  readonly commandsByCpu: readonly BatchSizes[];
  readonly submitsPerUnmap: number | null;
  /** Pages of an unmap. */
  readonly unmapPages: Spread;
  /** Pages of unmaps of one domain by one CPU, one behind the other, that touch: what one range command could have named. */
  readonly runPages: Spread;
  /** Unmaps in such a run. */
  readonly runUnmaps: Spread;
  readonly unmapsByDevice: readonly BatchSizes[];
}

interface Run {
  first: number;
  last: number;
  unmaps: number;
}

const COLUMNS = {
  unmap: ['origin', 'domain', 'device', 'iova', 'size'],
  inv: ['unit', 'dialect', 'form', 'w0', 'w1', 'w2'],
} as const;

/** How the recorded system batched: counts over its unmaps and commands. */
export function countBatches(trace: Trace): BatchingCounts {
  const unmaps = new UnmapRuns();
  const submits = new Submits();
  for (const segment of trace.segments({ columns: COLUMNS, reuse: true })) {
    const { stream, cpu, task, count, rows } = segment;
    let u = 0;
    let c = 0;
    for (let i = 0; i < count; i++) {
      if (stream[i] === STREAM_ID.unmap) unmaps.add(rows.unmap.columns, u++, cpu[i] ?? ABSENT);
      else if (stream[i] === STREAM_ID.inv) submits.add(rows.inv.columns, c++, cpu[i] ?? ABSENT, task[i] ?? ABSENT);
    }
  }
  unmaps.finish();
  const { commands, waits } = submits;
  return {
    unmaps: unmaps.count,
    unmappedPages: unmaps.total,
    commands,
    submits: waits === 0 ? null : submits.sizes.count,
    commandsPerSubmit: waits === 0 ? null : submits.sizes.spread(),
    commandsByCpu: waits === 0 ? [] : sizesOf(submits.byCpu, (cpu) => (cpu < 0 ? 'unknown' : `CPU ${cpu}`)),
    submitsPerUnmap: waits === 0 || unmaps.count === 0 ? null : submits.sizes.count / unmaps.count,
    unmapPages: unmaps.pages.spread(),
    runPages: unmaps.runPages.spread(),
    runUnmaps: unmaps.runUnmaps.spread(),
    unmapsByDevice: sizesOf(unmaps.byDevice, (key) => key),
  };
}

function sizesOf<K>(samples: ReadonlyMap<K, Sample>, name: (key: K) => string): readonly BatchSizes[] {
  return [...samples]
    .map(([key, sample]) => ({ name: name(key), batches: sample.count, size: sample.spread() }))
    .sort((a, b) => b.batches - a.batches || (a.name < b.name ? -1 : 1));
}

/** The sample of a key; what is beyond `MOST_GROUPS` keys is left to the totals. */
function sampleOf<K>(samples: Map<K, Sample>, key: K): Sample | undefined {
  const known = samples.get(key);
  if (known !== undefined || samples.size >= MOST_GROUPS) return known;
  const sample = new Sample();
  samples.set(key, sample);
  return sample;
}

class UnmapRuns {
  readonly pages = new Sample();
  readonly runPages = new Sample();
  readonly runUnmaps = new Sample();
  /** Unmaps in a run, by device or domain. */
  readonly byDevice = new Map<string, Sample>();
  count = 0;
  total = 0;
  /** By CPU, then domain. */
  readonly #runs = new Map<number, Map<number, Run & { readonly name: string }>>();

  add(
    columns: Pick<Columns<'unmap'>, 'origin' | 'domain' | 'device' | 'iovaLo' | 'iovaHi' | 'sizeLo' | 'sizeHi'>,
    r: number,
    cpu: number,
  ): void {
    const domain = columns.domain[r] ?? ABSENT;
    if (!changesTables(columns.origin[r] ?? 0, domain)) return;
    const first = pageNumber(columns.iovaLo[r] ?? 0, columns.iovaHi[r] ?? 0);
    const pages = pageNumber(columns.sizeLo[r] ?? 0, columns.sizeHi[r] ?? 0);
    if (pages === 0) return;
    this.count++;
    this.total += pages;
    this.pages.add(pages);
    const device = columns.device[r] ?? ABSENT;
    const ofCpu = this.#runs.get(cpu) ?? new Map<number, Run & { readonly name: string }>();
    if (this.#runs.size < MOST_GROUPS) this.#runs.set(cpu, ofCpu);
    const last = first + pages - 1;
    const run = ofCpu.get(domain);
    // addresses are handed out downwards as well as upwards
    if (run !== undefined && (first === run.last + 1 || last === run.first - 1)) {
      run.first = Math.min(run.first, first);
      run.last = Math.max(run.last, last);
      run.unmaps++;
      return;
    }
    if (run !== undefined) this.#end(run);
    const name = device !== ABSENT ? formatRequester(device) : domain === ABSENT ? 'unknown' : `domain ${domain}`;
    if (run !== undefined || ofCpu.size < MOST_GROUPS) ofCpu.set(domain, { first, last, unmaps: 1, name });
  }

  finish(): void {
    for (const runs of this.#runs.values()) for (const run of runs.values()) this.#end(run);
    this.#runs.clear();
  }

  #end({ first, last, unmaps, name }: Run & { readonly name: string }): void {
    this.runPages.add(last - first + 1);
    this.runUnmaps.add(unmaps);
    sampleOf(this.byDevice, name)?.add(unmaps);
  }
}

class Submits {
  readonly sizes = new Sample();
  readonly byCpu = new Map<number, Sample>();
  commands = 0;
  waits = 0;
  readonly #scope = commandScope();
  /** Commands that a submitter handed over and that no wait has closed yet, by submitter and unit. */
  readonly #open = new Map<number, number>();

  add(
    columns: Pick<Columns<'inv'>, 'unit' | 'dialect' | 'form' | 'w0Lo' | 'w0Hi' | 'w1Lo' | 'w1Hi' | 'w2Lo' | 'w2Hi'>,
    r: number,
    cpu: number,
    task: number,
  ): void {
    const form = columns.form[r];
    if (form !== INV_FORM.words && form !== INV_FORM.decoded) return;
    const dialect = columns.dialect[r] ?? -1;
    if (dialectById(dialect) === undefined) return;
    readScope(
      this.#scope,
      dialect,
      columns.w0Lo[r] ?? 0,
      columns.w0Hi[r] ?? 0,
      columns.w1Lo[r] ?? 0,
      columns.w1Hi[r] ?? 0,
      columns.w2Lo[r] ?? 0,
      columns.w2Hi[r] ?? 0,
    );
    const { kind } = this.#scope;
    const key =
      ((((columns.unit[r] ?? ABSENT) + 1) & 0x3ff) * 0x1000 + ((cpu + 1) & 0xfff)) * 0x80_0000 +
      ((task + 1) & 0x7f_ffff);
    if (kind === SCOPE.wait) {
      this.waits++;
      const size = this.#open.get(key) ?? 0;
      this.#open.delete(key);
      // a wait behind nothing that drops translations closes something else: a context, an interrupt
      if (size === 0) return;
      this.sizes.add(size);
      sampleOf(this.byCpu, cpu)?.add(size);
    } else if (kind !== SCOPE.none) {
      this.commands++;
      if (this.#open.size < 65_536 || this.#open.has(key)) this.#open.set(key, (this.#open.get(key) ?? 0) + 1);
    }
  }
}

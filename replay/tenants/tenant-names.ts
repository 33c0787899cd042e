import { IorrError } from '../../traces/errors.ts';
import { Random } from '../../traces/random.ts';
import { DIALECT, INV_FORM, STREAM_NAMES } from '../../traces/schema.ts';
import type { StreamName } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import { pageNumber } from '../../traces/units.ts';
import type { DomainId, Nanoseconds, RequesterId } from '../../traces/units.ts';
import { EVERY_PAGE, SCOPE, commandScope, readScope } from '../model/command-scope.ts';
import { renameCommand } from './command-names.ts';
import type { CommandNames } from './command-names.ts';

/** How tenants differ. */
export interface TenantOptions {
  readonly tenants: number;
  /** Of the offsets. */
  readonly seed: number;
  /** Offsets in time are spread over so many ns; undefined: a sixteenth of the trace. */
  readonly spreadNs?: Nanoseconds;
  /** Pages between the addresses of two tenants; `keyed`: any distance that keeps alignments. Default: 0, all use the same. */
  readonly pages?: number | 'keyed';
}

/** Tenants of a trace at most, and 4 KiB pages between the addresses of two. */
export const MOST_TENANTS = 4096;
export const MOST_DISTANCE = 2 ** 30;

/** Numbers that the hardware has at most: requester ids, domain ids, VMIDs and GSCIDs have 16 bits. */
const MOST_NUMBERS = 0x1_0000;
/** Addresses stay below 2^47. */
const MOST_PAGES = 2 ** 35;
/** Larger ranges than this are no reason to keep tenants apart by as much. */
const MOST_ALIGNMENT = 2 ** 18;

const COLUMNS = {
  map: ['domain', 'device', 'iova', 'size'],
  unmap: ['domain', 'device', 'iova'],
  attach: ['device', 'domain'],
  dma: ['rid', 'domain', 'iova', 'pageShift'],
  inv: ['dialect', 'form', 'w0', 'w1', 'w2', 'w3'],
  fault: ['rid'],
  prq: ['rid', 'iova'],
  prs: ['rid'],
  flush: ['device', 'domain'],
} as const;

/** What one source has, from one reading. */
export interface SourceNames {
  readonly rids: ReadonlyMap<RequesterId, number>;
  readonly domains: ReadonlyMap<DomainId, number>;
  readonly guests: ReadonlyMap<number, number>;
  /** Domains hold a guest in their upper half. */
  readonly hasGuests: boolean;
  readonly cpus: number;
  readonly tasks: number;
  readonly startNs: Nanoseconds;
  readonly durationNs: Nanoseconds;
  /** Highest page, and what a distance between tenants has to be a multiple of. */
  readonly lastPage: number;
  readonly alignment: number;
  /** Actions on the whole unit, which are the first tenant's alone. */
  readonly resets: number;
  /** IOTLB commands that name no domain. */
  readonly wide: number;
  readonly counts: { readonly [S in StreamName]: number };
}

/** Reads all names of a trace. */
export function sourceNames(trace: Trace): SourceNames {
  const rids = new Map<number, number>();
  const domains = new Map<number, number>();
  const guests = new Map<number, number>();
  const number = (map: Map<number, number>, name: number): number => {
    if (name !== -1 && !map.has(name)) map.set(name, map.size);
    return name;
  };
  const collect: CommandNames = {
    domain: (domain) => number(domains, domain),
    guest: (guest) => number(guests, guest),
    rid: (rid) => number(rids, rid),
  };
  const counts = Object.fromEntries(STREAM_NAMES.map((name) => [name, 0])) as { [S in StreamName]: number };
  const words = new Int32Array(8);
  const scope = commandScope();
  let hasGuests = trace.header.host.iommu === 'smmuv3' || trace.header.host.iommu === 'riscv';
  let cpus = 0;
  let tasks = 0;
  let startNs = Number.NaN;
  let endNs = 0;
  let lastPage = 0;
  let alignment = 1;
  let resets = 0;
  let wide = 0;
  const align = (pages: number): void => {
    if (pages > alignment && pages <= MOST_ALIGNMENT) alignment = 2 ** Math.ceil(Math.log2(pages));
  };
  for (const { count, time, cpu, task, rows } of trace.segments({ columns: COLUMNS, reuse: true })) {
    if (count === 0) continue;
    if (Number.isNaN(startNs)) startNs = time[0]!;
    endNs = Math.max(endNs, time[count - 1]!);
    for (let i = 0; i < count; i++) {
      if (cpu[i]! >= cpus) cpus = cpu[i]! + 1;
      if (task[i]! >= tasks) tasks = task[i]! + 1;
    }
    for (const name of STREAM_NAMES) counts[name] += rows[name].count;
    const all = (map: Map<number, number>, column: Int32Array | undefined, n: number): void => {
      for (let i = 0; i < n; i++) number(map, column![i]!);
    };
    for (const name of ['map', 'unmap', 'attach', 'flush'] as const) {
      all(rids, rows[name].columns.device, rows[name].count);
      all(domains, rows[name].columns.domain, rows[name].count);
    }
    for (const name of ['dma', 'fault', 'prq', 'prs'] as const) all(rids, rows[name].columns.rid, rows[name].count);
    all(domains, rows.dma.columns.domain, rows.dma.count);
    for (const name of ['map', 'unmap', 'dma', 'prq'] as const) {
      const { iovaLo, iovaHi } = rows[name].columns;
      for (let i = 0; i < rows[name].count; i++) lastPage = Math.max(lastPage, pageNumber(iovaLo[i]!, iovaHi[i]!));
    }
    const { map, dma, inv } = rows;
    for (let i = 0; i < map.count; i++) {
      const size = pageNumber(map.columns.sizeLo[i]!, map.columns.sizeHi[i]!);
      lastPage = Math.max(lastPage, pageNumber(map.columns.iovaLo[i]!, map.columns.iovaHi[i]!) + size);
      // larger leaves need their alignment
      if (size >= 512) align(size >= 2 ** 18 ? 2 ** 18 : 512);
    }
    for (let i = 0; i < dma.count; i++)
      if (dma.columns.pageShift[i]! > 12) align(2 ** (dma.columns.pageShift[i]! - 12));
    for (let i = 0; i < inv.count; i++) {
      const form = inv.columns.form[i]!;
      if (form === INV_FORM.reset) resets++;
      if (form !== INV_FORM.words && form !== INV_FORM.decoded) continue;
      const dialect = inv.columns.dialect[i]!;
      const { w0Lo, w0Hi, w1Lo, w1Hi, w2Lo, w2Hi } = inv.columns;
      words.set([w0Lo[i]!, w0Hi[i]!, w1Lo[i]!, w1Hi[i]!, w2Lo[i]!, w2Hi[i]!]);
      if (dialect === DIALECT.smmuv3 || dialect === DIALECT.riscv) hasGuests = true;
      readScope(scope, dialect, w0Lo[i]!, w0Hi[i]!, w1Lo[i]!, w1Hi[i]!, w2Lo[i]!, w2Hi[i]!);
      if (scope.kind === SCOPE.iotlb && scope.domain === -1 && scope.vmid === -1) wide++;
      if (scope.kind !== SCOPE.none && scope.last < EVERY_PAGE) align(scope.last - scope.first + 1);
      renameCommand(dialect, words, collect, 0);
    }
  }
  if (hasGuests) for (const domain of domains.keys()) if (domain >>> 16 !== 0) number(guests, domain >>> 16);
  const durationNs = Number.isNaN(startNs) ? 0 : endNs - startNs;
  return {
    rids,
    domains,
    guests,
    hasGuests,
    cpus,
    tasks,
    startNs: Number.isNaN(startNs) ? 0 : startNs,
    durationNs,
    lastPage,
    alignment,
    resets,
    wide,
    counts,
  };
}

/** One tenant: its place in time and memory, and its names. */
export interface TenantNumbers {
  /** Index of the trace that it plays. */
  readonly source: number;
  /** Added to times and pages. */
  readonly shiftNs: Nanoseconds;
  readonly pages: number;
  readonly cpus: number;
  readonly tasks: number;
  readonly rids: ReadonlyMap<RequesterId, RequesterId>;
  readonly domains: ReadonlyMap<DomainId, DomainId>;
  readonly guests: ReadonlyMap<number, number>;
}

/**
 * Numbers of each tenant. The first has the trace's own; the others' are the next that nobody has, so that the first tenants of
 * many are those of fewer. Requester ids keep their function where there are enough. Throws `LIMIT` where numbers run out.
 */
export function tenantNumbers(sources: readonly SourceNames[], options: TenantOptions): readonly TenantNumbers[] {
  const { tenants } = options;
  const taken = (of: (source: SourceNames) => ReadonlyMap<number, number>): Set<number> =>
    new Set(sources.length === 1 ? of(sources[0]!).keys() : []);
  const slots = neededSlots(sources, tenants);
  const rids = new FreeNumbers(
    'requester ids',
    taken((source) => source.rids),
    slots <= MOST_NUMBERS / 8,
  );
  const domains = new FreeNumbers(
    'domains',
    taken((source) => source.domains),
    false,
  );
  const guests = new FreeNumbers(
    'guests',
    taken((source) => source.guests),
    false,
  );
  const random = new Random(options.seed);
  const first = sources[0]!;
  const spread = spreadOf(sources, options);
  const alignment = sources.reduce((most, source) => Math.max(most, source.alignment), 1);
  const lastPage = sources.reduce((most, source) => Math.max(most, source.lastPage), 0);
  const places = Math.max(1, Math.floor((MOST_PAGES - lastPage) / alignment));
  const all: TenantNumbers[] = [];
  let cpus = 0;
  let tasks = 0;
  for (let tenant = 0; tenant < tenants; tenant++) {
    const of = tenant % sources.length;
    const source = sources[of]!;
    const own = tenant === 0 && sources.length === 1;
    const offset = Math.floor(random.unit() * spread);
    const place = Math.floor(random.unit() * places) * alignment;
    const pages = tenant === 0 ? 0 : options.pages === 'keyed' ? place : (options.pages ?? 0) * tenant;
    if (pages > 0 && lastPage + pages > MOST_PAGES) {
      throw new IorrError('LIMIT', `addresses of tenant ${tenant} are beyond 2^47`, {
        hint: 'fewer tenants, or a smaller distance',
      });
    }
    if (pages % alignment !== 0) {
      throw new IorrError(
        'USAGE',
        `${options.pages} pages between tenants: commands and leaves of the trace need a multiple of ${alignment}`,
        {
          hint: `--addresses ${alignment}, or --addresses keyed`,
        },
      );
    }
    const mapped = (names: ReadonlyMap<number, number>, free: FreeNumbers): Map<number, number> =>
      new Map([...names.keys()].map((name) => [name, own ? name : free.next(name)]));
    const guestMap = new Map(
      [...source.guests.keys()].map((name) => [name, own || name === 0 ? name : guests.next(name)]),
    );
    const domainMap = new Map(
      [...source.domains.keys()].map((name): [number, number] => {
        const guest = source.hasGuests ? name >>> 16 : 0;
        if (guest !== 0) return [name, (name & 0xffff) | ((guestMap.get(guest) ?? guest) << 16)];
        return [name, own ? name : domains.next(name)];
      }),
    );
    all.push({
      source: of,
      shiftNs: first.startNs - source.startNs + (tenant === 0 ? 0 : offset),
      pages,
      cpus,
      tasks,
      rids: mapped(source.rids, rids),
      domains: domainMap,
      guests: guestMap,
    });
    cpus += source.cpus;
    tasks = (tasks + source.tasks) | 0;
  }
  return all;
}

/** Nanoseconds that the offsets in time are spread over. */
export function spreadOf(sources: readonly SourceNames[], { spreadNs }: TenantOptions): Nanoseconds {
  if (spreadNs !== undefined) return spreadNs;
  return Math.floor(sources.reduce((most, { durationNs }) => Math.max(most, durationNs), 0) / 16);
}

function neededSlots(sources: readonly SourceNames[], tenants: number): number {
  return sources.reduce((sum, { rids }) => sum + rids.size, 0) * Math.ceil(tenants / sources.length);
}

/** Gives out the smallest numbers that nobody has: from 1 on, of 16 bits for names of 16 bits. */
class FreeNumbers {
  readonly #what: string;
  readonly #taken: Set<number>;
  readonly #functions: boolean;
  #next = 1;
  #wide = MOST_NUMBERS;

  /** `functions`: the low three bits stay. */
  constructor(what: string, taken: Set<number>, functions: boolean) {
    this.#what = what;
    this.#taken = taken;
    this.#functions = functions;
  }

  next(name: number): number {
    if (name >>> 16 !== 0) {
      while (this.#taken.has(this.#wide)) this.#wide++;
      return this.#wide++;
    }
    let free = this.#functions ? (Math.ceil(this.#next / 8) * 8) | (name & 7) : this.#next;
    if (this.#functions) {
      while (this.#taken.has(free)) free += 8;
      // functions of one device stay together only by chance: each has a device of its own
      this.#next = (free & ~7) + 8;
    } else {
      while (this.#taken.has(free)) free++;
      this.#next = free + 1;
    }
    if (free < MOST_NUMBERS) {
      this.#taken.add(free);
      return free;
    }
    throw new IorrError('LIMIT', `the tenants need more ${this.#what} than the ${MOST_NUMBERS} that hardware has`, {
      hint: 'fewer tenants, or filter the trace to the devices that matter',
    });
  }
}

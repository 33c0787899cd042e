import type { DomainId, Nanoseconds, PageNumber } from '../../traces/units.ts';
import type {
  CommandEmitter,
  DesignContext,
  DesignFactory,
  DesignParameter,
  MapIntent,
  Placement,
  TableWriter,
  UnmapIntent,
} from './design.ts';
import type { FlushRange } from './domain-flush.ts';
import { submitter } from './gather.ts';
import { IovaZone } from './iova-zone.ts';
import { LinuxStrict } from './linux-strict.ts';

/** Pages of one mapping up to which a range is looked for; a larger one stays where it was recorded and is flushed by itself. */
const LARGEST = 1 << 16;
/** Pages from which on a range can hold a large leaf: 2 MiB. */
const LARGE_LEAF = 512;

/** A contiguous range that consecutive mappings of one submitter fill. */
interface Descriptor {
  readonly first: PageNumber;
  /** log2 of the pages reserved. */
  readonly order: number;
  /** Pages handed out, and those of them that are mapped. */
  used: number;
  live: number;
  freedTable: number;
}

interface Space {
  readonly zone: IovaZone;
  /** Descriptors by block of the smallest size. */
  readonly byBlock: Map<number, Descriptor>;
  /** By submitter: the descriptor that its next mapping goes to. */
  readonly open: Map<number, Descriptor>;
  /** By submitter: descriptors whose last page went, to be flushed at its sync. */
  readonly due: Map<number, Descriptor[]>;
}

/**
 * One contiguous IOVA range for each descriptor of a ring, and one invalidation when its last page goes (F&S, SOSP 2024). What a
 * descriptor is follows from the intents alone: consecutive mappings of a domain by one task (one CPU where that is the idle task)
 * fill a range of `pages`; one that no longer fits begins the next, a larger one has its own. A range whose pages have all gone
 * is flushed at once, full or not. Pages that go earlier stay exposed until then: no timer ends that.
 */
class ContiguousIova extends LinuxStrict {
  readonly placement: Placement = {
    map: (intent, tables) => this.#place(intent, tables),
    unmap: ({ domain, first, last }, tables) => tables.unmap(domain, first, last),
  };
  readonly #context: DesignContext;
  readonly #pages: number;
  readonly #order: number;
  readonly #unmanaged = new Set<DomainId>();
  readonly #spaces = new Map<DomainId, Space>();

  constructor(emit: CommandEmitter, context: DesignContext, pages: number) {
    super(emit, context);
    this.#context = context;
    this.#pages = pages;
    this.#order = Math.ceil(Math.log2(pages));
  }

  override setManaged(domain: DomainId, managed: boolean): void {
    if (managed) this.#unmanaged.delete(domain);
    else this.#unmanaged.add(domain);
  }

  override unmap(intent: UnmapIntent): void {
    const { domain, first, last, freedTable, cpu, task } = intent;
    const space = this.#spaces.get(domain);
    const descriptor = space?.byBlock.get(this.#block(first));
    if (space === undefined || descriptor === undefined) {
      super.unmap(intent);
      return;
    }
    this.flush.defer(intent);
    descriptor.live -= last - first + 1;
    descriptor.freedTable |= freedTable;
    if (descriptor.live > 0) return;
    const key = submitter(cpu, task);
    const due = space.due.get(key);
    if (due === undefined) space.due.set(key, [descriptor]);
    else due.push(descriptor);
    for (const [owner, open] of space.open) if (open === descriptor) space.open.delete(owner);
  }

  override sync(domain: DomainId, cpu: number, task: number, time: Nanoseconds): void {
    super.sync(domain, cpu, task, time);
    const space = this.#spaces.get(domain);
    const due = space?.due.get(submitter(cpu, task));
    if (space === undefined || due === undefined || due.length === 0) return;
    this.flush.ranges(domain, due.map(rangeOf));
    for (const { first, order } of due.splice(0)) {
      for (let page = first; page < first + 2 ** order; page += 2 ** this.#order) {
        space.byBlock.delete(this.#block(page));
      }
      space.zone.give(first, order);
    }
  }

  #place(intent: MapIntent, tables: TableWriter): PageNumber {
    const { domain, first, last, offset, prot } = intent;
    const place = this.#unmanaged.has(domain) ? first : this.#take(intent);
    const moved = place - first;
    tables.map(domain, place, last + moved, offset - moved, prot);
    return place;
  }

  /** First page for a mapping, of its submitter's open descriptor if it fits; where it was recorded if no address is left. */
  #take({ domain, first, last, cpu, task }: MapIntent): PageNumber {
    const pages = last - first + 1;
    if (pages > LARGEST) return first;
    const space = this.#space(domain);
    const key = submitter(cpu, task);
    let descriptor = space.open.get(key);
    if (descriptor === undefined || descriptor.used + pages > this.#pages) {
      const order = Math.max(this.#order, Math.ceil(Math.log2(pages)));
      const start = space.zone.take(order);
      if (start < 0) return first;
      descriptor = { first: start, order, used: 0, live: 0, freedTable: 0 };
      for (let page = start; page < start + 2 ** order; page += 2 ** this.#order) {
        space.byBlock.set(this.#block(page), descriptor);
      }
      if (pages < this.#pages) space.open.set(key, descriptor);
    }
    const place = descriptor.first + descriptor.used;
    descriptor.used += pages;
    descriptor.live += pages;
    if (descriptor.used >= this.#pages) space.open.delete(key);
    return place;
  }

  #block(page: PageNumber): number {
    return Math.floor(page / 2 ** this.#order);
  }

  #space(domain: DomainId): Space {
    let space = this.#spaces.get(domain);
    if (space === undefined) {
      space = { zone: new IovaZone(this.#context), byBlock: new Map(), open: new Map(), due: new Map() };
      this.#spaces.set(domain, space);
    }
    return space;
  }
}

function rangeOf({ first, used, freedTable }: Descriptor): FlushRange {
  return { first, last: first + used - 1, freedTable, order: used < LARGE_LEAF ? 0 : -1 };
}

/** `name`.pages. */
function pagesParameter(name: string): DesignParameter {
  return {
    name: `${name}.pages`,
    value: 64,
    unit: 'pages',
    source: 'F&S, SOSP 2024: receive descriptors of 64 pages',
    standing: 'published',
    range: [1, 4096],
  };
}

export const contiguousIova: DesignFactory = {
  name: 'contiguous-iova',
  summary: 'one contiguous range a descriptor, one invalidation when its last page goes, walk caches kept',
  promise: 'before-reuse',
  parameters: [pagesParameter('contiguous-iova')],
  create: (emit, context, parameter) =>
    new ContiguousIova(emit, { ...context, walkCaches: 'kept' }, parameter('contiguous-iova.pages')),
};

/** Half of the proposal, to see what each half gives; the other half is `keep-walk-caches`. */
export const contiguousIovaOnly: DesignFactory = {
  name: 'contiguous-iova-only',
  summary: 'contiguous-iova without kept walk caches: each invalidation drops them (ablation)',
  promise: 'before-reuse',
  parameters: [pagesParameter('contiguous-iova-only')],
  create: (emit, context, parameter) =>
    new ContiguousIova(emit, { ...context, walkCaches: 'dropped' }, parameter('contiguous-iova-only.pages')),
};

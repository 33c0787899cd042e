import type { DomainId, PageNumber } from '../../traces/units.ts';
import type {
  CommandEmitter,
  DesignContext,
  DesignFactory,
  MapIntent,
  Placement,
  TableWriter,
  UnmapIntent,
} from './design.ts';
import type { FlushRange } from './domain-flush.ts';
import { flushMix } from './flush-mix.ts';
import { heldIn } from './held-numbers.ts';
import { zoneStart } from './iova-zone.ts';
import { LinuxStrict } from './linux-strict.ts';

/** Pages of one mapping that are kept at most; a larger one is made and taken away like anywhere else. */
const LARGEST = 1 << 16;
/** Share of the limit that goes at once when it is exceeded, so that it goes with few commands. */
const SHARE = 1 / 16;
/** Range commands of one such flush at most (QI_MAX_BATCHED_DESC_COUNT). */
const MOST_COMMANDS = 16;
/** Ways to map a page: read, write, both, neither; each has a window of its own. */
const WINDOWS = 4;

interface Space {
  /** Placed pages that the tables hold, and how many mappings ask for each. */
  readonly users: Map<PageNumber, number>;
  /** Those that nobody asks for, in the order in which they were unmapped. */
  readonly kept: Set<PageNumber>;
}

/**
 * Never unmaps: a page lies at an address that follows from its physical one and from what it may be used for, so that a later
 * mapping of the same page finds it in the tables. Only where more stays than the limit is the oldest taken away and flushed.
 */
class Persistent extends LinuxStrict {
  readonly placement: Placement = {
    map: (intent, tables) => this.#place(intent, tables),
    unmap: (intent, tables) => this.#keep(intent, tables),
  };
  readonly #context: DesignContext;
  readonly #limit: number;
  readonly #base: PageNumber;
  readonly #window: number;
  readonly #unmanaged = new Set<DomainId>();
  readonly #spaces = new Map<DomainId, Space>();
  /** What `placement` found out about the intent that `map` or `unmap` gets next. */
  #isNew = true;
  #isKept = false;

  constructor(emit: CommandEmitter, context: DesignContext, limit: number) {
    super(emit, context);
    this.#context = context;
    this.#limit = limit;
    this.#base = zoneStart(context);
    this.#window = this.#base / WINDOWS;
  }

  override setManaged(domain: DomainId, managed: boolean): void {
    if (managed) this.#unmanaged.delete(domain);
    else this.#unmanaged.add(domain);
  }

  override map(intent: MapIntent): void {
    if (this.#isNew) super.map(intent);
  }

  override unmap(intent: UnmapIntent): void {
    if (!this.#isKept) super.unmap(intent);
  }

  #place({ domain, first, last, offset, prot }: MapIntent, tables: TableWriter): PageNumber {
    const physical = first + offset;
    const pages = last - first + 1;
    this.#isNew = true;
    if (this.#unmanaged.has(domain) || pages > LARGEST || physical + pages > this.#window) {
      tables.map(domain, first, last, offset, prot);
      return first;
    }
    this.#isNew = false;
    const start = this.#base + (prot % WINDOWS) * this.#window;
    const { users, kept } = this.#space(domain);
    let from = -1;
    for (let page = start + physical; page < start + physical + pages; page++) {
      const used = users.get(page);
      users.set(page, (used ?? 0) + 1);
      if (used === 0) kept.delete(page);
      if (used === undefined) {
        if (from < 0) from = page;
      } else if (from >= 0) {
        tables.map(domain, from, page - 1, -start, prot);
        from = -1;
        this.#isNew = true;
      }
    }
    if (from >= 0) {
      tables.map(domain, from, start + physical + pages - 1, -start, prot);
      this.#isNew = true;
    }
    return start + physical;
  }

  #keep({ domain, first, last }: UnmapIntent, tables: TableWriter): number {
    const space = this.#spaces.get(domain);
    this.#isKept = space?.users.has(first) === true;
    if (space === undefined || !this.#isKept) return tables.unmap(domain, first, last);
    for (const page of heldIn(space.users, first, last)) {
      const used = space.users.get(page) ?? 0;
      if (used > 1) space.users.set(page, used - 1);
      else if (used === 1) {
        space.users.set(page, 0);
        space.kept.add(page);
      }
    }
    if (space.kept.size > this.#limit) this.#evict(domain, space, tables);
    return 0;
  }

  #evict(domain: DomainId, { users, kept }: Space, tables: TableWriter): void {
    let left = kept.size - Math.floor(this.#limit * (1 - SHARE));
    const pages: PageNumber[] = [];
    for (const page of kept) {
      if (left-- <= 0) break;
      pages.push(page);
      kept.delete(page);
      users.delete(page);
    }
    pages.sort((a, b) => a - b);
    const ranges: FlushRange[] = [];
    for (let i = 0; i < pages.length; ) {
      const first = pages[i] ?? 0;
      let n = 1;
      while (pages[i + n] === first + n) n++;
      const last = first + n - 1;
      ranges.push({ first, last, freedTable: tables.unmap(domain, first, last), order: -1 });
      i += n;
    }
    const mix = flushMix(ranges, this.#context, MOST_COMMANDS);
    if (mix === undefined) this.flush.all(domain);
    else this.flush.ranges(domain, mix);
  }

  #space(domain: DomainId): Space {
    let space = this.#spaces.get(domain);
    if (space === undefined) {
      space = { users: new Map(), kept: new Set() };
      this.#spaces.set(domain, space);
    }
    return space;
  }
}

export const persistent: DesignFactory = {
  name: 'persistent',
  summary: 'never unmap: pages stay mapped up to a limit and are found again; what stays is exposed without bound',
  promise: 'none',
  parameters: [
    {
      name: 'persistent.pages',
      value: 262_144,
      unit: 'pages',
      source: 'most pages of a domain that stay though nobody asks for them: 1 GiB, a guess',
      standing: 'assumed',
      range: [0, 1 << 24],
    },
  ],
  create: (emit, context, parameter) => new Persistent(emit, context, parameter('persistent.pages')),
};

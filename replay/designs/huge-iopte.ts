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
import { heldIn } from './held-numbers.ts';
import { zoneStart } from './iova-zone.ts';
import { LinuxStrict } from './linux-strict.ts';

/** 4 KiB pages of a 2 MiB leaf. */
const LEAF = 512;
/** Pages of one mapping that are followed at most; a larger one has large leaves anyway, if it can. */
const LARGEST = 1 << 16;
/** Ways to map a page: read, write, both, neither; each has a window of its own. */
const WINDOWS = 4;

/**
 * 2 MiB leaves: a mapping of at least `least` pages is placed so that its physical frames of 2 MiB are aligned, and each frame that it
 * touches is mapped as a whole by one leaf, which all mappings of the frame share and which goes with the last of them. What is
 * rounded up, and what of a shared leaf nobody asks for any more, stays reachable.
 */
class HugeIopte extends LinuxStrict {
  readonly placement: Placement = {
    map: (intent, tables) => this.#place(intent, tables),
    unmap: (intent, tables) => this.#release(intent, tables),
  };
  readonly #least: number;
  readonly #base: PageNumber;
  readonly #window: number;
  readonly #unmanaged = new Set<DomainId>();
  /** By domain: pages that mappings ask for in each frame of the zone. */
  readonly #frames = new Map<DomainId, Map<number, number>>();
  #isNew = true;
  /** Pages that went with the newest unmap; none if `goneLast` is below `goneFirst`. */
  #goneFirst: PageNumber = 0;
  #goneLast: PageNumber = -1;

  constructor(emit: CommandEmitter, context: DesignContext, least: number) {
    super(emit, context);
    this.#least = least;
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
    if (this.#goneLast < this.#goneFirst) return;
    super.unmap({ ...intent, first: this.#goneFirst, last: this.#goneLast });
  }

  #place({ domain, first, last, offset, prot }: MapIntent, tables: TableWriter): PageNumber {
    const physical = first + offset;
    const pages = last - first + 1;
    this.#isNew = true;
    if (
      this.#unmanaged.has(domain) ||
      pages < this.#least ||
      pages > LARGEST ||
      physical + pages + LEAF > this.#window
    ) {
      tables.map(domain, first, last, offset, prot);
      return first;
    }
    this.#isNew = false;
    const start = this.#base + (prot % WINDOWS) * this.#window;
    let frames = this.#frames.get(domain);
    if (frames === undefined) {
      frames = new Map();
      this.#frames.set(domain, frames);
    }
    const place = start + physical;
    for (let page = place; page < place + pages; ) {
      const frame = Math.floor(page / LEAF);
      const end = Math.min(place + pages, (frame + 1) * LEAF);
      const used = frames.get(frame) ?? 0;
      frames.set(frame, used + end - page);
      if (used === 0) {
        tables.map(domain, frame * LEAF, (frame + 1) * LEAF - 1, -start, prot);
        this.#isNew = true;
      }
      page = end;
    }
    return place;
  }

  #release({ domain, first, last }: UnmapIntent, tables: TableWriter): number {
    this.#goneFirst = first;
    this.#goneLast = last;
    const frames = this.#frames.get(domain);
    if (frames === undefined || first < this.#base) return tables.unmap(domain, first, last);
    let freed = 0;
    this.#goneLast = -1;
    for (const frame of heldIn(frames, Math.floor(first / LEAF), Math.floor(last / LEAF))) {
      const asked = Math.min(last + 1, (frame + 1) * LEAF) - Math.max(first, frame * LEAF);
      const left = (frames.get(frame) ?? 0) - asked;
      if (left > 0) {
        frames.set(frame, left);
        continue;
      }
      frames.delete(frame);
      freed |= tables.unmap(domain, frame * LEAF, (frame + 1) * LEAF - 1);
      if (this.#goneLast < 0) this.#goneFirst = frame * LEAF;
      this.#goneLast = (frame + 1) * LEAF - 1;
    }
    return freed;
  }
}

export const hugeIopte: DesignFactory = {
  name: 'huge-iopte',
  summary:
    'map whole 2 MiB frames by shared 2 MiB leaves that go with their last mapping; what is rounded up is exposed',
  promise: 'none',
  parameters: [
    {
      name: 'huge-iopte.least',
      value: 1,
      unit: 'pages',
      source: 'smallest mapping that is rounded up; 512: only frames that a mapping can fill',
      standing: 'assumed',
      range: [1, LARGEST],
    },
  ],
  create: (emit, context, parameter) => new HugeIopte(emit, context, parameter('huge-iopte.least')),
};

import type { Nanoseconds, PageNumber } from '../../traces/units.ts';

/** What translates in front of the pipeline: caches and tables, without any time. */
export interface PipelineTranslation {
  /** True if the page is cached now. */
  lookup(page: PageNumber): boolean;
  /** Walks the tables for a page that `lookup` did not find: table reads that go to memory. */
  walk(page: PageNumber): number;
  /** The walk is done: the page is cached from now on. */
  fill(page: PageNumber): void;
}

/** A device that reads memory through an IOMMU, as often as it may. */
export interface DmaPipelineOptions {
  /** Reads of the device that are under way at most. */
  readonly outstanding: number;
  /**
   * The device takes data in the order of its requests: a read's place is free when it and all before it are done. Otherwise as
   * soon as it is done itself.
   */
  readonly inOrder: boolean;
  /** Walks that the IOMMU does side by side; further misses queue for the one that is free first. */
  readonly walkers: number;
  /** A read that needs no walk, from request to data, ns. */
  readonly hitNs: Nanoseconds;
  /** One table read of a walk, ns. */
  readonly walkReadNs: Nanoseconds;
  /** From one request to the next at least, ns: what the link takes for one. */
  readonly requestNs: Nanoseconds;
}

export interface DmaPipelineCounts {
  readonly reads: number;
  /** From the first measured request to the last, ns. */
  readonly elapsedNs: Nanoseconds;
  /** Of all measured reads together, ns. */
  readonly latencyNs: Nanoseconds;
  readonly hits: number;
  /** Reads whose page was being walked for already: they waited for that walk. */
  readonly merged: number;
  readonly walks: number;
  readonly walkReads: number;
  /** Time that walkers were busy, all together, ns. */
  readonly walkerNs: Nanoseconds;
}

/**
 * Discrete events of a closed loop: the device asks for `warm` + `reads` pages, each as soon as a place is free, and the last
 * `reads` are measured. Hits overlap walks; a miss on a page that is being walked for waits for that walk. Requests reach the
 * caches in the order in which they were made.
 */
export function runDmaPipeline(
  options: DmaPipelineOptions,
  translation: PipelineTranslation,
  nextPage: () => PageNumber,
  reads: number,
  warm: number,
): DmaPipelineCounts {
  const { outstanding, inOrder, hitNs, walkReadNs, requestNs } = options;
  const places = new Places(outstanding, inOrder);
  const walkers = new Float64Array(options.walkers);
  const pending = new PendingWalks();
  let request = Number.NEGATIVE_INFINITY;
  let first = 0;
  let latencyNs = 0;
  let hits = 0;
  let merged = 0;
  let walks = 0;
  let walkReads = 0;
  let walkerNs = 0;
  for (let i = 0; i < warm + reads; i++) {
    if (i === warm) latencyNs = hits = merged = walks = walkReads = walkerNs = 0;
    request = Math.max(places.free(), request + requestNs);
    if (i === warm) first = request;
    pending.finish(request, translation);
    const page = nextPage();
    let translated = pending.until(page);
    if (translated >= 0) merged++;
    else if (translation.lookup(page)) {
      translated = request;
      hits++;
    } else {
      const entries = translation.walk(page);
      const walker = earliest(walkers);
      const begun = Math.max(request, walkers[walker] ?? 0);
      translated = begun + entries * walkReadNs;
      walkers[walker] = translated;
      walkerNs += translated - begun;
      walkReads += entries;
      walks++;
      pending.add(page, translated);
    }
    const done = translated + hitNs;
    latencyNs += done - request;
    places.take(done);
  }
  return { reads, elapsedNs: request - first, latencyNs, hits, merged, walks, walkReads, walkerNs };
}

function earliest(times: Float64Array): number {
  let best = 0;
  for (let i = 1; i < times.length; i++) if (times[i]! < times[best]!) best = i;
  return best;
}

/** The device's places for reads that are under way: in order a ring of times that never fall, else a heap of times. */
class Places {
  readonly #times: Float64Array;
  readonly #inOrder: boolean;
  #at = 0;
  #newest = 0;

  constructor(count: number, inOrder: boolean) {
    this.#times = new Float64Array(count);
    this.#inOrder = inOrder;
  }

  /** When the next place is free. */
  free(): Nanoseconds {
    return this.#times[this.#at]!;
  }

  /** Takes that place until a read is done. */
  take(done: Nanoseconds): void {
    const times = this.#times;
    if (this.#inOrder) {
      this.#newest = Math.max(this.#newest, done);
      times[this.#at] = this.#newest;
      this.#at = (this.#at + 1) % times.length;
      return;
    }
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= times.length) break;
      if (child + 1 < times.length && times[child + 1]! < times[child]!) child++;
      if (times[child]! >= done) break;
      times[at] = times[child]!;
      at = child;
    }
    times[at] = done;
  }
}

/** Walks under way, the one that ends first in front. */
class PendingWalks {
  readonly #pages: PageNumber[] = [];
  readonly #until: Nanoseconds[] = [];
  #first = 0;

  /** When the walk for a page ends; -1 if there is none. */
  until(page: PageNumber): Nanoseconds {
    const at = this.#pages.indexOf(page, this.#first);
    return at < 0 ? -1 : this.#until[at]!;
  }

  add(page: PageNumber, until: Nanoseconds): void {
    const pages = this.#pages;
    const times = this.#until;
    let at = pages.length;
    pages.push(page);
    times.push(until);
    for (; at > this.#first && times[at - 1]! > until; at--) {
      pages[at] = pages[at - 1]!;
      times[at] = times[at - 1]!;
    }
    pages[at] = page;
    times[at] = until;
  }

  /** Caches what walks have found by this time. */
  finish(now: Nanoseconds, translation: PipelineTranslation): void {
    while (this.#first < this.#pages.length && this.#until[this.#first]! <= now) {
      translation.fill(this.#pages[this.#first++]!);
    }
    if (this.#first > 1024) {
      this.#pages.splice(0, this.#first);
      this.#until.splice(0, this.#first);
      this.#first = 0;
    }
  }
}

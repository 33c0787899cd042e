import { LOOKUP, PendingLookups } from './pending-lookups.ts';

/** What the lines so far say about the emulated unit. */
export class VtdState {
  readonly pending = new PendingLookups();
  /** Translation: on, off, or not said yet. */
  translation: 'on' | 'off' | 'unknown' = 'unknown';
  /** Scalable mode (VT-d spec 3.4.3): context entries hold no domain id. */
  scalable: boolean | undefined;
  /** The log has hits, so a lookup without a line of its own is no hit. */
  logsHits = false;
  /** The log has raw descriptors, so decoded ones say nothing new. */
  logsDescriptors = false;
  /** One bit per requester id that ever filled the cache. */
  readonly #fillers = new Uint32Array(2048);
  readonly #orphans = new Map<string, number>();

  notesFill(rid: number): void {
    this.#fillers[rid >>> 5]! |= 1 << (rid & 31);
  }

  hasFilled(rid: number): boolean {
    return ((this.#fillers[rid >>> 5] ?? 0) & (1 << (rid & 31))) !== 0;
  }

  /** A lookup whose translation never came. */
  orphan(kind: number): void {
    const name =
      kind === LOOKUP.hit
        ? 'vtd_iotlb_page_hit'
        : kind === LOOKUP.update
          ? 'vtd_iotlb_page_update'
          : 'vtd_translate_pt';
    const what = `${name} without its vtd_dmar_translate`;
    this.#orphans.set(what, (this.#orphans.get(what) ?? 0) + 1);
  }

  /** Counts what still waits, and returns all lookups that waited in vain. */
  end(): ReadonlyMap<string, number> {
    const { pending } = this;
    for (let i = 0; i < pending.count; i++) this.orphan(pending.kind[i]!);
    pending.count = 0;
    return this.#orphans;
  }
}

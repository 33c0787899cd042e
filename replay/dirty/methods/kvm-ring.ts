import type { DirtyLeaf } from '../../model/table-dirty.ts';
import type { DirtyMethodFactory, DirtyMethodOptions } from '../dirty-method.ts';
import { PageSet } from '../page-set.ts';
import { ProtectedPages, protectTrouble } from './write-protect.ts';

/** KVM keeps so many entries free for what one exit may still log (virt/kvm/dirty_ring.c; with PML it is more). */
const RESERVED = 64;

/**
 * A ring of logged pages. When it is full its writer stops until user space has collected the entries and had their pages
 * protected anew, so that a hot page is logged once for each time.
 */
class RingMethod extends ProtectedPages {
  readonly #size: number;
  readonly #pages: Float64Array;
  readonly #spaces: Int32Array;
  #used = 0;
  /** By space: pages that were collected and not yet reported. */
  readonly #collected: PageSet[] = [];

  constructor(entries: number, options: DirtyMethodOptions) {
    super(options);
    this.#size = entries - RESERVED;
    this.#pages = new Float64Array(this.#size);
    this.#spaces = new Int32Array(this.#size);
  }

  override harvest(space: number, page: number, pages: number, found: DirtyLeaf): void {
    this.#collect();
    const collected = this.#set(space);
    for (let at = collected.next(page, page + pages); at >= 0; at = collected.next(at + 1, page + pages)) {
      collected.delete(at);
      found(at, 1);
    }
    this.counts.calls++;
  }

  protected override logged(space: number, page: number): void {
    this.#pages[this.#used] = page;
    this.#spaces[this.#used++] = space;
    if (this.#used < this.#size) return;
    this.counts.exits++;
    this.#collect();
  }

  /** The entries go to user space, and their pages are protected again with one flush (KVM_RESET_DIRTY_RINGS). */
  #collect(): void {
    const { counts } = this;
    if (this.#used === 0) return;
    const { calls, flushes } = counts;
    for (let i = 0; i < this.#used; i++) {
      const space = this.#spaces[i]!;
      const page = this.#pages[i]!;
      this.#set(space).add(page);
      this.protect(space, page, 1, () => undefined);
    }
    counts.calls = calls;
    counts.flushes = Math.min(counts.flushes, flushes + 1);
    counts.ringEntries += this.#used;
    this.#used = 0;
  }

  #set(space: number): PageSet {
    return (this.#collected[space] ??= new PageSet());
  }
}

/** KVM's dirty ring (Documentation/virt/kvm/api.rst, KVM_CAP_DIRTY_LOG_RING). */
export const kvmRing: DirtyMethodFactory = {
  name: 'kvm-ring',
  summary: 'write-protected pages are logged in a ring of entries; its writer stops while it is full',
  value: {
    about: 'entries of the ring',
    default: '4096',
    parse: (text) => {
      const entries = /^\d{1,5}$/.test(text) ? Number(text) : 0;
      return entries >= 128 && entries <= 65536 ? entries : -1;
    },
    example: '65536',
  },
  untrackedLeaf: () => 21,
  sets: 'fault',
  protects: true,
  logsAgain: true,
  impossible: () => undefined,
  misses: protectTrouble,
  plan: () => ({ told: 12, scannedLeaf: 0, bitmap: false, ring: true }),
  create: (entries, options) => new RingMethod(entries, options),
};

import type { EntryMatch } from '../model/entry-match.ts';
import type { Invalidatable } from '../model/hardware-caches.ts';
import { PAGE_BITS } from '../model/kernel-layout.ts';

/** An address space, by its index in keys, and how commands name it. */
interface Space {
  readonly index: number;
  readonly domain: number;
  readonly pasid: number;
}

/** Takes the first and the last page that go from an address space; 0 stands for all of them. */
export type DropRange = (space: number, first: number, last: number) => void;

/** Turns what commands drop into ranges of keys. */
export interface DroppedKeys {
  /** The cache that commands act on. It knows no entries: what it says went is always 0. */
  readonly iotlb: Invalidatable;
  addSpace(index: number, domain: number, pasid: number): void;
  /** Indexes of the address spaces of a domain. */
  spacesOf(domain: number): readonly number[];
  /** A command is over. */
  end(): void;
}

const NONE: readonly Space[] = [];
const ALL_PAGES = 2 ** PAGE_BITS;
const PAGE_HIGH = (1 << (PAGE_BITS - 32)) - 1;

/** Ranges that follow one another become one: commands are cut into aligned powers of two. */
export function droppedKeys(drop: DropRange): DroppedKeys {
  const spaces: Space[] = [];
  const ofDomain = new Map<number, Space[]>();
  const indexes = new Map<number, number[]>();
  // the range that waits: pages of one space
  let space = 0;
  let first = 0;
  let next = 0;

  const flush = (): void => {
    if (space === 0) return;
    drop(space, first, next - 1);
    space = 0;
  };

  const add = (index: number, page: number, count: number): void => {
    if (space !== index || page !== next) {
      flush();
      space = index;
      first = page;
    }
    next = page + count;
  };

  const names = (match: EntryMatch, domain: number, pasid: number): boolean => {
    const own = domain === match.domain && (match.kinds & 1) !== 0;
    if (!own && ((match.wideKinds & 1) === 0 || ((domain ^ match.domain) & match.wideMask) !== 0)) return false;
    return match.pasid < 0 || pasid < 0 || pasid === match.pasid;
  };

  /** Spaces that a command may name. */
  const candidates = (match: EntryMatch): readonly Space[] =>
    (match.wideKinds & 1) !== 0 ? spaces : (ofDomain.get(match.domain) ?? NONE);

  return {
    iotlb: {
      dropAll() {
        flush();
        drop(0, 0, ALL_PAGES - 1);
        return 0;
      },
      dropMatching(match) {
        for (const { index, domain, pasid } of candidates(match)) {
          if (names(match, domain, pasid)) add(index, 0, ALL_PAGES);
        }
        return 0;
      },
      dropPages(match, pageLo, pageHi, order) {
        const low = order < 32 ? pageLo & (-1 << order) : 0;
        const high = order <= 32 ? pageHi : order < PAGE_BITS ? pageHi & (-1 << (order - 32)) : 0;
        const page = (high & PAGE_HIGH) * 2 ** 32 + (low >>> 0);
        const count = order < 31 ? 1 << order : 2 ** Math.min(order, PAGE_BITS);
        for (const { index, domain, pasid } of candidates(match)) {
          if (names(match, domain, pasid)) add(index, page, count);
        }
        return 0;
      },
    },
    addSpace(index, domain, pasid) {
      const added = { index, domain, pasid };
      spaces.push(added);
      const known = ofDomain.get(domain);
      if (known === undefined) {
        ofDomain.set(domain, [added]);
        indexes.set(domain, [index]);
      } else {
        known.push(added);
        indexes.get(domain)!.push(index);
      }
    },
    spacesOf: (domain) => indexes.get(domain) ?? [],
    end: flush,
  };
}

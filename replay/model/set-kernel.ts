import type { EntryMatch } from './entry-match.ts';
import type { Invalidatable } from './hardware-caches.ts';
import { SET_INDEX } from './set-index.ts';
import type { Geometry } from './set-associative-iotlb.ts';

/** Words of a way: page low, page high, address space. */
const WAY = 3;
/** Address space of an empty way: no real one. */
const EMPTY = -0x8000_0000;
/** More ways than this are moved slower than a list is relinked. */
const MOST_WAYS = 16;
/** A range of more pages than this is looked for in every way instead of page by page. */
const PROBED_PAGES = 64;

/** An address space, and how commands name it. */
interface Space {
  readonly space: number;
  readonly domain: number;
  readonly pasid: number;
}

const NONE: readonly Space[] = [];

/**
 * A translation cache that is nothing but its sets: the ways of a set lie in order of use, newest first, so that a lookup reads one or
 * two cache lines and needs no list. It has no slots, so nothing can be said of an entry beyond hit and miss: it serves where
 * mappings stand still, and so no entry can be stale. Counts are those of `SetAssociativeIotlb`.
 */
export interface SetKernel extends Invalidatable {
  /** -1 if the page is cached; it is the newest of its set then. Else its set, for `fill`. */
  readonly lookup: (space: number, pageLo: number, pageHi: number) => number;
  /** Caches a page that `lookup` did not find in `set`. */
  readonly fill: (set: number, space: number, pageLo: number, pageHi: number) => void;
  /** Commands name a domain and a PASID; entries have an address space: this tells which. */
  addSpace(space: number, domain: number, pasid: number): void;
}

/** True where a kernel can stand for the geometry: one bank of few ways, least recently used replaced first. */
export function suitsKernel({ banks, replacement }: Geometry): boolean {
  const [bank] = banks;
  return banks.length === 1 && bank !== undefined && replacement === 0 && bank.ways <= MOST_WAYS;
}

export function createSetKernel(geometry: Geometry): SetKernel {
  const { sets, ways } = geometry.banks[0]!;
  const { index, refillInvalidFirst } = geometry;
  const span = ways * WAY;
  const lines = new Int32Array(sets * span);
  for (let at = 2; at < lines.length; at += WAY) lines[at] = EMPTY;
  const powerOfTwo = (sets & (sets - 1)) === 0;
  const setMask = sets - 1;
  const folded = index === SET_INDEX.folded;
  const low = index === SET_INDEX.low;
  const spaces: Space[] = [];
  const ofDomain = new Map<number, Space[]>();
  let live = 0;

  /** First word of the set of a page. */
  const setOf = (space: number, pageLo: number, pageHi: number): number => {
    let mixed: number;
    if (folded) mixed = pageLo ^ (pageLo >>> 6) ^ Math.imul(space, 37);
    else if (low) mixed = pageLo;
    else {
      mixed = Math.imul(pageLo ^ Math.imul(pageHi, 0x27d4eb2f) ^ Math.imul(space, 0x165667b1), 0x9e3779b1);
      mixed ^= mixed >>> 15;
      mixed = Math.imul(mixed, 0x85ebca6b) >>> 8;
    }
    return (powerOfTwo ? mixed & setMask : (mixed >>> 0) % sets) * span;
  };

  /** Puts a way first: those before it move back by one. */
  const raise = (set: number, way: number): void => {
    const pageLo = lines[way]!;
    const pageHi = lines[way + 1]!;
    const space = lines[way + 2]!;
    for (let at = way - 1; at >= set; at--) lines[at + WAY] = lines[at]!;
    lines[set] = pageLo;
    lines[set + 1] = pageHi;
    lines[set + 2] = space;
  };

  /** The other ways of a set, kept out of the loop over accesses. */
  const lookupOlder = (set: number, space: number, pageLo: number, pageHi: number): number => {
    const end = set + span;
    for (let way = set + WAY; way < end; way += WAY) {
      if (lines[way] === pageLo && lines[way + 2] === space && lines[way + 1] === pageHi) {
        raise(set, way);
        return -1;
      }
    }
    return set;
  };

  const lookup = (space: number, pageLo: number, pageHi: number): number => {
    const set = setOf(space, pageLo, pageHi);
    if (lines[set] === pageLo && lines[set + 2] === space && lines[set + 1] === pageHi) return -1;
    return lookupOlder(set, space, pageLo, pageHi);
  };

  const fill = (set: number, space: number, pageLo: number, pageHi: number): void => {
    let victim = set + span - WAY;
    if (lines[victim + 2] !== EMPTY && refillInvalidFirst && live < sets * ways) {
      // any empty way goes first: the order of the rest stays
      for (let way = set; way < victim; way += WAY) if (lines[way + 2] === EMPTY) victim = way;
    }
    if (lines[victim + 2] === EMPTY) live++;
    for (let at = victim - 1; at >= set; at--) lines[at + WAY] = lines[at]!;
    lines[set] = pageLo;
    lines[set + 1] = pageHi;
    lines[set + 2] = space;
  };

  const drop = (way: number): void => {
    lines[way + 2] = EMPTY;
    live--;
  };

  const names = (match: EntryMatch, domain: number, pasid: number): boolean => {
    const own = domain === match.domain && (match.kinds & 1) !== 0;
    if (!own && ((match.wideKinds & 1) === 0 || ((domain ^ match.domain) & match.wideMask) !== 0)) return false;
    return match.pasid < 0 || pasid < 0 || pasid === match.pasid;
  };

  /** Spaces that a command may name. */
  const candidates = (match: EntryMatch): readonly Space[] => {
    if (live === 0) return NONE;
    return (match.wideKinds & 1) !== 0 ? spaces : (ofDomain.get(match.domain) ?? NONE);
  };

  /** Drops the pages of one address space within 2^order pages; order 64: all. */
  const dropWithin = (space: number, pageLo: number, pageHi: number, order: number): number => {
    const keepLo = order >= 32 ? 0 : -1 << order;
    const keepHi = order <= 32 ? -1 : order >= 64 ? 0 : -1 << (order - 32);
    let dropped = 0;
    for (let way = 0; way < lines.length; way += WAY) {
      if (lines[way + 2] !== space) continue;
      if (((lines[way]! ^ pageLo) & keepLo) !== 0 || ((lines[way + 1]! ^ pageHi) & keepHi) !== 0) continue;
      drop(way);
      dropped++;
    }
    return dropped;
  };

  const dropPage = (space: number, pageLo: number, pageHi: number): number => {
    const set = setOf(space, pageLo, pageHi);
    for (let way = set; way < set + span; way += WAY) {
      if (lines[way] === pageLo && lines[way + 2] === space && lines[way + 1] === pageHi) {
        drop(way);
        return 1;
      }
    }
    return 0;
  };

  return {
    lookup,
    fill,

    addSpace(space, domain, pasid) {
      const added = { space, domain, pasid };
      spaces.push(added);
      const known = ofDomain.get(domain);
      if (known === undefined) ofDomain.set(domain, [added]);
      else known.push(added);
    },

    dropAll() {
      const dropped = live;
      for (let way = 0; way < lines.length; way += WAY) lines[way + 2] = EMPTY;
      live = 0;
      return dropped;
    },

    dropMatching(match) {
      let dropped = 0;
      for (const { space, domain, pasid } of candidates(match)) {
        if (names(match, domain, pasid)) dropped += dropWithin(space, 0, 0, 64);
      }
      return dropped;
    },

    dropPages(match, pageLo, pageHi, order) {
      let dropped = 0;
      for (const { space, domain, pasid } of candidates(match)) {
        if (!names(match, domain, pasid)) continue;
        if (order >= 16 || 1 << order > PROBED_PAGES) {
          dropped += dropWithin(space, pageLo, pageHi, order);
          continue;
        }
        const first = pageLo & (-1 << order);
        for (let i = 0; i < 1 << order; i++) dropped += dropPage(space, first + i, pageHi);
      }
      return dropped;
    },
  };
}

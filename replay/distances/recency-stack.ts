/** Words of 32 places that are counted one by one before the tree is asked. */
const NEAR_WORDS = 6;
const FIRST_PLACES = 1 << 12;

/**
 * The stack of a fully associative cache with least recently used replacement, for every capacity at once (Mattson and others, 1970):
 * a cache of n ways holds what is in the first n places. An entry that a command drops leaves a hole. Where emptied ways are
 * refilled first, the next fill that finds the hole above where its entry was takes the topmost one, and what is below stays where
 * it is; else the hole keeps its place and ages as an entry does. Either way the caches of all capacities stay prefixes of one stack.
 *
 * Entries are numbered. A place is a moment of use: a bit of a long list, newest last, with a tree of counts over its words; a depth
 * is the number of bits from there on.
 */
export interface RecencyStack {
  /** The entry is used: its depth before, from 1. It is on top then. It must be in the stack. */
  readonly use: (entry: number) => number;
  /** An entry that is not in the stack comes in on top. */
  readonly push: (entry: number) => void;
  /** A command drops the entry, which leaves a hole: its depth. */
  readonly drop: (entry: number) => number;
  /** The last entry goes for another one: it leaves nothing. */
  readonly remove: (entry: number) => void;
}

/** `capacity`: numbers of entries are below it, and depths beyond it may be told too small, but never as if they were within. */
export function createRecencyStack(capacity: number, refillInvalidFirst: boolean): RecencyStack {
  /** Place of each entry, -1: none. */
  const placeOf = new Int32Array(capacity).fill(-1);
  let places = FIRST_PLACES;
  /** Entry of each place; -1: a hole, or nothing. */
  let entryAt = new Int32Array(places);
  let bits = new Int32Array(places >>> 5);
  /** Fenwick tree over the words: index 0 is not used. */
  let tree = new Int32Array((places >>> 5) + 1);
  let next = 0;
  let taken = 0;
  /** Places of holes, a heap with the newest on top. */
  let holes = new Int32Array(64);
  let holeCount = 0;

  const add = (word: number, by: number): void => {
    for (let at = word + 1; at < tree.length; at += at & -at) tree[at]! += by;
  };

  const set = (place: number): void => {
    bits[place >>> 5]! |= 1 << (place & 31);
    add(place >>> 5, 1);
    taken++;
  };

  const clear = (place: number): void => {
    bits[place >>> 5]! &= ~(1 << (place & 31));
    add(place >>> 5, -1);
    taken--;
  };

  /** Bits from a place on. */
  const depthOf = (place: number): number => {
    const word = place >>> 5;
    const last = (next - 1) >>> 5;
    const own = ones(bits[word]! & (-1 << (place & 31)));
    if (last - word <= NEAR_WORDS) {
      let depth = own;
      for (let at = word + 1; at <= last; at++) depth += ones(bits[at]!);
      return depth;
    }
    let before = 0;
    for (let at = word + 1; at > 0; at -= at & -at) before += tree[at]!;
    return taken - before + own;
  };

  /** Places start anew in the same order, with as many free ones as there are taken. */
  const renumber = (): void => {
    while (places < taken * 4) places *= 2;
    const entries = new Int32Array(places);
    let to = 0;
    let depth = taken + 1;
    holeCount = 0;
    for (let word = 0; word < bits.length; word++) {
      for (let left = bits[word]!; left !== 0; left &= left - 1) {
        const place = (word << 5) | (31 - Math.clz32(left & -left));
        const entry = entryAt[place]!;
        depth--;
        // holes that stay would grow without end; so deep down they make no difference
        if (entry < 0 && depth > capacity) {
          taken--;
          continue;
        }
        entries[to] = entry;
        if (entry >= 0) placeOf[entry] = to;
        else if (refillInvalidFirst) pushHole(to);
        to++;
      }
    }
    entryAt = entries;
    bits = new Int32Array(places >>> 5);
    for (let place = 0; place < to; place++) bits[place >>> 5]! |= 1 << (place & 31);
    tree = new Int32Array((places >>> 5) + 1);
    for (let at = 1; at < tree.length; at++) {
      tree[at]! += ones(bits[at - 1]!);
      const up = at + (at & -at);
      if (up < tree.length) tree[up]! += tree[at]!;
    }
    next = to;
  };

  const pushHole = (place: number): void => {
    if (holeCount === holes.length) {
      const more = new Int32Array(holeCount * 2);
      more.set(holes);
      holes = more;
    }
    let at = holeCount++;
    while (at > 0) {
      const up = (at - 1) >>> 1;
      if (holes[up]! >= place) break;
      holes[at] = holes[up]!;
      at = up;
    }
    holes[at] = place;
  };

  const popHole = (): void => {
    const moved = holes[--holeCount]!;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= holeCount) break;
      if (child + 1 < holeCount && holes[child + 1]! > holes[child]!) child++;
      if (holes[child]! <= moved) break;
      holes[at] = holes[child]!;
      at = child;
    }
    holes[at] = moved;
  };

  const onTop = (entry: number): void => {
    if (next === places) renumber();
    const place = next++;
    entryAt[place] = entry;
    placeOf[entry] = place;
    set(place);
  };

  return {
    use: (entry) => {
      const place = placeOf[entry]!;
      if (place === next - 1) return 1;
      const depth = depthOf(place);
      if (holeCount > 0 && holes[0]! > place) {
        // caches that reach the hole but not the entry fill it; in those that hold the entry one hole is as good as another
        const hole = holes[0]!;
        popHole();
        clear(hole);
        entryAt[place] = -1;
        pushHole(place);
      } else clear(place);
      onTop(entry);
      return depth;
    },

    push: (entry) => {
      if (holeCount > 0) {
        const hole = holes[0]!;
        popHole();
        clear(hole);
      }
      onTop(entry);
    },

    drop: (entry) => {
      const place = placeOf[entry]!;
      const depth = depthOf(place);
      entryAt[place] = -1;
      placeOf[entry] = -1;
      if (refillInvalidFirst) pushHole(place);
      return depth;
    },

    remove: (entry) => {
      clear(placeOf[entry]!);
      placeOf[entry] = -1;
    },
  };
}

/** Bits that are set. */
function ones(word: number): number {
  let count = word - ((word >>> 1) & 0x5555_5555);
  count = (count & 0x3333_3333) + ((count >>> 2) & 0x3333_3333);
  return Math.imul((count + (count >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}

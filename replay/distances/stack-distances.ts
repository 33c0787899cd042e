import type { Segment } from '../../traces/segment.ts';
import { createPlayer } from '../engine/replay.ts';
import { SeriesBuilder } from '../engine/time-series.ts';
import { parameterOf } from '../hardware/profile.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { withSettings } from '../hardware/profiles.ts';
import { createMachine } from '../model/create-machine.ts';
import { DROP, alignHigh, alignLow } from '../model/iotlb.ts';
import { ACCESS_RESULT } from '../model/machine.ts';
import type { Machine } from '../model/machine.ts';
import { setNumber } from '../model/set-index.ts';
import type { IotlbCounts } from '../results.ts';
import { countsOfWays } from './depth-tally.ts';
import { lruHardware } from './lru-hardware.ts';
import type { PageSample } from './page-sample.ts';
import { createRecencyStack } from './recency-stack.ts';
import { createSetStacks } from './set-stacks.ts';

export interface DistanceOptions {
  /** Its tags, commands, tables and set index hold; its IOTLB is replaced. */
  readonly hardware: HardwareProfile;
  /** Entries that are followed: more need memory, and what is deeper counts as replaced. */
  readonly capacity: number;
  /** Numbers of sets to follow beside the cache without sets; ascending. Default: none. */
  readonly sets?: readonly number[];
  /** Ways of those that are followed: 1 to `MOST_SET_WAYS`. */
  readonly ways?: number;
  /** Told of every lookup that is followed, see `LookupListener`. */
  readonly onLookup?: LookupListener;
  /** Follows only lookups of these pages: depths are those among them. Not for hardware with caches of devices. */
  readonly sample?: PageSample;
}

/**
 * A lookup of a requester in a domain (-1: not known). `depth` in the stack: from 1 to the capacity + 1; 0 where the entry is in none, and `dropped` is then
 * the depth at which a command dropped it, 0 for what was never cached, -1 for what was replaced at every size. `hash`: of the
 * page, where there is a sample.
 */
export type LookupListener = (rid: number, domain: number, depth: number, dropped: number, hash: number) => void;

/** Ways of sets that can be followed: of caches without sets any number can. */
export const MOST_SET_WAYS = 64;

/** Misses of every size of a cache, from one replay. */
export interface StackDistances {
  readonly play: (segment: Segment) => void;
  /** All of the trace, also those that a sample leaves out. */
  readonly lookups: () => number;
  /** Entries that were replaced although there was room for `capacity`. */
  readonly evicted: () => number;
  /** Of a fully associative cache. */
  readonly full: (entries: number) => IotlbCounts;
  /** Of one with sets: `sets` is one of the options' numbers. */
  readonly withSets: (sets: number, ways: number) => IotlbCounts;
  /** Lookups by the depth of their entry, index 1 on. */
  readonly depths: () => Float64Array;
  /**
   * Lookups where caches of different sizes may have gone different ways, as when one still holds a translation that the tables have
   * in another size by now. 0: all counts are exactly those of replays.
   */
  readonly inexact: () => number;
}

const NEVER = 0;
const REPLACED = -1;

/**
 * Replays a trace once and tells what every size of IOTLB with least recently used replacement would have hit. A machine with room for
 * all entries follows tags, tables and commands; which of its entries a smaller cache still holds is known by their depth in stacks.
 */
export function createStackDistances(options: DistanceOptions): StackDistances {
  const { capacity, onLookup, sample } = options;
  const setCounts = options.sets ?? [];
  const ways = options.ways ?? 1;
  const levels = setCounts.length;
  const profile = lruHardware(options.hardware, capacity);
  const refills = parameterOf(profile, 'iotlb.refill-invalid-first') !== 0;
  const index = parameterOf(profile, 'iotlb.hashed');
  const stack = createRecencyStack(capacity, refills);
  const stacks = createSetStacks(setCounts, ways, refills);
  const { depths } = stacks;

  /** By depth. */
  const found = new Float64Array(capacity + 1);
  const dropped = new Float64Array(capacity + 1);
  /** By level and depth: rows of `span`. */
  const span = ways + 2;
  const setFound = new Float64Array(levels * span);
  const setDropped = new Float64Array(levels * span);
  /** Differences: what begins to be a conflict at so many ways, and ends. */
  const setConflicts = new Float64Array(levels * span);
  /** Uses by the level from which on the entry was the newest of its set. */
  const newestFrom = new Float64Array(levels + 1);
  const counted = { lookups: 0, compulsory: 0 };
  let lookups = 0;
  let inexact = 0;
  let evicted = 0;
  let hash = 0;
  /** Nothing larger than a page was mapped. */
  let pagesOnly = granuleOf(profile) === 12;

  const numberOf = new Int32Array(capacity);
  /** By slot: the version of the tables by which its size was last found to be that of the leaf. */
  const checked = new Int32Array(capacity);
  let version = 1;
  /** By record: `NEVER`, `REPLACED`, or the depth at which a command dropped it; the same by level. */
  let fate = new Int32Array(4096);
  let setFate = new Uint8Array(4096 * levels);

  // its own cache has room for all, so which of its emptied ways it takes does not matter: one that is free at once is quickest
  const machine = createMachine(withSettings(profile, ['iotlb.refill-invalid-first=1']), {
    unmappedAccess: 'fill',
    onDrop: (slot, why, cache) => {
      if (cache.name === 'iotlb') gone(slot, why);
    },
  });
  const { entries, last, accessNow } = machine;

  const gone = (slot: number, why: number): void => {
    const record = entries.recordOf(slot);
    if (levels > 0) stacks.drop(slot, numberOf[slot]!);
    if (why === DROP.replacement) {
      stack.remove(slot);
      evicted++;
      // sets that are used little hold what is long gone elsewhere
      for (let level = 0; level < levels; level++) if (depths[level]! <= ways) inexact++;
      return;
    }
    const depth = Math.min(capacity, stack.drop(slot));
    if (record < 0) return;
    fate[record] = depth;
    for (let level = 0; level < levels; level++) setFate[record * levels + level] = depths[level]!;
  };

  const remember = (record: number): void => {
    if (record < fate.length) return;
    const wider = new Int32Array(fate.length * 2);
    wider.set(fate);
    fate = wider;
    const more = new Uint8Array(setFate.length * 2);
    more.set(setFate);
    setFate = more;
  };

  /** Counts a lookup that no size has. */
  const missedByAll = (record: number): number => {
    if (record >= 0) remember(record);
    const was = record < 0 ? NEVER : fate[record]!;
    if (was === NEVER) counted.compulsory++;
    else if (was > 0) {
      dropped[was]!++;
      for (let level = 0; level < levels; level++) setDropped[level * span + setFate[record * levels + level]!]!++;
    }
    return was;
  };

  const use = (slot: number): number => {
    const depth = stack.use(slot);
    found[depth <= capacity ? depth : 0]!++;
    if (levels === 0) return depth;
    const newest = stacks.use(slot, numberOf[slot]!);
    newestFrom[newest]!++;
    for (let level = 0; level < newest; level++) {
      const own = depths[level]!;
      const row = level * span;
      setFound[row + own]!++;
      // one of as many entries without sets would have it: from so many ways on
      const from = Math.ceil(depth / setCounts[level]!);
      if (from >= own) continue;
      setConflicts[row + from]!++;
      setConflicts[row + own]!--;
    }
    return depth;
  };

  /** Whether the sample has the page; its hash is in `hash` then. */
  const follows = (
    rid: number,
    pasid: number,
    domain: number,
    iovaLo: number,
    iovaHi: number,
    pageShift: number,
  ): boolean => {
    if (domain !== -1) machine.attach(rid, pasid, domain);
    const plain = pagesOnly && pageShift <= 12;
    const order = plain ? 0 : Math.max(0, machine.entryOrder(rid, pasid, iovaLo, iovaHi, pageShift));
    const owner = machine.domainOf(rid, pasid);
    const pageLo = alignLow((iovaLo >>> 12) | (iovaHi << 20), order);
    hash = sample!.hash(owner === -1 ? -1 - rid : owner, order, pageLo, alignHigh(iovaHi >>> 12, order));
    return sample!.has(hash);
  };

  const observed: Machine = Object.create(machine, {
    accessNow: {
      value: (
        rid: number,
        pasid: number,
        domain: number,
        iovaLo: number,
        iovaHi: number,
        access: number,
        pageShift: number,
      ): number => {
        if (sample !== undefined && !follows(rid, pasid, domain, iovaLo, iovaHi, pageShift)) {
          lookups++;
          return 0;
        }
        const result = accessNow(rid, pasid, domain, iovaLo, iovaHi, access, pageShift);
        if ((result & ACCESS_RESULT.device) !== 0) return result;
        lookups++;
        counted.lookups++;
        const { slot } = last;
        let depth = 0;
        let was = NEVER;
        if ((result & ACCESS_RESULT.hit) !== 0) {
          if (checked[slot] !== version || pageShift > 12 || !entries.onlyPages) {
            const order = machine.entryOrder(rid, pasid, iovaLo, iovaHi, pageShift);
            if (order === entries.orderOf(slot)) checked[slot] = version;
            else inexact++;
          }
          depth = use(slot);
        } else {
          const { record } = last;
          was = missedByAll(record);
          if (slot >= 0) {
            if (record >= 0) fate[record] = REPLACED;
            const number = setNumber(
              index,
              entries.tagOf(slot),
              entries.orderOf(slot),
              entries.pageLoOf(slot),
              entries.pageHiOf(slot),
            );
            numberOf[slot] = number;
            checked[slot] = version;
            stack.push(slot);
            if (levels > 0) stacks.use(slot, number);
          }
        }
        if (onLookup !== undefined) {
          onLookup(
            rid,
            slot >= 0 ? entries.domainOf(slot) : machine.domainOf(rid, pasid),
            Math.min(depth, capacity + 1),
            was,
            hash,
          );
        }
        return result;
      },
    },
    map: {
      value: (...args: Parameters<Machine['map']>) => {
        version++;
        if (args[7] !== 0 || args[6] >>> 0 > 4096) pagesOnly = false;
        return machine.map(...args);
      },
    },
    unmap: {
      value: (...args: Parameters<Machine['unmap']>) => {
        version++;
        return machine.unmap(...args);
      },
    },
  }) as Machine;
  const player = createPlayer(observed, new SeriesBuilder());

  return {
    play: (segment) => player.play(segment, 0),
    lookups: () => lookups,
    depths: () => found,
    inexact: () => inexact,
    evicted: () => evicted,
    full: (size) => countsOfWays({ found, dropped, ...counted }, Math.min(size, capacity)),

    withSets: (sets, size) => {
      const level = setCounts.indexOf(sets);
      if (level < 0 || size > ways) throw new RangeError(`${sets} sets of ${size} ways were not followed`);
      const row = (of: Float64Array): Float64Array => of.slice(level * span, (level + 1) * span);
      const own = row(setFound);
      // the newest of its set at one level is so at all later ones
      for (let from = 0; from <= level; from++) own[1]! += newestFrom[from]!;
      const conflicts = row(setConflicts);
      for (let at = 1; at < span; at++) conflicts[at]! += conflicts[at - 1]!;
      // what was not in the first ways when it was dropped had been replaced
      const droppedThere = row(setDropped).subarray(0, ways + 1);
      return countsOfWays({ found: own.subarray(0, ways + 1), dropped: droppedThere, conflicts, ...counted }, size);
    },
  };
}

/** log2 of the smallest page's bytes. */
function granuleOf(profile: HardwareProfile): number {
  return profile.parameters.find(({ name }) => name === 'page-table.granule')?.value ?? 12;
}

import { familyGeometry } from './reach-families.ts';
import type { ReachFamily } from './reach-families.ts';
import { ReachCachePool, reachOdds } from './reach-caches.ts';
import type { ReachGeometry, ReachOdds } from './reach-caches.ts';
import type { ReachPoint } from './reach-curve.ts';
import { hitNsOf, pagesOf, simulatedThroughput } from './reach-model.ts';
import type { ReachMachine } from './reach-model.ts';

/** Largest relative errors with which a curve counts as met. */
export const REACH_TOLERANCE = { throughput: 0.08, latency: 0.05 } as const;

/** What is searched; a family holds some of it fixed. */
export interface ReachValues {
  readonly entries: number;
  readonly pointers: number;
  readonly walkers: number;
  readonly walkReadNs: number;
  readonly outstanding: number;
  readonly hitNs: number;
}

/** Largest errors of a family's machine at a curve. `score` is the largest, in parts of its tolerance. */
export interface ReachErrors {
  readonly throughput: number;
  readonly latency: number;
  readonly score: number;
}

/** Searches one family at one curve. All of it is deterministic. */
export class ReachSearch {
  readonly family: ReachFamily;
  readonly #points: readonly ReachPoint[];
  readonly #seed: number;
  readonly #largest: number;
  readonly #hasRates: boolean;
  readonly #hasLatencies: boolean;
  readonly #fitHit: boolean;
  readonly #fastest: number;
  readonly #slowest: number;
  /** Lowest latency. */
  readonly #lowest: number;
  readonly #pool = new ReachCachePool();
  readonly #odds = new Map<string, ReachOdds>();
  /** Points with the largest errors so far first: most changes for the worse are seen at the first window. */
  #order: readonly ReachPoint[];

  constructor(family: ReachFamily, points: readonly ReachPoint[], seed: number) {
    this.family = family;
    this.#points = points;
    this.#seed = seed;
    this.#largest = points.at(-1)?.window ?? 4096;
    this.#lowest = Math.min(...points.map((point) => point.averageNs ?? Number.POSITIVE_INFINITY));
    this.#slowest = Math.min(...points.map((point) => point.transactionsPerSecond ?? Number.POSITIVE_INFINITY));
    this.#fastest = Math.max(0, ...points.map((point) => point.transactionsPerSecond ?? 0));
    this.#hasRates = this.#fastest > 0;
    this.#hasLatencies = points.some((point) => point.averageNs !== undefined);
    this.#fitHit = this.#hasLatencies && points.some((point) => point.offNs === undefined);
    this.#order = points.filter((point) => point.transactionsPerSecond !== undefined);
  }

  /** No window is slower than the smaller ones: the curve ends before the reach does, and says nothing of misses. */
  get flat(): boolean {
    const slower = this.#points.some((point) => {
      const added = (point.averageNs ?? 0) - (point.offNs ?? this.#lowest);
      return (point.transactionsPerSecond ?? this.#fastest) < (1 - FLAT) * this.#fastest || added > FLAT * this.#lowest;
    });
    return !slower;
  }

  /** Names of the values that are fitted: never more than four. */
  get fitted(): readonly (keyof ReachValues)[] {
    const { family } = this;
    const names: (keyof ReachValues)[] = [];
    if (this.flat) {
      if (this.#fitHit && !family.link) names.push('hitNs');
      if (this.#hasRates) names.push('outstanding');
      return names;
    }
    if (family.entries === undefined) names.push('entries');
    if (family.walkCaches === 'fitted') names.push('pointers');
    names.push('walkReadNs');
    if (this.#fitHit && !family.link) names.push('hitNs');
    if (this.#hasRates && family.walkers === undefined) names.push('walkers');
    if (this.#hasRates && names.length < 4) names.push('outstanding');
    return names.slice(0, 4);
  }

  machine(values: ReachValues): ReachMachine {
    const { family } = this;
    return {
      geometry: familyGeometry(family, values.entries, values.pointers, this.#largest),
      walkers: values.walkers,
      walkReadNs: values.walkReadNs,
      outstanding: values.outstanding,
      inOrder: family.inOrder,
      requestNs: family.link ? 1e9 / this.#fastest : 0,
      hitNs: values.hitNs,
    };
  }

  /** Errors of some values. `reads` simulated reads in each window. */
  errors(values: ReachValues, reads: number): ReachErrors {
    const machine = this.machine(values);
    const latency = this.#latencyError(machine);
    const worst: { point: ReachPoint; error: number }[] = [];
    for (const point of this.#order) worst.push({ point, error: this.#rateError(machine, point, reads) });
    const throughput = Math.max(0, ...worst.map(({ error }) => error));
    this.#order = worst.sort((a, b) => b.error - a.error).map(({ point }) => point);
    const score = Math.max(throughput / REACH_TOLERANCE.throughput, latency / REACH_TOLERANCE.latency);
    return { throughput, latency, score };
  }

  /** Best values of the family, from several starts of its own. `score`: the best so far; what is far behind is given up early. */
  best(reads: number, score: number): ReachValues {
    let best: ReachValues | undefined;
    let least = Number.POSITIVE_INFINITY;
    const hopeless = Math.max(1, score) ** POWER;
    for (const start of this.#starts()) {
      const found = this.#descend(start, reads, Math.min(least, hopeless));
      if (best === undefined || found.cost < least) {
        best = found.values;
        least = found.cost;
      }
    }
    if (best === undefined) throw new RangeError('no start');
    return best;
  }

  /** Goes on from values that fit already: its own, or those of another family, whose walks then take as long here. */
  improve(values: ReachValues, reads: number, from: ReachSearch = this): ReachValues {
    const entries = this.family.entries ?? this.#wholeSets(values.entries);
    const walkers = this.family.walkers ?? values.walkers;
    const walkReadNs = (values.walkReadNs * from.#longestWalk(values)) / this.#longestWalk({ ...values, entries });
    const start = this.#tied({ ...values, entries, walkers, walkReadNs });
    return this.#descend(start, reads, Number.POSITIVE_INFINITY).values;
  }

  #latencyError(machine: ReachMachine): number {
    let most = 0;
    for (const point of this.#points) {
      if (point.averageNs === undefined) continue;
      most = Math.max(most, Math.abs(this.#latency(machine, point) / point.averageNs - 1));
    }
    return most;
  }

  #latency(machine: ReachMachine, point: ReachPoint): number {
    const { miss, walkReads } = this.#oddsOf(machine.geometry, pagesOf(point));
    return hitNsOf(machine, point) + miss * walkReads * machine.walkReadNs;
  }

  #oddsOf(geometry: ReachGeometry, pages: number): ReachOdds {
    const key = `${geometry.sets} ${geometry.ways} ${geometry.walkCaches[0]} ${pages}`;
    let odds = this.#odds.get(key);
    if (odds === undefined) {
      odds = reachOdds(geometry, pages);
      this.#odds.set(key, odds);
    }
    return odds;
  }

  #rateError(machine: ReachMachine, point: ReachPoint, reads: number): number {
    const measured = point.transactionsPerSecond ?? 0;
    return Math.abs(simulatedThroughput(machine, point, reads, this.#seed, this.#pool) / measured - 1);
  }

  /** A smooth stand-in for the largest error: it falls too where a point gets better that is not the worst. */
  #cost(values: ReachValues, reads: number, limit: number): number {
    const machine = this.machine(values);
    let cost = 0;
    for (const point of this.#points) {
      if (point.averageNs === undefined) continue;
      cost += (Math.abs(this.#latency(machine, point) / point.averageNs - 1) / REACH_TOLERANCE.latency) ** POWER;
    }
    for (const point of this.#order) {
      if (cost >= limit) return cost;
      cost += (this.#rateError(machine, point, reads) / REACH_TOLERANCE.throughput) ** POWER;
    }
    return cost;
  }

  /** Goes from value to value as long as a step makes the errors smaller. */
  #descend(start: ReachValues, reads: number, limit: number): { values: ReachValues; cost: number } {
    let values = start;
    let cost = this.#cost(values, reads, Number.POSITIVE_INFINITY);
    this.errors(values, reads);
    let steps = LARGE_STEPS;
    for (let tried = 0; tried < MOST_TRIES; ) {
      let better = false;
      for (const next of this.#neighbours(values, steps)) {
        tried++;
        const found = this.#cost(next, reads, cost);
        if (found >= cost * 0.999) continue;
        values = next;
        cost = found;
        better = true;
      }
      if (better) continue;
      if (steps === SMALL_STEPS) break;
      // a start that is far behind the best one is left at once
      if (cost > limit * HOPELESS ** POWER) break;
      steps = SMALL_STEPS;
    }
    return { values, cost };
  }

  *#neighbours(values: ReachValues, steps: Steps): Generator<ReachValues> {
    const fitted = this.fitted;
    const { entries, pointers, walkers, walkReadNs, outstanding, hitNs } = values;
    for (const sign of [1, -1]) {
      if (fitted.includes('walkReadNs'))
        yield this.#tied({ ...values, walkReadNs: walkReadNs * (1 + sign * steps.ns) });
      if (fitted.includes('hitNs')) yield this.#tied({ ...values, hitNs: hitNs * (1 + (sign * steps.ns) / 2) });
      if (fitted.includes('entries')) {
        const step = Math.max(1, this.family.ways, Math.round(entries * steps.entries));
        yield this.#tied({ ...values, entries: this.#wholeSets(entries + sign * step) });
      }
      if (fitted.includes('outstanding')) {
        const step = Math.max(1, Math.round(outstanding * steps.entries));
        yield { ...values, outstanding: Math.min(MOST_OUTSTANDING, Math.max(1, outstanding + sign * step)) };
      }
      if (fitted.includes('walkers') && walkers + sign >= 1 && walkers + sign <= MOST_WALKERS) {
        yield { ...values, walkers: walkers + sign };
        // as many walks in a second as before
        yield this.#tied({ ...values, walkers: walkers + sign, walkReadNs: (walkReadNs * (walkers + sign)) / walkers });
      }
      if (fitted.includes('pointers')) {
        const next = Math.max(1, Math.round(pointers * 2 ** sign));
        yield this.#tied({ ...values, pointers: next });
        // walks of the largest window take as long as before
        const ratio = this.#longestWalk(values) / this.#longestWalk({ ...values, pointers: next });
        yield this.#tied({ ...values, pointers: next, walkReadNs: walkReadNs * ratio });
      }
    }
  }

  /** What is not fitted follows: outstanding reads from time and rate (Little's law), walkers from the lowest rate. */
  #tied(values: ReachValues): ReachValues {
    if (!this.#hasRates) return values;
    const { fitted, family } = this;
    return {
      ...values,
      outstanding: fitted.includes('outstanding') ? values.outstanding : this.#outstandingOf(values.hitNs),
      walkers: fitted.includes('walkers') ? values.walkers : (family.walkers ?? this.#busyWalkers(values)),
    };
  }

  /** Table reads of a walk in the largest window. */
  #longestWalk({ entries, pointers }: ReachValues): number {
    const geometry = familyGeometry(this.family, entries, pointers, this.#largest);
    return this.#oddsOf(geometry, Math.ceil(this.#largest / 4096)).walkReads;
  }

  /** Walkers that the lowest rate keeps busy, if every read of it needs a walk. */
  #busyWalkers(values: ReachValues): number {
    const busy = (this.#slowest * values.walkReadNs * this.#longestWalk(values)) / 1e9;
    return Math.min(MOST_WALKERS, Math.max(1, Math.round(busy)));
  }

  #outstandingOf(hitNs: number): number {
    const first = this.#points.find((point) => point.transactionsPerSecond === this.#fastest);
    return Math.min(MOST_OUTSTANDING, Math.max(1, Math.round(((first?.offNs ?? hitNs) * this.#fastest) / 1e9)));
  }

  #wholeSets(entries: number): number {
    const { ways } = this.family;
    return ways === 0 ? Math.max(1, entries) : Math.max(ways, Math.round(entries / ways) * ways);
  }

  *#starts(): Generator<ReachValues> {
    const { family } = this;
    const hitNs = Number.isFinite(this.#lowest) ? this.#lowest : ASSUMED_HIT_NS;
    for (const entries of family.entries === undefined ? this.#likelyEntries(hitNs) : [family.entries]) {
      const pointers = Math.max(1, Math.ceil(this.#largest / 2 ** 21));
      const geometry = familyGeometry(family, entries, pointers, this.#largest);
      const walkReadNs = this.#likelyWalk(geometry, hitNs);
      const outstanding = this.#hasRates ? this.#outstandingOf(hitNs) : 1;
      const start = { entries, pointers, walkers: 1, walkReadNs, outstanding, hitNs };
      yield { ...start, walkers: family.walkers ?? (this.#hasRates ? this.#busyWalkers(start) : 1) };
    }
  }

  /** Time of a table read that meets the latencies best, for a geometry; any where there are none. */
  #likelyWalk(geometry: ReachGeometry, hitNs: number): number {
    if (!this.#hasLatencies || this.flat) return ASSUMED_WALK_NS;
    let products = 0;
    let squares = 0;
    for (const point of this.#points) {
      if (point.averageNs === undefined) continue;
      const { miss, walkReads } = this.#oddsOf(geometry, pagesOf(point));
      const extra = (miss * walkReads) / point.averageNs;
      products += extra * (1 - (point.offNs ?? hitNs) / point.averageNs);
      squares += extra * extra;
    }
    return Math.max(1, squares > 0 ? products / squares : 1);
  }

  /** Entries to begin with: those whose latencies fit best, and fewer. Without latencies around the first slower windows. */
  #likelyEntries(hitNs: number): readonly number[] {
    if (this.flat) return [this.#wholeSets(Math.ceil(this.#largest / 4096))];
    if (!this.#hasLatencies) {
      const flat = this.#points.filter((point) => (point.transactionsPerSecond ?? 0) > 0.9 * this.#fastest).at(-1);
      const pages = flat === undefined ? 64 : pagesOf(flat);
      return [1, 1.6].map((factor) => this.#wholeSets(Math.round(pages * factor)));
    }
    let best = 1;
    let least = Number.POSITIVE_INFINITY;
    for (let entries = 4; entries <= LARGEST_START; entries = Math.ceil(entries * 1.06)) {
      const whole = this.#wholeSets(entries);
      const geometry = familyGeometry(this.family, whole, 8, this.#largest);
      const walkReadNs = this.#likelyWalk(geometry, hitNs);
      const machine = { ...this.machine(START), geometry, walkReadNs, hitNs };
      const error = this.#latencyError(machine);
      if (error >= least) continue;
      least = error;
      best = whole;
    }
    return this.#hasRates ? [best, this.#wholeSets(Math.round(best * 0.85))] : [best];
  }
}

interface Steps {
  readonly ns: number;
  readonly entries: number;
}

const LARGE_STEPS: Steps = { ns: 0.03, entries: 0.04 };
const SMALL_STEPS: Steps = { ns: 0.01, entries: 0 };
/** A part by which windows of a flat curve differ at most. */
const FLAT = 0.06;
/** PCIe 6.0 has tags of 14 bits. */
const MOST_OUTSTANDING = 1 << 14;
/** No unit has more walkers than that side by side. */
const MOST_WALKERS = 1 << 10;
const POWER = 8;
/** A start with so many times the errors of the best is left after its large steps. */
const HOPELESS = 1.6;
const MOST_TRIES = 140;
const LARGEST_START = 1 << 13;
const ASSUMED_HIT_NS = 500;
const ASSUMED_WALK_NS = 250;
const START: ReachValues = { entries: 4, pointers: 8, walkers: 1, walkReadNs: 1, outstanding: 1, hitNs: 1 };

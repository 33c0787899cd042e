import type { DomainId, Nanoseconds, PageNumber, RequesterId } from '../../../traces/units.ts';
import { MOST_CHAINS, assembleChains, slotsOf, withdraw } from './chains.ts';
import { Closings } from './closings.ts';
import { likelihood } from './likelihood.ts';
import type { Contest, Neighbour } from './likelihood.ts';
import type { IntList } from './int-list.ts';
import type { LiveMaps } from './live-maps.ts';
import { EVIDENCE, RELEASED, compatible, same } from './owner-rows.ts';
import type { OwnerRows } from './owner-rows.ts';

/** How the maps that an unmap closed were found. */
export interface SettledCounts {
  /** Only one live map (or row of maps) had that range. */
  only: number;
  /** Others shared pages with it, but none filled its range exactly. */
  tiling: number;
  /** The unmap's owner was known. */
  owner: number;
  /** The others were seen alive afterwards. */
  alive: number;
  /** One had to be gone by then: its domain mapped the range again. */
  remapped: number;
  /** The others were closed by other unmaps. */
  taken: number;
  /** The invalidation that follows named the domain. */
  flush: number;
  /** By circumstances: used or not, neighbours, order. */
  likely: number;
  /** No map fits exactly: parts of maps were closed. */
  ragged: number;
  /** The closed map's domain had given its id back: the unmap belongs to no domain that the hardware knows. */
  released: number;
  /** No live map: made before the recording, or lost. */
  unmatched: number;
  /** Maps dropped because their domain mapped the same pages again without an unmap in between. */
  replaced: number;
}

/** A contest is decided by circumstances when this much time has brought no proof. */
const PATIENCE: Nanoseconds = 1_000_000_000;
/** Contests about one map at most. */
const CROWDED = 8;
/** Unmaps on one task and CPU within this time are likely one driver's. */
const NEIGHBOUR: Nanoseconds = 100_000;

const NO_CONTESTS: readonly Contest[] = [];

/** Finds for each unmap the maps that it closed, and keeps the question open while several are possible. */
export class Contests {
  readonly settled: SettledCounts = {
    only: 0,
    tiling: 0,
    owner: 0,
    alive: 0,
    remapped: 0,
    taken: 0,
    flush: 0,
    likely: 0,
    ragged: 0,
    released: 0,
    unmatched: 0,
    replaced: 0,
  };
  readonly #live: LiveMaps;
  readonly #maps: OwnerRows;
  readonly #unmaps: OwnerRows;
  readonly #closedBy: IntList;
  readonly #queue: Contest[] = [];
  #queueHead = 0;
  readonly #byRow = new Map<number, Contest>();
  /** A list is never changed, so that it can be gone through while contests end. */
  readonly #bySlot: (readonly Contest[] | undefined)[] = [];
  readonly #closings = new Closings();
  readonly #found: number[] = [];
  readonly #near: number[] = [];
  /** The chain of one map, by slot. */
  readonly #alone: (readonly number[])[] = [];
  /** The last closing by actor; times are 0 before the first. */
  readonly #lastDomain: DomainId[] = [];
  readonly #lastUnmapped: Nanoseconds[] = [];
  readonly #lastMapped: Nanoseconds[] = [];

  constructor(live: LiveMaps, maps: OwnerRows, unmaps: OwnerRows, closedBy: IntList) {
    this.#live = live;
    this.#maps = maps;
    this.#unmaps = unmaps;
    this.#closedBy = closedBy;
  }

  unmap(row: number, page: PageNumber, pages: number, time: Nanoseconds, actor: number): void {
    const live = this.#live;
    const found = this.#found;
    const count = this.#undecided(found, live.overlapping(page, pages, found));
    if (count === 0) {
      this.settled.unmatched++;
      this.#closings.begin(row, page, pages, time, actor);
      return;
    }
    // Where no map begins with the range and ends within it, as nearly always, those that fill it are all that it can be.
    let whole = 0;
    let first = -1;
    let pieces = false;
    for (let k = 0; k < count; k++) {
      const slot = found[k]!;
      if (live.page[slot] !== page) continue;
      if (live.pages[slot] === pages) {
        if (whole++ === 0) first = slot;
      } else if (live.pages[slot]! < pages) pieces = true;
    }
    if (pieces) this.#tiled(row, found.slice(0, count), page, pages, time, actor);
    else if (whole === 1) {
      this.settled[count > 1 ? 'tiling' : 'only']++;
      this.#close(row, this.#chainOf(first), time, actor, page, pages);
    } else if (whole === 0) this.#ragged(row, found.slice(0, count), page, pages, time, actor);
    else {
      const chains: (readonly number[])[] = [];
      const slots: number[] = [];
      for (let k = 0; k < count && slots.length < MOST_CHAINS; k++) {
        const slot = found[k]!;
        if (live.page[slot] !== page || live.pages[slot] !== pages) continue;
        slots.push(slot);
        chains.push(this.#chainOf(slot));
      }
      this.#open(row, time, actor, chains, slots);
    }
  }

  /** An unmap that several maps in a row may fill. */
  #tiled(
    row: number,
    found: readonly number[],
    page: PageNumber,
    pages: number,
    time: Nanoseconds,
    actor: number,
  ): void {
    const { chains, leftOver } = assembleChains(this.#live, found, page, pages, -1, -1);
    if (chains.length === 1) {
      this.settled[leftOver ? 'tiling' : 'only']++;
      this.#close(row, chains[0]!, time, actor, page, pages);
    } else if (chains.length === 0) this.#ragged(row, found, page, pages, time, actor);
    else this.#open(row, time, actor, chains, slotsOf(chains));
  }

  #chainOf(slot: number): readonly number[] {
    return (this.#alone[slot] ??= [slot]);
  }

  /** The question which of these chains an unmap closed. `slots`: each of theirs once. */
  #open(row: number, time: Nanoseconds, actor: number, chains: (readonly number[])[], slots: readonly number[]): void {
    const before = this.#before(actor, time);
    const contest: Contest = { row, time, actor, chains, slots, before, flush: -1, open: true };
    this.#queue.push(contest);
    this.#byRow.set(row, contest);
    const alone = [contest];
    for (const slot of slots) {
      const others = this.#bySlot[slot];
      this.#setContests(slot, others === undefined ? alone : [...others, contest]);
    }
  }

  /** Of the first `count` maps of `found`, leaves those that are live once contests about crowded ones are decided. */
  #undecided(found: number[], count: number): number {
    const live = this.#live;
    let gone = false;
    // Many open questions about one map mean that events are missing; they don't get easier by waiting.
    for (let k = 0; k < count; k++) {
      const slot = found[k]!;
      while (live.live[slot] === 1 && live.contests[slot]! >= CROWDED) {
        this.#decide(this.#bySlot[slot]![0]!);
        gone = true;
      }
    }
    if (!gone) return count;
    let left = 0;
    for (let k = 0; k < count; k++) if (live.live[found[k]!] === 1) found[left++] = found[k]!;
    return left;
  }

  /** What the actor's last unmap closed, if that was just before `time`. */
  #before(actor: number, time: Nanoseconds): Neighbour | undefined {
    const unmapped = this.#lastUnmapped[actor];
    if (unmapped === undefined || time - unmapped >= NEIGHBOUR) return undefined;
    return { domain: this.#lastDomain[actor]!, unmapped, mapped: this.#lastMapped[actor]! };
  }

  /** A domain gives its id back. Its maps live on, but no invalidation or access will name it again. */
  release(domain: DomainId): void {
    // The unmaps so far came before it.
    this.settleUntil(Number.POSITIVE_INFINITY);
    for (const slot of this.#live.slots()) if (this.#live.domain[slot] === domain) this.#live.domain[slot] = RELEASED;
  }

  /** Decides the contests that have waited long enough. */
  settleUntil(time: Nanoseconds): void {
    while (this.#queueHead < this.#queue.length) {
      const contest = this.#queue[this.#queueHead]!;
      if (contest.open) {
        if (contest.time + PATIENCE > time) break;
        this.#decide(contest);
      }
      this.#queueHead++;
    }
    if (this.#queueHead > 4096 && this.#queueHead * 2 > this.#queue.length) {
      this.#queue.splice(0, this.#queueHead);
      this.#queueHead = 0;
    }
  }

  labelUnmap(row: number, domain: DomainId, device: RequesterId, evidence: number): void {
    const contest = this.#byRow.size === 0 ? undefined : this.#byRow.get(row);
    if (contest !== undefined) {
      this.#unmaps.label(row, domain, device, evidence);
      if (contest.chains.some((chain) => this.#fits(chain, domain, device))) this.#owned(contest, domain, device);
      else {
        this.settled.unmatched++;
        this.#end(contest);
      }
      return;
    }
    const known = this.#unmaps.domain[row]!;
    if (compatible(known, this.#unmaps.device[row]!, domain, device)) {
      this.#unmaps.label(row, domain, device, evidence);
      // The maps that it closed have no slot any more; they are labelled as its pairs at the end.
      return;
    }
    this.#undo(row, domain, device, evidence);
  }

  flushed(row: number, domain: DomainId): void {
    const contest = this.#byRow.size === 0 ? undefined : this.#byRow.get(row);
    if (contest !== undefined) contest.flush = domain;
  }

  /** A map was seen alive: unmaps before that did not close it. */
  alive(slot: number, time: Nanoseconds): void {
    const contests = this.#bySlot[slot];
    if (contests === undefined) return;
    for (const contest of contests) {
      if (contest.time < time) this.#keep(contest, 'alive', (chain) => !chain.includes(slot));
    }
  }

  /** The owner of a live map became known. */
  labelled(slot: number, domain: DomainId, device: RequesterId, evidence: number): void {
    const live = this.#live;
    if (domain >= 0) live.domain[slot] = domain;
    if (device >= 0) live.device[slot] = device;
    live.evidence[slot] = evidence;
    const contests = live.contests[slot] === 0 ? undefined : this.#bySlot[slot];
    for (const contest of contests ?? []) {
      const { row } = contest;
      const d = this.#unmaps.domain[row]!;
      const v = this.#unmaps.device[row]!;
      if (d >= 0 || v >= 0) this.#owned(contest, d, v);
    }
    if (live.live[slot] === 1) this.#exclude(slot);
  }

  /** The owner of a contested unmap is known. Of two maps of that owner the newer is live, the older was closed before. */
  #owned(contest: Contest, domain: DomainId, device: RequesterId): void {
    let newest: readonly number[] | undefined;
    for (const chain of contest.chains) {
      if (!chain.every((slot) => same(this.#live.domain[slot]!, this.#live.device[slot]!, domain, device))) continue;
      if (newest === undefined || this.#live.row[chain[0]!]! > this.#live.row[newest[0]!]!) newest = chain;
    }
    if (newest === undefined) this.#keep(contest, 'owner', (chain) => this.#fits(chain, domain, device));
    else this.#keep(contest, 'owner', (chain) => chain === newest);
  }

  /** A domain holds a page once: older maps of the same owner were closed before this one was made. */
  #exclude(slot: number): void {
    const live = this.#live;
    const near = this.#near;
    const count = live.overlapping(live.page[slot]!, live.pages[slot]!, near);
    for (let k = 0; k < count; k++) {
      const other = near[k]!;
      if (other === slot) continue;
      if (!same(live.domain[other]!, live.device[other]!, live.domain[slot]!, live.device[slot]!)) continue;
      if (live.live[slot] !== 1 || live.live[other] !== 1) continue;
      const older = live.row[other]! < live.row[slot]! ? other : slot;
      const newer = older === other ? slot : other;
      const before = live.time[newer]!;
      const contests = (this.#bySlot[older] ?? []).filter((contest) => contest.time <= before);
      if (contests.length === 1) this.#keep(contests[0]!, 'remapped', (chain) => chain.includes(older));
      else if (contests.length === 0) {
        this.settled.replaced++;
        this.#drop([older]);
      }
    }
  }

  #fits(chain: readonly number[], domain: DomainId, device: RequesterId): boolean {
    return chain.every((slot) => compatible(this.#live.domain[slot]!, this.#live.device[slot]!, domain, device));
  }

  /** Keeps the chains that pass; with one left the contest is over. Never drops all: then the finding is not believed. */
  #keep(contest: Contest, how: keyof SettledCounts, pass: (chain: readonly number[]) => boolean): void {
    if (!contest.open) return;
    const rest = contest.chains.filter(pass);
    if (rest.length === 0 || rest.length === contest.chains.length) return;
    contest.chains = rest;
    if (rest.length === 1) this.#settle(contest, rest[0]!, how);
  }

  #settle(contest: Contest, chain: readonly number[], how: keyof SettledCounts): void {
    this.settled[how]++;
    this.#end(contest);
    const first = chain[0]!;
    const last = chain[chain.length - 1]!;
    const page = this.#live.page[first]!;
    this.#close(
      contest.row,
      chain,
      contest.time,
      contest.actor,
      page,
      this.#live.page[last]! + this.#live.pages[last]! - page,
    );
  }

  #end(contest: Contest): void {
    contest.open = false;
    this.#byRow.delete(contest.row);
    for (const slot of contest.slots) {
      const list = this.#bySlot[slot];
      if (list === undefined) continue;
      const alone = list.length === 1 && list[0] === contest;
      this.#setContests(slot, alone ? NO_CONTESTS : list.filter((other) => other !== contest));
    }
  }

  #setContests(slot: number, contests: readonly Contest[]): void {
    this.#bySlot[slot] = contests.length === 0 ? undefined : contests;
    this.#live.contests[slot] = contests.length;
  }

  /** The unmap closed these maps. */
  #close(
    row: number,
    chain: readonly number[],
    time: Nanoseconds,
    actor: number,
    page: PageNumber,
    pages: number,
  ): void {
    const live = this.#live;
    let domain = this.#unmaps.domain[row]!;
    let device = this.#unmaps.device[row]!;
    const closed = this.#closings.begin(row, page, pages, time, actor);
    let released = false;
    for (const slot of chain) {
      released ||= live.domain[slot] === RELEASED;
      if (domain < 0) domain = live.domain[slot]!;
      if (device < 0) device = live.device[slot]!;
    }
    if (released) {
      this.settled.released++;
      domain = -1;
      device = -1;
    }
    for (const slot of chain) {
      const map = live.row[slot]!;
      this.#closedBy.set(map, released ? -1 : row);
      if (domain >= 0 || device >= 0) this.#maps.label(map, domain, device, EVIDENCE.pair);
      closed.add(live, slot);
    }
    if (domain >= 0 || device >= 0) this.#unmaps.label(row, domain, device, EVIDENCE.pair);
    if ((this.#lastUnmapped[actor] ?? 0) <= time) {
      this.#lastDomain[actor] = domain;
      this.#lastUnmapped[actor] = time;
      this.#lastMapped[actor] = live.time[chain[0]!]!;
    }
    this.#drop(chain);
  }

  /** Takes maps out of the table and out of every contest. */
  #drop(slots: readonly number[]): void {
    const live = this.#live;
    let touched = NO_CONTESTS;
    for (const slot of slots) {
      if (live.contests[slot] !== 0) {
        const contests = this.#bySlot[slot]!;
        touched = touched.length === 0 ? contests : [...new Set([...touched, ...contests])];
        this.#setContests(slot, NO_CONTESTS);
      }
      live.remove(slot);
    }
    for (const contest of touched) if (contest.open) withdraw(contest.chains, slots);
    for (const contest of touched) {
      if (!contest.open) continue;
      if (contest.chains.length === 1) this.#settle(contest, contest.chains[0]!, 'taken');
      else if (contest.chains.length === 0) {
        this.settled.unmatched++;
        this.#end(contest);
      }
    }
  }

  /** The unmap belongs to another domain than the map that it seemed to close: that one lives on. */
  #undo(row: number, domain: DomainId, device: RequesterId, evidence: number): void {
    const live = this.#live;
    const closed = this.#closings.of(row);
    if (closed === undefined) {
      this.#unmaps.conflicts++;
      return;
    }
    for (let k = 0; k < closed.count; k++) {
      const slot = closed.restore(live, k);
      const map = live.row[slot]!;
      live.domain[slot] = this.#maps.domain[map]!;
      live.device[slot] = this.#maps.device[map]!;
      live.evidence[slot] = this.#maps.evidence[map]!;
      this.#closedBy.set(map, -1);
    }
    this.#unmaps.domain[row] = domain;
    this.#unmaps.device[row] = device;
    this.#unmaps.evidence[row] = evidence;
    const found = this.#found;
    const n = this.#live.overlapping(closed.page, closed.pages, found);
    const { chains } = assembleChains(this.#live, found.slice(0, n), closed.page, closed.pages, domain, device);
    if (chains.length > 0) {
      this.settled.owner++;
      this.#close(row, chains[0]!, closed.time, closed.actor, closed.page, closed.pages);
    } else this.settled.unmatched++;
  }

  /** Decides by circumstances. */
  #decide(contest: Contest): void {
    let best = contest.chains[0]!;
    let highest = Number.NEGATIVE_INFINITY;
    let how: keyof SettledCounts = 'likely';
    for (const chain of contest.chains) {
      const score = likelihood(this.#live, contest, chain);
      if (score > highest) {
        highest = score;
        best = chain;
      }
    }
    const domain = this.#live.domain[best[0]!]!;
    if (contest.flush >= 0 && domain === contest.flush) how = 'flush';
    this.#settle(contest, best, how);
  }

  /**
   * No maps fill the range exactly. An unmap inside a larger map, or across several: parts of them end. Only where one owner's
   * maps hold the whole range and nothing else is in doubt about them; drivers that use `dma:*` never do this.
   */
  #ragged(
    row: number,
    found: readonly number[],
    page: PageNumber,
    pages: number,
    time: Nanoseconds,
    actor: number,
  ): void {
    const live = this.#live;
    const end = page + pages;
    const first = found[0]!;
    let at = page;
    for (const slot of found) {
      const mine = live.domain[slot] === live.domain[first] && live.contests[slot] === 0;
      if (!mine || live.evidence[slot] === EVIDENCE.dmaApi || live.page[slot]! > at) break;
      at = Math.max(at, live.page[slot]! + live.pages[slot]!);
    }
    if (at < end) {
      this.settled.unmatched++;
      this.#closings.begin(row, page, pages, time, actor);
      return;
    }
    this.settled.ragged++;
    const inside = found.map((slot) => live.cut(slot, page, end));
    this.#close(row, inside, time, actor, page, pages);
  }
}

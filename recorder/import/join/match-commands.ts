import type { Fingerprints } from './commands.ts';

/** Commands that both logs hold, in order: `hostOf[i]` is the host's command number for the guest's command i, or -1. */
export interface CommandMatch {
  readonly hostOf: Int32Array;
  readonly matched: number;
  /** Unmatched commands before the first match, between matches and after the last one. */
  readonly guest: UnmatchedCommands;
  readonly host: UnmatchedCommands;
  /** Host clock minus guest clock where most pairs agree, ns. */
  readonly offset: number;
}

export interface UnmatchedCommands {
  readonly before: number;
  readonly between: number;
  readonly after: number;
}

/** Commands in a row that make a fingerprint of a place in the sequence. */
const RUN = 4;
/** Places in the guest's log, as shares of it, from which runs are taken, and how many at each. */
const SAMPLED = [0.5, 0.1, 0.9];
const SAMPLES = 512;
const VOTE_BIN = 100_000;
const MOST_BINS = 1 << 21;
const MOST_VOTES = 20_000_000;
/** A command can't run before its submission; but the offset is known only so well. */
const EARLIEST = -300_000;
/** A stalled vCPU delays a command by so much at most; beyond it is another command with the same words. */
const LATEST = 100_000_000;
/** Above this delay the match is doubted: is there a later submission of the same words? */
const DOUBT = 1_000_000;
/** Fine search of the offset: guest commands, reach and step in ns. */
const LOCAL = 128;
const REACH = 20_000_000;
const LOCAL_BIN = 50_000;
/** Clocks drift by no more. */
const DRIFT = 20e-6;
/** Pairs that must agree on it. */
const LOCAL_VOTES = 8;
const LOOKAHEAD = 64;
/** Guest commands that a first search for the next match skips at most, before a step of a clock is considered. */
const NEAR_SKIP = 256;
const WINDOW = 512;

/**
 * Aligns two logs of the same command sequence. Either may start later, stop earlier or have holes: the sequences are
 * brought together by the clock offset that most equal runs agree on, then followed in order, with the words deciding and the
 * time telling equal words apart. Returns null if no run of equal words is found at all.
 */
export function matchCommands(guest: Fingerprints, host: Fingerprints): CommandMatch | null {
  const offset = voteOffset(guest, host);
  if (offset === null) return null;
  return new Follower(guest, host, offset).follow();
}

function runHash(log: Fingerprints, at: number, run: number): number {
  let h = 0;
  for (let k = 0; k < run; k++) h = (Math.imul(h, 0x01000193) ^ log.key[at + k]!) | 0;
  return h;
}

/** The offset between the clocks on which most runs agree, near the place where they agree best. */
export function voteOffset(guest: Fingerprints, host: Fingerprints): number | null {
  const run = Math.min(guest.key.length, host.key.length) >= 64 ? RUN : 1;
  const places = guest.key.length - run + 1;
  if (places < 1 || host.key.length < run) return null;
  let best: { offset: number; share: number } | null = null;
  for (const share of SAMPLED) {
    const from = Math.max(0, Math.min(places - SAMPLES, Math.floor(places * share)));
    const vote = voteAt(guest, host, run, from, Math.min(places, from + SAMPLES));
    if (vote !== null && (best === null || vote.share > best.share)) best = vote;
    if (places <= SAMPLES) break;
  }
  return best?.offset ?? null;
}

/** Counts the time differences of all equal runs; wrong ones scatter, right ones pile up. */
function voteAt(
  guest: Fingerprints,
  host: Fingerprints,
  run: number,
  from: number,
  to: number,
): { offset: number; share: number } | null {
  const samples = new Map<number, number[]>();
  for (let at = from; at < to; at++) {
    const hash = runHash(guest, at, run);
    const list = samples.get(hash);
    if (list === undefined) samples.set(hash, [at]);
    else list.push(at);
  }
  const least = host.time[0]! - guest.time[to - 1]!;
  const range = host.time[host.time.length - 1]! - guest.time[from]! - least;
  const width = Math.max(VOTE_BIN, range / MOST_BINS);
  const bins = new Int32Array(Math.max(2, Math.ceil(range / width) + 2));
  let votes = 0;
  for (let j = 0; j + run <= host.key.length && votes < MOST_VOTES; j++) {
    const list = samples.get(runHash(host, j, run));
    if (list === undefined) continue;
    for (const at of list) {
      const bin = Math.floor((host.time[j]! - guest.time[at]! - least) / width);
      if (bin >= 0 && bin < bins.length) bins[bin]! += 1;
    }
    votes += list.length;
  }
  let best = -1;
  let most = 0;
  for (let bin = 0; bin + 1 < bins.length; bin++) {
    const sum = bins[bin]! + bins[bin + 1]!;
    if (sum > most) {
      most = sum;
      best = bin;
    }
  }
  return best < 0 ? null : { offset: least + best * width, share: most / (to - from) };
}

class Follower {
  readonly #guest: Fingerprints;
  readonly #host: Fingerprints;
  readonly #hostOf: Int32Array;
  #offset: number;

  constructor(guest: Fingerprints, host: Fingerprints, offset: number) {
    this.#guest = guest;
    this.#host = host;
    this.#offset = offset;
    this.#hostOf = new Int32Array(guest.key.length).fill(-1);
  }

  follow(): CommandMatch {
    const n = this.#guest.key.length;
    const m = this.#host.key.length;
    let i = 0;
    let j = 0;
    while (i < n && this.#guest.time[i]! + this.#offset < this.#host.time[0]! - REACH) i++;
    // The offset was found somewhere in the log; here it may differ by the drift until there.
    const span = m > 0 ? this.#host.time[m - 1]! - this.#host.time[0]! : 0;
    this.#locate(i < n ? i : 0, 0, REACH + span * DRIFT);
    const start = this.#offset;
    i = 0;
    while (i < n && j < m) {
      if (this.#accept(i, j)) {
        this.#hostOf[i++] = j++;
        continue;
      }
      const next = this.#resume(i, j);
      if (next === null) break;
      [i, j] = next;
      this.#hostOf[i] = j;
      this.#track(this.#lag(i, j));
      i++;
      j++;
    }
    return this.#summary(start);
  }

  #equal(i: number, j: number): boolean {
    return this.#guest.key[i] === this.#host.key[j] && this.#guest.check[i] === this.#host.check[j];
  }

  #lag(i: number, j: number): number {
    return this.#host.time[j]! - this.#guest.time[i]! - this.#offset;
  }

  #near(i: number, j: number): boolean {
    const lag = this.#lag(i, j);
    return lag >= EARLIEST && lag <= LATEST;
  }

  /** Follows the drift of the clocks along the quickest commands. */
  #track(lag: number): void {
    // Few pairs are wrong, and one must not pull it away.
    if (lag < 0) this.#offset += Math.max(lag, -20_000) / 4;
    else this.#offset += Math.min(lag, 20_000) / 256;
  }

  /** Is host command j guest command i? Decides by words and time, and by what follows where time alone speaks against it. */
  #accept(i: number, j: number): boolean {
    if (!this.#equal(i, j)) return false;
    const lag = this.#lag(i, j);
    if (lag < EARLIEST || lag > LATEST) return this.#leadsToNear(i, j);
    if (lag > DOUBT && !this.#onceLate(i, j) && this.#betterLater(i, j)) return false;
    this.#track(lag);
    return true;
  }

  /** A coarse clock at boot: the words run on equal until a command whose time fits. */
  #leadsToNear(i: number, j: number): boolean {
    for (let k = 1; k < LOOKAHEAD; k++) {
      if (i + k >= this.#hostOf.length || j + k >= this.#host.key.length || !this.#equal(i + k, j + k)) return false;
      if (this.#near(i + k, j + k)) return this.#confirmed(i + k, j + k);
    }
    return false;
  }

  /** The next commands fit too, or the logs end. */
  #confirmed(i: number, j: number): boolean {
    const last = Math.min(RUN, this.#hostOf.length - i, this.#host.key.length - j);
    for (let k = 1; k < last; k++) if (!this.#equal(i + k, j + k) || !this.#near(i + k, j + k)) return false;
    return true;
  }

  /** A stall: the next command is in time again. */
  #onceLate(i: number, j: number): boolean {
    return (
      i + 1 < this.#hostOf.length &&
      j + 1 < this.#host.key.length &&
      this.#equal(i + 1, j + 1) &&
      this.#lag(i + 1, j + 1) < DOUBT
    );
  }

  /** Repeated words after lost host lines: a later guest command with the same words fits in time. */
  #betterLater(i: number, j: number): boolean {
    for (let a = 1; a < LOOKAHEAD && i + a < this.#hostOf.length; a++) {
      const lag = this.#lag(i + a, j);
      if (lag < EARLIEST) return false;
      if (lag < DOUBT / 2 && this.#equal(i + a, j) && this.#confirmed(i + a, j)) return true;
    }
    return false;
  }

  /** Where the sequences meet again at or after (i, j). */
  #resume(i: number, j: number): [number, number] | null {
    this.#locate(i, j);
    const close = this.#search(i, j, NEAR_SKIP, DOUBT);
    if (close !== null) return this.#backFrom(close, i, j);
    if (this.#stepped(i, j)) return [i, j];
    // Rather some more unmatched than a late one with the same words.
    return this.#search(i, j, Number.POSITIVE_INFINITY, DOUBT) ?? this.#search(i, j, NEAR_SKIP, LATEST);
  }

  /** What comes right before a meeting, with the same words: late commands in front of the first quick one. */
  #backFrom([a, b]: [number, number], i: number, j: number): [number, number] {
    let back = 0;
    while (
      a - back > i &&
      b - back > j &&
      this.#equal(a - back - 1, b - back - 1) &&
      this.#near(a - back - 1, b - back - 1)
    ) {
      back++;
    }
    return [a - back, b - back];
  }

  /**
   * Finds the offset exactly, near (i, j): the difference on which most equal pairs agree, of which wrong ones scatter. Leaves
   * it as it is if too few agree.
   */
  #locate(i: number, j: number, reach = REACH): void {
    const guest = this.#guest;
    const host = this.#host;
    const bins = new Int32Array(Math.ceil((2 * reach) / LOCAL_BIN) + 1);
    const end = Math.min(guest.key.length, i + LOCAL);
    let from = j;
    for (let a = i; a < end; a++) {
      const at = guest.time[a]! + this.#offset;
      while (from < host.time.length && host.time[from]! < at - reach) from++;
      for (let b = from; b < host.time.length && host.time[b]! <= at + reach; b++) {
        if (this.#equal(a, b)) bins[Math.floor((host.time[b]! - at + reach) / LOCAL_BIN)]! += 1;
      }
    }
    let best = -1;
    // In a hole of the host's log, repeated words alone agree on something, but never most of them.
    let most = Math.max(LOCAL_VOTES - 1, (end - i) / 2);
    for (let bin = 0; bin + 1 < bins.length; bin++) {
      const votes = bins[bin]! + bins[bin + 1]!;
      if (votes > most) {
        most = votes;
        best = bin;
      }
    }
    if (best >= 0) this.#offset += best * LOCAL_BIN - reach;
  }

  #search(i: number, j: number, skip: number, latest: number): [number, number] | null {
    const { time } = this.#host;
    const end = Math.min(this.#hostOf.length, i + skip);
    let from = j;
    for (let a = i; a < end; a++) {
      const at = this.#guest.time[a]! + this.#offset;
      while (from < time.length && time[from]! < at + EARLIEST) from++;
      let best = -1;
      for (let b = from; b < time.length && b < from + WINDOW && time[b]! <= at + latest; b++) {
        if (!this.#equal(a, b) || !this.#confirmed(a, b)) continue;
        if (best < 0 || Math.abs(time[b]! - at) < Math.abs(time[best]! - at)) best = b;
      }
      if (best >= 0) return [a, best];
    }
    return null;
  }

  /** One clock was set: the words run on as before, with another offset that stays. Takes the new offset if so. */
  #stepped(i: number, j: number): boolean {
    const run = Math.min(LOOKAHEAD, this.#hostOf.length - i, this.#host.key.length - j);
    if (run < 16) return false;
    let least = Number.POSITIVE_INFINITY;
    let most = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < run; k++) {
      if (!this.#equal(i + k, j + k)) return false;
      const lag = this.#lag(i + k, j + k);
      least = Math.min(least, lag);
      most = Math.max(most, lag);
    }
    if (most - least > LATEST / 2) return false;
    this.#offset += least;
    return true;
  }

  #summary(offset: number): CommandMatch {
    const hostOf = this.#hostOf;
    let matched = 0;
    let firstGuest = -1;
    let lastGuest = -1;
    for (let i = 0; i < hostOf.length; i++) {
      if (hostOf[i]! < 0) continue;
      if (firstGuest < 0) firstGuest = i;
      lastGuest = i;
      matched++;
    }
    const side = (first: number, last: number, count: number): UnmatchedCommands =>
      matched === 0
        ? { before: count, between: 0, after: 0 }
        : { before: first, between: last - first + 1 - matched, after: count - 1 - last };
    return {
      hostOf,
      matched,
      offset,
      guest: side(firstGuest, lastGuest, hostOf.length),
      host: side(hostOf[firstGuest] ?? 0, hostOf[lastGuest] ?? 0, this.#host.key.length),
    };
  }
}

import type { Nanoseconds } from '../../../traces/units.ts';
import { createClockMapper, fitClock } from './clock-fit.ts';
import type { ClockFit } from './clock-fit.ts';
import type { Fingerprints } from './commands.ts';
import { voteOffset } from './match-commands.ts';
import type { CommandMatch, UnmatchedCommands } from './match-commands.ts';

/** A batch can't come before its request; but the offset is known only so well at first. */
const EARLY: Nanoseconds = 400_000;
/** A stalled vCPU delays a batch by so much at most. */
const LATE: Nanoseconds = 100_000_000;
/** Where the clocks are fitted, they tell times apart that differ by more. */
const PRECISION: Nanoseconds = 100_000;
/** A request may be logged so much after its batch ran: another CPU sent it on, and this one was stalled before it logged it. */
const EARLIEST: Nanoseconds = 20_000_000;
/** A pair so close is in step. */
const QUICK: Nanoseconds = 50_000;
/** Pairs in a row of which one stands for all. */
const GROUP = 32;
/** Pairs looked at to find the step, what each costs at most, and what leaving something out costs. */
const AHEAD = 8;
const WORST: Nanoseconds = 10_000_000;
const PENALTY: Nanoseconds = 100_000;
/** How quickly the offset follows batches that come early, and those that come late: of several the quickest is right. */
const FOLLOW_EARLY = 1 / 4;
const FOLLOW_LATE = 1 / 256;
/** One pair moves it by no more. */
const MOST_PULL: Nanoseconds = 20_000;

/** What both logs say of requests beyond their fingerprints. */
export interface RequestTimes extends Fingerprints {
  /** The request's task goes on at this time: its batch was complete. Infinity where that is not known. */
  readonly until: Float64Array;
}

/**
 * Matches maps and unmaps with the batches of commands that they made the driver send. Requests of several CPUs reach the queue
 * in another order than the log has them, so there is no common sequence: but those of equal fingerprints come in the same
 * order, at the distance that the clocks have. `afterwards`: a request is logged when its batch is in the queue already, which
 * another CPU may have sent on. Null if the logs agree on no distance.
 */
export function matchRequests(guest: RequestTimes, host: Fingerprints, afterwards: boolean): RequestMatch | null {
  const offset = voteOffset(guest, host);
  if (offset === null) return null;
  const rough = followRequests(guest, host, offset);
  if (!rough.some((command) => command >= 0)) return null;
  // Where the first walk lost the offset, a request may have another's batch. The envelope of all is right.
  const toGuest = createClockMapper(fitMatched(guest, host, rough, true).map);
  const mapped = { key: host.key, check: host.check, time: host.time.map(toGuest) };
  const hostOf = alignRequests(guest, mapped);
  return { hostOf, ...unmatched(hostOf, host.key.length), offset, clock: fitMatched(guest, host, hostOf, afterwards) };
}

/** Pairs as they are found, and the clocks that they show. */
export interface RequestMatch extends CommandMatch {
  readonly clock: ClockFit;
}

/** Fits the clocks to the pairs of matched commands, which may come in any order: all of them, or the typical ones. */
function fitMatched(guest: Fingerprints, host: Fingerprints, hostOf: Int32Array, typical: boolean): ClockFit {
  const pairs = Int32Array.from(hostOf.keys())
    .filter((request) => hostOf[request]! >= 0)
    .sort((a, b) => host.time[hostOf[a]!]! - host.time[hostOf[b]!]!);
  const chosen = typical ? typicalPairs(guest, host, hostOf, pairs) : pairs;
  return fitClock(
    Float64Array.from(chosen, (request) => host.time[hostOf[request]!]!),
    Float64Array.from(chosen, (request) => guest.time[request]!),
  );
}

/**
 * One pair of every few in a row: neither the late ones, nor those that are early because they are wrong. Pairs are in the order
 * of the host's times.
 */
function typicalPairs(guest: Fingerprints, host: Fingerprints, hostOf: Int32Array, pairs: Int32Array): Int32Array {
  const delay = (request: number): number => host.time[hostOf[request]!]! - guest.time[request]!;
  const time = (request: number): number => host.time[hostOf[request]!]!;
  const result = new Int32Array(Math.ceil(pairs.length / GROUP));
  for (let group = 0; group < result.length; group++) {
    const few = pairs.slice(group * GROUP, (group + 1) * GROUP).sort((a, b) => delay(a) - delay(b));
    result[group] = few[few.length >> 2]!;
  }
  return result.sort((a, b) => time(a) - time(b));
}

/** By the order of equal fingerprints; the offset follows the clocks. */
function followRequests(guest: RequestTimes, host: Fingerprints, offset: Nanoseconds): Int32Array {
  const hostOf = new Int32Array(guest.key.length).fill(-1);
  const queues = queuesOf(host);
  let near = offset;
  for (let request = 0; request < hostOf.length; request++) {
    const at = guest.time[request]! + near;
    const end = Math.min(at + LATE, guest.until[request]! + near + EARLY);
    const command = takeFrom(queues, guest, request, host, at - EARLY, end);
    if (command < 0) continue;
    hostOf[request] = command;
    const lag = host.time[command]! - at;
    near += lag < 0 ? Math.max(lag, -MOST_PULL) * FOLLOW_EARLY : Math.min(lag, MOST_PULL) * FOLLOW_LATE;
  }
  return hostOf;
}

/**
 * By the order of equal fingerprints, with the host's times in the guest's clock. Where one log lacks something, all that follows
 * would be off by one: of the ways to go on (both in step, one of the host's left out, one of the guest's) the one is taken
 * after which the next few lie closest together.
 */
function alignRequests(guest: RequestTimes, host: Fingerprints): Int32Array {
  const hostOf = new Int32Array(guest.key.length).fill(-1);
  const queues = queuesOf(host);
  for (const [key, requests] of queuesOf(guest)) {
    const commands = queues.get(key)?.commands ?? [];
    align(guest, requests.commands, host, commands, hostOf);
  }
  return hostOf;
}

function align(
  guest: RequestTimes,
  requests: readonly number[],
  host: Fingerprints,
  commands: readonly number[],
  hostOf: Int32Array,
): void {
  const cost = (i: number, j: number): number => {
    const request = requests[i];
    const command = commands[j];
    if (request === undefined || command === undefined) return request === command ? 0 : WORST;
    const lag = host.time[command]! - guest.time[request]!;
    const over = host.time[command]! - guest.until[request]!;
    if (over > PRECISION) return WORST;
    if (lag < 0) return Math.min(WORST, -2 * lag);
    // However late: the task waited for it.
    return Number.isFinite(over) ? Math.max(0, over) : Math.min(WORST, lag);
  };
  const ahead = (i: number, j: number): number => {
    let sum = 0;
    for (let k = 0; k < AHEAD; k++) sum += cost(i + k, j + k);
    return sum;
  };
  let i = 0;
  let j = 0;
  while (i < requests.length && j < commands.length) {
    const request = requests[i]!;
    const command = commands[j]!;
    const lag = host.time[command]! - guest.time[request]!;
    if (lag > LATE || host.time[command]! > guest.until[request]! + PRECISION) i++;
    else if (lag < -EARLIEST) j++;
    else if (Math.abs(lag) < QUICK) {
      hostOf[request] = command;
      i++;
      j++;
    } else {
      const both = ahead(i, j);
      const withoutHost = ahead(i, j + 1) + PENALTY;
      const withoutGuest = ahead(i + 1, j) + PENALTY;
      if (both <= withoutHost && both <= withoutGuest) {
        hostOf[request] = command;
        i++;
        j++;
      } else if (withoutHost < withoutGuest) j++;
      else i++;
    }
  }
}

/** Commands of one key in order, and the first that is not used up. */
interface Queue {
  readonly commands: number[];
  head: number;
}

function queuesOf(host: Fingerprints): Map<number, Queue> {
  const queues = new Map<number, Queue>();
  for (let command = 0; command < host.key.length; command++) {
    const key = host.key[command]!;
    const queue = queues.get(key);
    if (queue === undefined) queues.set(key, { commands: [command], head: 0 });
    else queue.commands.push(command);
  }
  return queues;
}

/** The first one equal to the request within the times, which is then used up, as are those before. -1 for none. */
function takeFrom(
  queues: ReadonlyMap<number, Queue>,
  guest: Fingerprints,
  request: number,
  host: Fingerprints,
  from: Nanoseconds,
  to: Nanoseconds,
): number {
  const queue = queues.get(guest.key[request]!);
  if (queue === undefined) return -1;
  const { commands } = queue;
  while (queue.head < commands.length && host.time[commands[queue.head]!]! < from) queue.head++;
  const command = commands[queue.head];
  if (command === undefined || host.time[command]! > to || host.check[command] !== guest.check[request]) return -1;
  queue.head++;
  return command;
}

function unmatched(
  hostOf: Int32Array,
  commands: number,
): { matched: number; guest: UnmatchedCommands; host: UnmatchedCommands } {
  let matched = 0;
  let firstGuest = -1;
  let lastGuest = -1;
  let firstHost = commands;
  let lastHost = -1;
  hostOf.forEach((command, request) => {
    if (command < 0) return;
    matched++;
    if (firstGuest < 0) firstGuest = request;
    lastGuest = request;
    firstHost = Math.min(firstHost, command);
    lastHost = Math.max(lastHost, command);
  });
  const side = (first: number, last: number, count: number): UnmatchedCommands =>
    matched === 0
      ? { before: count, between: 0, after: 0 }
      : { before: first, between: last - first + 1 - matched, after: count - 1 - last };
  return { matched, guest: side(firstGuest, lastGuest, hostOf.length), host: side(firstHost, lastHost, commands) };
}

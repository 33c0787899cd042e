import { Random } from '../../traces/random.ts';
import type { Nanoseconds } from '../../traces/units.ts';
import type { CoresPoint } from '../results.ts';
import { CommandTiming } from './command-timing.ts';
import type { QueueCosts } from './queue-costs.ts';
import type { QueueRules } from './queue-rules.ts';
import type { SubmissionStream } from './submission-streams.ts';
import type { UnitQueue } from './unit-queue.ts';
import { WaitTimes } from './wait-times.ts';

/** Submissions that are measured at least, after a quarter of that which are not. */
const LEAST = 4096;

export interface ClosedLoopOptions {
  readonly costs: QueueCosts;
  readonly rules: QueueRules;
  /** Queues of a unit: core c uses queue c mod queues. */
  readonly queues: number;
  readonly seed: number;
}

/** A measured point, and what the bound on it rests on. */
export interface ClosedLoopPoint extends CoresPoint {
  /** Of the busiest queue, for each of all submissions: hardware, and the lock without looks at completions. */
  readonly serviceNs: Nanoseconds;
  readonly lockNs: Nanoseconds;
}

/** Where a core is in its stream. */
interface Core {
  readonly stream: SubmissionStream;
  at: number;
}

/**
 * Cores that each do over and over what `stream` says: think, submit, wait. They begin at places spread evenly over it from a
 * seeded one, so that all of them together go through the whole stream, as often as it takes for a few thousand submissions.
 * Streams in `background` (timers) run once, however many cores there are, and are not measured.
 */
export function closedLoop(
  cores: number,
  stream: SubmissionStream,
  background: readonly SubmissionStream[],
  options: ClosedLoopOptions,
): ClosedLoopPoint {
  const random = new Random(options.seed);
  const measured = stream.count * Math.ceil(LEAST / stream.count);
  const warm = Math.floor(measured / 4) + cores;
  const running: Core[] = [];
  const queues = new Map<string, UnitQueue>();
  const waits = new WaitTimes();
  let finished = 0;
  let from = 0;
  let to = 0;
  let before: Demand[] = [];
  let after: Demand[] = [];
  let thinkNs = 0;

  const timing = new CommandTiming(options.costs, options.rules, {
    effect: () => undefined,
    finished: (core, start, end, waited) => {
      const counts = core < cores;
      if (counts) {
        finished++;
        if (finished === warm) {
          from = end;
          before = demands(queues);
          thinkNs = 0;
        } else if (finished > warm && finished <= warm + measured) {
          if (waited) waits.add(end - start);
          if (finished === warm + measured) {
            to = end;
            after = demands(queues);
          }
        }
      }
      if (finished < warm + measured) submit(core, end);
    },
  });

  function queueOf(unit: number, core: number): UnitQueue {
    const index = core % options.queues;
    const key = `${unit} ${index}`;
    let queue = queues.get(key);
    if (queue === undefined) {
      queue = timing.queue(unit, index);
      queues.set(key, queue);
    }
    return queue;
  }

  function submit(core: number, now: Nanoseconds): void {
    const state = running[core];
    if (state === undefined) return;
    const { at, stream: own } = state;
    state.at = (at + 1) % own.count;
    const first = own.stepsFrom[at]!; // in range, like all below
    const last = own.stepsFrom[at + 1]!;
    const think = Math.round(own.thinkNs[at]!);
    if (core < cores) thinkNs += think;
    timing.submit(
      core,
      queueOf(own.unit[at]!, core),
      now + think,
      own.steps.subarray(first, last),
      own.stepNs.subarray(first, last),
      last - first,
      own.commands[at]!,
      own.waits[at] === 1 ? 1 : 0,
      own.waited[at] === 1,
    );
  }

  const place = random.below(stream.count);
  for (let core = 0; core < cores + background.length; core++) {
    const own = core < cores ? stream : background[core - cores];
    if (own === undefined || own.count === 0) continue;
    const at = core < cores ? place + Math.floor((core * own.count) / cores) : random.below(own.count);
    running[core] = { stream: own, at: at % own.count };
    let cycle = 0;
    for (let i = 0; i < own.count; i++) cycle += own.thinkNs[i]! / own.count; // in range
    submit(core, Math.floor(random.unit() * cycle));
  }
  timing.run(Number.POSITIVE_INFINITY);

  const spanNs = Math.max(1, to - from);
  const used = after.map((now, i) => {
    const then = before[i] ?? NO_DEMAND;
    return {
      service: now.service - then.service,
      lock: now.lock - then.lock,
      looks: now.looks - then.looks,
    };
  });
  const most = (of: (demand: Demand) => number): number => used.reduce((high, one) => Math.max(high, of(one)), 0);
  const { mean, p50, p99 } = waits.quantiles();
  return {
    cores,
    submissionsPerSecond: (1e9 * measured) / spanNs,
    relative: 1,
    utilisation: Math.min(1, most(({ service }) => service) / spanNs),
    lockUtilisation: Math.min(1, most(({ lock }) => lock) / spanNs),
    thinkNs: thinkNs / measured,
    waitNs: { mean, p50, p99 },
    serviceNs: most(({ service }) => service) / measured,
    lockNs: most(({ lock, looks }) => lock - looks) / measured,
  };
}

interface Demand {
  readonly service: Nanoseconds;
  readonly lock: Nanoseconds;
  readonly looks: Nanoseconds;
}

const NO_DEMAND: Demand = { service: 0, lock: 0, looks: 0 };

function demands(queues: ReadonlyMap<string, UnitQueue>): Demand[] {
  return [...queues.values()].map(({ hardware, lockNs, lookNs }) => ({
    service: hardware.busyNs,
    lock: lockNs,
    looks: lookNs,
  }));
}

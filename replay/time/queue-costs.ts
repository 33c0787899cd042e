import type { Nanoseconds } from '../../traces/units.ts';
import type { Costs } from '../costs/cost-profile.ts';
import type { PathRoute } from '../paths/path.ts';
import type { QueueRules } from './queue-rules.ts';

/** What the steps of a submission take, in whole ns: sums of them are exact, in any order, on any machine. */
export interface QueueCosts {
  /** Entries of the ring. */
  readonly entries: number;
  /** Writing one command. */
  readonly commandNs: Nanoseconds;
  /** Writing the tail register, with what the path adds to that. */
  readonly doorbellNs: Nanoseconds;
  /** Each call or hand-over on the path, and each command in it. */
  readonly handOverNs: Nanoseconds;
  readonly passNs: Nanoseconds;
  /** A call on the path returns when the hardware has done what it was given. */
  readonly callsWait: boolean;
  /** A lock, or a place in the ring, comes from another CPU. */
  readonly transferNs: Nanoseconds;
  /** One look at the completion. */
  readonly lookNs: Nanoseconds;
  /** From the completion until the submitter could see it. */
  readonly wayBackNs: Nanoseconds;
  /** From the look that saw it until the CPU goes on. */
  readonly resumeNs: Nanoseconds;
  /** Hardware: from the tail write until the first command. */
  readonly fetchNs: Nanoseconds;
  readonly iotlbNs: Nanoseconds;
  readonly waitNs: Nanoseconds;
}

/** The costs of a profile on a path. */
export function queueCosts(costs: Costs, route: PathRoute, rules: QueueRules): QueueCosts {
  const exit = rules.lookReadsRegister && route.doorbell.exits === 1 ? route.doorbell.ns : 0;
  return {
    entries: costs['queue.entries'] >= 1 ? Math.floor(costs['queue.entries']) : rules.entries,
    commandNs: Math.round(costs['cpu.command']),
    doorbellNs: Math.round(costs['cpu.doorbell'] + route.doorbell.ns),
    handOverNs: Math.round(route.handOver.ns),
    passNs: Math.round(route.commandNs),
    callsWait: route.handOver.ioctls === 1,
    transferNs: Math.round(costs['cpu.lock-transfer']),
    lookNs: Math.max(1, Math.round(rules.lookNs ?? costs['cpu.poll'] + exit)),
    wayBackNs: Math.round(route.waitNs),
    resumeNs: Math.round(costs['cpu.resume']),
    fetchNs: Math.round(costs['queue.fetch']),
    iotlbNs: Math.round(costs['queue.iotlb']),
    waitNs: Math.round(costs['queue.wait']),
  };
}

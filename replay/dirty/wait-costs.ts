import type { Costs } from '../costs/cost-profile.ts';
import type { Nanoseconds } from '../../traces/units.ts';
import type { DirtyCounts } from './dirty-counts.ts';
import type { DirtyMethodFactory } from './dirty-method.ts';
import type { DirtyParameter } from './dirty-parameters.ts';

/** What writers and their host spend because they are watched, beside harvests. */
export interface WriterWaits {
  /** Sum over all waits: for faults and full logs, and for walks that an untracked run has not. */
  readonly stallNs: Nanoseconds;
  /** Of those, the ones for faults. */
  readonly faultNs: Nanoseconds;
  /** Time by which the writers take longer: waits of as many requests as a device has under way at once pass together. */
  readonly lostNs: Nanoseconds;
  /** Processor time of the host: handlers of faults. That of a processor's own faults is in the wait. */
  readonly hostNs: Nanoseconds;
}

/** Time of the faults of a method, each part of it a parameter (`dirty.*`, `pri.*`). */
export class WaitCosts {
  readonly #sets: DirtyMethodFactory['sets'];
  readonly #cpuWrites: boolean;
  readonly #fault: number;
  readonly #exit: number;
  readonly #walkRead: number;
  readonly #reads: number;
  readonly #given: number;
  readonly #wait: number;
  readonly #host: number;
  readonly #served: number;
  readonly #entry: number;
  readonly #retranslate: number;
  readonly #outstanding: number;
  readonly #servers: number;

  /** `cpuWrites`: the writers are processors, whose faults cost less than a device's, and wait one at a time. */
  constructor(costs: Costs, parameter: DirtyParameter, sets: DirtyMethodFactory['sets'], cpuWrites: boolean) {
    this.#sets = sets;
    this.#cpuWrites = cpuWrites && sets !== 'page-request';
    this.#fault = parameter(this.#cpuWrites ? 'dirty.fault' : 'dirty.device-fault');
    this.#exit = parameter('dirty.ring-exit');
    this.#walkRead = costs['walk.read'];
    this.#reads = Math.max(1, costs['device.reads']);
    this.#given = parameter('pri.latency');
    this.#served = parameter('pri.handler') + parameter('pri.response');
    this.#host = parameter('pri.interrupt') + this.#served;
    this.#wait = parameter('pri.request') + this.#host;
    this.#entry = parameter('pri.entry');
    this.#retranslate = parameter('pri.retranslate');
    this.#outstanding = parameter('pri.outstanding');
    this.#servers = parameter('pri.servers');
  }

  /** Faults at once at most. */
  get together(): number {
    return this.#cpuWrites ? 1 : this.#outstanding;
  }

  /** `untrackedReads`: walk reads of the same accesses when nothing is tracked. `latencyNs`: of a device's fault, if given. */
  waits(counts: DirtyCounts, untrackedReads: number, latencyNs = this.#given): WriterWaits {
    const { faults } = counts;
    const walkNs = Math.max(0, counts.walkReads - untrackedReads) * this.#walkRead;
    const exitNs = counts.exits * this.#exit;
    const faultNs = this.#faultNs(counts, latencyNs);
    const entries = this.#sets === 'page-request' ? counts.updates : faults;
    const entriesNs = faults === 0 ? 0 : entries * this.#entry;
    const hostNs = this.#cpuWrites ? 0 : faults * this.#host + entriesNs;
    const servedNs = this.#cpuWrites ? 0 : (faults * this.#served + entriesNs) / this.#servers;
    return {
      stallNs: faultNs + exitNs + walkNs,
      faultNs,
      lostNs: Math.max(faultNs / this.together, servedNs) + exitNs + walkNs / this.#reads,
      hostNs,
    };
  }

  #faultNs({ faults, updates, retranslations }: DirtyCounts, latencyNs: number): number {
    const requested = this.#sets === 'page-request';
    if (!this.#cpuWrites && latencyNs > 0) {
      // each fault's own attempts are part of its latency
      const others = requested ? Math.max(0, retranslations - 2 * faults) : 0;
      return faults * latencyNs + others * this.#retranslate;
    }
    if (!requested) return faults * this.#fault;
    if (faults === 0) return retranslations * this.#retranslate;
    return faults * this.#wait + updates * this.#entry + retranslations * this.#retranslate;
  }
}

/** Share of what the writers would have written that they did not, as they took longer by `lostNs`. */
export function throughputLost(lostNs: Nanoseconds, durationNs: Nanoseconds): number {
  return lostNs + durationNs === 0 ? 0 : lostNs / (lostNs + durationNs);
}

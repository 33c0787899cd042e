import type { Costs } from '../costs/cost-profile.ts';
import type { DirtyCounts } from './dirty-counts.ts';
import type { DirtyMethodFactory } from './dirty-method.ts';
import type { DirtyParameter } from './dirty-parameters.ts';
import { WaitCosts } from './wait-costs.ts';

const ENTRY_BYTES = 8;

/** Time of a part of a harvest. `parallel`: of the thread that does it; `serial`: of what all threads wait for in turn. */
export interface PartTime {
  readonly parallel: number;
  readonly serial: number;
  /** Page-table memory read. */
  readonly bytes: number;
}

/** What counts cost. */
export class HarvestCosts {
  /** What writers wait for. */
  readonly faults: WaitCosts;
  readonly #perName: readonly (readonly [keyof DirtyCounts, number])[];
  readonly #flushParallel: number;
  readonly #flushSerial: number;
  readonly #protect: number;
  readonly #protectAll: number;
  readonly #range: number;
  readonly #bandwidth: number;

  /** `cpuWrites`: the writers are processors, whose faults cost less than a device's. */
  constructor(costs: Costs, parameter: DirtyParameter, method: DirtyMethodFactory, cpuWrites: boolean) {
    this.#perName = [
      ['calls', parameter('dirty.call')],
      ['entriesRead', parameter('dirty.entry')],
      ['tablesVisited', parameter('dirty.table')],
      ['entriesCleared', method.protects ? 0 : parameter('dirty.clear')],
      ['entriesWritten', parameter('dirty.entry-write')],
      ['splits', parameter('dirty.split')],
      ['merges', parameter('dirty.merge')],
      ['bitmapBytes', parameter('dirty.bitmap-byte')],
      ['ringEntries', parameter('dirty.ring-entry')],
    ];
    // a command and its wait are written, and one doorbell; the unit then does both before the next
    this.#flushParallel = 2 * costs['cpu.command'] + costs['cpu.doorbell'] + costs['queue.fetch'] + costs['cpu.resume'];
    this.#flushSerial = costs['queue.iotlb'] + costs['queue.wait'];
    this.#protect = method.protects ? parameter('dirty.protect') : 0;
    this.#protectAll = method.protects ? parameter('dirty.protect-all') : 0;
    this.#range = parameter('dirty.range');
    this.#bandwidth = parameter('dirty.bandwidth');
    this.faults = new WaitCosts(costs, parameter, method.sets, cpuWrites);
  }

  /** `starting`: the part is of the start of tracking, where all pages are protected. */
  part(counts: DirtyCounts, ranges: number, starting = false): PartTime {
    let parallel = ranges * this.#range + counts.flushes * this.#flushParallel;
    for (const [name, ns] of this.#perName) parallel += counts[name] * ns;
    const serial =
      counts.flushes * this.#flushSerial + counts.entriesCleared * (starting ? this.#protectAll : this.#protect);
    return { parallel, serial, bytes: (counts.entriesRead + counts.entriesWritten) * ENTRY_BYTES };
  }

  /**
   * Time until the last of `threads` is done with parts in order. `order` 0: each thread takes one part of the memory; 1: they
   * take chunks in turn; 2: whoever is free takes the next.
   */
  wall(parts: readonly PartTime[], threads: number, order: number): number {
    const busy = new Float64Array(threads);
    let serial = 0;
    let bytes = 0;
    for (const [i, part] of parts.entries()) {
      let thread = order === 0 ? Math.floor((i * threads) / parts.length) : i % threads;
      if (order === 2) thread = busy.indexOf(Math.min(...busy));
      busy[thread] = busy[thread]! + part.parallel;
      serial += part.serial;
      bytes += part.bytes;
    }
    return Math.max(Math.max(...busy), bytes / this.#bandwidth) + serial;
  }
}

import type { Nanoseconds } from '../../../traces/units.ts';
import type { FaultDevice } from './fault-service-result.ts';
import type { GroupTable } from './group-table.ts';

/** Groups that can be told apart: the index has 9 bits (PCIe 10.4.1). */
const MOST_GROUPS = 512;

/** Devices: what each may have outstanding, who waits for that, and how long each stands still. */
export class FaultDevices {
  readonly #table: GroupTable;
  readonly #limit: number;
  readonly #rids: readonly number[];
  readonly #requests: Int32Array;
  readonly #groups: Int32Array;
  readonly #head: Int32Array;
  readonly #tail: Int32Array;
  readonly #wishes: Int32Array;
  readonly #wishSince: Float64Array;
  readonly #blockedSince: Float64Array;
  readonly #stallNs: Float64Array;
  readonly #blockedNs: Float64Array;
  readonly #waitNs: Float64Array;
  readonly #done: Int32Array;

  constructor(table: GroupTable, devices: number, rids: readonly number[], limit: number) {
    this.#table = table;
    this.#limit = limit;
    this.#rids = rids;
    this.#requests = new Int32Array(devices);
    this.#groups = new Int32Array(devices);
    this.#head = new Int32Array(devices).fill(-1);
    this.#tail = new Int32Array(devices).fill(-1);
    this.#wishes = new Int32Array(devices);
    this.#wishSince = new Float64Array(devices);
    this.#blockedSince = new Float64Array(devices);
    this.#stallNs = new Float64Array(devices);
    this.#blockedNs = new Float64Array(devices);
    this.#waitNs = new Float64Array(devices);
    this.#done = new Int32Array(devices);
  }

  /** The device wants a group's translations. */
  wish(device: number, now: Nanoseconds): void {
    if (this.#wishes[device]!++ === 0) this.#wishSince[device] = now; // in range, like all devices here
  }

  /** It has them, or will never. */
  over(device: number, waited: Nanoseconds, now: Nanoseconds): void {
    this.#waitNs[device]! += waited;
    this.#done[device]!++;
    if (--this.#wishes[device]! === 0) this.#stallNs[device]! += now - this.#wishSince[device]!;
  }

  /** Puts a group in line; one that is asked for again goes before the others. */
  line(slot: number, front: boolean, now: Nanoseconds): void {
    const { next, device: deviceOf } = this.#table;
    const device = deviceOf[slot]!;
    const head = this.#head[device]!;
    if (head < 0) this.#blockedSince[device] = now;
    next[slot] = front ? head : -1;
    if (head < 0) {
      this.#head[device] = slot;
      this.#tail[device] = slot;
    } else if (front) this.#head[device] = slot;
    else {
      next[this.#tail[device]!] = slot;
      this.#tail[device] = slot;
    }
  }

  /** The next group in line that may be sent now, then counted as outstanding; -1 if there is none. */
  next(device: number, now: Nanoseconds): number {
    const slot = this.#head[device]!;
    if (slot < 0) return -1;
    const count = this.#table.count[slot]!;
    const outstanding = this.#requests[device]!;
    if (outstanding > 0 && (outstanding + count > this.#limit || this.#groups[device]! >= MOST_GROUPS)) return -1;
    const head = this.#table.next[slot]!;
    this.#head[device] = head;
    if (head < 0) this.#blockedNs[device]! += now - this.#blockedSince[device]!;
    this.#requests[device] = outstanding + count;
    this.#groups[device]!++;
    return slot;
  }

  /** A group is no longer outstanding. */
  answered(slot: number): void {
    const device = this.#table.device[slot]!;
    this.#requests[device]! -= this.#table.count[slot]!;
    this.#groups[device]!--;
  }

  /** Sum over the devices. */
  get stallNs(): Nanoseconds {
    return this.#stallNs.reduce((sum, ns) => sum + ns, 0);
  }

  get blockedNs(): Nanoseconds {
    return this.#blockedNs.reduce((sum, ns) => sum + ns, 0);
  }

  get count(): number {
    return this.#requests.length;
  }

  /** Those that stood still longest first; as many as `most`. */
  result(most: number): FaultDevice[] {
    const order = Array.from(this.#requests.keys()).sort((a, b) => this.#stallNs[b]! - this.#stallNs[a]! || a - b);
    return order.slice(0, most).map((device) => ({
      rid: this.#rids[device] ?? -1,
      groups: this.#done[device]!,
      stallNs: this.#stallNs[device]!,
      blockedNs: this.#blockedNs[device]!,
      waitNs: this.#waitNs[device]!,
    }));
  }
}

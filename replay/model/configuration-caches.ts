import type { CacheCounts } from '../results.ts';
import { ContextCache } from './context-cache.ts';
import type { PairIndex } from './requesters.ts';

/**
 * What the unit caches about its devices, in two levels: the entry of a device (VT-d root and context entry, Arm STE, AMD device
 * table entry, RISC-V device context) and that of one of its address spaces (VT-d PASID entry, Arm CD, RISC-V process context).
 * Requesters are numbered pairs of (rid, PASID); every request needs its device's entry and, where there is one, its own.
 */
export class ConfigurationCaches {
  /** By requester: 1 where both entries are cached and hits need not be told. The machine looks here first. */
  ready: Uint8Array = new Uint8Array(64);
  readonly #devices: ContextCache;
  readonly #spaces: ContextCache;
  readonly #requesters: PairIndex;
  /** Requests without PASID have an entry of the second level too (Arm: CD 0). */
  readonly #always: boolean;
  /** By requester: the number of its device, which is that of the first requester of it. */
  readonly #deviceOf: number[] = [];
  readonly #firstOf = new Map<number, number>();
  readonly #limited: boolean;
  readonly #domains: () => Int32Array;

  /** Kind of the command at work, in element 0; 0: a reset. */
  readonly #kind: Int32Array;

  /** `devices`, `spaces`: capacities, 0 for all. `domains`: the domain of each requester. */
  constructor(
    requesters: PairIndex,
    kind: Int32Array,
    domains: () => Int32Array,
    devices: number,
    spaces: number,
    always: boolean,
  ) {
    this.#requesters = requesters;
    this.#kind = kind;
    this.#domains = domains;
    this.#always = always;
    this.#limited = devices > 0 || spaces > 0;
    this.#devices = new ContextCache(devices, (device) => {
      for (let r = 0; r < this.#deviceOf.length; r++) if (this.#deviceOf[r] === device) this.ready[r] = 0;
    });
    this.#spaces = new ContextCache(spaces, (requester) => {
      this.ready[requester] = 0;
    });
  }

  /** A request came whose requester is not `ready`. */
  use(requester: number): void {
    const device = this.#device(requester);
    this.#devices.use(device);
    if (this.#always || this.#requesters.pasid[requester]! >= 0) this.#spaces.use(requester);
  }

  /** The requester's entries are cached and nothing else need be asked for it: hits are not told from now on. */
  settle(requester: number): void {
    if (!this.#limited) this.ready[requester] = 1;
  }

  /** Every request of a device is to be told again. */
  unsettle(rid: number): void {
    this.#requesters.first.forEach((first, requester) => {
      if (first === rid) this.ready[requester] = 0;
    });
  }

  dropAll(): number {
    return this.dropDevices(true, () => true);
  }

  /** Drops entries of devices that match; with `spaces`, those of their address spaces too. */
  dropDevices(spaces: boolean, matches: (rid: number) => boolean): number {
    const { first } = this.#requesters;
    const dropped = this.#devices.dropWhere(this.#kind[0]!, (device) => matches(first[device]!));
    if (!spaces) return dropped;
    return dropped + this.#spaces.dropWhere(this.#kind[0]!, (requester) => matches(first[requester]!));
  }

  /** Drops entries of devices whose (first) address space is of a domain. */
  dropDevicesOf(domain: number): number {
    const domains = this.#domains();
    return this.#devices.dropWhere(this.#kind[0]!, (device) => domains[device] === domain);
  }

  /** Drops entries of address spaces by requester id and PASID; -1: any. PASID 0 is that of requests without one. */
  dropSpaces(rid: number, pasid: number): number {
    const { first, pasid: pasids } = this.#requesters;
    return this.#spaces.dropWhere(this.#kind[0]!, (requester) => {
      return (rid < 0 || first[requester] === rid) && (pasid < 0 || Math.max(0, pasids[requester]!) === pasid);
    });
  }

  /** The same by domain. */
  dropSpacesOf(domain: number, pasid: number): number {
    const domains = this.#domains();
    const { pasid: pasids } = this.#requesters;
    return this.#spaces.dropWhere(this.#kind[0]!, (requester) => {
      return domains[requester] === domain && (pasid < 0 || Math.max(0, pasids[requester]!) === pasid);
    });
  }

  grow(): void {
    const ready = new Uint8Array(this.ready.length * 2);
    ready.set(this.ready);
    this.ready = ready;
  }

  /** `requests` and those of them `withSpace`: what both levels were asked for. */
  report(
    requests: number,
    withSpace: number,
    names: (kind: number) => string,
  ): { readonly context: CacheCounts; readonly pasid: CacheCounts } {
    return {
      context: this.#devices.report(requests, names),
      pasid: this.#spaces.report(this.#always ? requests : withSpace, names),
    };
  }

  #device(requester: number): number {
    let device = this.#deviceOf[requester];
    if (device === undefined) {
      const rid = this.#requesters.first[requester]!;
      device = this.#firstOf.get(rid) ?? requester;
      this.#firstOf.set(rid, device);
      this.#deviceOf[requester] = device;
    }
    return device;
  }
}

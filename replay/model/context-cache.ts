import type { PairIndex } from './requesters.ts';

/** Bits of a requester id that a context command ignores, by its function mask. VT-d spec 6.5.2.1. */
const FUNCTION_MASKS = [0, 4, 6, 7] as const;

/** Which requesters' context (and PASID) entries are cached; the entries themselves are what `attach` says. */
export class ContextCache {
  /** By requester number: 1 if cached. */
  cached: Uint8Array = new Uint8Array(64);
  readonly #requesters: PairIndex;

  constructor(requesters: PairIndex) {
    this.#requesters = requesters;
  }

  grow(): void {
    const next = new Uint8Array(this.cached.length * 2);
    next.set(this.cached);
    this.cached = next;
  }

  dropAll(): number {
    return this.#drop(() => true);
  }

  /** Drops the entries of a domain. `domains` is each requester's domain. */
  dropDomain(domain: number, domains: Int32Array): number {
    return this.#drop((requester) => domains[requester] === domain);
  }

  /** Drops the entries of a source id, of all its PASIDs. */
  dropDevice(sid: number, functionMask: number): number {
    const keep = ~(FUNCTION_MASKS[functionMask & 3] ?? 0) & 0xffff;
    const { first } = this.#requesters;
    return this.#drop((requester) => (((first[requester] ?? 0) ^ sid) & keep) === 0);
  }

  /** Drops the entries of a domain's PASID. */
  dropPasid(domain: number, pasid: number, domains: Int32Array): number {
    const { pasid: pasids } = this.#requesters;
    return this.#drop((requester) => domains[requester] === domain && pasids[requester] === pasid);
  }

  #drop(matches: (requester: number) => boolean): number {
    let dropped = 0;
    for (let requester = 0; requester < this.#requesters.count; requester++) {
      if (this.cached[requester] === 1 && matches(requester)) {
        this.cached[requester] = 0;
        dropped++;
      }
    }
    return dropped;
  }
}

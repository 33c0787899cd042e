import type { PageRequest, PriFinding } from './page-request.ts';

/** Requests that are remembered to tell a duplicate from a late one. */
const REMEMBERED = 4096;
/** Numbers that may be missing at once and still be waited for. */
const MOST_MISSING = 65_536;

/** What a driver's own count says of a request. */
export type RequestVerdict = 'next' | 'late' | 'duplicate';

/**
 * Follows the numbers that a driver gives its page requests (VT-d: `iommu->prq_seq_number`, from 0, by unit): a gap is what the
 * trace lost, a number of the gap that comes later is out of order, a number again is the same event twice.
 */
export class RequestOrder {
  readonly #findings: PriFinding[];
  /** Missing numbers, each with the event behind the gap. */
  readonly #missing = new Map<number, number>();
  readonly #seen = new Map<number, string>();
  #next = -1;
  /** Number of the first request: so many came before the trace. */
  first = -1;
  restarts = 0;

  constructor(findings: PriFinding[]) {
    this.#findings = findings;
  }

  /** Numbers that never came. */
  get missing(): number {
    return this.#missing.size;
  }

  take(request: PageRequest): RequestVerdict {
    const { seq, event } = request;
    if (seq === -1) return 'next';
    const ahead = this.#next === -1 ? 0 : (seq - this.#next) | 0;
    if (this.first === -1) this.first = seq >>> 0;
    if (ahead >= 0) {
      if (this.#next !== -1) for (let i = 0; i < ahead && this.#missing.size < MOST_MISSING; i++) this.#miss(i, event);
      this.#advance(request);
      return 'next';
    }
    if (this.#missing.delete(seq)) {
      this.#remember(request);
      this.#findings.push({ event, kind: 'reordered-request', what: `request ${seq >>> 0} comes late`, count: 1 });
      return 'late';
    }
    if (this.#seen.get(seq) === textOf(request)) {
      this.#findings.push({ event, kind: 'duplicate-request', what: `request ${seq >>> 0} is there twice`, count: 1 });
      return 'duplicate';
    }
    // Another boot, or another IOMMU of the same name: the count begins anew.
    this.restarts++;
    this.#seen.clear();
    this.#advance(request);
    return 'next';
  }

  /** Tells of the numbers that are still missing, a finding for each run of them. */
  finish(): void {
    const runs: { from: number; count: number; event: number }[] = [];
    for (const [seq, event] of this.#missing) {
      const last = runs.at(-1);
      if (last?.event === event && last.from + last.count === seq) last.count++;
      else runs.push({ from: seq, count: 1, event });
    }
    for (const { from, count, event } of runs) {
      const what =
        count === 1
          ? `request ${from >>> 0} is not in the trace`
          : `requests ${from >>> 0} to ${(from + count - 1) >>> 0} are not in the trace`;
      this.#findings.push({ event, kind: 'lost-requests', what, count });
    }
  }

  #miss(offset: number, event: number): void {
    this.#missing.set((this.#next + offset) | 0, event);
  }

  #advance(request: PageRequest): void {
    this.#next = (request.seq + 1) | 0;
    // -1 says that there is no number.
    if (this.#next === -1) this.#next = 0;
    this.#remember(request);
  }

  #remember(request: PageRequest): void {
    this.#seen.set(request.seq, textOf(request));
    if (this.#seen.size <= REMEMBERED) return;
    const [oldest] = this.#seen.keys();
    if (oldest !== undefined) this.#seen.delete(oldest);
  }
}

function textOf({ rid, pasid, index, page, access }: PageRequest): string {
  return `${rid} ${pasid} ${index} ${page} ${access}`;
}

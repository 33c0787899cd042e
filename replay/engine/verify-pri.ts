import { ACCESS } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import { formatRequester } from '../../traces/units.ts';
import type { Nanoseconds, RequesterId } from '../../traces/units.ts';
import { answeredBy } from '../faults/spans/answered-by.ts';
import { NO_COOKIE, RECORD } from '../faults/spans/fault-file.ts';
import type { Delivery, FaultRecord, PageRequest, RequestGroup } from '../faults/spans/page-request.ts';
import { readPriHistory } from '../faults/spans/read-history.ts';
import type { PriHistory } from '../faults/spans/read-history.ts';
import { DivergenceList, countsOf } from './verification.ts';
import type { Tally, VerifyPart } from './verification.ts';

/** Flag of a record that the kernel means for itself: VT-d sets it beside the PASID (drivers/iommu/intel/prq.c). */
const NEEDS_PASID = 4;
const PERMISSIONS = ACCESS.read | ACCESS.write | ACCESS.execute | ACCESS.privileged;

/**
 * What user space read from fault queues and what devices were told, against the requests of the hardware: each record's fields,
 * the cookie of its group (the lowest that is free), the code of its response. Undefined where a trace has not both sides.
 */
export function verifyPri(trace: Trace): VerifyPart | undefined {
  if (trace.streamCounts.prq === 0 || trace.streamCounts.call === 0) return undefined;
  const history = readPriHistory(trace);
  return history.user.reads === 0 ? undefined : new PriVerification(trace, history).run();
}

class PriVerification {
  readonly #trace: Trace;
  readonly #history: PriHistory;
  readonly #records: Tally = { agreed: 0, diverged: 0 };
  readonly #cookies: Tally = { agreed: 0, diverged: 0 };
  readonly #responses: Tally = { agreed: 0, diverged: 0 };
  readonly #skipped: Record<string, number> = {};
  readonly #divergences = new DivergenceList();
  /** IOMMUFD's numbers of devices, learned from their first records. */
  readonly #devices = new Map<RequesterId, number>();

  constructor(trace: Trace, history: PriHistory) {
    this.#trace = trace;
    this.#history = history;
  }

  run(): VerifyPart {
    for (const group of this.#history.groups) {
      if (group.requests.length > 0) this.#group(group);
    }
    this.#cookiesOfQueues();
    const parts = {
      'pri.record': countsOf(this.#records),
      'pri.cookie': countsOf(this.#cookies),
      'pri.response': countsOf(this.#responses),
    };
    const tallies = [this.#records, this.#cookies, this.#responses];
    const total: Tally = {
      agreed: tallies.reduce((sum, { agreed }) => sum + agreed, 0),
      diverged: tallies.reduce((sum, { diverged }) => sum + diverged, 0),
    };
    const learned = [...this.#devices].map(([rid, device]) => `${formatRequester(rid)} is ${device}`);
    return {
      kind: 'pri',
      counts: countsOf(total),
      parts,
      skipped: this.#skipped,
      divergences: this.#divergences.list(),
      notes:
        learned.length === 0
          ? []
          : [`IOMMUFD's numbers of devices, learned from their first records: ${learned.slice(0, 8).join(', ')}`],
    };
  }

  #group(group: RequestGroup): void {
    const { requests, delivery, answer } = group;
    if (delivery !== undefined) {
      requests.forEach((request, i) => {
        const record = delivery.records[i];
        if (record === undefined) this.#skip('record of a page request, cut by the source');
        else this.#record(delivery, record, request);
      });
    }
    const written = delivery?.response;
    if (answer === undefined) return;
    if (written === undefined) {
      this.#skip('response to a page request that no user space gave');
      return;
    }
    this.#compare(this.#responses, answer.event, 'response code', String(answer.code), String(written.code));
  }

  #record(delivery: Delivery, record: FaultRecord, request: PageRequest): void {
    const vtd = this.#trace.header.host.iommu === 'vtd';
    const known = this.#devices.get(request.rid);
    if (known === undefined) this.#devices.set(request.rid, record.device);
    const flags =
      (request.pasid >= 0 ? RECORD.pasidValid | (vtd ? NEEDS_PASID : 0) : 0) |
      ((request.access & ACCESS.last) === 0 ? 0 : RECORD.last);
    const expected: FaultRecord = {
      flags,
      device: known ?? record.device,
      pasid: request.pasid,
      index: request.index,
      perm: request.access & PERMISSIONS,
      page: request.page,
      cookie: record.cookie,
    };
    const mask = vtd ? -1 : ~NEEDS_PASID;
    const was = textOf(record, mask);
    this.#compare(this.#records, delivery.event, 'fault record', was, textOf(expected, mask));
  }

  /** Cookies are given when a group is read, and are free again when it is answered. */
  #cookiesOfQueues(): void {
    const queues = new Map<string, { group: RequestGroup; delivery: Delivery }[]>();
    for (const group of this.#history.groups) {
      const { delivery } = group;
      if (delivery === undefined) continue;
      const key = `${delivery.pid} ${delivery.fd}`;
      const queue = queues.get(key) ?? [];
      queues.set(key, queue);
      queue.push({ group, delivery });
    }
    for (const queue of queues.values()) this.#cookiesOf(queue);
  }

  #cookiesOf(queue: { group: RequestGroup; delivery: Delivery }[]): void {
    const taken = new Map<number, { readonly until: number; readonly gone: Nanoseconds }>();
    for (const { group, delivery } of queue.sort((a, b) => a.delivery.event - b.delivery.event)) {
      for (const [cookie, { until, gone }] of taken) {
        if (until < delivery.event || gone <= delivery.at.to) taken.delete(cookie);
      }
      let expected = 1;
      while (taken.has(expected)) expected++;
      const recorded = delivery.records[0]?.cookie ?? NO_COOKIE;
      if (recorded === NO_COOKIE) this.#skip('cookie of a page request group, cut by the source');
      else if (recorded === 0 && this.#history.user.refused > 0)
        this.#skip('cookie 0 behind a response that was refused');
      else this.#compare(this.#cookies, delivery.event, 'cookie', String(recorded), String(expected));
      const torn = answeredBy(group, this.#history.answerers)?.cause === 'teardown';
      taken.set(recorded === NO_COOKIE ? expected : recorded, {
        until: delivery.response?.event ?? Number.POSITIVE_INFINITY,
        gone: torn ? (group.answer?.submitted ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY,
      });
    }
  }

  #compare(tally: Tally, event: number, what: string, recorded: string, model: string): void {
    if (recorded === model) {
      tally.agreed++;
      return;
    }
    if (this.#history.lost.places > 0) {
      this.#skip('follows lost events');
      return;
    }
    tally.diverged++;
    this.#divergences.add({ event, kind: 'pri', what, recorded, model });
  }

  #skip(reason: string): void {
    this.#skipped[reason] = (this.#skipped[reason] ?? 0) + 1;
  }
}

function textOf({ flags, device, pasid, index, perm, page }: FaultRecord, mask: number): string {
  return `flags ${flags & mask} device ${device} pasid ${pasid} group ${index} perm ${perm} page 0x${page.toString(16)}`;
}

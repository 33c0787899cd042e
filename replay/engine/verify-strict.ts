import { VTD_TYPE } from '../../traces/dialects/vtd-fields.ts';
import { FLUSH } from '../../traces/schema.ts';
import { ABSENT } from '../../traces/units.ts';
import type { DomainId, PageNumber } from '../../traces/units.ts';
import type { CacheTag, CommandEmitter, Design } from '../designs/design.ts';
import { designParameters, findDesign } from '../designs/designs.ts';
import type { TablePresence } from '../designs/table-presence.ts';
import { addressMask, alignPage } from '../designs/page-words.ts';
import { CommandMatcher } from './command-matcher.ts';
import type { InvReport } from './inv-report.ts';
import { formatCommand } from './inv-report.ts';
import type { InvTraits } from './inv-traits.ts';
import type { FlushIntent, FlushVerifier, RecordedCommand, RecordedMap, RecordedUnmap } from './flush-verifier.ts';

/** Unmaps of one submitter that may wait for their flush; VFIO flushes after 512 ranges at the latest. */
const MAX_PENDING = 4096;

/**
 * Checks a design that flushes at each sync. A trace does not name syncs, so the unmaps of a submitter wait until it is seen to
 * flush (its flush event, or its command); what it flushes must then be exactly the union of them.
 */
export class StrictVerifier implements FlushVerifier {
  readonly #traits: InvTraits;
  readonly #report: InvReport;
  readonly #tables: TablePresence;
  readonly #design: Design;
  readonly #matcher: CommandMatcher;
  readonly #pending = new Map<number, RecordedUnmap[]>();
  /** Domain of a flush that no unmap explains, by submitter, until its next event. A flush for a replaced table is traced before its map. */
  readonly #unexplained = new Map<number, DomainId>();
  #key = 0;
  #event = 0;
  /** A table of the range may have been made by a map whose domain is not known. */
  #hintUnknown = false;
  #unions = 0;
  #borrowed = 0;

  constructor(traits: InvTraits, report: InvReport, tables: TablePresence, design: string) {
    this.#tables = tables;
    this.#traits = traits;
    this.#report = report;
    this.#matcher = flushMatcher(report);
    const emit: CommandEmitter = {
      command: (_unit, w0Lo, w0Hi, w1Lo, w1Hi) =>
        this.#matcher.expect(this.#key, this.#event, [w0Lo, w0Hi, w1Lo, w1Hi, 0, 0, 0, 0], this.#hintUnknown),
      submit: () => undefined,
      publish: () => undefined,
      defer: () => 0,
      release: () => undefined,
      arm: () => undefined,
    };
    const factory = findDesign(design);
    if (factory === undefined) throw new RangeError(`no design ${design}`);
    this.#design = factory.create(emit, traits.context, designParameters(factory));
    for (const domain of traits.unmanaged) this.#design.setManaged(domain, false);
  }

  assignTag(tag: CacheTag): void {
    this.#design.assignTag(tag);
  }

  unassignTag(tag: CacheTag): void {
    this.#design.unassignTag(tag);
  }

  map(intent: RecordedMap): void {
    this.#at(intent.key, intent.event);
    this.#unexplained.delete(intent.key);
    if (intent.domain !== ABSENT) this.#design.map(intent);
  }

  unmap(intent: RecordedUnmap): void {
    this.#unexplained.delete(intent.key);
    const pending = this.#pending.get(intent.key);
    if (pending === undefined) this.#pending.set(intent.key, [intent]);
    else {
      pending.push(intent);
      if (pending.length > MAX_PENDING) this.#giveUp(pending.splice(0, 1));
    }
  }

  unexplained(key: number): DomainId {
    return this.#unexplained.get(key) ?? ABSENT;
  }

  expects(key: number): boolean {
    return this.#matcher.waiting(key) > 0;
  }

  flush(intent: FlushIntent): void {
    if (intent.op === FLUSH.rangeNotPresent) {
      this.#at(intent.key, intent.event);
      this.#design.syncMap(intent.domain, intent.cpu, intent.task, intent.time);
      return;
    }
    const { first, last } = intent;
    const all = intent.op === FLUSH.all;
    this.#commit(intent, Number.POSITIVE_INFINITY, (from, to) => all || (from === first && to === last));
  }

  command({ key, cpu, task, event, submitted, words }: RecordedCommand): void {
    const type = words[0] & 15;
    const iotlb = type === VTD_TYPE.iotlb || type === VTD_TYPE.pasidIotlb;
    if (!this.#traits.flushEvents && iotlb && this.#matcher.waiting(key) === 0) {
      const domain = words[0] >>> 16;
      const mask = words[2] & 0x3f;
      const page = (words[3] >>> 0) * 0x100000 + (words[2] >>> 12);
      const paged = ((words[0] >>> 4) & 3) === 3;
      this.#commit({ key, event, domain, cpu, task, time: submitted }, submitted, (from, to) => {
        const needed = addressMask(from, to);
        return paged ? needed === mask && alignPage(from, mask) === page : needed > this.#traits.context.maxAddressMask;
      });
    }
    this.#matcher.record(key, event, words);
  }

  finish(): void {
    const { unfinished } = this.#matcher.finish();
    this.#report.skip('predicted flush behind the end of the trace', unfinished);
    for (const pending of this.#pending.values()) this.#giveUp(pending);
    if (this.#unions > 0) this.#report.note(`${this.#unions} flushes cover several unmaps of their submitter`);
    if (this.#borrowed > 0) {
      this.#report.note(
        `${this.#borrowed} unmaps have no domain of their own; that of the flush behind them was taken`,
      );
    }
  }

  /**
   * Flushes what the submitter has unmapped in a domain. If the recorded flush is narrower, the unmaps in front were not
   * flushed: they belong to a domain without caches if theirs is not known, and are missing a flush if it is.
   */
  #commit(
    at: { key: number; event: number; domain: DomainId; cpu: number; task: number; time: number },
    until: number,
    fits: (first: PageNumber, last: PageNumber) => boolean,
  ): void {
    const pending = this.#pending.get(at.key) ?? [];
    const mine = pending.filter((p) => (p.domain === at.domain || p.domain === ABSENT) && p.time <= until);
    if (mine.length === 0) {
      this.#unexplained.set(at.key, at.domain);
      return;
    }
    const skip = unionThatFits(mine, fits);
    for (const intent of mine.slice(0, skip)) {
      if (intent.domain === ABSENT) this.#report.skip('unmap that no flush followed, domain not known');
      else this.#sync([intent], at);
    }
    const used = mine.slice(skip);
    if (used.length > 1) this.#unions++;
    for (const intent of used) if (intent.domain === ABSENT) this.#borrowed++;
    this.#sync(used, at);
    const gone = new Set(mine);
    this.#pending.set(
      at.key,
      pending.filter((p) => !gone.has(p)),
    );
  }

  #sync(
    unmaps: readonly RecordedUnmap[],
    at: { key: number; domain: DomainId; cpu: number; task: number; time: number },
  ): void {
    const newest = unmaps.at(-1);
    if (newest === undefined) return;
    this.#at(at.key, newest.event);
    const { domain, cpu, task, time } = at;
    this.#hintUnknown = false;
    for (const u of unmaps) {
      const freed = u.freedTable < 0 ? this.#tables.unmap(domain, u.first, u.last) : u.freedTable;
      if (freed === 0 && this.#tables.unmap(ABSENT, u.first, u.last) === 1) this.#hintUnknown = true;
      this.#design.unmap({ domain, first: u.first, last: u.last, freedTable: freed, cpu, task, time: u.time });
    }
    this.#design.sync(domain, cpu, task, time);
    this.#hintUnknown = false;
  }

  #at(key: number, event: number): void {
    this.#key = key;
    this.#event = event;
  }

  #giveUp(unmaps: readonly RecordedUnmap[]): void {
    for (const intent of unmaps) {
      this.#report.skip(
        intent.domain === ABSENT
          ? 'unmap that no flush followed, domain not known'
          : 'unmap whose flush lies behind the end of the trace',
      );
    }
  }
}

/** How many unmaps to leave out in front so that the union of the others fits; 0 if none does. */
function unionThatFits(
  unmaps: readonly RecordedUnmap[],
  fits: (first: PageNumber, last: PageNumber) => boolean,
): number {
  let first = Number.POSITIVE_INFINITY;
  let last = -1;
  let best = 0;
  let found = false;
  for (let i = unmaps.length - 1; i >= 0; i--) {
    const unmap = unmaps[i];
    if (unmap === undefined) break;
    first = Math.min(first, unmap.first);
    last = Math.max(last, unmap.last);
    if (fits(first, last)) {
      best = i;
      found = true;
    }
  }
  return found ? best : 0;
}

/** A matcher that reports under `inv.flush`. */
export function flushMatcher(report: InvReport): CommandMatcher {
  return new CommandMatcher({
    agreed: () => report.agreed('inv.flush'),
    unjudged: () => report.skip('hint of a flush: a map of unknown domain may have made the table that it freed'),
    altered: (event, recorded, model) => report.altered('inv.flush', event, recorded, model),
    extra: (event, recorded) => report.diverged('inv.flush', event, 'extra', formatCommand(recorded), 'no command'),
    missing: (event, model) => report.diverged('inv.flush', event, 'missing', 'no command', formatCommand(model)),
  });
}

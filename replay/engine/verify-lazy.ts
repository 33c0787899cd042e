import { VTD_TYPE } from '../../traces/dialects/vtd-fields.ts';
import { FLUSH } from '../../traces/schema.ts';
import { ABSENT } from '../../traces/units.ts';
import type { DomainId } from '../../traces/units.ts';
import type { CacheTag } from '../designs/design.ts';
import type { TablePresence } from '../designs/table-presence.ts';
import type { CommandMatcher } from './command-matcher.ts';
import type { FlushIntent, FlushVerifier, RecordedCommand, RecordedMap, RecordedUnmap } from './flush-verifier.ts';
import type { InvReport } from './inv-report.ts';
import type { InvTraits } from './inv-traits.ts';
import { LazyCauses } from './lazy-causes.ts';
import { StrictVerifier, flushMatcher } from './verify-strict.ts';

/** Checks `linux-lazy` on VT-d, whose flushes name their submitter: the commands of whole domains, and why they were sent. */
export class LazyVerifier implements FlushVerifier {
  readonly #traits: InvTraits;
  readonly #report: InvReport;
  readonly #strict: StrictVerifier;
  readonly #causes: LazyCauses;
  readonly #matcher: CommandMatcher;

  constructor(traits: InvTraits, report: InvReport, tables: TablePresence) {
    this.#traits = traits;
    this.#report = report;
    this.#strict = new StrictVerifier(traits, report, tables, 'linux-strict');
    this.#matcher = flushMatcher(report);
    this.#causes = new LazyCauses(traits, report, (key, event, _unit, w0Lo, w0Hi, w1Lo, w1Hi) =>
      this.#matcher.expect(key, event, [w0Lo, w0Hi, w1Lo, w1Hi, 0, 0, 0, 0]),
    );
  }

  assignTag(tag: CacheTag): void {
    this.#causes.assignTag(tag);
    this.#strict.assignTag(tag);
  }

  unassignTag(tag: CacheTag): void {
    this.#causes.unassignTag(tag);
    this.#strict.unassignTag(tag);
  }

  map(intent: RecordedMap): void {
    this.#causes.mapped(intent);
    this.#strict.map(intent);
  }

  unmap(intent: RecordedUnmap): void {
    this.#causes.unmap(intent);
    if (intent.domain !== ABSENT && !this.#causes.isQueued(intent.domain)) this.#strict.unmap(intent);
  }

  unexplained(key: number): DomainId {
    return this.#strict.unexplained(key);
  }

  expects(key: number): boolean {
    return this.#matcher.waiting(key) > 0 || this.#strict.expects(key);
  }

  flush(intent: FlushIntent): void {
    if (intent.op === FLUSH.all) {
      this.#causes.flushed(intent.key, intent.cpu, intent.event, intent.domain, intent.time);
      return;
    }
    this.#causes.heard(intent.cpu, intent.time);
    this.#strict.flush(intent);
  }

  command(command: RecordedCommand): void {
    const { key, cpu, event, submitted, words } = command;
    const type = words[0] & 15;
    const iotlb = type === VTD_TYPE.iotlb || type === VTD_TYPE.pasidIotlb;
    const domain = words[0] >>> 16;
    const paged = iotlb ? ((words[0] >>> 4) & 3) === 3 : !isWholeDevice(type, words[2]);
    if (paged || (iotlb && this.#traits.unmanaged.has(domain))) {
      this.#strict.command(command);
      return;
    }
    if (!this.#traits.flushEvents && iotlb) this.#causes.flushed(key, cpu, event, domain, submitted);
    this.#matcher.record(key, event, words);
  }

  finish(): void {
    this.#strict.finish();
    const { unfinished } = this.#matcher.finish();
    this.#report.skip('predicted flush behind the end of the trace', unfinished);
    this.#causes.finish();
  }
}

function isWholeDevice(type: number, w1Lo: number): boolean {
  return w1Lo === (type === VTD_TYPE.deviceTlb ? -0xfff : -0x800);
}

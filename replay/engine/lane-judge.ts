import { DIALECT } from '../../traces/schema.ts';
import type { DomainId, Nanoseconds } from '../../traces/units.ts';
import type { AlignmentSink } from './batch-alignment.ts';
import { BEHIND_DRIVER } from './driver-end.ts';
import { LeftOvers } from './flush-lane.ts';
import type { FlushLane, IdleTimes } from './flush-lane.ts';
import type { InvReport } from './inv-report.ts';
import { formatCommand } from './inv-report.ts';
import type { InvTraits } from './inv-traits.ts';

/** What the walk over the trace found out that bears on what is left over. */
interface Grounds {
  /** Unmaps of unknown domain: each may have sent a command that nothing explains. */
  readonly unknownUnmaps: number;
  /** Only the flushes of mappings were predicted. */
  readonly onlyMaps: boolean;
  /** The last event that the driver's side recorded. */
  readonly driverEnd: number;
}

/** Lays the lanes of each domain out and reports what agrees, what differs and what can't be told. */
export class LaneJudge {
  readonly #traits: InvTraits;
  readonly #report: InvReport;
  readonly #grounds: Grounds;
  /** Unmaps of unknown domain that no command was taken for yet. */
  #unknownUnmaps: number;
  #swaps = 0;
  #unions = 0;

  constructor(traits: InvTraits, report: InvReport, grounds: Grounds) {
    this.#traits = traits;
    this.#report = report;
    this.#grounds = grounds;
    this.#unknownUnmaps = grounds.unknownUnmaps;
  }

  /** What the figures rest on. */
  finish(): void {
    const { dialect, cachingMode } = this.#traits.context;
    if (dialect === DIALECT.amd) {
      this.#report.note('the log shows only the domain of an invalidation: domains, numbers and order are compared');
      if (cachingMode) this.#report.note('NpCache: mapping flushes too');
    }
    if (dialect === DIALECT.smmuv3) {
      this.#report.note(
        'the log shows fields of commands, not words: opcode, address, range, level, leaf, ASID and VMID are compared',
      );
    }
    if (dialect === DIALECT.virtio) {
      this.#report.note('requests are compared in order, without permissions where the trace of the kernel has none');
    }
    if (this.#unions > 0) this.#report.note(`${this.#unions} flushes cover several unmaps of their submitter`);
    if (this.#swaps > 0) {
      this.#report.note(`${this.#swaps} flushes changed places: of different submitters, or recorded at the same time`);
    }
  }

  /** First each submitter's commands by themselves, in order; then what is left of all together, by time. */
  domain(domain: DomainId, lanes: readonly FlushLane[], idle: IdleTimes): void {
    const end = Math.max(...lanes.map((lane) => lane.seen.times.at(-1) ?? -1));
    if (end < 0) {
      const count = lanes.reduce((sum, lane) => sum + lane.expected.length, 0);
      this.#report.skip('flush in a domain that the queue never names', count);
      return;
    }
    if (lanes.length === 1) {
      for (const lane of lanes) this.#compare(lane, end);
      return;
    }
    const rest = new LeftOvers(domain, this.#traits.context, idle);
    for (const lane of lanes) {
      if (lane.seen.length === 0 || lane.expected.length === 0) {
        for (let i = 0; i < lane.expected.length; i++) rest.missing(lane, i);
        for (let i = 0; i < lane.seen.length; i++) rest.extra(lane, i);
      } else {
        this.#nest(lane);
        lane.align({
          ...this.#sink(lane, end),
          missing: (predicted) => rest.missing(lane, predicted),
          extra: (recorded) => rest.extra(lane, recorded),
        });
      }
    }
    this.#compare(rest.lane(), end);
  }

  #compare(lane: FlushLane, end: Nanoseconds): void {
    this.#nest(lane);
    lane.align(this.#sink(lane, end));
  }

  /** Only where mapping flushes do the pieces of a list make batches. */
  #nest(lane: FlushLane): void {
    if (this.#traits.context.cachingMode && this.#traits.context.dialect === DIALECT.amd) lane.nest();
  }

  #sink(lane: FlushLane, end: Nanoseconds): AlignmentSink {
    const { expected, seen } = lane;
    const agreed = (recorded: number): void => {
      for (let c = 0; c < seen.size(recorded); c++) this.#report.agreed('inv.flush');
      if (this.#traits.waits && seen.marks[recorded] !== 2) this.#report.agreed('inv.wait');
    };
    return {
      agreed: (_predicted, recorded) => agreed(recorded),
      union: (_predicted, _predictions, recorded, batches) => {
        this.#unions++;
        for (let i = 0; i < batches; i++) agreed(recorded + i);
      },
      swapped: (_predicted, recorded) => {
        this.#swaps++;
        agreed(recorded);
        agreed(recorded + 1);
      },
      altered: (predicted, recorded) => this.#altered(lane, predicted, recorded),
      missing: (predicted) => {
        if ((expected.times[predicted] ?? 0) > end) {
          this.#report.skip('predicted flush behind the end of the trace');
          return;
        }
        if (lane.expectedMissing(predicted)) {
          this.#report.skip('map or unmap in a domain without a device');
          return;
        }
        for (let c = 0; c < expected.size(predicted); c++) {
          const model = formatCommand(expected.words(predicted, c));
          this.#report.diverged('inv.flush', expected.events[predicted] ?? 0, 'missing', 'no command', model);
        }
      },
      extra: (recorded) => {
        if (seen.marks[recorded] === 1) {
          const why = this.#grounds.onlyMaps
            ? 'flush of a queue or of an attachment'
            : 'whole-domain flush of an attachment';
          this.#report.skip(why, seen.size(recorded));
          return;
        }
        if ((seen.events[recorded] ?? 0) > this.#grounds.driverEnd) {
          this.#report.skip(BEHIND_DRIVER, seen.size(recorded));
          return;
        }
        if (this.#unknownUnmaps > 0) {
          this.#unknownUnmaps--;
          this.#report.skip('command that an unmap of unknown domain may explain', seen.size(recorded));
          return;
        }
        for (let c = 0; c < seen.size(recorded); c++) {
          const words = formatCommand(seen.words(recorded, c));
          this.#report.diverged('inv.flush', seen.events[recorded] ?? 0, 'extra', words, 'no command');
        }
      },
    };
  }

  #altered(lane: FlushLane, predicted: number, recorded: number): void {
    const { expected, seen } = lane;
    const event = seen.events[recorded] ?? 0;
    const most = Math.max(expected.size(predicted), seen.size(recorded));
    for (let c = 0; c < most; c++) {
      if (c >= expected.size(predicted)) {
        this.#report.diverged('inv.flush', event, 'extra', formatCommand(seen.words(recorded, c)), 'no command');
      } else if (c >= seen.size(recorded)) {
        const model = formatCommand(expected.words(predicted, c));
        this.#report.diverged('inv.flush', event, 'missing', 'no command', model);
      } else {
        const words = seen.words(recorded, c);
        const model = expected.words(predicted, c);
        if (words.every((word, i) => word === model[i])) this.#report.agreed('inv.flush');
        else this.#report.altered('inv.flush', event, words, model);
      }
    }
    if (this.#traits.waits && seen.marks[recorded] !== 2) this.#report.agreed('inv.wait');
  }
}

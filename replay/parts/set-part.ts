import { SEGMENT_EVENTS } from '../../traces/segment.ts';
import type { Segment } from '../../traces/segment.ts';
import type { Nanoseconds } from '../../traces/units.ts';
import { createPlayer } from '../engine/replay.ts';
import type { Played, Player } from '../engine/replay.ts';
import { SeriesBuilder } from '../engine/time-series.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { createMachine } from '../model/create-machine.ts';
import { ExposureTotals } from '../model/exposure.ts';
import type { ExposureSums } from '../model/exposure.ts';
import { ACCESS_RESULT } from '../model/machine.ts';
import type { Machine } from '../model/machine.ts';
import { SEEN } from '../model/miss-history.ts';
import { deviceTlbGeometry, iotlbGeometry } from '../model/organisation.ts';
import { formatsOfProfile } from '../model/profile-format.ts';
import { setNumber } from '../model/set-index.ts';
import { notInParts } from './not-in-parts.ts';
import type { CacheCounts, Exposure, StaleCounts } from '../results.ts';

/** What a part found in one segment. Bit sets are by the number of the access, or command, in the segment. */
export interface PartFinds {
  readonly missed: Int32Array;
  /** Those missed that had been replaced: of conflict or capacity. */
  readonly evicted: Int32Array;
  /** Those that the device's own cache served: they never reached the sets. */
  readonly served: Int32Array;
  /** Commands that dropped some translation. */
  readonly dropped: Int32Array;
  /** Pairs: number of an access that missed, and of the tables that its walk read, where those are not one for each level of the format. */
  readonly levels: Int32Array;
  /** Pairs: number of the action (access, command, map, unmap, reset) in the segment, and by how many pages more are exposed. */
  readonly exposed: Int32Array;
}

/** What a part counted of the whole trace. Plain data. */
export interface PartCounts {
  readonly bySeen: Float64Array;
  readonly translations: number;
  readonly exposure: ExposureSums;
  readonly unbacked: number;
  readonly stale: StaleCounts;
  /** Of the caches of devices, all together: told by the first part alone. */
  readonly deviceExposure: Exposure | undefined;
  readonly atc: CacheCounts | undefined;
}

/** Exposures, and when in a segment their number changed. */
class WatchedExposures extends ExposureTotals {
  /** Number of the action at work. */
  action = 0;
  changes: number[] = [];

  override begin(pages: number): void {
    super.begin(pages);
    this.changes.push(this.action, pages);
  }

  override end(ns: number, pages: number, how: number): void {
    super.end(ns, pages, how);
    this.changes.push(this.action, -pages);
  }
}

/** Words of a bit for each event of a segment. */
const BIT_WORDS = SEGMENT_EVENTS / 32;
const NO_BITS: Int32Array = new Int32Array(0);

/**
 * One part of a replay as recorded: some sets of the IOTLB, with the causes of their misses and the staleness of what they hold.
 * It takes the whole trace, so that page tables, attachments and commands are where they are for everybody, but looks up only
 * pages of its own sets. `createNextLevel` has the rest.
 */
export class SetPart {
  readonly #machine: Machine;
  /** Devices may have caches of their own. */
  readonly #withDevices: boolean;
  /** This part is the only one. */
  readonly #alone: boolean;
  readonly #player: Player;
  readonly #exposure = new WatchedExposures();
  /** Levels of page tables, unless `levels` of a segment tells others; table entries that were read so far. */
  readonly #usual: number;
  #walkReads = 0;
  #levels: number[] = [];
  readonly #finds = { missed: NO_BITS, evicted: NO_BITS, served: NO_BITS, dropped: NO_BITS };
  /** Numbers of the next access and the next command in the segment. */
  #access = 0;
  #command = 0;

  /** Part `index` of `parts`: each of those sets whose number modulo `parts` it is. */
  constructor(hardware: HardwareProfile, index: number, parts: number) {
    const geometry = iotlbGeometry(hardware);
    this.#usual = formatsOfProfile(hardware).own.levels;
    this.#withDevices = deviceTlbGeometry(hardware) !== undefined;
    this.#alone = parts === 1;
    const sets = geometry?.banks[0]?.sets;
    if (geometry === undefined || sets === undefined) throw new RangeError('an IOTLB of sets expected');
    // asked for each access: a byte is faster than a division
    const own = Uint8Array.from({ length: sets }, (_, set) => (set % parts === index ? 1 : 0));
    this.#machine = createMachine(hardware, {
      unmappedAccess: 'fill',
      exposure: this.#exposure,
      silentDevices: index > 0,
      only: this.#alone
        ? () => true
        : (tag, pageLo, pageHi) => own[setNumber(geometry.index, tag, 0, pageLo, pageHi) % sets] !== 0,
    });
    this.#player = createPlayer(this.#watched(), new SeriesBuilder());
  }

  segment(segment: Segment, shift: Nanoseconds): PartFinds {
    const exposure = this.#exposure;
    const finds = this.#finds;
    exposure.action = 0;
    exposure.changes = [];
    this.#levels = [];
    this.#access = 0;
    this.#command = 0;
    finds.missed = new Int32Array(BIT_WORDS);
    finds.evicted = new Int32Array(BIT_WORDS);
    finds.served = new Int32Array(this.#withDevices ? BIT_WORDS : 0);
    finds.dropped = segment.rows.inv.count === 0 ? NO_BITS : new Int32Array(BIT_WORDS);
    this.#player.play(segment, shift);
    return { ...finds, levels: Int32Array.from(this.#levels), exposed: Int32Array.from(exposure.changes) };
  }

  /** Call once, last. */
  finish(end: Nanoseconds): PartCounts {
    const { stale, deviceExposure, caches, unbacked } = this.#machine.finish(end);
    const { bySeen, translations } = this.#machine.causes;
    return {
      bySeen,
      translations,
      exposure: this.#exposure.sums(),
      unbacked,
      stale,
      deviceExposure,
      atc: caches['atc'],
    };
  }

  /** The machine, with what it does written down. */
  #watched(): Played {
    const machine = this.#machine;
    const exposure = this.#exposure;
    const finds = this.#finds;
    const { accessNow, commandNow, causes } = machine;
    return {
      ...machine,
      accessNow: (rid, pasid, domain, iovaLo, iovaHi, access, pageShift) => {
        const at = this.#access++;
        const result = accessNow(rid, pasid, domain, iovaLo, iovaHi, access, pageShift);
        exposure.action++;
        if ((result & ACCESS_RESULT.device) !== 0) finds.served[at >>> 5]! |= 1 << at;
        else if ((result & (ACCESS_RESULT.hit | ACCESS_RESULT.elsewhere)) === 0) {
          if (machine.last.order !== 0) throw notInParts('pages larger than 4 KiB, which are in other sets');
          const levels = machine.walkReads - this.#walkReads;
          if (levels !== this.#usual) this.#levels.push(at, levels);
          this.#walkReads += levels;
          finds.missed[at >>> 5]! |= 1 << at;
          if (causes.newest === SEEN.evicted) finds.evicted[at >>> 5]! |= 1 << at;
        }
        if ((result & ACCESS_RESULT.unlike) !== 0 && !this.#alone) {
          throw notInParts('a device was given a translation that is not in the page tables any more');
        }
        return result;
      },
      commandNow: (w0Lo, w0Hi, w1Lo, w1Hi, w2Lo, w2Hi) => {
        const at = this.#command++;
        const count = commandNow(w0Lo, w0Hi, w1Lo, w1Hi, w2Lo, w2Hi);
        exposure.action++;
        if (count > 0) finds.dropped[at >>> 5]! |= 1 << at;
        return count;
      },
      map: (time, domain, iovaLo, iovaHi, physLo, physHi, sizeLo, sizeHi, prot) => {
        const result = machine.map(time, domain, iovaLo, iovaHi, physLo, physHi, sizeLo, sizeHi, prot);
        exposure.action++;
        return result;
      },
      unmap: (time, domain, iovaLo, iovaHi, sizeLo, sizeHi, event) => {
        const result = machine.unmap(time, domain, iovaLo, iovaHi, sizeLo, sizeHi, event);
        exposure.action++;
        return result;
      },
      reset: (time) => {
        machine.reset(time);
        exposure.action++;
      },
      // what all parts together have is not for one to tell
      takePeakExposed: () => 0,
    };
  }
}

import type { Nanoseconds } from '../../../traces/units.ts';
import { SMMU_LOOKUP, SmmuLookups } from './smmuv3-lookups.ts';
import { SmmuPageSizes } from './smmuv3-page-sizes.ts';

/** A piece that QEMU cut a range invalidation into: its first address, and its number of granules. */
interface Piece {
  readonly lo: number;
  readonly hi: number;
  readonly granules: number;
}

/** Pieces of one command at most: a power of two each, up and down the size of the whole. */
const PIECES = 128;

/** The command that QEMU is executing. */
export class SmmuCommand {
  /** -1: none. */
  opcode = -1;
  time: Nanoseconds = 0;
  task = -1;
  /** Lines about its effect were read. */
  executed = false;
  w0Lo = 0;
  w0Hi = 0;
  w1Lo = 0;
  w1Hi = 0;
  readonly pieces: Piece[] = [];

  start(opcode: number, time: Nanoseconds, task: number): void {
    this.opcode = opcode;
    this.time = time;
    this.task = task;
    this.executed = false;
    this.w0Lo = opcode;
    this.w0Hi = 0;
    this.w1Lo = 0;
    this.w1Hi = 0;
    this.pieces.length = 0;
  }

  addPiece(lo: number, hi: number, granules: number): boolean {
    if (this.pieces.length >= PIECES) return false;
    this.pieces.push({ lo, hi, granules });
    return true;
  }
}

/** What the lines so far say about the emulated unit. */
export class Smmuv3State {
  readonly lookups = new SmmuLookups();
  readonly pageSizes = new SmmuPageSizes();
  readonly command = new SmmuCommand();
  /** Producer index of the newest round of commands, -1 when it is over. */
  producer = -1;
  /** The whole cache was emptied, not by a command: for the insertion that comes next. */
  emptied = false;
  /** The log has misses or insertions, so a translation without a lookup's line was a hit. */
  logsMisses = false;
  /** The log has hits, so a translation without a lookup's line says nothing. */
  logsHits = false;
  /** Time of the newest event written: a command's is written when it is over, which other events may precede. */
  newest: Nanoseconds = 0;
  /** Domain of a stream, as far as its translations showed it; -1 where its configuration may have changed since. */
  readonly domainOf = new Map<number, number>();
  /** Domain that the newest attach event of a stream named. */
  readonly attached = new Map<number, number>();
  readonly #orphans = new Map<string, number>();

  /** A lookup whose translation never came. */
  orphan(kind: number): void {
    const name =
      kind === SMMU_LOOKUP.hit
        ? 'smmu_iotlb_lookup_hit'
        : kind === SMMU_LOOKUP.inserted
          ? 'smmu_iotlb_insert'
          : 'smmu_iotlb_lookup_miss';
    this.#count(`${name} without its smmuv3_translate_success`);
  }

  /** A command that names an address, of which no line told. */
  orphanCommand(): void {
    this.#count('smmuv3_cmdq_opcode of a range without its smmuv3_range_inval');
  }

  #count(what: string): void {
    this.#orphans.set(what, (this.#orphans.get(what) ?? 0) + 1);
  }

  end(): ReadonlyMap<string, number> {
    const { lookups } = this;
    for (let i = 0; i < lookups.count; i++) this.orphan(lookups.kind[i]!);
    lookups.count = 0;
    return this.#orphans;
  }
}

import type { HardwareProfile } from '../hardware/profile.ts';
import type { DirtyLeaf } from '../model/table-dirty.ts';
import type { DirtyCounts } from './dirty-counts.ts';
import type { HarvestTables } from './harvest-tables.ts';

/**
 * A way to find out which pages were written. It sees maps, accesses and harvest requests of address spaces (numbered from 0)
 * in 4 KiB pages, answers with the pages that it reports, and counts what that took. It knows no time: costs are made of the
 * counts (`dirty-costs.ts`). Before `start` nothing is tracked.
 */
export interface DirtyMethod {
  readonly counts: DirtyCounts;
  /** Pages that weren't mapped. */
  map(space: number, page: number, pages: number): void;
  /**
   * Pages that were. With a mapping its dirty state goes: `found` is told of it before, and leaves that lie across an edge are
   * split, as reading a part of one cleans all of it.
   */
  unmap(space: number, page: number, pages: number, found?: DirtyLeaf): void;
  /** False where the page isn't mapped, so that nothing was accessed. */
  access(space: number, page: number, write: boolean): boolean;
  /** Tracking begins in a part of the memory. */
  start(space: number, page: number, pages: number): void;
  /** Tells the pages of a part that were written since its last harvest, and perhaps more. */
  harvest(space: number, page: number, pages: number, found: DirtyLeaf): void;
  /** Tracking ends in a part of the memory. */
  stop(space: number, page: number, pages: number): void;
}

export interface DirtyMethodOptions {
  readonly hardware: HardwareProfile;
  readonly tables: HarvestTables;
  /** Cached translations are invalidated after a harvest; without it methods miss writes. */
  readonly flush: boolean;
  /** Leaves of several entries lose the last one, as Linux 7.2.13 harvests them. */
  readonly contiguousDefect: boolean;
  /** Harvests in which all of a split leaf stays clean, after which it becomes one leaf again; 0: when tracking ends. */
  readonly mergeAfter: number;
}

/** What of a method's counts makes up its harvest when it is planned for memory that isn't there. */
export interface DirtyPlanRule {
  /** What one bit or log entry tells of, in address bits. */
  readonly told: number;
  /** Leaves that are scanned, in address bits; 0: nothing is scanned. */
  readonly scannedLeaf: number;
  /** A bitmap is handed over. */
  readonly bitmap: boolean;
  /** Collected from a log. */
  readonly ring: boolean;
}

/** A member of the registry (`dirty-methods.ts`): one file each. `name@value` gives it a value. */
export interface DirtyMethodFactory {
  readonly name: string;
  readonly summary: string;
  /** What the value is, its default, and what it can be. */
  readonly value?: {
    readonly about: string;
    readonly default: string;
    /** The number that a text means; -1 for one that means nothing. */
    parse(text: string): number;
    readonly example: string;
  };
  /** Log2 of the bytes of the leaves that are there when nothing is tracked: what IOTLB misses are compared with. */
  untrackedLeaf(value: number): number;
  /**
   * `hardware`: a bit in the page table; `fault`: the first write to a page goes to the kernel; `page-request`: that of a device
   * does, as a page request.
   */
  readonly sets: 'hardware' | 'fault' | 'page-request';
  /** Entries that become clean are write-protected by the kernel, under its lock for the whole machine. */
  readonly protects: boolean;
  /** A page may be logged more than once between two harvests. */
  readonly logsAgain: boolean;
  /** Why it can't be done with these tables; undefined where it can. */
  impossible(value: number, tables: HarvestTables): string | undefined;
  /** Why it can miss writes; undefined where it can't. */
  misses(options: DirtyMethodOptions): string | undefined;
  /** How it is planned; undefined where its harvest depends on more than sizes and shares. */
  plan(value: number): DirtyPlanRule | undefined;
  create(value: number, options: DirtyMethodOptions): DirtyMethod;
}

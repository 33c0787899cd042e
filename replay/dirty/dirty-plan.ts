import { Random } from '../../traces/random.ts';
import { PageTables } from '../model/page-tables.ts';
import { TablePool } from '../model/table-pool.ts';
import type { PageTableFormat } from '../model/page-table-format.ts';
import { noCounts } from './dirty-counts.ts';
import type { DirtyCounts } from './dirty-counts.ts';
import type { DirtyPlanRule } from './dirty-method.ts';
import type { DirtyParameter } from './dirty-parameters.ts';
import type { DirtyPlan } from './dirty-result.ts';
import type { HarvestCosts, PartTime } from './harvest-costs.ts';
import { withLeaves } from './harvest-tables.ts';
import { PageSet } from './page-set.ts';
import { countReads } from './table-reads.ts';

const PAGE_SHIFT = 12;
const BITMAP_PAGES = 8;
const TABLE_BYTES = 4096;
const READ_WRITE = 3;
/** Leaves that samples have together, where there are so many. */
const LEAST_LEAVES = 65_536;
const MOST_SAMPLES = 4096;

/** What a harvest found on memory that is there; what is planned is as dirty. */
export interface DirtyShares {
  /** Reported pages and entries that were cleared, of a mapped page. */
  readonly reported: number;
  readonly cleared: number;
  /** Ranges of a reported page. */
  readonly ranges: number;
  /** Log entries of a mapped page. */
  readonly ring: number;
  /** Tables that were visited, of a mapped page, where nothing is scanned. */
  readonly tables: number;
}

export interface PlanOptions {
  readonly bytes: number;
  readonly rule: DirtyPlanRule;
  readonly format: PageTableFormat;
  readonly shares: DirtyShares;
  readonly costs: HarvestCosts;
  readonly parameter: DirtyParameter;
  readonly chunkPages: number;
  readonly threads: readonly number[];
  readonly seed: number;
}

/**
 * One harvest of memory that is not built, twice: by formula, and from some chunks whose tables are built, with pages dirtied at
 * random, harvested and scaled up.
 */
export function planHarvest(options: PlanOptions): DirtyPlan {
  const { bytes, costs, parameter, threads } = options;
  const pages = Math.ceil(bytes / 2 ** PAGE_SHIFT);
  const order = parameter('dirty.order');
  const chunks = Math.max(1, Math.ceil(pages / options.chunkPages));
  const chunkPages = Math.min(pages, options.chunkPages);
  const shape = chunkShape(options, chunkPages);
  const counts = formulaCounts(options, chunkPages, shape);
  const reported = chunkPages * options.shares.reported;
  const part = costs.part(counts, reported * options.shares.ranges);
  const samples = sample(options, chunks, chunkPages);
  const wall = (parts: readonly PartTime[], count: number): number => {
    // a whole number of rounds of the same parts, scaled to the chunks that there are
    const used = Array.from({ length: Math.min(chunks, 4096) }, (_, i) => parts[i % parts.length]!);
    return (costs.wall(used, count, order) * chunks) / used.length;
  };
  return {
    bytes: pages * 2 ** PAGE_SHIFT,
    tableBytes: chunkShape(options, pages).tables * options.format.geometry.tableFrames * TABLE_BYTES,
    tables: Math.round(counts.tablesVisited * chunks),
    entries: shape.entries * chunks,
    bitmapBytes: options.rule.bitmap ? Math.ceil(pages / BITMAP_PAGES) : 0,
    cleared: Math.round(counts.entriesCleared * chunks),
    formulaNs: threads.map((count) => wall([part], count)),
    sampledNs: threads.map((count) => wall(samples, count)),
    samples: samples.length,
  };
}

/** Tables and entries that a harvest of an aligned chunk reads: of each level as many entries as its span fits. */
function chunkShape(
  { rule, format }: PlanOptions,
  pages: number,
): { readonly tables: number; readonly entries: number } {
  if (rule.scannedLeaf === 0) return { tables: 0, entries: 0 };
  const { geometry, indexBits } = format;
  const leaf = geometry.sizeOf(rule.scannedLeaf);
  if (leaf === undefined) return { tables: 0, entries: 0 };
  let tables = 0;
  let entries = 0;
  for (let level = leaf.level; level < format.levels; level++) {
    const inLevel = Math.ceil(pages / geometry.spans[level]!);
    entries += inLevel;
    tables += Math.ceil(inLevel / 2 ** indexBits);
  }
  return { tables, entries };
}

function formulaCounts(
  { rule, shares }: PlanOptions,
  pages: number,
  shape: { readonly tables: number; readonly entries: number },
): DirtyCounts {
  const counts = noCounts();
  counts.calls = 1;
  counts.tablesVisited = rule.scannedLeaf === 0 ? pages * shares.tables : shape.tables;
  counts.entriesRead = shape.entries;
  counts.entriesCleared = pages * shares.cleared;
  counts.flushes = Math.min(1, counts.entriesCleared);
  counts.bitmapBytes = rule.bitmap ? Math.ceil(pages / BITMAP_PAGES) : 0;
  counts.ringEntries = rule.ring ? pages * shares.ring : 0;
  return counts;
}

/** Chunks at random places of the address space, built and harvested. */
function sample(options: PlanOptions, chunks: number, chunkPages: number): readonly PartTime[] {
  const { rule, costs, parameter, shares, seed } = options;
  const random = new Random(seed);
  const format = withLeaves(options.format, Math.max(PAGE_SHIFT, rule.scannedLeaf));
  const leafPages = 2 ** (Math.max(PAGE_SHIFT, rule.scannedLeaf) - PAGE_SHIFT);
  const parts: PartTime[] = [];
  // large leaves are few in a chunk: enough chunks that chance evens out
  const enough = Math.ceil(LEAST_LEAVES / Math.max(1, chunkPages / leafPages));
  const wanted = Math.min(chunks, MOST_SAMPLES, Math.max(parameter('dirty.samples'), enough));
  for (let i = 0; i < wanted; i++) {
    // all of them where that is enough, each once
    const first = (wanted === chunks ? i : random.below(chunks)) * chunkPages;
    const counts = noCounts();
    counts.calls = 1;
    if (rule.scannedLeaf > 0) {
      const tables = new PageTables(new TablePool(), format);
      tables.map(first, first, chunkPages, READ_WRITE);
      const reads = { entries: 0, tables: 0 };
      countReads(tables, first, chunkPages, reads);
      counts.entriesRead = reads.entries;
      counts.tablesVisited = reads.tables;
    }
    const dirty = dirtied(random, shares, Math.ceil(chunkPages / leafPages), leafPages);
    const ofReported = (share: number): number => (shares.reported === 0 ? 0 : (dirty.size * share) / shares.reported);
    if (rule.scannedLeaf === 0) counts.tablesVisited = ofReported(shares.tables);
    counts.entriesCleared = ofReported(shares.cleared);
    counts.flushes = dirty.size > 0 ? 1 : 0;
    counts.bitmapBytes = rule.bitmap ? Math.ceil(chunkPages / BITMAP_PAGES) : 0;
    counts.ringEntries = rule.ring ? ofReported(shares.ring) : 0;
    parts.push(costs.part(counts, dirty.runs()));
  }
  return parts;
}

/** Leaves become dirty in runs as long as those that were found, at the share that was found: a chain of two states. */
function dirtied(random: Random, shares: DirtyShares, leaves: number, leafPages: number): PageSet {
  const dirty = new PageSet();
  const ends = Math.min(1, shares.ranges * leafPages);
  const begins = shares.reported >= 1 ? 1 : Math.min(1, (shares.reported * ends) / (1 - shares.reported));
  let is = random.chance(shares.reported);
  for (let leaf = 0; leaf < leaves; leaf++) {
    if (is) dirty.addRange(leaf * leafPages, leafPages);
    is = is ? shares.reported >= 1 || !random.chance(ends) : random.chance(begins);
  }
  return dirty;
}

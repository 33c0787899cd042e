import { IorrError } from '../../traces/errors.ts';
import { PAGE_TABLE_FORMATS } from '../model/formats/formats.ts';
import type { PageTableFormat } from '../model/page-table-format.ts';
import { PageTables } from '../model/page-tables.ts';
import { TablePool } from '../model/table-pool.ts';
import { TableReader } from '../model/table-reader.ts';
import { tableMemory } from './scan-kernel.ts';
import type { TableMemory } from './scan-kernel.ts';

/** Page tables in shared memory, as plain data that goes to other threads. Pages are units of the format's `pageShift`. */
export interface SharedTables {
  /** A name of `PAGE_TABLE_FORMATS`. */
  readonly format: string;
  readonly memory: TableMemory;
  /** First frame of the root, and levels from root to leaf. */
  readonly root: number;
  readonly levels: number;
  /** Log2 of the bytes of a leaf; all are of this size. */
  readonly leafShift: number;
  /** What is mapped, from address 0 on. */
  readonly pages: number;
  readonly pageBytes: number;
  /** Bytes of the tables that hold leaves: what a harvest scans. */
  readonly leafBytes: number;
}

export interface SharedTablesOptions {
  /** A name of `PAGE_TABLE_FORMATS`, with dirty state. */
  readonly format: string;
  /** Log2 of the bytes of each leaf. */
  readonly leafShift: number;
  /** Guest memory to map: a multiple of the leaf. */
  readonly bytes: number;
}

const MOST_TABLE_BYTES = 2 ** 31;
const TABLE_BYTES = 4096;
const WRITABLE = 3;

/** Bytes that tables of a size need, of all levels; what holds leaves first. */
export function tableBytes({ format: name, leafShift, bytes }: SharedTablesOptions): readonly number[] {
  const format = formatNamed(name);
  const size = format.geometry.sizeOf(leafShift);
  if (size === undefined) {
    const known = format.geometry.sizes.map(({ pageBits }) => pageBits + format.pageShift).join(', ');
    throw new IorrError('USAGE', `${name} has no leaves of 2^${leafShift} bytes`, { hint: `it has 2^: ${known}` });
  }
  if (!(bytes > 0 && bytes % 2 ** leafShift === 0)) throw new RangeError(`${bytes} bytes in leaves of 2^${leafShift}`);
  const perLevel: number[] = [];
  const perTable = format.geometry.tableFrames * TABLE_BYTES;
  let entries = (bytes / 2 ** leafShift) * 2 ** size.order;
  for (let level = size.level; level < format.maxLevels; level++) {
    const tables = Math.ceil(entries / 2 ** format.indexBits);
    perLevel.push(tables * perTable);
    entries = tables;
  }
  return perLevel;
}

/**
 * Maps guest memory from address 0, writable, in leaves of one size, as Linux maps it: with Arm's DBM new leaves are dirty, and
 * a first harvest makes them clean. Throws `LIMIT` for more than 2 GiB of tables.
 */
export function buildSharedTables(options: SharedTablesOptions): SharedTables {
  const { format: name, leafShift, bytes } = options;
  const format = formatNamed(name);
  const perLevel = tableBytes(options);
  const frames = format.geometry.rootFrames(format.levels) + format.maxLevels;
  // frame 0 is never used; AMD's root grows, and a table of several frames is aligned to its size
  const needed =
    perLevel.reduce((sum, level) => sum + level, 0) + (frames + 2 * format.geometry.tableFrames) * TABLE_BYTES;
  if (needed > MOST_TABLE_BYTES) {
    throw new IorrError('LIMIT', `${bytes} bytes in leaves of 2^${leafShift} need ${needed} bytes of page tables`, {
      hint: `at most ${MOST_TABLE_BYTES}; choose larger leaves or less memory`,
    });
  }
  const memory = tableMemory(needed);
  const tables = new PageTables(new TablePool({ buffer: memory.buffer }), format, { strict: true });
  const leaf = 2 ** (leafShift - format.pageShift);
  const pages = bytes / 2 ** format.pageShift;
  // the output is a leaf off the input, so that no larger leaf can be used
  const events = tables.map(0, leaf, pages, WRITABLE);
  if (tables.pages !== pages) throw new RangeError(`mapped ${tables.pages} of ${pages} pages (events ${events})`);
  const { root, levels } = tables;
  return {
    format: name,
    memory,
    root,
    levels,
    leafShift,
    pages,
    pageBytes: 2 ** format.pageShift,
    leafBytes: perLevel[0] ?? 0,
  };
}

/** The same tables for reading, in any thread. */
export function sharedReader({ format, memory, root, levels }: SharedTables): TableReader {
  return new TableReader(new TablePool({ buffer: memory.buffer }), formatNamed(format), { root, levels });
}

function formatNamed(name: string): PageTableFormat {
  const format = PAGE_TABLE_FORMATS.find((known) => known.name === name);
  if (format !== undefined) return format;
  throw new IorrError('USAGE', `no page-table format '${name}'`, {
    hint: PAGE_TABLE_FORMATS.map((known) => known.name).join(', '),
  });
}

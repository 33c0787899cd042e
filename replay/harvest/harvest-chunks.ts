import { PAGE_TABLE_FORMATS } from '../model/formats/formats.ts';
import type { SharedTables } from './table-memory.ts';

/** Leaf tables of a chunk at most: 256 KiB, so that taking a chunk costs nothing beside it. */
const MOST_TABLES = 64;
/** Chunks that there should be at least, so that threads end together. */
const LEAST_CHUNKS = 64;
const WORD_BITS = 32;

/**
 * Pages of the parts that threads take one after the other: whole leaf tables, a power of two of them. Parts share no leaf and no
 * word of a bitmap with a bit per leaf.
 */
export function chunkPages({ format: name, leafShift, pages }: SharedTables): number {
  const format = PAGE_TABLE_FORMATS.find((known) => known.name === name);
  const size = format?.geometry.sizeOf(leafShift);
  if (format === undefined || size === undefined) throw new RangeError(`no leaf of 2^${leafShift} bytes in ${name}`);
  const table = Math.max(2 ** (format.indexBits - size.order), WORD_BITS) * size.pages;
  let tables = 1;
  while (tables < MOST_TABLES && pages / (table * tables * 2) >= LEAST_CHUNKS) tables *= 2;
  return table * tables;
}

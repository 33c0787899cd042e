import { DIALECT } from '../../traces/schema.ts';
import type { DesignContext } from './design.ts';
import type { FlushRange } from './domain-flush.ts';
import { addressMask, floorLog2 } from './page-words.ts';

/**
 * The cheapest commands that drop a set of ranges: neighbours are merged where one command for both names no more pages than one for
 * each; undefined where more than `most` commands would be left, so that one command for the whole domain is better.
 */
export function flushMix(
  ranges: readonly FlushRange[],
  context: DesignContext,
  most: number,
): readonly FlushRange[] | undefined {
  const sorted = [...ranges].sort((a, b) => a.first - b.first);
  const mix: FlushRange[] = [];
  for (const range of sorted) {
    let newest = range;
    for (;;) {
      const before = mix.at(-1);
      if (before === undefined) break;
      const union: FlushRange = {
        first: before.first,
        last: Math.max(before.last, newest.last),
        freedTable: before.freedTable | newest.freedTable,
        order: before.order === newest.order ? newest.order : -1,
      };
      if (named(union, context) > named(before, context) + named(newest, context)) break;
      // two that became one may touch the one before them: pairs become fours, fours eights
      mix.pop();
      newest = union;
    }
    mix.push(newest);
  }
  const commands = mix.reduce((sum, range) => sum + commandsOf(range, context), 0);
  return commands > most ? undefined : mix;
}

/** Masked commands name the smallest aligned power of two of pages around a range. */
function byMask({ dialect, cachingMode }: DesignContext): boolean {
  return dialect === DIALECT.vtd || (dialect === DIALECT.amd && !cachingMode);
}

/** 4 KiB pages that the commands for a range name. */
function named({ first, last }: FlushRange, context: DesignContext): number {
  return byMask(context) ? 2 ** addressMask(first, last) : last - first + 1;
}

function commandsOf({ first, last, order }: FlushRange, context: DesignContext): number {
  const pages = last - first + 1;
  if (byMask(context)) return 1;
  const exact = context.dialect === DIALECT.riscv || (context.dialect === DIALECT.smmuv3 && !context.rangeInvalidation);
  // a range command holds 5 bits of a number of pages, an aligned piece one
  return exact ? Math.ceil(pages / 2 ** Math.max(order, 0)) : 1 + Math.floor(floorLog2(pages) / 5);
}

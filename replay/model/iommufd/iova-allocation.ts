import { U64_MAX } from './area-tree.ts';
import type { IovaRange } from './backend.ts';
import { PAGE_SIZE } from './backing.ts';
import { ERRNO } from './errno.ts';
import type { Ioas } from './ioas.ts';

const PAGE = BigInt(PAGE_SIZE);
/** Largest alignment that is looked for: the CPU's PMD size, x86-64 with transparent huge pages. */
const HUGE_PAGE = 0x20_0000n;
const EVERYTHING: readonly IovaRange[] = [{ start: PAGE, last: U64_MAX - PAGE }];

function roundUpToPowerOfTwo(value: bigint): bigint {
  return value <= 1n ? 1n : 1n << BigInt((value - 1n).toString(2).length);
}

/** Where a range fits into [start, last] with its alignment and its offset in the page. */
function fit(start: bigint, last: bigint, length: bigint, alignment: bigint, offset: bigint): bigint | undefined {
  const up = start + alignment - 1n;
  if (up > U64_MAX) return undefined;
  const at = (up & ~(alignment - 1n)) | offset;
  return at >= last || last - at < length - 1n ? undefined : at;
}

/** iopt_alloc_iova: the lowest address that fits, or a negative errno. `address` is where the pages come from. */
export function allocIova(ioas: Ioas, address: bigint, length: bigint): bigint | number {
  if (length >= U64_MAX / 2n) return -ERRNO.EOVERFLOW;
  const offset = address & (PAGE - 1n);
  let alignment = roundUpToPowerOfTwo(length);
  const lowest = address & -address;
  if (address !== 0n && lowest < alignment) alignment = lowest;
  if (alignment > HUGE_PAGE) alignment = HUGE_PAGE;
  if (alignment < ioas.alignment) return -ERRNO.EINVAL;
  for (const range of ioas.allowed.length === 0 ? EVERYTHING : merged(ioas.allowed)) {
    const from = fit(range.start, range.last, length, alignment, offset);
    if (from === undefined) continue;
    for (const hole of ioas.reserved.holes(from, range.last)) {
      for (let at = hole.start; at <= hole.last; ) {
        const gap = ioas.areas.gap(at, length);
        if (gap === undefined || gap.start > hole.last) break;
        const last = gap.last < hole.last ? gap.last : hole.last;
        const found = fit(gap.start, last, length, alignment, offset);
        if (found !== undefined) return found;
        at = gap.last + 1n;
      }
    }
  }
  return -ERRNO.ENOSPC;
}

/** Allowed ranges as the kernel's walk sees them: neighbours as one, page 0 and the last page left out. */
function merged(allowed: readonly IovaRange[]): IovaRange[] {
  const ranges: { start: bigint; last: bigint }[] = [];
  for (const { start, last } of [...allowed].sort((a, b) => (a.start < b.start ? -1 : 1))) {
    const before = ranges.at(-1);
    if (before !== undefined && before.last + 1n >= start) before.last = last;
    else ranges.push({ start, last });
  }
  const clipped: IovaRange[] = [];
  for (const { start, last } of ranges) {
    const from = start < PAGE ? PAGE : start;
    const to = last > U64_MAX - PAGE ? U64_MAX - PAGE : last;
    if (from <= to) clipped.push({ start: from, last: to });
  }
  return clipped;
}

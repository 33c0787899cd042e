import type { Area } from './area-tree.ts';
import { PAGE_SIZE } from './backing.ts';
import type { MappedPiece } from './intents.ts';

const PAGE = BigInt(PAGE_SIZE);
/** An area of more pages than these (1 GiB) is told as one piece even where large pages are off, to bound what one call tells. */
const MOST_PAGES = 1 << 18;

/**
 * The iommu_map calls by which an area is filled into a domain: one for each run of physically contiguous pages
 * (drivers/iommu/iommufd/pages.c, batch_to_domain), or for each page where large pages are off. The area must be pinned. Where
 * the recording has no page frames, memory counts as contiguous.
 */
export function* mappedPieces(area: Area, pageByPage: boolean): Generator<MappedPiece> {
  const { prot } = area;
  const small = pageByPage && area.lastPage - area.firstPage < MOST_PAGES;
  const framed = allFramesKnown(area);
  if (!framed && !small) {
    yield { start: area.start, last: area.last, prot, physical: standIn(area, area.startByte) };
    return;
  }
  let open: { readonly start: bigint; readonly physical: bigint } | undefined;
  let next = area.start;
  let expected = 0n;
  for (let page = area.firstPage; page <= area.lastPage; page++) {
    const byte = Math.max(area.startByte, page * PAGE_SIZE);
    const frame = framed ? frameOf(area, page) : undefined;
    const physical = frame === undefined ? standIn(area, byte) : BigInt(frame) * PAGE + BigInt(byte % PAGE_SIZE);
    if (open !== undefined && (small || physical !== expected)) {
      yield { ...open, last: next - 1n, prot };
      open = undefined;
    }
    open ??= { start: next, physical };
    const bytes = BigInt((page + 1) * PAGE_SIZE - byte);
    next += bytes;
    expected = physical + bytes;
  }
  if (open !== undefined) yield { ...open, last: area.last, prot };
}

function frameOf({ pages }: Area, page: number): number | undefined {
  const found = pages.physical(page);
  return found?.backing.frames?.get(found.page);
}

function allFramesKnown(area: Area): boolean {
  for (let page = area.firstPage; page <= area.lastPage; page++) if (frameOf(area, page) === undefined) return false;
  return true;
}

function standIn({ pages }: Area, byte: number): bigint {
  return BigInt(pages.base + byte);
}

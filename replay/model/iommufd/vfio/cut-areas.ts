import { Area } from '../area-tree.ts';
import { ERRNO } from '../errno.ts';
import type { Ioas } from '../ioas.ts';

/**
 * Cuts the areas at both edges of a range, so that an unmap of it takes whole areas (iopt_cut_iova): what TYPE1 containers
 * allow. 0, or a negative errno.
 */
export function cutAreas(ioas: Ioas, iova: bigint, size: bigint): number {
  const edges = [BigInt.asUintN(64, iova + size - 1n)];
  if (iova !== 0n) edges.push(iova - 1n);
  for (const edge of edges) {
    const area = ioas.areas.first(edge, edge);
    // An edge that is the first or the last byte of an area cuts nothing.
    const whole = area === undefined || area.start === edge || area.last === edge;
    const ret = whole ? 0 : cut(ioas, area, edge);
    if (ret !== 0) return ret;
  }
  return 0;
}

/** iopt_area_split: `edge` becomes the last address of the first part. */
function cut(ioas: Ioas, area: Area, edge: bigint): number {
  const { pages } = area;
  const mask = ioas.alignment - 1n;
  if (area.preventAccess) return -ERRNO.EBUSY;
  if (pages.source.kind === 'dmabuf') return -ERRNO.EOPNOTSUPP;
  if (((edge + 1n) & mask) !== 0n || (BigInt(area.byteAt(edge + 1n)) & mask) !== 0n) return -ERRNO.EINVAL;
  if (area.accesses > 0) return -ERRNO.EINVAL;
  const parts = [
    new Area(area.start, edge, pages, area.startByte, area.prot),
    new Area(edge + 1n, area.last, pages, area.byteAt(edge + 1n), area.prot),
  ];
  for (const part of parts) if (area.smallIn !== undefined) part.smallIn = new Set(area.smallIn);
  for (const { dirty } of ioas.hwpts) dirty?.split(area, parts);
  const filled = ioas.domains.length > 0;
  if (filled) for (const part of parts) pages.fill(part);
  ioas.areas.remove(area);
  if (filled) pages.unfill(area);
  for (const part of parts) ioas.areas.insert(part);
  pages.users++;
  return 0;
}

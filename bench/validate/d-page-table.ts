import { amdV1 } from '../../replay/model/formats/amd-v1.ts';
import type { PageTableFormat } from '../../replay/model/page-table-format.ts';
import { PageTables } from '../../replay/model/page-tables.ts';
import { TablePool } from '../../replay/model/table-pool.ts';
import { TableWalk } from '../../replay/model/table-walk.ts';
import { validationLine } from './line.ts';
import type { ValidationLine } from './line.ts';
import { AMD_V1_MAP, AMD_V2_MAP, AMD_V2_UNMAP, VTD_MAP, VTD_UNMAP } from './published/page-table-timings.ts';
import { MAP_256, UNMAP_256 } from './published/small-numbers.ts';

const LEAVES = 256;
const TOLERANCE = 0.2;

/** Table entries that a walk to a leaf of 2^`order` pages reads, by the model's own tables of 3 levels. */
function walkReads(format: PageTableFormat, order: number): number {
  const tables = new PageTables(new TablePool(), format);
  const page = 2 ** Math.max(18, order);
  tables.map(page, page, 2 ** order, 3);
  const walk = new TableWalk(tables);
  walk.read(page | 0, 0, 1);
  return walk.reads;
}

/** ns that each leaf adds to a call, by the rows of one leaf and of 256. */
function perLeaf(one: number, many: number): number {
  return (many - one) / (LEAVES - 1);
}

/** What mapping and unmapping 256 x 4 KiB costs: a call, and for each leaf an entry, or a walk where the code walks anew. */
export function pageTableLines(): readonly ValidationLine[] {
  const map = perLeaf(AMD_V2_MAP.one.generic, AMD_V2_MAP.many4K?.generic ?? 0);
  const unmap = perLeaf(AMD_V2_UNMAP.one.generic, AMD_V2_UNMAP.many4K?.generic ?? 0);
  const generic = (one: number, leaf: number): number => one + (LEAVES - 1) * leaf;
  const line = (
    id: string,
    what: string,
    published: number,
    predicted: number,
    fittedOn: readonly string[],
    why: string,
  ): ValidationLine =>
    validationLine({
      id,
      what,
      unit: 'ns',
      published,
      predicted,
      tolerance: TOLERANCE,
      status: 'predicted',
      fittedOn,
      why,
    });
  const x86 = ['AMD v2, one leaf and 256 leaves of 4 KiB', 'one leaf of the format itself'];
  const entry =
    'one walk, then an entry after the other: the time of an entry is that of another format of the same code';
  return [
    line(
      'D.map.amd-v1.generic',
      'iommu_map of 256 x 4 KiB, AMD v1, generic page table',
      MAP_256.amdV1.generic,
      generic(AMD_V1_MAP.one.generic, map),
      x86,
      entry,
    ),
    line(
      'D.map.vtd.generic',
      'iommu_map of 256 x 4 KiB, VT-d second stage, generic page table',
      MAP_256.vtdSecondStage.generic,
      generic(VTD_MAP.one.generic, map),
      x86,
      entry,
    ),
    line(
      'D.unmap.vtd.generic',
      'iommu_unmap of 256 x 4 KiB, VT-d second stage, generic page table',
      UNMAP_256.vtdSecondStage.generic,
      generic(VTD_UNMAP.one.generic, unmap),
      x86,
      entry,
    ),
    line(
      'D.map.amd-v1.before',
      'iommu_map of 256 x 4 KiB, AMD v1, before',
      MAP_256.amdV1.before,
      rewalked(),
      ['AMD v1 before, 256 leaves of 2 MiB and of 1 GiB'],
      'that code walked anew for each leaf: linear in the levels that the model reads for it',
    ),
    line(
      'D.unmap.vtd.before',
      'iommu_unmap of 256 x 4 KiB, VT-d second stage, before',
      UNMAP_256.vtdSecondStage.before,
      generic(VTD_UNMAP.one.before, perLeaf(VTD_UNMAP.one.before, VTD_UNMAP.many2M.before)),
      ['VT-d before, one leaf, and 256 leaves of 2 MiB'],
      'an entry after the other, as for larger leaves',
    ),
    validationLine({
      id: 'D.map.vtd.before',
      what: 'iommu_map of 256 x 4 KiB, VT-d second stage, before',
      unit: 'ns',
      published: MAP_256.vtdSecondStage.before,
      status: 'out-of-scope',
      why:
        `missing: what the replaced code spent on an entry of 4 KiB; its rows for 2 MiB, which also looked for tables to free, would say ` +
        `${Math.round(generic(VTD_MAP.one.before, perLeaf(VTD_MAP.one.before, VTD_MAP.many2M.before)))} ns`,
    }),
  ];
}

/** AMD v1 before: each leaf begins at the root, so that 256 leaves take time by the levels walked; from 1 GiB over 2 MiB to 4 KiB. */
function rewalked(): number {
  const format = amdV1({ levels: 3 });
  const [small, middle, large] = [0, 9, 18].map((order) => walkReads(format, order));
  const perRead = (AMD_V1_MAP.many2M.before - (AMD_V1_MAP.many1G?.before ?? 0)) / ((middle ?? 0) - (large ?? 0));
  return AMD_V1_MAP.many2M.before + perRead * ((small ?? 0) - (middle ?? 0));
}

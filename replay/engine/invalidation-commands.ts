import { vtdDialect } from '../../traces/dialects/vtd.ts';
import { DIALECT, INV_FORM } from '../../traces/schema.ts';
import type { InvalidatedEntries } from '../model/iommufd/intents.ts';

/** enum iommu_hwpt_invalidate_data_type: VT-d's on nested HWPTs, SMMUv3's on vIOMMUs. */
const VTD_S1 = 0;
const SMMUV3 = 1;
const ALL_PAGES = 0xffff_ffff_ffff_ffffn;
const LARGEST_MASK = 63;

export interface DerivedCommand {
  readonly dialect: number;
  readonly form: number;
  readonly words: readonly bigint[];
}

/**
 * The commands that entries of HWPT_INVALIDATE ask for; none where they are of no real hardware. VT-d's entries
 * (struct iommu_hwpt_vtd_s1_invalidate: address, pages, flags) say a range: the smallest aligned block that covers it is one
 * PASID-based IOTLB command. SMMUv3's are commands as they are.
 */
export function invalidationCommands({ type, viommu, entries }: InvalidatedEntries, domain: number): DerivedCommand[] {
  if (viommu && type === SMMUV3) {
    return entries
      .filter((entry) => entry.length >= 16)
      .map((entry) => {
        const view = new DataView(entry.buffer, entry.byteOffset, entry.byteLength);
        const words = [view.getBigUint64(0, true), view.getBigUint64(8, true)];
        return { dialect: DIALECT.smmuv3, form: INV_FORM.words, words };
      });
  }
  if (viommu || type !== VTD_S1) return [];
  return entries.filter((entry) => entry.length >= 20).map((entry) => vtdCommand(entry, domain & 0xffff));
}

function vtdCommand(entry: Uint8Array, domain: number): DerivedCommand {
  const view = new DataView(entry.buffer, entry.byteOffset, entry.byteLength);
  const address = view.getBigUint64(0, true);
  const pages = view.getBigUint64(8, true);
  const all = pages === ALL_PAGES || (pages === 0n && address === 0n);
  const first = address >> 12n;
  const last = first + (pages > 0n ? pages - 1n : 0n);
  let mask = 0;
  while (mask < LARGEST_MASK && first >> BigInt(mask) !== last >> BigInt(mask)) mask++;
  const words = vtdDialect.encode({
    type: 'pasid-iotlb',
    granularity: all ? 2 : 3,
    domain,
    pasid: 0,
    address: all ? 0n : ((first >> BigInt(mask)) << BigInt(mask)) << 12n,
    mask: all ? 0 : mask,
    leafOnly: (view.getUint32(16, true) & 1) !== 0,
    problems: [],
  });
  return { dialect: DIALECT.vtd, form: INV_FORM.decoded, words };
}

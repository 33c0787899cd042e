import { VTD_GRANULARITY, VTD_TYPE } from '../../traces/dialects/vtd-fields.ts';
import type { DomainId, RequesterId } from '../../traces/units.ts';
import type { CommandSink } from './command-sink.ts';

/** One use of a guest's first-stage table by a device, in the host's numbers. */
export interface VtdAttachment {
  readonly unit: number;
  readonly device: RequesterId;
  /** 0: requests without PASID. */
  readonly pasid: number;
  /** Domain id that the host gave the nested domain on the unit. */
  readonly domain: DomainId;
  /** The device has ATS: the host keeps its TLB right. */
  readonly deviceTlb: boolean;
  /** Bits of its device-TLB descriptors beside type and source id (queue depth, PFSID); none where not known. */
  readonly deviceBits?: { readonly lo: number; readonly hi: number };
}

/** Descriptors in one submission at most, without its wait (QI_MAX_BATCHED_DESC_COUNT). */
const MAX_BATCH = 16;
/** log2 of the pages of "everything" (MAX_AGAW_PFN_WIDTH). */
export const VTD_WHOLE = 52;

/** An aligned block of 2^order 4 KiB pages: its address, as two int32 words; order `VTD_WHOLE`: everything. */
export interface VtdBlock {
  order: number;
  low: number;
  high: number;
}

/**
 * The block that stands for `pages` pages from `address` on, both 64 bits in two int32 words: the smallest aligned one with the
 * first and the last byte (VT-d descriptors name no other ranges). It is written to `block`. Sums wrap as the kernel's do: no
 * pages at all are those around the border below `address`, at 0 everything. drivers/iommu/intel/nested.c, cache.c.
 */
export function vtdBlockOf(
  addressLo: number,
  addressHi: number,
  pagesLo: number,
  pagesHi: number,
  block: VtdBlock,
): VtdBlock {
  const sum = (addressLo >>> 0) + ((pagesLo << 12) >>> 0);
  const endLo = sum | 0;
  const endHi = (addressHi + ((pagesHi << 12) | (pagesLo >>> 20)) + (sum >= 2 ** 32 ? 1 : 0)) | 0;
  const lastHi = endLo === 0 ? endHi - 1 : endHi;
  const high = addressHi ^ lastHi;
  const span = high === 0 ? 32 - Math.clz32(addressLo ^ (endLo - 1)) : 64 - Math.clz32(high);
  const order = Math.max(0, span - 12);
  block.order = Math.min(order, VTD_WHOLE);
  block.low = order >= 20 ? 0 : addressLo & -(2 ** (order + 12));
  block.high = order >= VTD_WHOLE ? 0 : order > 20 ? addressHi & -(2 ** (order - 20)) : addressHi;
  return block;
}

/** A cache that the host flushes: an IOMMU's for one domain and PASID, or a device's. */
interface Tag {
  readonly of: VtdAttachment;
  readonly deviceTlb: boolean;
}

/**
 * The caches behind a table, in the order in which the host flushes them: an attachment's IOTLB, which others on the unit with
 * the same domain and PASID share, then its device TLB. Those of one unit stand together, those of a newer unit before older
 * ones (drivers/iommu/intel/cache.c, cache_tag_assign).
 */
function tagsOf(attachments: readonly VtdAttachment[]): readonly Tag[] {
  const tags: Tag[] = [];
  const add = (of: VtdAttachment, deviceTlb: boolean): void => {
    const same = tags.some(
      (tag) =>
        tag.deviceTlb === deviceTlb &&
        tag.of.unit === of.unit &&
        tag.of.domain === of.domain &&
        tag.of.pasid === of.pasid &&
        (!deviceTlb || tag.of.device === of.device),
    );
    if (!same) tags.splice(tags.findLastIndex((tag) => tag.of.unit === of.unit) + 1, 0, { of, deviceTlb });
  };
  for (const attachment of attachments) {
    add(attachment, false);
    if (attachment.deviceTlb) add(attachment, true);
  }
  return tags;
}

/**
 * Runs one entry of a guest's list (struct iommu_hwpt_vtd_s1_invalidate): a PASID-IOTLB descriptor for each domain and PASID
 * that the table stands behind and a device-TLB descriptor for each device with ATS, in submissions of 16 at most with a wait
 * each. The guest names none of these numbers. `leaf`: paging-structure caches stay. `maxMask`: CAP.MAMV; a block beyond it is
 * all of the PASID. VT-d spec 6.5.2.4 to 6.5.2.6.
 */
export function issueVtdRange(
  { order, low, high }: VtdBlock,
  leaf: boolean,
  attachments: readonly VtdAttachment[],
  maxMask: number,
  sink: CommandSink,
): void {
  const tags = tagsOf(attachments);
  let pending = 0;
  tags.forEach(({ of, deviceTlb }, i) => {
    if (deviceTlb) deviceTlbCommand(of, order, low, high, sink);
    else {
      const granularity = order > maxMask ? VTD_GRANULARITY.pasid : VTD_GRANULARITY.page;
      const w0Lo = VTD_TYPE.pasidIotlb | (granularity << 4) | (of.domain << 16);
      const whole = order > maxMask;
      sink.command(of.unit, w0Lo, of.pasid, whole ? 0 : low | (leaf ? 0x40 : 0) | order, whole ? 0 : high, 0, 0, 0, 0);
    }
    pending++;
    if (pending < MAX_BATCH && tags[i + 1]?.of.unit === of.unit) return;
    sink.submit(of.unit);
    pending = 0;
  });
}

/** The size is in the address: ones from bit 12 up to the size's highest, which is 0 (VT-d spec 6.5.2.5). */
function deviceTlbCommand(of: VtdAttachment, order: number, low: number, high: number, sink: CommandSink): void {
  const { unit, device, pasid, deviceBits } = of;
  const source = device & 0xffff;
  const ones = order - 1;
  const sizeLo = ones <= 0 ? 0 : ones >= 20 ? -0x1000 : ((1 << ones) - 1) << 12;
  const sizeHi = ones <= 20 ? 0 : (2 ** Math.min(ones - 20, 31) - 1) | 0;
  const extraLo = deviceBits === undefined ? 0 : deviceBits.lo;
  const extraHi = deviceBits === undefined ? 0 : deviceBits.hi;
  if (pasid === 0) {
    const size = order === 0 ? 0 : 1;
    sink.command(unit, VTD_TYPE.deviceTlb | extraLo, source | extraHi, low | sizeLo | size, high | sizeHi, 0, 0, 0, 0);
  } else {
    const size = order === 0 ? 0 : 0x800;
    const w0Lo = VTD_TYPE.pasidDeviceTlb | extraLo | (source << 16);
    sink.command(unit, w0Lo, pasid | extraHi, low | sizeLo | size, high | sizeHi, 0, 0, 0, 0);
  }
}

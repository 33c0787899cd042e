import type { Backend, DeviceTraits, PagingDomain } from '../backend.ts';
import type { Device } from '../device.ts';
import { ERRNO } from '../errno.ts';
import { HWPT_FLAG } from '../hwpt.ts';
import type { Hwpt } from '../hwpt.ts';
import type { DriverData } from '../parts.ts';
import { StructView } from '../struct-view.ts';
import type { EntryFormat, Translation } from '../translation-state.ts';
import { HW_CAPABILITY, bit, field, regionTraits, withDefaults } from './hardware-backend.ts';
import type { AllValues, Hardware, HardwareSpec, ParameterValues } from './hardware-backend.ts';
import { pageSizesOf } from './page-sizes.ts';
import { ARM_SOFTWARE_MSI } from './reserved-regions.ts';
import { smmuv3Viommus } from './smmuv3-viommu.ts';

/** struct iommu_hw_info_arm_smmuv3 {u32 flags, u32 reserved, u32 idr[6], u32 iidr, u32 aidr}. */
const HW_INFO_TYPE = 2;
const HW_INFO_BYTES = 40;

const PARAMETERS = {
  // Both stages, AArch64 tables, coherent walks, dirty bits, ATS, page requests, 16-bit VMIDs, two levels.
  idr0: { value: 0x080d_169bn, what: 'SMMU_IDR0 (Arm SMMUv3 spec 6.3.1)' },
  idr1: { value: 0x0e73_9a90n, what: 'SMMU_IDR1: queue sizes, 10 bits of substreams or more, 16 of streams (6.3.2)' },
  idr3: { value: 0x0000_0414n, what: 'SMMU_IDR3: range invalidation (6.3.4)' },
  idr5: { value: 0x0000_0075n, what: 'SMMU_IDR5: 48-bit output, granules of 4, 16 and 64 KiB (6.3.6)' },
  iidr: { value: 0n, what: 'SMMU_IIDR: implementation (6.3.7)' },
  aidr: { value: 2n, what: 'SMMU_AIDR: architecture 3.2 (6.3.8)' },
  deviceAts: { value: true, what: 'devices have ATS and PASIDs' },
} as const;

type Values = AllValues<typeof PARAMETERS>;

const OUTPUT_BITS = [32, 36, 40, 42, 44, 48, 52] as const;

/** Sizes by granule; the CPU's page of 4 KiB decides which one is used if the unit has it. */
function sizes(idr5: bigint): bigint {
  if (bit(idr5, 4)) return pageSizesOf(12, 21, 30);
  return bit(idr5, 5) ? pageSizesOf(14, 25) : pageSizesOf(16, 29);
}

function capabilities({ idr0, idr1, idr5, deviceAts }: Values) {
  const stage1 = bit(idr0, 1);
  const stage2 = bit(idr0, 0);
  return {
    stage1,
    stage2,
    nested: stage1 && stage2,
    dirty: stage1 && field(idr0, 7, 6) === 2,
    pasidBits: stage1 && deviceAts && bit(idr0, 10) ? Math.min(field(idr1, 10, 6), 20) : 0,
    pageSizes: sizes(idr5),
    stage1Last: (1n << (field(idr5, 11, 10) === 1 ? 52n : 48n)) - 1n,
    stage2Last: (1n << BigInt(OUTPUT_BITS[field(idr5, 2, 0)] ?? 48)) - 1n,
  };
}

type Capabilities = ReturnType<typeof capabilities>;

/** arm_smmu_domain_alloc_paging_flags: one stage for each set of flags; what mixes them is refused. */
function allocPaging(can: Capabilities, flags: number, data: DriverData): PagingDomain | number {
  if (data.length > 0) return -ERRNO.EOPNOTSUPP;
  const dirty = (flags & HWPT_FLAG.dirty) !== 0;
  let stage: 1 | 2 = 1;
  if (flags === HWPT_FLAG.nestParent) {
    if (!can.nested) return -ERRNO.EOPNOTSUPP;
    stage = 2;
  } else if ((flags & HWPT_FLAG.nestParent) !== 0) {
    return -ERRNO.EOPNOTSUPP;
  } else if (!can.stage1) {
    if (flags !== 0) return -ERRNO.EOPNOTSUPP;
    stage = 2;
  }
  if (dirty && !can.dirty) return -ERRNO.EOPNOTSUPP;
  return {
    aperture: { start: 0n, last: stage === 1 ? can.stage1Last : can.stage2Last },
    pageSizes: can.pageSizes,
    dirtyOps: dirty,
    format: 'plain',
    dirtyTracking: false,
    stage,
  };
}

/** A PASID has a context descriptor, which only stage 1 has; the RID beside it must leave the device its table of them. */
function attach(device: Device, pasid: number, hwpt: Hwpt): number {
  if (hwpt.type === 'hwptNested') {
    if (pasid !== 0) return -ERRNO.EINVAL;
    return device.group.pasidsInUse ? -ERRNO.EBUSY : 0;
  }
  const { stage } = hwpt.domain;
  if (pasid !== 0) {
    if (stage !== 1) return -ERRNO.EINVAL;
    const rid = device.attached();
    if (rid !== undefined && (rid.type === 'hwptNested' || rid.domain.stage !== 1)) return -ERRNO.EINVAL;
    return 0;
  }
  return device.group.pasidsInUse && stage !== 1 ? -ERRNO.EBUSY : 0;
}

function attachSva(device: Device): number {
  const rid = device.attached();
  return rid !== undefined && (rid.type === 'hwptNested' || rid.domain.stage !== 1) ? -ERRNO.EINVAL : 0;
}

/**
 * Words of a stream table entry, 0 to 3 (spec 5.2), and of the context descriptor behind it, 4 and 5 (spec 5.4): ASID with the
 * translation control, and the table. A store of 8 bytes changes one.
 */
function words({ kind, domain }: Translation, pasid: number): readonly (string | undefined)[] {
  const descriptor = [`asid ${domain}`, `table ${domain}`];
  if (pasid !== 0) return kind === 'blocked' ? [] : [undefined, undefined, undefined, undefined, ...descriptor];
  switch (kind) {
    case 'blocked':
      return [];
    case 'identity':
      return ['bypass', 'shareability'];
    case 'stage1':
    case 'sva':
      return ['stage 1, own descriptors', undefined, undefined, undefined, ...descriptor];
    case 'stage2':
      return ['stage 2', undefined, `vmid ${domain}`, `table ${domain}`];
    case 'nested':
      return [`stage 1 of guest ${domain}`, undefined, `vmid of ${domain}`, `table under ${domain}`];
    default:
      return kind satisfies never;
  }
}

const entries: EntryFormat = {
  atomicWords: 1,
  words,
  ridBesidePasids: ({ kind }) => kind !== 'stage2' && kind !== 'nested',
};

function create(given: ParameterValues<typeof PARAMETERS> = {}): Hardware {
  const values = withDefaults(PARAMETERS, given);
  const can = capabilities(values);
  const backend: Backend = {
    name: 'smmuv3',
    allocPaging: (_device, flags, data) => allocPaging(can, flags, data),
    hwInfo(_device, type) {
      if (type !== 0 && type !== HW_INFO_TYPE) return -ERRNO.EOPNOTSUPP;
      const view = new StructView(new Uint8Array(HW_INFO_BYTES));
      view.setU32(8, Number(values.idr0));
      view.setU32(12, Number(values.idr1));
      view.setU32(20, Number(values.idr3));
      view.setU32(28, Number(values.idr5));
      view.setU32(32, Number(values.iidr));
      view.setU32(36, Number(values.aidr));
      return { type: HW_INFO_TYPE, bytes: view.bytes };
    },
    attach: (device, pasid, hwpt) => attach(device, pasid, hwpt),
    attachSva: (device) => attachSva(device),
    ...(can.nested ? { viommu: smmuv3Viommus } : {}),
  };
  const regions = [ARM_SOFTWARE_MSI];
  const device = (more: Parameters<Hardware['device']>[0] = []): DeviceTraits => ({
    dirtyTracking: can.dirty,
    pasidBits: can.pasidBits,
    capabilities: values.deviceAts && bit(values.idr0, 10) ? 0 : HW_CAPABILITY.atsNotSupported,
    ...regionTraits([...regions, ...more]),
    userPasidTable: true,
    iommu: 'smmu0',
  });
  return { backend, device, regions, entries };
}

/** Arm SMMUv3 (drivers/iommu/arm/arm-smmu-v3). The default has both stages, nesting, dirty bits and 10 bits of PASIDs. */
export const smmuv3: HardwareSpec = { name: 'smmuv3', title: 'Arm SMMUv3', parameters: PARAMETERS, create };

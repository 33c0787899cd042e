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
import { AMD_HYPERTRANSPORT, X86_MSI_WINDOW } from './reserved-regions.ts';

/** struct iommu_hw_info_amd {u64 efr, u64 efr2}. */
const HW_INFO_TYPE = 4;
const HW_INFO_BYTES = 16;

const PARAMETERS = {
  // Prefetch, page requests, guest translation (also of I/O), interrupts' guest APIC, PASIDs of 16 bits, access and dirty bits.
  efr: { value: 0x13_000f_0000_29d3n, what: 'extended features, MMIO 0x30 (AMD IOMMU spec 3.4.1)' },
  // Guest CR3 tables at guest physical addresses.
  efr2: { value: 8n, what: 'extended features 2, MMIO 0x1A0 (AMD IOMMU spec 3.4.1)' },
  guestTablesAtBoot: { value: false, what: 'domains of the kernel and of flags 0 are v2 tables (amd_iommu=pgtbl_v2)' },
  fiveLevels: { value: false, what: 'v2 tables have five levels, as the CPU does' },
  deviceAts: { value: true, what: 'devices have ATS and PASIDs' },
} as const;

type Values = AllValues<typeof PARAMETERS>;

/** Every power of two from 4 KiB to 2^51 but 512 GiB, which hardware gets wrong. */
const V1_SIZES = pageSizesOf(...Array.from({ length: 40 }, (_, i) => i + 12).filter((shift) => shift !== 39));
const V2_SIZES = pageSizesOf(12, 21, 30);

function capabilities({ efr, efr2, deviceAts }: Values) {
  const guest = bit(efr, 4);
  return {
    dirty: bit(efr, 52),
    guest,
    // is_nest_parent_supported: GTSup, GIOSup and GCR3TRPMode.
    nests: guest && bit(efr, 48) && bit(efr2, 3),
    pageRequests: bit(efr, 1),
    pasidBits: guest && bit(efr, 1) && deviceAts ? field(efr, 36, 32) + 1 : 0,
  };
}

type Capabilities = ReturnType<typeof capabilities>;

function table(stage: 1 | 2, fiveLevels: boolean, dirtyOps: boolean): PagingDomain {
  const last = stage === 2 ? (1n << 64n) - 1n : (1n << (fiveLevels ? 56n : 47n)) - 1n;
  return {
    aperture: { start: 0n, last },
    pageSizes: stage === 2 ? V1_SIZES : V2_SIZES,
    dirtyOps,
    format: 'plain',
    dirtyTracking: false,
    stage,
  };
}

/** amd_iommu_domain_alloc_paging_flags: v1 tables for dirty bits and nesting, v2 tables for PASIDs, never both. */
function allocPaging(values: Values, can: Capabilities, flags: number, data: DriverData): PagingDomain | number {
  const { fiveLevels, guestTablesAtBoot } = values;
  if (data.length > 0 || ((flags & HWPT_FLAG.nestParent) !== 0 && !can.nests)) return -ERRNO.EOPNOTSUPP;
  if (flags === 0) return table(guestTablesAtBoot && can.guest ? 1 : 2, fiveLevels, false);
  if (flags === HWPT_FLAG.pasid) return can.pasidBits > 0 ? table(1, fiveLevels, false) : -ERRNO.EOPNOTSUPP;
  if ((flags & HWPT_FLAG.pasid) !== 0) return -ERRNO.EOPNOTSUPP;
  const dirty = (flags & HWPT_FLAG.dirty) !== 0;
  return dirty && !can.dirty ? -ERRNO.EOPNOTSUPP : table(2, fiveLevels, dirty);
}

/** A PASID's table is a v2 one, and the RID's must leave room for it in the device's entry. */
function attach(device: Device, pasid: number, hwpt: Hwpt): number {
  if (hwpt.type !== 'hwptPaging') return 0;
  if (pasid !== 0 && hwpt.domain.stage !== 1) return -ERRNO.EINVAL;
  return hwpt.domain.dirtyOps && !device.traits.dirtyTracking ? -ERRNO.EINVAL : 0;
}

/**
 * Words of a device table entry (AMD IOMMU spec 2.2.2.1): 0 and 1 hold the v1 root, the domain id and the guest table's
 * address, 2 the guest table's levels; 16 bytes change at once. A PASID has one word in the guest CR3 table.
 */
function words({ kind, domain }: Translation, pasid: number): readonly (string | undefined)[] {
  if (pasid !== 0) return kind === 'blocked' ? [] : [`${kind} ${domain}`];
  switch (kind) {
    case 'blocked':
      return [];
    case 'identity':
      return ['mode 0', 'domain 0'];
    case 'stage2':
      return [`v1 root ${domain}`, `domain ${domain}`];
    case 'stage1':
    case 'sva':
      return [`guest table ${domain}`, `domain ${domain}`, 'levels'];
    case 'nested':
      return [`v1 root and guest table ${domain}`, `domain ${domain}`, `levels of ${domain}`];
    default:
      return kind satisfies never;
  }
}

const entries: EntryFormat = {
  atomicWords: 2,
  words,
  ridBesidePasids: ({ kind }) => kind !== 'stage2' && kind !== 'nested',
};

function create(given: ParameterValues<typeof PARAMETERS> = {}): Hardware {
  const values = withDefaults(PARAMETERS, given);
  const can = capabilities(values);
  const backend: Backend = {
    name: 'amd',
    allocPaging: (_device, flags, data) => allocPaging(values, can, flags, data),
    hwInfo(_device, type) {
      if (type !== 0 && type !== HW_INFO_TYPE) return -ERRNO.EOPNOTSUPP;
      const view = new StructView(new Uint8Array(HW_INFO_BYTES));
      view.setU64(0, values.efr);
      view.setU64(8, values.efr2);
      return { type: HW_INFO_TYPE, bytes: view.bytes };
    },
    attach: (device, pasid, hwpt) => attach(device, pasid, hwpt),
  };
  const regions = [X86_MSI_WINDOW, AMD_HYPERTRANSPORT];
  const device = (more: Parameters<Hardware['device']>[0] = []): DeviceTraits => ({
    dirtyTracking: can.dirty,
    pasidBits: can.pasidBits,
    capabilities: values.deviceAts ? 0 : HW_CAPABILITY.atsNotSupported,
    ...regionTraits([...regions, ...more]),
    userPasidTable: false,
    iommu: 'amd0',
  });
  return { backend, device, regions, entries };
}

/** AMD IOMMU (drivers/iommu/amd). Nested tables need a vIOMMU type that the user API of 7.2 has not: EOPNOTSUPP. */
export const amd: HardwareSpec = { name: 'amd', title: 'AMD IOMMU', parameters: PARAMETERS, create };

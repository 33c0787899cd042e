import { pageSizesOf } from './page-sizes.ts';
import type { Backend, DeviceTraits, NestedDomain, PagingDomain } from '../backend.ts';
import type { Device } from '../device.ts';
import { ERRNO } from '../errno.ts';
import { HWPT_FLAG } from '../hwpt.ts';
import type { Hwpt, HwptPaging } from '../hwpt.ts';
import type { DriverData } from '../parts.ts';
import { StructView } from '../struct-view.ts';
import { HW_CAPABILITY, bit, field, regionTraits, withDefaults } from './hardware-backend.ts';
import type { AllValues, Hardware, HardwareSpec, ParameterValues } from './hardware-backend.ts';
import { X86_MSI_WINDOW } from './reserved-regions.ts';
import { vtdEntries } from './vtd-entries.ts';
import { vtdInvalidate } from './vtd-invalidate.ts';

/** struct iommu_hw_info_vtd and struct iommu_hwpt_vtd_s1; enum iommu_hw_info_type, iommu_hwpt_data_type. */
const HW_INFO_TYPE = 1;
const HW_INFO_BYTES = 24;
const NESTED_TYPE = 1;
const NESTED_BYTES = 24;
const NESTED_FLAG = { sre: 1, eafe: 2 } as const;

const PARAMETERS = {
  scalable: { value: true, what: 'scalable mode is used (intel_iommu=sm_on) where ECAP.SMTS allows it' },
  cap: { value: 0x81d2_008c_222f_0606n, what: 'capability register, as in GET_HW_INFO (VT-d spec 11.4.2)' },
  // SMTS, PASID of 20 bits, first and second stage, nesting, dirty bits, page requests, coherent walks.
  ecap: { value: 0x1_ed9a_24f0_0f4fn, what: 'extended capability register (VT-d spec 11.4.3)' },
  errata772415: { value: false, what: 'parents of nested tables take no read-only mapping (Linux errata flag)' },
  deviceAts: { value: true, what: 'devices have ATS, without which there are no PASIDs and no page requests' },
  devicePri: { value: true, what: 'devices send page requests' },
} as const;

type Values = AllValues<typeof PARAMETERS>;

/** What the driver makes of the registers (drivers/iommu/intel/iommu.h). Undefined members: not there. */
function capabilities({ cap, ecap, scalable, deviceAts, devicePri }: Values) {
  const sm = scalable && bit(ecap, 43);
  const widths = [4, 3, 2, 1].filter((level) => bit(cap, 8 + level)).map((level) => 30 + 9 * level);
  const width = Math.min(widths[0] ?? 39, field(cap, 21, 16) + 1);
  return {
    sm,
    firstStage: sm && bit(ecap, 47),
    secondStage: !sm || bit(ecap, 46),
    nested: sm && bit(ecap, 26),
    dirty: sm && bit(ecap, 45),
    fiveLevels: bit(cap, 60),
    supervisor: bit(ecap, 31),
    extendedAccess: bit(ecap, 34),
    pasidBits: sm && bit(ecap, 40) && deviceAts ? field(ecap, 39, 35) + 1 : 0,
    pageRequests: sm && bit(ecap, 29) && deviceAts && devicePri,
    secondStageSizes: pageSizesOf(12, ...(bit(cap, 34) ? [21] : []), ...(bit(cap, 35) ? [30] : [])),
    firstStageSizes: pageSizesOf(12, 21, ...(bit(cap, 56) ? [30] : [])),
    secondStageLast: (1n << BigInt(width)) - 1n,
    /** Addresses are sign-extended: the lower half. */
    firstStageLast: (1n << (bit(cap, 60) ? 56n : 47n)) - 1n,
    maxAddressMask: field(cap, 53, 48),
  };
}

type Capabilities = ReturnType<typeof capabilities>;

/** intel_iommu_domain_alloc_paging_flags: the first stage where it can do what is asked, else the second. */
function allocPaging(can: Capabilities, flags: number, data: DriverData): PagingDomain | number {
  if (data.length > 0) return -ERRNO.EOPNOTSUPP;
  const plain = (flags & ~HWPT_FLAG.pasid) === 0;
  if (plain && can.firstStage)
    return {
      aperture: { start: 0n, last: can.firstStageLast },
      pageSizes: can.firstStageSizes,
      dirtyOps: false,
      format: 'plain',
      dirtyTracking: false,
      stage: 1,
    };
  const dirty = (flags & HWPT_FLAG.dirty) !== 0;
  if ((flags & HWPT_FLAG.nestParent) !== 0 && !can.nested) return -ERRNO.EOPNOTSUPP;
  if ((dirty && !can.dirty) || !can.secondStage) return -ERRNO.EOPNOTSUPP;
  return {
    aperture: { start: 0n, last: can.secondStageLast },
    pageSizes: can.secondStageSizes,
    dirtyOps: dirty,
    format: 'plain',
    dirtyTracking: false,
    stage: 2,
  };
}

/** A guest's first-stage table. What its data says is looked at only when a device is attached. */
class VtdNested implements NestedDomain {
  readonly #can: Capabilities;
  readonly #flags: number;
  readonly #addressWidth: number;
  readonly maxAddressMask: number;

  constructor(can: Capabilities, bytes: Uint8Array) {
    const view = new StructView(bytes);
    this.#can = can;
    this.#flags = view.u32(0);
    this.#addressWidth = view.u32(16);
    this.maxAddressMask = can.maxAddressMask;
  }

  attach(): number {
    const can = this.#can;
    if (this.#addressWidth !== 48 && !(this.#addressWidth === 57 && can.fiveLevels)) return -ERRNO.EINVAL;
    if ((this.#flags & NESTED_FLAG.sre) !== 0 && !can.supervisor) return -ERRNO.EINVAL;
    return (this.#flags & NESTED_FLAG.eafe) !== 0 && !can.extendedAccess ? -ERRNO.EINVAL : 0;
  }

  /** The driver turns ATS on wherever it is there: with each entry of a guest it flushes the device's TLB too. */
  usesDeviceTlb({ traits }: Device): boolean {
    return (traits.capabilities & HW_CAPABILITY.atsNotSupported) === 0;
  }

  invalidate = vtdInvalidate;
}

function allocNested(can: Capabilities, parent: HwptPaging, flags: number, data: DriverData): VtdNested | number {
  if (!can.nested || (flags & ~HWPT_FLAG.pasid) !== 0) return -ERRNO.EOPNOTSUPP;
  if (data.type !== NESTED_TYPE) return -ERRNO.EOPNOTSUPP;
  if (parent.domain.stage === 1 || !parent.nestParent) return -ERRNO.EINVAL;
  const bytes = data.read(NESTED_BYTES, NESTED_BYTES);
  return typeof bytes === 'number' ? bytes : new VtdNested(can, bytes);
}

/** Compatibility of a domain with the device's unit, and page requests for a fault-capable one. */
function attach(can: Capabilities, device: Device, hwpt: Hwpt): number {
  if (hwpt.type === 'hwptPaging' && hwpt.domain.dirtyOps && !device.traits.dirtyTracking) return -ERRNO.EINVAL;
  return hwpt.fault !== undefined && !can.pageRequests ? -ERRNO.ENODEV : 0;
}

function create(given: ParameterValues<typeof PARAMETERS> = {}): Hardware {
  const values = withDefaults(PARAMETERS, given);
  const can = capabilities(values);
  const backend: Backend = {
    name: 'vtd',
    allocPaging: (_device, flags, data) => allocPaging(can, flags, data),
    allocNested: (_device, parent, flags, data) => allocNested(can, parent, flags, data),
    hwInfo(_device, type) {
      if (type !== 0 && type !== HW_INFO_TYPE) return -ERRNO.EOPNOTSUPP;
      const view = new StructView(new Uint8Array(HW_INFO_BYTES));
      view.setU32(0, values.errata772415 ? 1 : 0);
      view.setU64(8, values.cap);
      view.setU64(16, values.ecap);
      return { type: HW_INFO_TYPE, bytes: view.bytes };
    },
    attach: (device, _pasid, hwpt) => attach(can, device, hwpt),
  };
  const regions = [X86_MSI_WINDOW];
  const device = (more: Parameters<Hardware['device']>[0] = []): DeviceTraits => ({
    dirtyTracking: can.dirty,
    pasidBits: can.pasidBits,
    capabilities: values.deviceAts ? 0 : HW_CAPABILITY.atsNotSupported,
    ...regionTraits([...regions, ...more]),
    userPasidTable: false,
    iommu: 'vtd0',
  });
  return { backend, device, regions, entries: vtdEntries(can.sm) };
}

/** Intel VT-d (drivers/iommu/intel). The default is a unit with both stages, nesting and dirty bits. */
export const vtd: HardwareSpec = { name: 'vtd', title: 'Intel VT-d', parameters: PARAMETERS, create };

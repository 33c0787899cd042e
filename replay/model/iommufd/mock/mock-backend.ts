import type { Backend, DeviceTraits, PagingDomain } from '../backend.ts';
import type { Device } from '../device.ts';
import { ERRNO } from '../errno.ts';
import { HWPT_FLAG } from '../hwpt.ts';
import type { DriverData } from '../parts.ts';
import { StructView } from '../struct-view.ts';
import { CACHE_WORDS, mockNested, readConfig } from './mock-nested.ts';
import type { MockDevice } from './mock-nested.ts';
import { attachMockViommu, mockViommus } from './mock-viommu.ts';

/** drivers/iommu/iommufd/selftest.c. */
const MOCK_HW_INFO = 0xfeed_beef;
const MOCK_FLAG = { noDirty: 1, pasid: 4 } as const;
const ATS_NOT_SUPPORTED = 8;
const INITIAL_CACHE = 0xbad_dad;
/** The PASID whose second attach fails, to test the way back. */
const FAILING_PASID = 1024;

export function mockDevice(flags: number): { readonly traits: DeviceTraits; readonly data: MockDevice } {
  return {
    traits: {
      dirtyTracking: (flags & MOCK_FLAG.noDirty) === 0,
      pasidBits: (flags & MOCK_FLAG.pasid) === 0 ? 0 : 20,
      capabilities: ATS_NOT_SUPPORTED,
      reserved: [],
      userPasidTable: true,
    },
    data: {
      flags,
      cache: new Array<number>(CACHE_WORDS).fill(INITIAL_CACHE),
      failNext: false,
      viommu: undefined,
      virtualId: 0n,
    },
  };
}

/** Whether the mock driver knows all bits of a device's flags. */
export function mockFlagsKnown(flags: number): boolean {
  return (flags & ~(MOCK_FLAG.noDirty | MOCK_FLAG.pasid)) === 0;
}

/** Table types: sizes from 2 KiB with a small aperture, or 4 KiB and 1 MiB. */
const DEFAULT_TABLE = {
  aperture: { start: 0x100_0000n, last: 0x7fff_ffffn },
  pageSizes: ((1n << 37n) - 1n) & ~0x7ffn,
} as const;
const HUGE_TABLE = { aperture: { start: 0n, last: 0x3f_ffff_ffffn }, pageSizes: 0x10_1000n } as const;

function allocPaging(device: Device, flags: number, data: DriverData): PagingDomain | number {
  const dirty = (flags & HWPT_FLAG.dirty) !== 0;
  if (dirty && !device.traits.dirtyTracking) return -ERRNO.EOPNOTSUPP;
  let type = 0;
  if (data.length > 0) {
    const config = readConfig(data);
    if (typeof config === 'number') return config;
    type = config.u32(4);
  }
  if (type > 1) return -ERRNO.EOPNOTSUPP;
  const table = type === 0 ? DEFAULT_TABLE : HUGE_TABLE;
  return { ...table, dirtyOps: dirty, format: 'amdv1-mock', dirtyTracking: false };
}

/** The kernel's mock driver (CONFIG_IOMMUFD_TEST). */
export const mockBackend: Backend = {
  name: 'mock',
  allocPaging,
  allocNested(_device, _parent, flags, data) {
    if ((flags & ~HWPT_FLAG.pasid) !== 0) return -ERRNO.EOPNOTSUPP;
    return mockNested(data);
  },
  hwInfo(_device, type) {
    if (type !== 0 && type !== MOCK_HW_INFO) return -ERRNO.EOPNOTSUPP;
    const view = new StructView(new Uint8Array(8));
    view.setU32(4, 0xdead_beef);
    return { type: MOCK_HW_INFO, bytes: view.bytes };
  },
  attach(device, pasid, hwpt, old) {
    if (hwpt.type === 'hwptPaging' && hwpt.domain.dirtyOps && !device.traits.dirtyTracking && pasid === 0)
      return -ERRNO.EINVAL;
    const mock = device.driverData as MockDevice;
    if (pasid === 0) return attachMockViommu(device, mock, hwpt, old !== undefined);
    if (pasid !== FAILING_PASID) return 0;
    mock.failNext = !mock.failNext;
    return mock.failNext ? 0 : -ERRNO.ENOMEM;
  },
  viommu: mockViommus,
  detachPasid(device, pasid) {
    if (pasid === FAILING_PASID) (device.driverData as MockDevice).failNext = false;
  },
};

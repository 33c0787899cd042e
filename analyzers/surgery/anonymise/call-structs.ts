import { structFields } from '../../../replay/model/iommufd/struct-fields.ts';
import { StructView } from '../../../replay/model/iommufd/struct-view.ts';
import { isVfioDevice } from '../../../traces/ioctl-requests.ts';

/** An address in a struct, or in what it points to. */
export interface AddressAt {
  readonly offset: number;
  /** `page`: an entry of /proc/PID/pagemap, with the number of a physical page. */
  readonly kind: 'iova' | 'user' | 'page';
}

const USER: ReadonlySet<string> = new Set(['user_va', 'vaddr', 'data_uptr', 'allowed_iovas', 'data', 'uptr']);
const IOVA: ReadonlySet<string> = new Set(['iova', 'dst_iova', 'src_iova', 'nesting_parent_iova', 'addr']);

const MAP_DMA = 0x3b71;
const UNMAP_DMA = 0x3b72;
const FEATURE = 0x3b75;
const CONTAINER_ONLY: ReadonlySet<number> = new Set([0x3b70, MAP_DMA, UNMAP_DMA]);
/** VFIO structs (include/uapi/linux/vfio.h) that hold numbers, flags and fds alone, and a device's name. */
const WITHOUT_ADDRESS: ReadonlySet<number> = new Set([
  0x3b64, 0x3b65, 0x3b66, 0x3b67, 0x3b68, 0x3b69, 0x3b6a, 0x3b6b, 0x3b6c, 0x3b6d, 0x3b6e, 0x3b6f, 0x3b76, 0x3b77,
  // ... and IOMMU_IOAS_CHANGE_PROCESS
  0x3b78, 0x3b92,
]);
/** Of IOMMU_IOAS_MAP, IOMMU_IOAS_MAP_FILE and IOMMU_IOAS_COPY: the IOVA, which the kernel chooses without the flag. */
const CHOSEN_IOVA: ReadonlyMap<number, number> = new Map([
  [0x3b85, 32],
  [0x3b8f, 32],
  [0x3b83, 24],
]);
const FIXED_IOVA = 1;
const EVERYTHING = (1n << 64n) - 1n;

/** VFIO_DEVICE_FEATURE, or VFIO_IOMMU_DIRTY_PAGES of a container, by their flags. */
function featureAddresses(struct: StructView, device: boolean): readonly AddressAt[] | undefined {
  const flags = struct.u32(4);
  if (!device) {
    const range = { offset: 8, kind: 'iova' } as const;
    return flags === 4 ? [range, { offset: 40, kind: 'user' }] : [];
  }
  const feature = flags & 0xffff;
  if (feature === 6) return [{ offset: 24, kind: 'user' }];
  if (feature === 8)
    return [
      { offset: 8, kind: 'iova' },
      { offset: 32, kind: 'user' },
    ];
  // migration: states, fds and lengths
  return [1, 2, 7, 9].includes(feature) ? [] : undefined;
}

/** Where a call's struct has addresses; undefined where nobody knows. `path`: the kind of file, as the column has it. */
export function structAddresses(request: number, path: string, bytes: Uint8Array): readonly AddressAt[] | undefined {
  if (bytes.length === 0 || WITHOUT_ADDRESS.has(request)) return [];
  const struct = new StructView(bytes);
  const device = isVfioDevice(path);
  if (request === FEATURE) return featureAddresses(struct, device);
  if (device && CONTAINER_ONLY.has(request)) return undefined;
  const fields = structFields(request, bytes);
  if (fields === undefined) return undefined;
  if (request === UNMAP_DMA && (struct.u32(4) & 2) !== 0) return [];
  // all that an IOAS maps
  if (request === 0x3b86 && struct.u64(16) === EVERYTHING) return [];
  const found = fields.flatMap(({ name, offset, length }): AddressAt[] => {
    if (length !== 8) return [];
    // an operation of the mock driver reserves IOVAs; elsewhere a start is a place in a file
    if (IOVA.has(name) || (name === 'start' && request === 0x3ba0)) return [{ offset, kind: 'iova' }];
    return USER.has(name) ? [{ offset, kind: 'user' }] : [];
  });
  const bitmap = request === UNMAP_DMA && (struct.u32(4) & 1) !== 0;
  return bitmap ? [...found, { offset: 40, kind: 'user' }] : found;
}

/** Where the IOVA is that the kernel chose in a call that succeeded; undefined where it did not choose. */
export function chosenIova(request: number, before: Uint8Array): number | undefined {
  const offset = CHOSEN_IOVA.get(request);
  return offset !== undefined && (new StructView(before).u32(4) & FIXED_IOVA) === 0 ? offset : undefined;
}

/** Asks for the IOVA that was chosen. */
export function fixIova(struct: Uint8Array, offset: number, iova: bigint): void {
  const view = new StructView(struct);
  view.setU32(4, view.u32(4) | FIXED_IOVA);
  view.setU64(offset, iova);
}

/** enum iommu_hwpt_data_type and iommu_hwpt_invalidate_data_type (include/uapi/linux/iommufd.h). */
const VTD_S1 = 1;
const ARM_SMMUV3 = 2;

/** The mock driver's types: 0xdead, 0xdeadbeef (drivers/iommu/iommufd/iommufd_test.h). */
function isMockType(type: number): boolean {
  return type === 0xdead || type >>> 16 === 0xdead;
}

/** What lies behind a pointer: where it has addresses, or that it is a list of SMMUv3 commands. Undefined where nobody knows. */
export function memoryAddresses(
  request: number,
  struct: Uint8Array,
  field: string,
  length: number,
): readonly AddressAt[] | 'commands' | undefined {
  const view = new StructView(struct);
  const every = (stride: number, ...offsets: readonly number[]): AddressAt[] =>
    Array.from({ length: Math.floor(length / stride) }, (_, i) => i * stride).flatMap((at) =>
      offsets.map((offset): AddressAt => ({ offset: at + offset, kind: 'iova' })),
    );
  switch (field) {
    case 'allowed_iovas':
      // what hardware allows is the same everywhere
      return request === 0x3b82 ? every(16, 0, 8) : [];
    case 'ranges':
      return every(16, 0);
    case 'data_uptr': {
      if (request === 0x3b89) {
        const type = view.u32(24);
        if (type === VTD_S1) return length >= 16 ? [{ offset: 8, kind: 'iova' }] : [];
        if (type === ARM_SMMUV3) return length >= 8 ? [{ offset: 0, kind: 'iova' }] : [];
        return type === 0 || isMockType(type) ? [] : undefined;
      }
      if (request !== 0x3b8d) return [];
      const type = view.u32(16);
      if (type === VTD_S1) return every(Math.max(8, view.u32(20)), 0);
      if (type === ARM_SMMUV3) return 'commands';
      return isMockType(type) ? [] : undefined;
    }
    case 'data':
    case 'bitmap':
    case 'access_rw.uptr':
    case 'dirty.uptr':
      return [];
    default:
      return undefined;
  }
}

/** struct iommu_hwpt_pgfault: bytes of one, and where its address is. */
export const PAGE_FAULT = { bytes: 40, address: 24 } as const;

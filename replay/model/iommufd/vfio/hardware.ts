import { U64_MAX } from '../area-tree.ts';
import type { Backend, DeviceTraits, IovaRange } from '../backend.ts';
import { ERRNO } from '../errno.ts';
import { HWPT_FLAG } from '../hwpt.ts';
import { StructView } from '../struct-view.ts';
import { VFIO } from './requests.ts';

/** What a recording shows of real hardware: answers that no rule of the kernel gives. Undefined: it shows nothing of it. */
export interface RecordedHardware {
  /** Ranges that can be mapped when a device is attached: the aperture without reserved regions, ascending. */
  readonly usable: readonly IovaRange[] | undefined;
  readonly pageSizes: bigint | undefined;
  readonly pasidBits: number | undefined;
  readonly capabilities: number | undefined;
  readonly infoType: number | undefined;
  readonly info: Uint8Array | undefined;
  /** Whether HWPT_ALLOC takes NEST_PARENT. */
  readonly nests: boolean | undefined;
  /** Whether the device can send page requests: without, a fault-capable HWPT can't be attached (ENODEV on VT-d). */
  readonly pageRequests: boolean | undefined;
  /** Whether devices give dma-bufs of their memory: 0, or the negative errno of each try. */
  readonly dmaBufs: number | undefined;
  /** What devices answer about themselves, by `answerKey`. */
  readonly answers: ReadonlyMap<string, DeviceAnswer>;
}

export interface DeviceAnswer {
  /** Negative: an errno. */
  readonly ret: number;
  readonly after: Uint8Array;
}

/** A question is told from others by all bytes of its struct. */
export function answerKey(request: number, before: Uint8Array): string {
  return `${request}:${before.join(',')}`;
}

/** struct vfio_region_info {u32 argsz, u32 flags, u32 index, u32 cap_offset, u64 size, u64 offset}: a region's bytes, if known. */
export function regionSize({ answers }: RecordedHardware, region: number): bigint | undefined {
  for (const [key, { ret, after }] of answers) {
    if (!key.startsWith(`${VFIO.deviceGetRegionInfo}:`) || ret < 0 || after.length < 24) continue;
    const info = new StructView(after);
    if (info.u32(8) === region) return info.u64(16);
  }
  return undefined;
}

export const UNKNOWN_HARDWARE: RecordedHardware = {
  usable: undefined,
  pageSizes: undefined,
  pasidBits: undefined,
  capabilities: undefined,
  infoType: undefined,
  info: undefined,
  nests: undefined,
  pageRequests: undefined,
  dmaBufs: undefined,
  answers: new Map(),
};

const PAGE_SIZES = 0x1000n;

/** The complement of ascending ranges that don't touch. */
function gaps(usable: readonly IovaRange[]): IovaRange[] {
  const found: IovaRange[] = [];
  let next = 0n;
  for (const { start, last } of usable) {
    if (start > next) found.push({ start: next, last: start - 1n });
    next = last + 1n;
  }
  if (next <= U64_MAX) found.push({ start: next, last: U64_MAX });
  return found;
}

/** What a device behind such hardware is. Everything beyond the last usable address is beyond the aperture. */
export function recordedTraits(hardware: RecordedHardware): DeviceTraits {
  const reserved = hardware.usable === undefined ? [] : gaps(hardware.usable);
  return {
    dirtyTracking: ((hardware.capabilities ?? 0) & 1) !== 0,
    pasidBits: hardware.pasidBits ?? 0,
    capabilities: (hardware.capabilities ?? 0) & ~1,
    reserved: reserved.filter((range) => range.last !== U64_MAX),
    userPasidTable: false,
    reservedKnown: hardware.usable !== undefined,
  };
}

/** A driver that answers as the recording shows. */
export function recordedBackend(hardware: RecordedHardware): Backend {
  const last = hardware.usable?.at(-1)?.last ?? U64_MAX;
  return {
    name: 'as recorded',
    allocPaging: (_device, flags, data) =>
      data.length > 0 || ((flags & HWPT_FLAG.nestParent) !== 0 && hardware.nests === false)
        ? -ERRNO.EOPNOTSUPP
        : {
            aperture: { start: 0n, last },
            pageSizes: hardware.pageSizes === 0n ? PAGE_SIZES : (hardware.pageSizes ?? PAGE_SIZES),
            dirtyOps: (flags & HWPT_FLAG.dirty) !== 0,
            format: 'plain',
            dirtyTracking: false,
          },
    hwInfo: (_device, type) => {
      const { info, infoType } = hardware;
      if (info === undefined || infoType === undefined) return { type: 0, bytes: new Uint8Array(0) };
      return type !== 0 && type !== infoType ? -ERRNO.EOPNOTSUPP : { type: infoType, bytes: info };
    },
    attach: (_device, _pasid, hwpt) =>
      hwpt.fault !== undefined && hardware.pageRequests === false ? -ERRNO.ENODEV : 0,
  };
}

/** IOVA_RANGE capability of VFIO_IOMMU_GET_INFO among the capabilities behind the struct's first bytes. */
export function rangesOfInfo(bytes: Uint8Array): IovaRange[] | undefined {
  const view = new StructView(bytes);
  let at = view.u32(16);
  for (let hops = 0; at >= 24 && at + 16 <= bytes.length && hops < 16; hops++) {
    if (view.u16(at) === 1) {
      const count = Math.min(view.u32(at + 8), Math.floor((bytes.length - at - 16) / 16));
      return Array.from({ length: count }, (_, i) => ({
        start: view.u64(at + 16 + i * 16),
        last: view.u64(at + 24 + i * 16),
      }));
    }
    at = view.u32(at + 4);
  }
  return undefined;
}

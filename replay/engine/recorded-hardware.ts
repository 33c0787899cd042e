import { isVfioDevice } from '../../traces/ioctl-requests.ts';
import type { Trace } from '../../traces/trace.ts';
import { ERRNO } from '../model/iommufd/errno.ts';
import { HWPT_FLAG } from '../model/iommufd/hwpt.ts';
import { answerKey, rangesOfInfo } from '../model/iommufd/vfio/hardware.ts';
import type { DeviceAnswer, RecordedHardware } from '../model/iommufd/vfio/hardware.ts';
import { VFIO } from '../model/iommufd/vfio/requests.ts';
import { StructView } from '../model/iommufd/struct-view.ts';
import { findPasids } from './guest-pasid.ts';
import { bytesOf, callEvents, memoryOf } from './ioctl-events.ts';

const IOVA_RANGES = 0x3b84;
const HW_INFO = 0x3b8a;
const HWPT_ALLOC = 0x3b89;
const VIOMMU_ALLOC = 0x3b90;
/** Index of VFIO_DEVICE_FEATURE. */
const DMA_BUF = 11;

/** What a call told of: the device itself, GET_HW_INFO, parents of nested tables, or something else that the IOMMU's driver decides. */
export type HardwareFact = 'device' | 'info' | 'nests' | 'driver';

/** What was found of the hardware, and by which calls. */
export interface HardwareFinding {
  readonly hardware: RecordedHardware;
  /** Events whose results were taken as input: they can't be judged. What each told of. */
  readonly events: ReadonlyMap<number, HardwareFact>;
  /** A guest's table or vIOMMU was made: what comes of its data only a driver's rules tell. */
  readonly nested?: boolean;
}

type Mutable = { -readonly [K in Exclude<keyof RecordedHardware, 'answers'>]: RecordedHardware[K] } & {
  readonly answers: Map<string, DeviceAnswer>;
};

/**
 * Hardware's answers in a recording with VFIO devices, each taken from the first call that shows it: what can be mapped, page
 * sizes, GET_HW_INFO. Undefined for recordings without such devices.
 */
export function findHardware(trace: Trace): HardwareFinding | undefined {
  const hardware: Mutable = {
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
  const events = new Map<number, HardwareFact>();
  const capabilities = new CapabilityFinder(hardware);
  let devices = false;
  let nested = false;
  for (const { index, stream, row, segment } of callEvents(trace)) {
    if (stream !== 'ioctl') continue;
    const { columns } = segment.rows.ioctl;
    const request = (columns.request[row] ?? 0) >>> 0;
    if (request === VFIO.bindIommufd || request === VFIO.groupSetContainer) devices = true;
    const errno = columns.errno[row] ?? 0;
    if (!devices || errno < 0) continue;
    const after = bytesOf(columns.after, row);
    if (request >= VFIO.deviceGetInfo && request <= VFIO.deviceGetIrqInfo) {
      const key = answerKey(request, bytesOf(columns.before, row));
      if (hardware.answers.has(key)) continue;
      hardware.answers.set(key, { ret: errno > 0 ? -errno : 0, after });
      events.set(index, 'device');
      continue;
    }
    nested ||= errno === 0 && isNested(request, after);
    const path = trace.strings[columns.path[row] ?? -1];
    if (capabilities.learn(request, after, errno, path)) {
      events.set(index, request === VFIO.deviceFeature ? 'device' : request === HWPT_ALLOC ? 'nests' : 'driver');
    }
    if (errno > 0) continue;
    if (learn(hardware, request, after, () => memoryOf(columns.memory, row)[0]?.after ?? undefined)) {
      events.set(index, request === HW_INFO ? 'info' : 'driver');
    }
  }
  if (!devices) return undefined;
  hardware.pasidBits ??= shownPasids(trace);
  return { hardware, events, nested };
}

function isNested(request: number, after: Uint8Array): boolean {
  return request === VIOMMU_ALLOC || (request === HWPT_ALLOC && new StructView(after).u32(24) !== 0);
}

/** PASIDs that a device's own config space shows, where GET_HW_INFO was not asked for them. */
function shownPasids(trace: Trace): number | undefined {
  for (const { guest } of findPasids(trace)) if (guest?.kind === 'own') return guest.bits;
  return undefined;
}

/** Whether the result told something new. */
function learn(hardware: Mutable, request: number, after: Uint8Array, memory: () => Uint8Array | undefined): boolean {
  const view = new StructView(after);
  if (request === VFIO.iommuGetInfo && after.length >= 16) {
    const ranges = hardware.usable === undefined ? rangesOfInfo(after) : undefined;
    const sizes = view.u64(8);
    const news = (hardware.pageSizes === undefined && sizes !== 0n) || ranges !== undefined;
    if (sizes !== 0n) hardware.pageSizes ??= sizes;
    hardware.usable ??= ranges;
    return news;
  }
  if (request === IOVA_RANGES && hardware.usable === undefined) {
    const bytes = memory();
    if (bytes === undefined) return false;
    const ranges = new StructView(bytes);
    const count = Math.min(view.u32(8), Math.floor(bytes.length / 16));
    hardware.usable = Array.from({ length: count }, (_, i) => ({
      start: ranges.u64(i * 16),
      last: ranges.u64(i * 16 + 8),
    }));
    return true;
  }
  if (request === HW_INFO && hardware.infoType === undefined) {
    hardware.infoType = view.u32(24);
    hardware.pasidBits = after[28] ?? 0;
    hardware.capabilities = view.u32(32);
    hardware.info = memory()?.slice(0, view.u32(12));
    return true;
  }
  return false;
}

/** What the kernel does only where hardware can: known from the first call that tries. */
class CapabilityFinder {
  readonly #hardware: Mutable;
  /** Ids of fault-capable HWPTs. */
  readonly #faultCapable = new Set<number>();

  constructor(hardware: Mutable) {
    this.#hardware = hardware;
  }

  learn(request: number, after: Uint8Array, errno: number, path: string | undefined): boolean {
    const view = new StructView(after);
    const hardware = this.#hardware;
    if (request === VFIO.deviceFeature && isVfioDevice(path) && (view.u32(4) & 0xffff) === DMA_BUF) {
      const refused = errno === ERRNO.ENOTTY || errno === ERRNO.EOPNOTSUPP;
      if (hardware.dmaBufs !== undefined || (errno !== 0 && !refused)) return false;
      hardware.dmaBufs = -errno;
      return errno !== 0;
    }
    if (request === HWPT_ALLOC) {
      const flags = view.u32(4);
      if (errno === 0 && (flags & HWPT_FLAG.fault) !== 0) this.#faultCapable.add(view.u32(16));
      if ((flags & HWPT_FLAG.nestParent) === 0 || hardware.nests !== undefined) return false;
      if (errno !== 0 && errno !== ERRNO.EOPNOTSUPP) return false;
      hardware.nests = errno === 0;
      return true;
    }
    if (request !== VFIO.attachIommufdPt || hardware.pageRequests !== undefined) return false;
    if (!this.#faultCapable.has(view.u32(8)) || (errno !== 0 && errno !== ERRNO.ENODEV)) return false;
    hardware.pageRequests = errno === 0;
    return true;
  }
}

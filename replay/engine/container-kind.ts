import { errnoName } from '../../traces/errno-names.ts';
import { ioctlName } from '../../traces/ioctl-requests.ts';
import type { Trace } from '../../traces/trace.ts';
import { ERRNO } from '../model/iommufd/errno.ts';
import { StructView } from '../model/iommufd/struct-view.ts';
import { EXTENSION, VFIO } from '../model/iommufd/vfio/requests.ts';
import { bytesOf, callEvents, signed } from './ioctl-events.ts';

/** What /dev/vfio/vfio is in a recording, and the first call that tells. */
export interface ContainerKind {
  readonly iommufd: boolean;
  readonly event: number;
  readonly why: string;
}

interface Answer {
  readonly request: number;
  readonly argument: number;
  /** Negative: an errno. */
  readonly ret: number;
  readonly after: Uint8Array;
}

/** DMA_AVAIL of an iommufd: no limit. */
const NO_LIMIT = 0xffff_ffff;
const CAPABILITY = { migration: 2, available: 3 } as const;

/**
 * Which of two kernels made a recording: one whose /dev/vfio/vfio is a container of VFIO (drivers/vfio/container.c), or one where
 * it is a name of /dev/iommu (CONFIG_IOMMUFD_VFIO_CONTAINER). Both answer most calls alike. Undefined: no call tells, and it
 * counts as a container of VFIO, which is what kernels are built with by default.
 */
export function containerKind(trace: Trace): ContainerKind | undefined {
  const seen = { groups: 0, type: false };
  for (const { index, stream, row, segment } of callEvents(trace)) {
    if (stream !== 'ioctl') continue;
    const { columns } = segment.rows.ioctl;
    const request = (columns.request[row] ?? 0) >>> 0;
    const errno = columns.errno[row] ?? 0;
    if (errno < 0) continue;
    const path = trace.strings[columns.path[row] ?? -1];
    if (request === VFIO.groupSetContainer && errno === 0) seen.groups++;
    if (path !== '/dev/vfio/vfio') continue;
    const ret = errno > 0 ? -errno : signed(columns.retLo, columns.retHi, row);
    const answer = { request, argument: columns.argLo[row] ?? 0, ret, after: bytesOf(columns.after, row) };
    const iommufd = tells(answer, seen);
    if (request === VFIO.setIommu && errno === 0) seen.type = true;
    if (iommufd === undefined) continue;
    const result = ret < 0 ? errnoName(-ret) : String(ret);
    return { iommufd, event: index, why: `${ioctlName(request, path)} returned ${result}` };
  }
  return undefined;
}

/** True: only an iommufd answers so; false: only a container of VFIO; undefined: both do. */
function tells(
  { request, argument, ret, after }: Answer,
  { groups, type }: { readonly groups: number; readonly type: boolean },
): boolean | undefined {
  if ((request & 0xff) >= 0x80) return ret >= 0 ? true : undefined;
  switch (request) {
    case VFIO.checkExtension:
      if (argument === EXTENSION.updateVaddr && type && ret >= 0) return ret === 0;
      return argument === EXTENSION.dmaCc && ret === -ERRNO.ENODEV ? true : undefined;
    case VFIO.setIommu:
      if (groups > 0 || (argument !== EXTENSION.type1 && argument !== EXTENSION.type1v2)) return undefined;
      return ret === -ERRNO.ENODEV ? true : ret === -ERRNO.EINVAL ? false : undefined;
    case VFIO.iommuGetInfo:
      return ret === 0 ? infoTells(after) : noIoas(ret);
    case VFIO.iommuMapDma:
      return noIoas(ret);
    case VFIO.iommuUnmapDma:
      return ret === -ERRNO.ENOENT ? true : noIoas(ret);
    case VFIO.iommuDirtyPages:
      return ret === -ERRNO.ENOTTY ? true : ret === 0 ? false : undefined;
    default:
      return undefined;
  }
}

/** An iommufd without an IOAS for these calls. */
function noIoas(ret: number): boolean | undefined {
  return ret === -ERRNO.ENODEV ? true : undefined;
}

/** Capabilities of GET_INFO: MIGRATION has only TYPE1; mappings without a limit has only an iommufd. */
function infoTells(after: Uint8Array): boolean | undefined {
  const view = new StructView(after);
  let at = after.length >= 20 ? view.u32(16) : 0;
  for (let hops = 0; at >= 24 && at + 12 <= after.length && hops < 16; hops++) {
    if (view.u16(at) === CAPABILITY.migration) return false;
    if (view.u16(at) === CAPABILITY.available) return view.u32(at + 8) === NO_LIMIT;
    at = view.u32(at + 4);
  }
  return undefined;
}

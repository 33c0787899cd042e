import { ORIGIN, STREAM_ID } from '../../../traces/schema.ts';
import type { EventSink } from '../../../traces/trace.ts';
import { ABSENT } from '../../../traces/units.ts';

/** Beginning of the name of a vDPA device; what is written to it are messages about its I/O page table. */
export const VHOST_VDPA = '/dev/vhost-vdpa-';

/** `type` of struct vhost_msg and vhost_msg_v2 (include/uapi/linux/vhost_types.h). */
const IOTLB_MSG = 1;
const IOTLB_MSG_V2 = 2;
/** `type` of struct vhost_iotlb_msg; misses and failures come from the kernel, batches hold nothing. */
const UPDATE = 2;
const INVALIDATE = 3;

/**
 * u32 type, u32 address space (version 2 only), then u64 iova, u64 size, u64 user address, u8 permission (1 read, 2 write),
 * u8 type of message; padded to 72.
 */
const AT = { addressSpace: 4, iova: 8, size: 16, permission: 32, message: 33 } as const;
const NEEDED = 34;

/**
 * Writes the map or unmap that a message asks for; nothing for other messages, or where the source cut it. The domain is the
 * address space id. User addresses are not physical ones: `phys` stays 0.
 */
export function writeVhostMessage(sink: EventSink, source: number, time: number, tid: number, bytes: Uint8Array): void {
  if (bytes.length < NEEDED) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint32(0, true);
  if (version !== IOTLB_MSG && version !== IOTLB_MSG_V2) return;
  const message = bytes[AT.message];
  if (message !== UPDATE && message !== INVALIDATE) return;
  const row = sink.begin(message === UPDATE ? STREAM_ID.map : STREAM_ID.unmap, time, ABSENT, tid, source);
  const { columns } = message === UPDATE ? sink.rows.map : sink.rows.unmap;
  columns.origin[row] = ORIGIN.vdpa;
  columns.domain[row] = version === IOTLB_MSG ? 0 : view.getInt32(AT.addressSpace, true);
  columns.iovaLo[row] = view.getInt32(AT.iova, true);
  columns.iovaHi[row] = view.getInt32(AT.iova + 4, true);
  columns.sizeLo[row] = view.getInt32(AT.size, true);
  columns.sizeHi[row] = view.getInt32(AT.size + 4, true);
  if (message === UPDATE) sink.rows.map.columns.prot[row] = (bytes[AT.permission] ?? 0) & 3;
}

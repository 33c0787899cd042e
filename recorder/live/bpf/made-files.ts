import { VFIO_FILES } from '../../import/calls/vfio-files.ts';
import { GET_DEVICE_FD, QUEUE_FDS, VFIO_TYPE } from './struct-memory.ts';

/** The file that an ioctl made, and what it is as `fileKind` has it. `struct`: as the kernel left it. */
export function madeFile(
  request: number,
  ret: number,
  struct: Uint8Array,
): { readonly fd: number; readonly kind: string } | undefined {
  if (request === GET_DEVICE_FD) return { fd: ret, kind: VFIO_FILES.device };
  const made = QUEUE_FDS.find(({ nr }) => request === ((VFIO_TYPE << 8) | nr));
  if (made?.kind === undefined || struct.length < made.offset + 4) return undefined;
  const view = new DataView(struct.buffer, struct.byteOffset, struct.byteLength);
  return { fd: view.getInt32(made.offset, true), kind: made.kind };
}

/** Of a name all up to its end: what follows in the caller's memory is nobody's business. */
export function namePart(request: number, bytes: Uint8Array): Uint8Array {
  if (request !== GET_DEVICE_FD) return bytes;
  const end = bytes.indexOf(0);
  if (end === 0) return bytes.subarray(0, 0);
  return end < 0 ? bytes : bytes.subarray(0, end + 1);
}

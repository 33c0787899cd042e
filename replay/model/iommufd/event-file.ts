import type { Context } from './context.ts';
import { ERRNO } from './errno.ts';
import type { IommufdObject } from './objects.ts';
import type { OpenFile } from './process.ts';

/** POLLIN and POLLRDNORM, POLLOUT. */
const POLL = { in: 0x41, out: 4 } as const;

interface EventOps {
  /** `writable`: whether `length` bytes at `offset` of the caller's buffer can be written. */
  read(count: number, writable: (offset: number, length: number) => boolean): Uint8Array | number;
  /** Whether a read would give something. */
  ready(): boolean;
  /** Missing: the fd can't be written (EINVAL). */
  write?(bytes: Uint8Array): number;
}

/**
 * The fd of an event object (iommufd_eventq_init): it holds a user of the object and keeps the context alive; it has no file
 * position, so pread and pwrite give ESPIPE even at offset 0. One that takes responses can always be written.
 */
export function eventFile(kind: OpenFile['kind'], context: Context, object: IommufdObject, ops: EventOps): OpenFile {
  object.users++;
  context.hold();
  return {
    kind,
    refs: 0,
    read: (count, position, writable = () => true) =>
      position === undefined ? ops.read(count, writable) : -ERRNO.ESPIPE,
    write: (bytes, position) => {
      if (position !== undefined) return -ERRNO.ESPIPE;
      return ops.write === undefined ? -ERRNO.EINVAL : ops.write(bytes);
    },
    poll: () => (ops.write === undefined ? 0 : POLL.out) | (ops.ready() ? POLL.in : 0),
    release: () => {
      object.users--;
      context.release();
    },
  };
}

import { FAULT_QUEUE_FILE } from '../../../traces/ioctl-requests.ts';
import type { OpenFiles } from './open-files.ts';

const FAULT_QUEUE_ALLOC = 0x3b8e;
/** struct iommu_hwpt_pgfault (include/uapi/linux/iommufd.h): flags, device, PASID, group, access, 0, address, length, cookie. */
const RECORD_BYTES = 40;
const BEFORE_ADDRESS = 24;
/** Three flags, 20 bits of PASID, 16 of group, four of access. */
const MOST = { flags: 7, pasid: 0xf_ffff, group: 0xffff, access: 15 } as const;

/**
 * Fault queues of sources that print numbers of descriptors only: the kernel tells a queue's in a struct that they don't show.
 * It is one that no call was seen to open, of a process that made a queue, and what is read from it is records of page requests.
 */
export class FaultQueueFds {
  readonly #makers = new Set<number>();

  ioctl(pid: number, request: number, errno: number): void {
    if (request === FAULT_QUEUE_ALLOC && errno === 0) this.#makers.add(pid);
  }

  /** Notes what kind of file `fd`, of which nothing is known, is, after a read of it. `data` may be cut. */
  read(files: OpenFiles, pid: number, fd: number, ret: number, data: Uint8Array | undefined): void {
    if (!this.#makers.has(pid) || data === undefined) return;
    if (ret <= 0 || ret % RECORD_BYTES !== 0 || data.length < BEFORE_ADDRESS) return;
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const field = (offset: number): number => view.getUint32(offset, true);
    if (field(0) > MOST.flags || field(8) > MOST.pasid || field(12) > MOST.group) return;
    if (field(16) > MOST.access || field(20) !== 0) return;
    files.set(pid, fd, FAULT_QUEUE_FILE);
  }
}

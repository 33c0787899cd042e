import type { Device } from '../device.ts';
import type { DmaBuffer } from '../dma-buffer.ts';

/** A VFIO device, as all files that were opened of it share it (struct vfio_device). */
export class DeviceNode {
  /** Files by which it is open: bound, or given by its group. */
  opens = 0;
  /** What it is to an iommufd, as long as it is open. */
  device: Device | undefined = undefined;
  /** dma-bufs of its memory. */
  readonly buffers = new Set<DmaBuffer>();
  /** The group that it is known to be in, by its path. */
  group: string | undefined = undefined;
  /** Groups that it is known not to be in. */
  readonly foreignGroups = new Set<string>();

  /** A reset takes its memory away, and gives it back. */
  reset(): void {
    for (const buffer of this.buffers) {
      buffer.move(true);
      buffer.move(false);
    }
  }

  /** The last file is closed: its dma-bufs outlive it without memory. */
  closed(): void {
    for (const buffer of this.buffers) buffer.notify(true);
    this.buffers.clear();
  }
}

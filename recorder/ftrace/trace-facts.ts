import type { ImportHeader } from '../import/importer.ts';

/** What text and records of a kernel have in common. */

/** Times up to here are kept as they are; later ones would lose exactness, so the epoch moves to the first event. */
const LATEST_EPOCH_0_SECONDS = 4_000_000;
/** How far before the first event another CPU's may lie. */
const EPOCH_MARGIN_SECONDS = 60;

/** Seconds of the kernel's clock at time 0 of the trace, by those of the first event. */
export function epochSeconds(firstSeconds: number): number {
  return firstSeconds > LATEST_EPOCH_0_SECONDS ? Math.max(0, firstSeconds - EPOCH_MARGIN_SECONDS) : 0;
}

/** What a kernel's trace events can tell, where they were enabled. */
export const EVENT_FIDELITY: ImportHeader['fidelity'] = {
  map: 'full',
  unmap: 'full',
  attach: 'partial',
  // qi_submit sees every descriptor but the waits.
  inv: 'partial',
  flush: 'full',
  // Arguments and results, no contents.
  ioctl: 'partial',
  call: 'partial',
  // VT-d, SMMUv3 and virtio-iommu report their faults in the kernel's log alone.
  fault: 'partial',
  prq: 'full',
  lost: 'full',
  mark: 'full',
};

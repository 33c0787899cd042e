import { IorrError } from '../../../traces/errors.ts';
import { nearest } from '../../../traces/nearest.ts';
import { amdPpr } from './amd-ppr.ts';
import type { PageRequestQueue } from './page-request-queue.ts';
import { riscvPq } from './riscv-pq.ts';
import { smmuv3Priq } from './smmuv3-priq.ts';
import { smmuv3Stall } from './smmuv3-stall.ts';
import { vtdPrq } from './vtd-prq.ts';

/** Every queue of page requests, by file. A new one is its file and a line here. */
export const PAGE_REQUEST_QUEUES: readonly PageRequestQueue[] = [vtdPrq, smmuv3Stall, smmuv3Priq, amdPpr, riscvPq];

/** The queue of a name. Throws `USAGE` for an unknown one. */
export function pageRequestQueue(name: string): PageRequestQueue {
  const found = PAGE_REQUEST_QUEUES.find((queue) => queue.name === name);
  if (found !== undefined) return found;
  const known = PAGE_REQUEST_QUEUES.map((queue) => queue.name);
  const near = nearest(name, known);
  throw new IorrError('USAGE', `unknown queue of page requests '${name}'; known: ${known.join(', ')}`, {
    hint: near === undefined ? 'iorr compare --help lists them' : `did you mean '${near}'?`,
  });
}

/** The queue of a kind of IOMMU, as a trace's header names it; VT-d's where nothing is known. */
export function queueOfIommu(iommu: string | undefined): PageRequestQueue {
  if (iommu === 'smmuv3') return smmuv3Stall;
  if (iommu === 'amd') return amdPpr;
  return iommu === 'riscv' ? riscvPq : vtdPrq;
}

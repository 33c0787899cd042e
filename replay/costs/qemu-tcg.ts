import type { ProfileParameter, Standing } from '../results.ts';
import { costUnit } from './cost-profile.ts';
import type { CostName, CostProfile } from './cost-profile.ts';

const RECORDED = 'a recorded strict guest (Linux 6.12, QEMU software emulation, 183,110 submissions)';

function of(name: CostName, value: number, source: string, standing: Standing): ProfileParameter {
  return { name, value, unit: costUnit(name), source, standing };
}

/** A guest whose processor and IOMMU are emulated in software, as the recorded captures are. Says nothing about hardware. */
export const qemuTcg: CostProfile = {
  name: 'qemu-tcg',
  summary: "a guest under QEMU's software emulation; one command and its wait take 17 us (fitted to a recording)",
  parameters: [
    of('cpu.unmap', 1900, `${RECORDED}: unmap to submission, median 2 us`, 'fitted'),
    of('cpu.unmap-page', 0, `${RECORDED}: no dependence on size seen at 1 us resolution`, 'fitted'),
    of('cpu.defer', 400, 'a fifth of an unmap', 'assumed'),
    of('cpu.command', 100, `${RECORDED}: part of unmap to submission`, 'fitted'),
    of('cpu.doorbell', 1000, `${RECORDED}: submission to effect, median 2 us with fetch and command`, 'fitted'),
    of('cpu.lock-transfer', 200, 'one cache line between emulated processors', 'assumed'),
    of('cpu.poll', 1000, 'as a doorbell: an emulated register', 'assumed'),
    of(
      'cpu.resume',
      14000,
      `${RECORDED}: submission to the next step of the submitter, median 17 us, P90 30 us, less what the queue takes`,
      'fitted',
    ),
    of('queue.fetch', 500, `${RECORDED}: submission to effect`, 'fitted'),
    of('queue.iotlb', 500, `${RECORDED}: submission to effect`, 'fitted'),
    of('queue.device-tlb', 500, 'emulated alike', 'assumed'),
    of('queue.wait', 1000, `${RECORDED}: part of submission to the next step of the submitter`, 'fitted'),
    of('queue.entries', 0, 'drivers/iommu/intel/dmar.c: QI_LENGTH 256', 'published'),
    of('walk.read', 500, 'as a command', 'assumed'),
    of('device.reads', 1, 'an emulated device does one thing after the other', 'assumed'),
    of('cores.pause', 1_000_000, 'a millisecond without a submission', 'assumed'),
  ],
};

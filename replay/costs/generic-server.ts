import type { ProfileParameter, Standing } from '../results.ts';
import { costUnit } from './cost-profile.ts';
import type { CostName, CostProfile } from './cost-profile.ts';

const SUM = 'part of about 1 us for one command and its wait on an idle bare-metal queue; order of magnitude';

function of(name: CostName, value: number, source: string, standing: Standing = 'assumed'): ProfileParameter {
  return { name, value, unit: costUnit(name), source, standing };
}

/** A current server without virtualisation. Orders of magnitude: run a sweep over what matters, or calibrate. */
export const genericServer: CostProfile = {
  name: 'generic-server',
  summary: 'a bare-metal server; one command and its wait take about 1 us (mostly assumed)',
  parameters: [
    of('cpu.unmap', 150, 'IOVA lookup and table walk; 100 to 300 ns are plausible'),
    of(
      'cpu.unmap-page',
      0.7,
      'Linux 6.19 commit messages: 335 ns to unmap 256 x 4 KiB of VT-d second stage, less the call',
      'fitted',
    ),
    of('cpu.defer', 40, 'an uncontended lock and one ring entry'),
    of('cpu.command', 20, 'writing 16 bytes of cached memory under a lock'),
    of('cpu.doorbell', 100, 'one uncached register write'),
    of('cpu.lock-transfer', 50, 'one cache line from another core'),
    of('cpu.poll', 100, 'one uncached register read (VT-d: of the fault status, under the lock)'),
    of('cpu.resume', 0, 'a spinning CPU goes on at once'),
    of('queue.fetch', 400, SUM),
    of('queue.iotlb', 300, SUM),
    of('queue.device-tlb', 1000, 'a PCIe round trip of 500 to 1000 ns and the device'),
    of('queue.wait', 200, SUM),
    of('queue.entries', 0, 'drivers/iommu: QI_LENGTH 256, CMD_BUFFER_SIZE 512 entries; SMMUv3 by IDR1', 'published'),
    of('walk.read', 197, 'F&S (SOSP 2024), lm: fitted by its authors to a Xeon Gold 6234', 'published'),
    of('device.reads', 32, 'PCIe tags without extended tags'),
    of('cores.pause', 1_000_000, 'a millisecond without a submission'),
  ],
};

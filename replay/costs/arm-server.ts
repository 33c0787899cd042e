import type { ProfileParameter, Standing } from '../results.ts';
import { costUnit } from './cost-profile.ts';
import type { CostName, CostProfile } from './cost-profile.ts';

const SYNC =
  'CMD_SYNC on an empty queue in local memory takes about 240 ns from call to return on a HiSilicon server (cover letter of per-NUMA CMA, kernel mailing list)';

function of(name: CostName, value: number, source: string, standing: Standing = 'assumed'): ProfileParameter {
  return { name, value, unit: costUnit(name), source, standing };
}

/** A current server with SMMUv3, without virtualisation. Orders of magnitude, but for the sync. */
export const armServer: CostProfile = {
  name: 'arm-server',
  summary:
    'a bare-metal server with SMMUv3; a sync on an empty queue takes 240 ns (published), the rest is mostly assumed',
  parameters: [
    of('cpu.unmap', 150, 'as generic-server'),
    of('cpu.unmap-page', 0.7, 'as generic-server'),
    of('cpu.defer', 40, 'as generic-server'),
    of('cpu.command', 20, `part of: ${SYNC}`, 'fitted'),
    of('cpu.doorbell', 100, `part of: ${SYNC}`, 'fitted'),
    of('cpu.lock-transfer', 50, 'one cache line from another core: the counter that places are reserved by'),
    of('cpu.poll', 20, 'a look at the message that a sync writes to memory'),
    of('cpu.resume', 0, 'a spinning CPU goes on at once'),
    of('queue.fetch', 60, `part of: ${SYNC}`, 'fitted'),
    of('queue.iotlb', 50, 'one TLBI beside the sync'),
    of('queue.device-tlb', 1000, 'a PCIe round trip of 500 to 1000 ns and the device'),
    of('queue.wait', 60, `part of: ${SYNC}`, 'fitted'),
    of('queue.entries', 256, 'IDR1.CMDQS differs: 256 is the least that is common'),
    of('walk.read', 80, 'a table entry from DRAM; 20 ns from a cache'),
    of('device.reads', 32, 'PCIe tags without extended tags'),
    of('cores.pause', 1_000_000, 'a millisecond without a submission'),
  ],
};

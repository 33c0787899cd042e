import type { ProfileParameter, Standing } from '../results.ts';
import type { CostName, CostProfile } from './cost-profile.ts';

const SUM = 'part of about 1 us for one command and its wait on an idle bare-metal queue; order of magnitude';

function of(name: CostName, value: number, source: string, standing: Standing = 'assumed'): ProfileParameter {
  return { name, value, unit: 'ns', source, standing };
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
    of('queue.fetch', 400, SUM),
    of('queue.iotlb', 300, SUM),
    of('queue.device-tlb', 1000, 'a PCIe round trip of 500 to 1000 ns and the device'),
    of('queue.wait', 200, SUM),
  ],
};

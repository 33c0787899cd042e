import type { DesignParameter } from '../designs/design.ts';
import { knob } from '../designs/knob.ts';

const SUM = 'part of about 10 us from a write that is not permitted to the one that is; 5 to 20 us are plausible';

/** What a page request takes, and how many there can be: knobs of `--set`. Nobody published the parts. */
export const PRI_PARAMETERS: readonly DesignParameter[] = [
  knob('pri.request', 1000, 'ns', `the message goes through PCIe into the queue of the unit: ${SUM}`),
  knob('pri.interrupt', 2500, 'ns', `from the message to the handler of the queue: ${SUM}`),
  knob('pri.handler', 4480, 'ns', `the group is put together, handed to a worker and its page looked up: ${SUM}`),
  knob('pri.entry', 20, 'ns', 'one locked read-modify-write of an entry'),
  knob('pri.response', 1000, 'ns', `a command and its wait: ${SUM}`),
  knob('pri.retranslate', 1000, 'ns', 'a PCIe round trip of 500 to 1000 ns; the walk is counted apart'),
  knob('pri.latency', 0, 'ns', 'of a page request in all, in the place of its parts; 0: their sum'),
  knob(
    'pri.outstanding',
    32,
    'requests',
    'that a device may have under way: drivers/iommu/amd asks for 32, a group index has 512 values',
    'published',
    [1, 512],
  ),
  knob('pri.servers', 1, 'threads', 'that handle faults: one interrupt thread a queue', 'assumed', [1, 1024]),
  knob(
    'pri.stall-budget',
    1,
    '% of a pass',
    'that a device may be unable to ask: a choice of the run',
    'assumed',
    [0, 100],
  ),
  knob('pri.queue', 2048, 'requests', 'drivers/iommu/intel: PRQ_ORDER 4, 64 KiB of 32 bytes', 'published', [
    1,
    1 << 20,
  ]),
];

/** A latency that somebody published: an input whose consequences are told, not a prediction. */
export interface PublishedLatency {
  readonly name: string;
  /** Ns, or a multiple of a CPU's write-protection fault. */
  readonly ns: number;
  readonly cpuFaults: number;
  readonly source: string;
}

const VIO = 'VIO, OSDI 2025';

/** The one published time from a page request to its response. */
export const PUBLISHED_RESPONSE: PublishedLatency = {
  name: '700 µs',
  ns: 700_000,
  cpuFaults: 0,
  source: `${VIO}: page request to response, mean`,
};

export const PUBLISHED_LATENCIES: readonly PublishedLatency[] = [
  PUBLISHED_RESPONSE,
  { name: '3 CPU faults', ns: 0, cpuFaults: 3, source: `${VIO}: a page request costs 3 to 80 times a CPU's fault` },
  { name: '80 CPU faults', ns: 0, cpuFaults: 80, source: `${VIO}: a page request costs 3 to 80 times a CPU's fault` },
];

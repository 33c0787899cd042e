import { armServer } from '../../replay/costs/arm-server.ts';
import { genericServer } from '../../replay/costs/generic-server.ts';
import { costsOf } from '../../replay/costs/cost-profile.ts';
import type { CostProfile } from '../../replay/costs/cost-profile.ts';
import { compareTrace } from '../../replay/engine/compare.ts';
import { armSmmuv3Generic } from '../../replay/hardware/arm-smmuv3-generic.ts';
import { vtdServer } from '../../replay/hardware/vtd-server.ts';
import { TO_USER } from '../../replay/paths/path-costs.ts';
import type { DesignResult } from '../../replay/results.ts';
import { intentTrace } from './intent-trace.ts';
import type { Intents } from './intent-trace.ts';
import { validationLine } from './line.ts';
import type { ValidationLine } from './line.ts';
import {
  BATCHING_SAVES_CYCLES,
  DIRECT_QUEUE_SAVES,
  GRACE_CORES,
  GRACE_READS,
  MANY_QUEUES_SAVE,
  PAGEWISE,
  PAGE_REQUEST,
  VIOMMU_SHARE,
} from './published/small-numbers.ts';

const TOLERANCE = 0.2;
/** Processor clock by which cycles become ns, GHz: of a current server, assumed. */
const CLOCK_GHZ = 3;

/** Rows of designs on paths. */
async function rows(
  intents: Intents,
  profile: CostProfile,
  designs: readonly string[],
  paths: readonly string[] = ['native'],
  parameters: ReadonlyMap<string, number> = new Map(),
): Promise<readonly DesignResult[]> {
  const hardware = intents.iommu === 'smmuv3' ? armSmmuv3Generic : vtdServer;
  const compared = await compareTrace(intentTrace(intents), { designs, paths, hardware, profile, parameters });
  return compared?.designs ?? [];
}

function rowOf(results: readonly DesignResult[], name: string, path = 'native'): DesignResult {
  const found = results.find((row) => row.name === name && row.path === path);
  if (found === undefined) throw new RangeError(`no row of ${name} on ${path}`);
  return found;
}

function share(part: number): string {
  return `${Math.round(part * 100)}%`;
}

/** One page at a time, far apart: nobody waits for anybody else. */
const SINGLE: Intents = { iommu: 'smmuv3', kernel: '6.12', times: 300, pages: 1, gapNs: 100_000 };

/** Waits of a guest on a path, with the hypervisor's process so many times as far away as assumed. */
async function guestWait(path: string, farther: number): Promise<number> {
  const parameters = new Map([[TO_USER.name, TO_USER.value * farther]]);
  const results = await rows(SINGLE, armServer, ['linux-strict'], [path], parameters);
  return rowOf(results, 'linux-strict', path).time.submitToWait.mean;
}

/** A guest's invalidations: its queue the hardware's, or trapped and passed on. */
async function directQueue(): Promise<ValidationLine> {
  const direct = await guestWait('direct-queue', 1);
  const saved = async (farther: number): Promise<number> => 1 - direct / (await guestWait('ioctl-n', farther));
  const trapped = await guestWait('ioctl-n', 1);
  return validationLine({
    id: 'D.direct-queue',
    what: 'guest-owned vCMDQ against trapped: less invalidation time',
    unit: 'share',
    published: DIRECT_QUEUE_SAVES,
    predicted: await saved(1),
    tolerance: TOLERANCE,
    status: 'predicted',
    why:
      `linux-strict with arm-server on direct-queue (${Math.round(direct)} ns) and on ioctl-n (${Math.round(trapped)} ns): exit (published), ioctl (measured), ` +
      `hypervisor (path.to-user, assumed: a quarter of it gives ${share(await saved(1 / 4))}, four times ${share(await saved(4))})`,
  });
}

/** Commands for 2 MiB without ranges, and how often they fill a queue. */
async function pagewise(): Promise<readonly ValidationLine[]> {
  const times = 20;
  const intents = { ...SINGLE, times, pages: 512, gapNs: 1_000_000, pagewise: true };
  const row = rowOf(await rows(intents, armServer, ['linux-strict']), 'linux-strict');
  const commands = row.commands / times;
  const entries = commands + row.syncs / times;
  const { fills, queueEntries } = PAGEWISE;
  return [
    validationLine({
      id: 'D.pagewise.commands',
      what: '2 MiB unmapped as 4 KiB without range invalidation: TLBI commands',
      unit: 'commands',
      published: PAGEWISE.commands,
      predicted: commands,
      tolerance: TOLERANCE,
      status: 'predicted',
      why: 'linux-strict as of 6.12 on an SMMUv3 without range commands, counted',
    }),
    validationLine({
      id: 'D.pagewise.fills',
      what: `the same fills a queue of ${queueEntries} entries more than twice`,
      unit: 'times',
      published: [fills, fills + 1],
      predicted: entries / queueEntries,
      tolerance: TOLERANCE,
      status: 'predicted',
      why: 'its commands and syncs by the entries of the queue',
    }),
  ];
}

/** Random reads on many cores: what a lazy unmap costs a core. */
async function grace(): Promise<readonly ValidationLine[]> {
  const intents = { ...SINGLE, times: 3000, gapNs: 4000 };
  const row = rowOf(await rows(intents, armServer, ['linux-lazy']), 'linux-lazy');
  const unmapNs = row.cpuNs / row.unmaps;
  const mapNs = costsOf(armServer)['cpu.unmap'];
  const readNs = (GRACE_CORES * 1000) / GRACE_READS.passthrough;
  const strictNs = 1000 / GRACE_READS.strict;
  return [
    validationLine({
      id: 'D.grace.passthrough',
      what: '4 KiB random reads, Grace, passthrough',
      unit: 'million/s',
      published: GRACE_READS.passthrough,
      predicted: GRACE_READS.passthrough,
      status: 'input',
      why: 'the workload itself: what a read costs without an IOMMU',
    }),
    validationLine({
      id: 'D.grace.lazy',
      what: '4 KiB random reads, Grace, lazy',
      unit: 'million/s',
      published: GRACE_READS.lazy,
      predicted: (GRACE_CORES * 1000) / (readNs + mapNs + unmapNs),
      tolerance: TOLERANCE,
      status: 'predicted',
      why:
        `${GRACE_CORES} cores, each ${Math.round(readNs)} ns a read (passthrough), and by linux-lazy ${Math.round(unmapNs)} ns for the unmap and its share of a flush, ` +
        `${mapNs} ns for the map. A lower bound: cores that wait for drives would hide it`,
    }),
    validationLine({
      id: 'D.grace.strict',
      what: '4 KiB random reads, Grace, strict',
      unit: 'million/s',
      published: GRACE_READS.strict,
      status: 'out-of-scope',
      why:
        `missing: what this SMMU needs for a TLBI and a SYNC with ${GRACE_CORES} cores behind its queue (queue.iotlb, queue.wait); ` +
        `${Math.round(strictNs)} ns for both would give the figure, an empty queue of another maker takes 240 ns for the SYNC alone`,
    }),
  ];
}

/** A NIC at 10 Gb/s whose core does all: deferred as published, strict by what its waits add. */
async function viommu(): Promise<readonly ValidationLine[]> {
  const intents: Intents = { iommu: 'vtd', kernel: '6.12', times: 3000, pages: 1, gapNs: 4000 };
  const results = await rows(intents, genericServer, ['linux-strict', 'linux-lazy']);
  const each = (name: string): number => rowOf(results, name).cpuNs / rowOf(results, name).unmaps;
  // an acknowledgement for every second packet (RFC 1122, 4.2.3.2) has a buffer too
  const unmapsAPacket = 1.5;
  // 1500 bytes and 38 of Ethernet framing at 10 Gb/s
  const packetNs = (1538 * 8) / 10;
  const more = unmapsAPacket * (each('linux-strict') - each('linux-lazy'));
  const strict = (scale: number): number => 1 / (1 / VIOMMU_SHARE.deferred + (scale * more) / packetNs);
  return [
    validationLine({
      id: 'D.viommu.deferred',
      what: 'share of 10 Gb/s reached, deferred',
      unit: 'share',
      published: VIOMMU_SHARE.deferred,
      predicted: VIOMMU_SHARE.deferred,
      status: 'input',
      why: 'what a packet costs the core, all but the waits',
    }),
    validationLine({
      id: 'D.viommu.strict',
      what: 'share of 10 Gb/s reached, strict',
      unit: 'share',
      published: VIOMMU_SHARE.strict,
      predicted: strict(1),
      tolerance: TOLERANCE,
      status: 'predicted',
      fittedOn: ['D.viommu.deferred (what a packet costs)'],
      why:
        `${Math.round(each('linux-strict'))} ns of CPU for a strict unmap, ${Math.round(each('linux-lazy'))} ns for a lazy one (generic-server, about 1 us a wait, assumed: half of it gives ${share(strict(0.5))}, twice ${share(strict(2))}), ` +
        `${unmapsAPacket} unmaps a packet of 1500 bytes, delayed acknowledgements included`,
    }),
  ];
}

/** Lines that need what no source gives. */
function missing(): readonly ValidationLine[] {
  const costs = costsOf(genericServer);
  const saved = costs['cpu.command'] + costs['cpu.doorbell'] + costs['queue.fetch'] + costs['queue.wait'];
  const [least, most] = PAGE_REQUEST.againstCpuFault;
  return [
    validationLine({
      id: 'D.many-queues',
      what: 'many in-kernel queues against one: less invalidation time',
      unit: 'share',
      published: MANY_QUEUES_SAVE,
      status: 'out-of-scope',
      why: 'missing: how many CPUs submit, and how often; from one CPU it saves nothing, and a saturated queue more than this',
    }),
    validationLine({
      id: 'D.vtd-batching',
      what: 'VT-d, IOTLB and device-TLB commands in one submission: less',
      unit: 'cycles',
      published: BATCHING_SAVES_CYCLES,
      status: 'out-of-scope',
      why:
        `missing: what a wait and a tail write take on the machine that was measured (queue.fetch, queue.wait, cpu.doorbell); ` +
        `the assumed ones of generic-server would say ${Math.round(saved * CLOCK_GHZ)} cycles at ${CLOCK_GHZ} GHz`,
    }),
    validationLine({
      id: 'D.page-request.response',
      what: 'page request to response, average',
      unit: 'ns',
      published: PAGE_REQUEST.responseNs,
      status: 'out-of-scope',
      why: "missing: the handler's time in the kernel or in user space, and the device's; `iorr calibrate` measures both together in a trace",
    }),
    validationLine({
      id: 'D.page-request.against-cpu-fault',
      what: 'page request against a fault of the CPU',
      unit: 'times',
      published: [least ?? 0, most ?? 0],
      status: 'out-of-scope',
      why: "missing: what a CPU's fault takes on that machine",
    }),
  ];
}

/** What queues, waits and paths to them cost. */
export async function queueLines(): Promise<readonly ValidationLine[]> {
  return [await directQueue(), ...(await pagewise()), ...(await grace()), ...(await viommu()), ...missing()];
}

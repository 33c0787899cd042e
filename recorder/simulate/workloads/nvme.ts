import type { Random } from '../../../traces/random.ts';
import type { EventSink } from '../../../traces/trace.ts';
import { Nvme } from '../devices/nvme.ts';
import type { NvmeShape } from '../devices/nvme.ts';
import { DmaApi, TOP_PAGE, checkAddresses } from '../dma-api.ts';
import { IovaAllocator } from '../iova-allocator.ts';
import { KERNEL, kernelRules } from '../kernel-parameter.ts';
import { COMMANDS } from '../parameter.ts';
import type { NumberParameter, ParameterValues } from '../parameter.ts';
import { playTenants } from '../tenant.ts';
import { VtdGuest, requesterOf } from '../vtd-guest.ts';
import { EVENTS } from '../workload.ts';
import type { Workload } from '../workload.ts';

/** Those of one drive. */
const DRIVE_PARAMETERS: readonly NumberParameter[] = [
  { kind: 'number', name: 'queues', about: 'I/O queues, one for each CPU', default: 4, min: 1, max: 256 },
  {
    kind: 'number',
    name: 'depth',
    unit: 'commands',
    about: 'that a queue has in flight',
    default: 32,
    min: 1,
    max: 1024,
  },
  { kind: 'number', name: 'block', unit: 'bytes', about: 'of a command', default: 4096, min: 512, max: 1 << 21 },
  {
    kind: 'number',
    name: 'reads',
    about: 'share of reads, the rest writes',
    default: 0.7,
    min: 0,
    max: 1,
    fraction: true,
  },
  {
    kind: 'number',
    name: 'coalesce',
    unit: 'completions',
    about: 'that one interrupt reports',
    default: 1,
    min: 1,
    max: 256,
  },
  {
    kind: 'number',
    name: 'gap',
    unit: 'ns',
    about: 'between commands of a drive, on average',
    default: 1000,
    min: 1,
    max: 1e9,
  },
];

function nvmeShape(values: ParameterValues): NvmeShape {
  const pages = 2 ** Math.ceil(Math.log2(Math.ceil(values.number('block') / 4096)));
  const inFlight = values.number('queues') * values.number('depth') * pages;
  checkAddresses('nvme', inFlight, 'fewer queues, a smaller depth or smaller blocks');
  return {
    queues: values.number('queues'),
    depth: values.number('depth'),
    blockBytes: values.number('block'),
    reads: values.number('reads'),
    coalesce: values.number('coalesce'),
    gap: values.number('gap'),
  };
}

/** NVMe drives with a queue for each CPU, all commands of one size. */
export const nvme: Workload = {
  name: 'nvme',
  summary: 'NVMe drives: queues, PRP lists, completions in any order, data mapped and unmapped with each command',
  streams: ['map', 'unmap', 'attach', 'inv', 'dma', 'flush'],
  parameters: [
    EVENTS,
    { kind: 'number', name: 'devices', about: 'drives, each with a domain of its own', default: 1, min: 1, max: 64 },
    ...DRIVE_PARAMETERS,
    KERNEL,
    COMMANDS,
  ],
  host: (values) => ({ kernel: kernelRules(values).kernel, cpus: values.number('queues') }),

  *generate(sink: EventSink, values: ParameterValues, random: Random): Generator<number> {
    const rules = kernelRules(values);
    const shape = nvmeShape(values);
    const guest = new VtdGuest(sink, { hints: rules.hints });
    const drives = Array.from({ length: values.number('devices') }, (_, i) => {
      const allocator = new IovaAllocator(shape.queues, TOP_PAGE, rules.depotLimit);
      const flushes = values.choice(COMMANDS.name) === 'strict';
      const api = new DmaApi(guest, i, requesterOf(i), allocator, { cpus: shape.queues, flushes });
      return { share: 1, tenant: new Nvme(api, shape, random) };
    });
    yield* playTenants(guest, drives, values.number('events'), random);
  },
};

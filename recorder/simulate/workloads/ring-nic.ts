import { IorrError } from '../../../traces/errors.ts';
import type { Random } from '../../../traces/random.ts';
import type { EventSink } from '../../../traces/trace.ts';
import { DmaApi, TOP_PAGE, checkAddresses } from '../dma-api.ts';
import { IovaAllocator } from '../iova-allocator.ts';
import { KERNEL, kernelRules } from '../kernel-parameter.ts';
import { ageAddresses } from '../devices/aged-addresses.ts';
import { ReceiveRing } from '../devices/receive-ring.ts';
import { RingNic } from '../devices/ring-nic.ts';
import type { NicShape } from '../devices/ring-nic.ts';
import { COMMANDS } from '../parameter.ts';
import type { NumberParameter, ParameterValues } from '../parameter.ts';
import { playTenants } from '../tenant.ts';
import { VtdGuest, requesterOf } from '../vtd-guest.ts';
import { EVENTS } from '../workload.ts';
import type { Workload } from '../workload.ts';

/** Those of one card. */
const NIC_PARAMETERS: readonly NumberParameter[] = [
  {
    kind: 'number',
    name: 'cores',
    about: 'cores with a receive and a transmit ring each',
    default: 5,
    min: 1,
    max: 256,
  },
  { kind: 'number', name: 'flows', about: 'flows, dealt out to the cores', default: 5, min: 1, max: 1 << 20 },
  {
    kind: 'number',
    name: 'ring',
    unit: 'packets',
    about: 'for which a receive ring has place',
    default: 256,
    min: 1,
    max: 8192,
  },
  {
    kind: 'number',
    name: 'descriptor',
    unit: 'pages',
    about: 'of a receive descriptor, each mapped alone',
    default: 64,
    min: 1,
    max: 512,
  },
  { kind: 'number', name: 'mtu', unit: 'bytes', about: 'of a packet', default: 4096, min: 64, max: 65536 },
  {
    kind: 'number',
    name: 'access',
    unit: 'bytes',
    about: 'of one access of the device at most',
    default: 4096,
    min: 64,
    max: 4096,
  },
  {
    kind: 'number',
    name: 'train',
    unit: 'packets',
    about: 'of one flow that come behind each other',
    default: 8,
    min: 1,
    max: 4096,
  },
  {
    kind: 'number',
    name: 'poll',
    unit: 'packets',
    about: 'of a core that its driver handles at once',
    default: 64,
    min: 1,
    max: 4096,
  },
  {
    kind: 'number',
    name: 'acks',
    unit: 'pages',
    about: 'transmitted for each page received',
    default: 0.1,
    min: 0,
    max: 100,
    fraction: true,
  },
  {
    kind: 'number',
    name: 'transmit-batch',
    unit: 'pages',
    about: 'posted and completed together',
    default: 2,
    min: 1,
    max: 256,
  },
  {
    kind: 'number',
    name: 'transmit-depth',
    unit: 'pages',
    about: 'of a core that wait for their completion',
    default: 4,
    min: 1,
    max: 4096,
  },
  { kind: 'number', name: 'gap', unit: 'ns', about: 'between packets, on average', default: 400, min: 1, max: 1e9 },
  {
    kind: 'number',
    name: 'aged',
    unit: 'pages',
    about: 'of I/O addresses that were mixed up before the trace begins',
    default: 12288,
    min: 0,
    max: 1 << 18,
  },
  {
    kind: 'number',
    name: 'run',
    unit: 'pages',
    about: 'that stayed neighbours among the aged ones',
    default: 4,
    min: 1,
    max: 512,
  },
];

/** The shape of a card whose values are set. Throws `IorrError` USAGE for a packet that is larger than a descriptor. */
function nicShape(values: ParameterValues): NicShape {
  const number = (name: string): number => values.number(name);
  if (Math.ceil(number('mtu') / 4096) > number('descriptor')) {
    throw new IorrError(
      'USAGE',
      `a packet of ${number('mtu')} bytes is larger than a descriptor of ${number('descriptor')} pages`,
      {
        hint: `--set descriptor=${Math.ceil(number('mtu') / 4096)} or a smaller mtu`,
      },
    );
  }
  const ring = new ReceiveRing(number('ring'), number('descriptor'), number('mtu'));
  const pages = number('cores') * (ring.size * number('descriptor') + number('transmit-depth')) + number('aged');
  checkAddresses('ring-nic', pages, 'fewer cores, a smaller ring or larger packets');
  return {
    cores: number('cores'),
    flows: number('flows'),
    ring: number('ring'),
    descriptorPages: number('descriptor'),
    mtu: number('mtu'),
    accessBytes: number('access'),
    train: number('train'),
    poll: number('poll'),
    acks: number('acks'),
    transmitBatch: number('transmit-batch'),
    transmitDepth: number('transmit-depth'),
    gap: number('gap'),
  };
}

/** Network cards with descriptors of many pages on a kernel that has run for a while. */
export const ringNic: Workload = {
  name: 'ring-nic',
  summary:
    'network cards with receive descriptors of many pages, acknowledgements, and an aged allocator of I/O addresses',
  streams: ['map', 'unmap', 'attach', 'inv', 'dma', 'flush'],
  parameters: [
    EVENTS,
    { kind: 'number', name: 'devices', about: 'cards, each with a domain of its own', default: 1, min: 1, max: 64 },
    ...NIC_PARAMETERS,
    KERNEL,
    COMMANDS,
  ],
  host: (values) => ({ kernel: kernelRules(values).kernel, cpus: values.number('cores') }),

  *generate(sink: EventSink, values: ParameterValues, random: Random): Generator<number> {
    const rules = kernelRules(values);
    const shape = nicShape(values);
    const flushes = values.choice(COMMANDS.name) === 'strict';
    const cpus = shape.cores;
    const guest = new VtdGuest(sink, { hints: rules.hints });
    const cards = Array.from({ length: values.number('devices') }, (_, i) => {
      const allocator = new IovaAllocator(cpus, TOP_PAGE, rules.depotLimit);
      ageAddresses(allocator, random, { pages: values.number('aged'), run: values.number('run'), cpus });
      const api = new DmaApi(guest, i, requesterOf(i), allocator, { cpus, flushes });
      return { share: 1, tenant: new RingNic(api, shape, random) };
    });
    yield* playTenants(guest, cards, values.number('events'), random);
  },
};

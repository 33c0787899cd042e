import { IorrError } from '../../../traces/errors.ts';
import type { Random } from '../../../traces/random.ts';
import type { EventSink } from '../../../traces/trace.ts';
import { ageAddresses } from '../devices/aged-addresses.ts';
import { Nvme } from '../devices/nvme.ts';
import { RingNic } from '../devices/ring-nic.ts';
import { VmDevice } from '../devices/vm-device.ts';
import { DmaApi, TOP_PAGE } from '../dma-api.ts';
import { IovaAllocator } from '../iova-allocator.ts';
import { KERNEL, kernelRules } from '../kernel-parameter.ts';
import { COMMANDS } from '../parameter.ts';
import type { NumberParameter, ParameterValues } from '../parameter.ts';
import { playTenants } from '../tenant.ts';
import type { SharedTenant, Tenant } from '../tenant.ts';
import { VtdGuest, requesterOf } from '../vtd-guest.ts';
import { EVENTS } from '../workload.ts';
import type { Workload } from '../workload.ts';

const KINDS = ['nic', 'nvme', 'vm'] as const;
type Kind = (typeof KINDS)[number];

function count(name: Kind, devices: number): NumberParameter {
  return { kind: 'number', name: `${name}s`, about: `tenants with ${ABOUT[name]}`, default: devices, min: 0, max: 32 };
}

function share(name: Kind, of: number): NumberParameter {
  const about = `share of the operations of all ${name}s together, in any unit`;
  return { kind: 'number', name: `${name}-share`, about, default: of, min: 0, max: 1e6, fraction: true };
}

const ABOUT: { readonly [K in Kind]: string } = {
  nic: 'a network card, as of ring-nic',
  nvme: 'an NVMe drive, as of nvme',
  vm: 'a device passed through to a virtual machine, as of vm',
};

/** Mean ns between the operations of all tenants. */
const GAP = 200;

/** Many devices, each with a domain of its own, behind one IOMMU: what one tenant does drives another's translations out. */
export const multiTenant: Workload = {
  name: 'multi-tenant',
  summary: 'network cards, drives and passed-through devices with domains of their own, mixed by shares',
  streams: ['map', 'unmap', 'attach', 'inv', 'dma', 'flush'],
  parameters: [
    EVENTS,
    count('nic', 2),
    share('nic', 4),
    count('nvme', 2),
    share('nvme', 1),
    count('vm', 4),
    share('vm', 4),
    {
      kind: 'number',
      name: 'cpus',
      about: 'cores that drive each card, and queues of each drive',
      default: 4,
      min: 1,
      max: 64,
    },
    {
      kind: 'number',
      name: 'memory',
      unit: 'MiB',
      about: 'of each virtual machine, a sixty-fourth of it hot',
      default: 1024,
      min: 64,
      max: 65536,
    },
    KERNEL,
    COMMANDS,
  ],
  host: (values) => ({ kernel: kernelRules(values).kernel, cpus: values.number('cpus') }),

  *generate(sink: EventSink, values: ParameterValues, random: Random): Generator<number> {
    const rules = kernelRules(values);
    const cpus = values.number('cpus');
    const megabytes = values.number('memory');
    const guest = new VtdGuest(sink, { hints: rules.hints });
    const flushes = values.choice(COMMANDS.name) === 'strict';
    const tenants: SharedTenant[] = [];
    for (const kind of KINDS) {
      const devices = values.number(`${kind}s`);
      for (let i = 0; i < devices; i++) {
        const index = tenants.length;
        const allocator = new IovaAllocator(cpus, TOP_PAGE, rules.depotLimit);
        if (kind === 'nic') ageAddresses(allocator, random, { pages: 4096, run: 4, cpus });
        const api = new DmaApi(guest, index, requesterOf(index), allocator, { cpus, flushes });
        tenants.push({
          share: values.number(`${kind}-share`) / devices,
          tenant: tenantOf(kind, api, index, { cpus, megabytes }, random),
        });
      }
    }
    if (tenants.every((tenant) => tenant.share === 0)) {
      throw new IorrError('USAGE', 'multi-tenant: no tenant has a share', { hint: '--set nics=1 --set nic-share=1' });
    }
    yield* playTenants(guest, tenants, values.number('events'), random);
  },
};

function tenantOf(
  kind: Kind,
  api: DmaApi,
  index: number,
  { cpus, megabytes }: { readonly cpus: number; readonly megabytes: number },
  random: Random,
): Tenant {
  switch (kind) {
    case 'nic':
      return new RingNic(
        api,
        {
          cores: cpus,
          flows: 2 * cpus,
          ring: 256,
          descriptorPages: 64,
          mtu: 1500,
          accessBytes: 4096,
          train: 16,
          poll: 64,
          acks: 0.2,
          transmitBatch: 2,
          transmitDepth: 4,
          gap: GAP,
        },
        random,
      );
    case 'nvme':
      return new Nvme(api, { queues: cpus, depth: 32, blockBytes: 16_384, reads: 0.7, coalesce: 4, gap: GAP }, random);
    case 'vm':
      return new VmDevice(
        api.guest,
        index,
        {
          megabytes,
          leaf: '2m',
          hotMegabytes: Math.ceil(megabytes / 64),
          hotShare: 0.9,
          writes: 0.5,
          run: 4,
          gap: GAP,
        },
        random,
      );
    default:
      return kind satisfies never;
  }
}

import { IorrError } from '../../../traces/errors.ts';
import type { Random } from '../../../traces/random.ts';
import type { EventSink } from '../../../traces/trace.ts';
import { VmDevice } from '../devices/vm-device.ts';
import type { ParameterValues } from '../parameter.ts';
import { playTenants } from '../tenant.ts';
import { VtdGuest } from '../vtd-guest.ts';
import { EVENTS } from '../workload.ts';
import type { Workload } from '../workload.ts';

const LEAVES = ['2m', '4k'] as const;

/** Devices passed through to virtual machines: what dirty tracking has to follow. */
export const vm: Workload = {
  name: 'vm',
  summary: 'devices passed through to virtual machines: memory mapped once, DMA with a hot set over it',
  streams: ['map', 'attach', 'inv', 'dma'],
  parameters: [
    EVENTS,
    { kind: 'number', name: 'devices', about: 'virtual machines with one device each', default: 1, min: 1, max: 64 },
    { kind: 'number', name: 'memory', unit: 'MiB', about: 'of each machine', default: 65536, min: 2, max: 65536 },
    {
      kind: 'choice',
      name: 'leaf',
      about: 'pages that back the memory, and so the leaves',
      default: '2m',
      choices: LEAVES,
    },
    {
      kind: 'number',
      name: 'hot',
      unit: 'MiB',
      about: 'of hot memory, scattered in pieces of 256 KiB',
      default: 256,
      min: 1,
      max: 65536,
    },
    {
      kind: 'number',
      name: 'hot-share',
      about: 'share of the runs that begin in hot memory',
      default: 0.9,
      min: 0,
      max: 1,
      fraction: true,
    },
    {
      kind: 'number',
      name: 'writes',
      about: 'share of the runs that write',
      default: 0.5,
      min: 0,
      max: 1,
      fraction: true,
    },
    {
      kind: 'number',
      name: 'run',
      unit: 'pages',
      about: 'behind each other that a run accesses',
      default: 4,
      min: 1,
      max: 256,
    },
    {
      kind: 'number',
      name: 'gap',
      unit: 'ns',
      about: 'between runs of a device, on average',
      default: 2000,
      min: 1,
      max: 1e9,
    },
  ],

  *generate(sink: EventSink, values: ParameterValues, random: Random): Generator<number> {
    const megabytes = values.number('memory');
    const hotMegabytes = values.number('hot');
    if (hotMegabytes > megabytes) {
      throw new IorrError('USAGE', `vm: ${hotMegabytes} MiB are hot of ${megabytes} MiB`, {
        hint: `--set hot=${megabytes}`,
      });
    }
    const guest = new VtdGuest(sink);
    const leaf = values.choice('leaf') === '2m' ? '2m' : '4k';
    const shape = {
      megabytes,
      leaf,
      hotMegabytes,
      hotShare: values.number('hot-share'),
      writes: values.number('writes'),
      run: values.number('run'),
      gap: values.number('gap'),
    } as const;
    const devices = Array.from({ length: values.number('devices') }, (_, i) => ({
      share: 1,
      tenant: new VmDevice(guest, i, shape, random),
    }));
    yield* playTenants(guest, devices, values.number('events'), random);
  },
};

import { IorrError } from '../../../traces/errors.ts';
import type { Random } from '../../../traces/random.ts';
import type { EventSink } from '../../../traces/trace.ts';
import { SvaDevice } from '../devices/sva-device.ts';
import type { ParameterValues } from '../parameter.ts';
import { playTenants } from '../tenant.ts';
import { VtdGuest, requesterOf } from '../vtd-guest.ts';
import { EVENTS } from '../workload.ts';
import type { Workload } from '../workload.ts';

/** A device that shares address spaces with processes: demand paging by page requests. */
export const sva: Workload = {
  name: 'sva',
  summary: 'processes that share memory with a device: a PASID each, page requests for what is missing, eviction',
  streams: ['map', 'unmap', 'attach', 'inv', 'dma', 'prq', 'prs'],
  parameters: [
    EVENTS,
    { kind: 'number', name: 'processes', about: 'each with a PASID', default: 4, min: 1, max: 127 },
    { kind: 'number', name: 'pages', about: 'that a process shares', default: 4096, min: 2, max: 1 << 20 },
    {
      kind: 'number',
      name: 'resident',
      unit: 'pages',
      about: 'of a process that may be present at a time',
      default: 2048,
      min: 16,
      max: 1 << 20,
    },
    {
      kind: 'number',
      name: 'alpha',
      about: 'exponent of the popularity of pages; 0 is uniform',
      default: 0.8,
      min: 0,
      max: 4,
      fraction: true,
    },
    {
      kind: 'number',
      name: 'group',
      unit: 'pages',
      about: 'that one group of requests asks for at most',
      default: 2,
      min: 1,
      max: 16,
    },
    {
      kind: 'number',
      name: 'refused',
      about: 'share of the groups that are answered with invalid',
      default: 0.02,
      min: 0,
      max: 1,
      fraction: true,
    },
    {
      kind: 'number',
      name: 'latency',
      unit: 'ns',
      about: 'from a request to its answer, on average',
      default: 15000,
      min: 1,
      max: 1e9,
    },
    { kind: 'number', name: 'gap', unit: 'ns', about: 'between accesses, on average', default: 1000, min: 1, max: 1e9 },
  ],

  *generate(sink: EventSink, values: ParameterValues, random: Random): Generator<number> {
    const number = (name: string): number => values.number(name);
    if (number('group') > number('resident')) {
      throw new IorrError('USAGE', 'sva: a group of requests is larger than what may be resident', {
        hint: `--set resident=${number('group')}`,
      });
    }
    const guest = new VtdGuest(sink);
    const shape = {
      processes: number('processes'),
      pages: number('pages'),
      resident: number('resident'),
      alpha: number('alpha'),
      group: number('group'),
      refused: number('refused'),
      latency: number('latency'),
      gap: number('gap'),
    };
    const tenant = new SvaDevice(guest, requesterOf(0), shape, random);
    yield* playTenants(guest, [{ share: 1, tenant }], number('events'), random);
  },
};

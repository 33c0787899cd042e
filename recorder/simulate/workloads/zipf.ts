import type { Random } from '../../../traces/random.ts';
import { ACCESS } from '../../../traces/schema.ts';
import type { EventSink } from '../../../traces/trace.ts';
import type { ParameterValues } from '../parameter.ts';
import { scatteredPage } from '../scattered-page.ts';
import { VtdGuest, requesterOf } from '../vtd-guest.ts';
import type { GuestDevice } from '../vtd-guest.ts';
import { EVENTS, YIELD_EVENTS } from '../workload.ts';
import type { Workload } from '../workload.ts';
import { ZipfSampler, permutation } from '../zipf-sampler.ts';

const FIRST_PAGE = 0x100000;
/** Of the invalidations one in so many is of a whole domain. */
const DOMAIN_EVERY = 200;
/** Ranges are aligned blocks of 2^0 to 2^6 pages. */
const RANGE_SIZES = 7;

/**
 * Accesses to random pages, some far more popular than others: working sets larger than any IOTLB. Popularity is Zipf's, and
 * popular pages lie scattered over the domains. All pages stay mapped.
 */
export const zipf: Workload = {
  name: 'zipf',
  summary: 'accesses to random pages of Zipf-like popularity, with random invalidations',
  streams: ['map', 'attach', 'inv', 'dma'],
  parameters: [
    EVENTS,
    { kind: 'number', name: 'pages', about: 'pages of all domains together', default: 65536, min: 1, max: 1 << 22 },
    {
      kind: 'number',
      name: 'alpha',
      about: 'exponent of the popularity; 0 is uniform',
      default: 1.2,
      min: 0,
      max: 4,
      fraction: true,
    },
    {
      kind: 'number',
      name: 'devices',
      about: 'devices, each with a domain of its own',
      default: 16,
      min: 1,
      max: 4096,
    },
    { kind: 'number', name: 'invalidations', about: 'per 1,000 operations', default: 10, min: 0, max: 1000 },
    { kind: 'number', name: 'gap', about: 'ns between operations', default: 50, min: 1, max: 1e9 },
  ],

  *generate(sink: EventSink, values: ParameterValues, random: Random): Generator<number> {
    const events = values.number('events');
    const pages = values.number('pages');
    const gap = values.number('gap');
    const invalidations = values.number('invalidations') / 1000;
    const count = Math.min(values.number('devices'), pages);
    const perDevice = Math.ceil(pages / count);
    const guest = new VtdGuest(sink);
    const devices = Array.from(
      { length: count },
      (_, i): GuestDevice => ({ rid: requesterOf(i), domain: 2 + i, cpu: 0, task: 100 + i }),
    );
    guest.boot();
    for (const [i, device] of devices.entries()) {
      guest.attach(device, i);
      const end = Math.min(perDevice, pages - i * perDevice);
      for (let k = 0; k < end && guest.events < events; k++) {
        guest.map(device, FIRST_PAGE + k, scatteredPage(i, k), 1, ACCESS.read | ACCESS.write);
        guest.pass(gap);
        if (k % YIELD_EVENTS === 0) yield guest.events;
      }
      if (guest.events >= events) return;
    }
    const sampler = new ZipfSampler(pages, values.number('alpha'));
    const place = permutation(pages, random);
    let reported = guest.events;
    while (guest.events < events) {
      const page = place[sampler.next(random)] as number;
      const d = Math.floor(page / perDevice);
      const k = page - d * perDevice;
      const device = devices[d] as GuestDevice;
      if (random.chance(invalidations)) {
        if (random.below(DOMAIN_EVERY) === 0) guest.invalidateDomain(device);
        else {
          const size = 1 << random.below(RANGE_SIZES);
          const base = FIRST_PAGE + (k & -size);
          guest.invalidateRange(device, base, base + size - 1);
        }
      } else {
        const access = random.chance(0.5) ? ACCESS.write : ACCESS.read;
        guest.dma(device, FIRST_PAGE + k, scatteredPage(d, k), 0, 64, access);
      }
      guest.pass(gap);
      if (guest.events - reported >= YIELD_EVENTS) yield (reported = guest.events);
    }
    yield guest.events;
  },
};

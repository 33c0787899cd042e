import type { Random } from '../../../traces/random.ts';
import { ACCESS } from '../../../traces/schema.ts';
import type { EventSink } from '../../../traces/trace.ts';
import type { ParameterValues } from '../parameter.ts';
import { VtdGuest, requesterOf } from '../vtd-guest.ts';
import type { GuestDevice } from '../vtd-guest.ts';
import { EVENTS, YIELD_EVENTS } from '../workload.ts';
import type { Workload } from '../workload.ts';
import { scatteredPage } from '../scattered-page.ts';

/** First page of each device's ring; its descriptor page follows the ring. */
const FIRST_PAGE = 0x100000;
const ACCESSES_PER_PAGE = 8;
const BURST = 32;
/** One access in so many of a burst reads the descriptor page. */
const DESCRIPTOR_EVERY = 16;
/** The range behind the device is invalidated each time that it has moved on by so many pages. */
const INVALIDATED_PAGES = 16;

/**
 * Sequential DMA through rings of pages that stay mapped: the shape on which the speed of a replay is judged. Bursts of 32
 * accesses from a random device, eight per page, every sixteenth to the descriptor page; after each 16 pages the 16 before
 * are invalidated by range. About 88% of the accesses hit an IOTLB of 64 sets x 4 ways.
 */
export const dma: Workload = {
  name: 'dma',
  summary: 'sequential DMA through persistent rings, an invalidation every 16 pages',
  streams: ['map', 'attach', 'inv', 'dma'],
  parameters: [
    EVENTS,
    {
      kind: 'number',
      name: 'devices',
      about: 'devices, each with a domain of its own',
      default: 16,
      min: 1,
      max: 4096,
    },
    { kind: 'number', name: 'pages', about: 'pages of each ring', default: 4096, min: 32, max: 1 << 20 },
    { kind: 'number', name: 'gap', about: 'ns between accesses', default: 50, min: 1, max: 1e9 },
  ],

  *generate(sink: EventSink, values: ParameterValues, random: Random): Generator<number> {
    const events = values.number('events');
    // Whole invalidation ranges, so that each is one aligned block.
    const pages = Math.floor(values.number('pages') / INVALIDATED_PAGES) * INVALIDATED_PAGES;
    const gap = values.number('gap');
    const guest = new VtdGuest(sink);
    const devices = Array.from(
      { length: values.number('devices') },
      (_, i): GuestDevice => ({ rid: requesterOf(i), domain: 2 + i, cpu: 0, task: 100 + i }),
    );
    guest.boot();
    for (const [i, device] of devices.entries()) {
      guest.attach(device, i);
      for (let k = 0; k <= pages && guest.events < events; k++) {
        guest.map(device, FIRST_PAGE + k, scatteredPage(i, k), 1, ACCESS.read | ACCESS.write);
        guest.pass(gap);
        if (k % YIELD_EVENTS === 0) yield guest.events;
      }
      if (guest.events >= events) return;
    }
    const position = new Int32Array(devices.length);
    const wrap = pages * ACCESSES_PER_PAGE;
    let reported = guest.events;
    while (guest.events < events) {
      const d = random.below(devices.length);
      const device = devices[d] as GuestDevice;
      for (let k = 0; k < BURST && guest.events < events; k++) {
        if (k % DESCRIPTOR_EVERY === 0) {
          guest.dma(device, FIRST_PAGE + pages, scatteredPage(d, pages), 0, 16, ACCESS.read);
          guest.pass(gap);
        }
        const at = position[d] as number;
        const page = Math.floor(at / ACCESSES_PER_PAGE);
        const offset = (at % ACCESSES_PER_PAGE) * (4096 / ACCESSES_PER_PAGE);
        const access = random.chance(0.5) ? ACCESS.write : ACCESS.read;
        guest.dma(device, FIRST_PAGE + page, scatteredPage(d, page), offset, 4096 / ACCESSES_PER_PAGE, access);
        guest.pass(gap);
        const next = (at + 1) % wrap;
        position[d] = next;
        if (next % (ACCESSES_PER_PAGE * INVALIDATED_PAGES) === 0) {
          const behind = FIRST_PAGE + page - (INVALIDATED_PAGES - 1);
          guest.invalidateRange(device, behind, behind + INVALIDATED_PAGES - 1);
          guest.pass(gap);
        }
      }
      if (guest.events - reported >= YIELD_EVENTS) yield (reported = guest.events);
    }
    yield guest.events;
  },
};

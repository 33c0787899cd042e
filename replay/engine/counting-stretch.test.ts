import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SMMUV3_OPCODE } from '../../traces/dialects/smmuv3-fields.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { ACCESS, ATTACH, DIALECT, INV_FORM, ORIGIN, STREAM_ID, STREAM_NAMES } from '../../traces/schema.ts';
import type { Segment } from '../../traces/segment.ts';
import { ABSENT } from '../../traces/units.ts';
import { armSmmuv3Generic } from '../hardware/arm-smmuv3-generic.ts';
import { withSettings } from '../hardware/profiles.ts';
import { countInStretches } from './count-pool.ts';
import type { SegmentSource } from './counting-stretch.ts';
import { testHeader } from '../../traces/testing/test-header.ts';

const PAGES = 24;

/** What happens: an access, by a domain that the access names or by the attached one; or something else to a page. */
interface Step {
  readonly what: 'access' | 'named' | 'map' | 'unmap' | 'attach' | 'range' | 'asid';
  readonly device: number;
  readonly domain: number;
  readonly page: number;
}

const step = fc.record({
  what: fc.oneof(
    { weight: 12, arbitrary: fc.constant('access' as const) },
    { weight: 6, arbitrary: fc.constant('named' as const) },
    { weight: 3, arbitrary: fc.constantFrom('map' as const, 'unmap' as const, 'range' as const) },
    { weight: 1, arbitrary: fc.constantFrom('attach' as const, 'asid' as const) },
  ),
  device: fc.nat(2),
  domain: fc.integer({ min: 1, max: 3 }),
  page: fc.nat(PAGES - 1),
});

/** Nothing in a plain trace needs to know what came before: who is attached where never changes, and no command asks who is. */
function plainStep(step: Step): Step {
  if (step.what === 'asid') return { ...step, what: 'range' };
  if (step.what === 'access' && step.device === 0) return { ...step, what: 'named' };
  return step.what === 'attach' ? { ...step, domain: 2 + (step.device & 1) } : step;
}

const attached = [0, 1].map((device) => plainStep({ what: 'attach', device, domain: 0, page: 0 }));

function segmentOf(steps: readonly Step[]): Segment {
  const trace = new MemoryTrace(testHeader({ host: { iommu: 'smmuv3' } }));
  const { rows } = trace;
  const begin = (stream: 'dma' | 'map' | 'unmap' | 'attach' | 'inv'): number => trace.begin(STREAM_ID[stream], 0, 0, 0);
  for (const { what, device, domain, page } of steps) {
    if (what === 'access' || what === 'named') {
      const row = begin('dma');
      const { columns } = rows.dma;
      columns.rid[row] = device + 8;
      columns.pasid[row] = ABSENT;
      // device 0 is never attached by an event: its accesses name its domain, now and then
      columns.domain[row] = what === 'named' ? (device === 0 ? domain : 1 + device) : ABSENT;
      columns.iovaLo[row] = page << 12;
    } else if (what === 'map' || what === 'unmap') {
      const row = begin(what);
      const { columns } = rows[what];
      columns.origin[row] = ORIGIN.iommu;
      columns.domain[row] = domain;
      columns.iovaLo[row] = page << 12;
      columns.sizeLo[row] = 2 << 12;
      if (what === 'map') {
        rows.map.columns.physLo[row] = (page + 1000 * domain) << 12;
        rows.map.columns.prot[row] = ACCESS.read | ACCESS.write;
      }
    } else if (what === 'attach') {
      const row = begin('attach');
      const { columns } = rows.attach;
      columns.kind[row] = ATTACH.attach;
      columns.device[row] = 9 + (device & 1);
      columns.pasid[row] = ABSENT;
      columns.domain[row] = domain;
    } else {
      const row = begin('inv');
      const { columns } = rows.inv;
      columns.dialect[row] = DIALECT.smmuv3;
      columns.form[row] = INV_FORM.words;
      columns.w0Hi[row] = domain << 16;
      columns.w0Lo[row] = what === 'asid' ? SMMUV3_OPCODE.tlbiNhAsid : SMMUV3_OPCODE.tlbiNhVa | (4 << 12);
      columns.w1Lo[row] = (page << 12) | (1 << 10) | (3 << 8) | 1;
    }
  }
  const [segment] = [...trace.segments()];
  if (segment === undefined) throw new Error('a segment expected');
  return segment;
}

function sourceOf(segments: readonly Segment[]): SegmentSource {
  return {
    segmentCount: segments.length,
    segmentRows: (number) => STREAM_NAMES.map((name) => segments[number]!.rows[name].count),
    readSegment: (number) => segments[number],
  };
}

const hardware = withSettings(armSmmuv3Generic, [
  'walk-cache.l1=0',
  'walk-cache.l2=0',
  'walk-cache.l3=0',
  'iotlb.sets=4',
  'iotlb.ways=3',
  'iotlb.hashed=2',
]);

describe('counts in stretches', () => {
  test.each([0, 1])('are those of one stretch, refilling emptied ways first: %d', (refill) => {
    const profile = withSettings(hardware, [`iotlb.refill-invalid-first=${refill}`]);
    let split = 0;
    fc.assert(
      fc.property(
        fc.array(fc.array(step, { minLength: 1, maxLength: 60 }), { minLength: 2, maxLength: 12, size: 'max' }),
        fc.boolean(),
        (random, plain) => {
          const steps = plain ? [attached, ...random.map((part) => part.map(plainStep))] : random;
          const source = sourceOf(steps.map(segmentOf));
          const whole = countInStretches(source, profile, 1);
          for (const stretches of [2, 3, 8, 64]) {
            const counts = countInStretches(source, profile, stretches);
            if (counts === undefined) continue;
            split++;
            expect(counts).toEqual(whole);
          }
        },
      ),
      { numRuns: 60 },
    );
    expect(split).toBeGreaterThan(20);
  });

  test('a stretch that needs to know what was accessed before says so', () => {
    const named = (domain: number): Step => ({ what: 'named', device: 0, domain, page: 1 });
    const source = sourceOf([segmentOf([named(2)]), segmentOf([{ ...named(2), what: 'access' }])]);
    expect(countInStretches(source, hardware, 1)?.lookups).toBe(2);
    expect(countInStretches(source, hardware, 2)).toBeUndefined();
  });
});

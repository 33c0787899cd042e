import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { armSmmuv3Generic } from '../hardware/arm-smmuv3-generic.ts';
import { withSettings } from '../hardware/profiles.ts';
import { qemuVtd } from '../hardware/qemu-vtd.ts';
import { createMachine } from '../model/create-machine.ts';
import { SMMUV3_OPCODE } from '../../traces/dialects/smmuv3-fields.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { FORMAT_VERSION } from '../../traces/header.ts';
import { ACCESS, ATTACH, DIALECT, INV_FORM, ORIGIN, STREAM_ID } from '../../traces/schema.ts';
import { ABSENT } from '../../traces/units.ts';
import { createPlayer } from './replay.ts';
import { createStillReplay } from './still-replay.ts';
import { SeriesBuilder } from './time-series.ts';

const NO_WALK_CACHES = ['walk-cache.l1=0', 'walk-cache.l2=0', 'walk-cache.l3=0'];
const PAGES = 40;
const DOMAINS = 3;

type Step =
  | { readonly what: 'access'; readonly domain: number; readonly page: number }
  | { readonly what: 'range'; readonly domain: number; readonly page: number; readonly pages: number }
  | { readonly what: 'asid'; readonly domain: number }
  | { readonly what: 'all' };

const domain = fc.integer({ min: 1, max: DOMAINS });
const page = fc.nat(PAGES - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 20, arbitrary: fc.record({ what: fc.constant('access' as const), domain, page }) },
  {
    weight: 3,
    arbitrary: fc.record({ what: fc.constant('range' as const), domain, page, pages: fc.integer({ min: 1, max: 32 }) }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('asid' as const), domain }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('all' as const) }) },
);

/** Domains with one device each, pages that stay mapped (the last is not), then the steps. */
function traceOf(steps: readonly Step[]): MemoryTrace {
  const trace = new MemoryTrace({
    formatVersion: FORMAT_VERSION,
    tool: 'iorr',
    toolVersion: '0',
    sources: [{ format: 'test', producer: 'test' }],
    host: { iommu: 'smmuv3' },
    clock: { epochNs: '0', name: 'test', resolutionNs: 1 },
    fidelity: {},
  });
  const { rows } = trace;
  for (let d = 1; d <= DOMAINS; d++) {
    const at = trace.begin(STREAM_ID.attach, 0, 0, 0);
    rows.attach.columns.kind[at] = ATTACH.attach;
    rows.attach.columns.device[at] = d * 8;
    rows.attach.columns.pasid[at] = ABSENT;
    rows.attach.columns.domain[at] = d;
    for (let p = 0; p < PAGES - 1; p++) {
      const row = trace.begin(STREAM_ID.map, 0, 0, 0);
      const { columns } = rows.map;
      columns.origin[row] = ORIGIN.iommu;
      columns.domain[row] = d;
      columns.device[row] = ABSENT;
      columns.iovaLo[row] = p << 12;
      columns.physLo[row] = (p * DOMAINS + d) << 12;
      columns.sizeLo[row] = 4096;
      columns.prot[row] = ACCESS.read | ACCESS.write;
    }
  }
  const command = (w0Lo: number, w0Hi: number, w1Lo: number): void => {
    const row = trace.begin(STREAM_ID.inv, 0, 0, 0);
    const { columns } = rows.inv;
    columns.dialect[row] = DIALECT.smmuv3;
    columns.form[row] = INV_FORM.words;
    columns.w0Lo[row] = w0Lo;
    columns.w0Hi[row] = w0Hi;
    columns.w1Lo[row] = w1Lo;
  };
  for (const one of steps) {
    if (one.what === 'access') {
      const row = trace.begin(STREAM_ID.dma, 0, 0, 0);
      const { columns } = rows.dma;
      columns.rid[row] = one.domain * 8;
      columns.pasid[row] = ABSENT;
      columns.domain[row] = ABSENT;
      columns.iovaLo[row] = one.page << 12;
      columns.access[row] = ACCESS.read;
    } else if (one.what === 'range') {
      const range = ((one.pages - 1) << 12) | SMMUV3_OPCODE.tlbiNhVa;
      command(range, one.domain << 16, (one.page << 12) | (1 << 10) | (3 << 8) | 1);
    } else if (one.what === 'asid') command(SMMUV3_OPCODE.tlbiNhAsid, one.domain << 16, 0);
    else command(SMMUV3_OPCODE.tlbiNsnhAll, 0, 0);
  }
  return trace;
}

describe('replay of mappings that stand still', () => {
  test.each([
    ['4 sets of 2 ways', ['iotlb.sets=4', 'iotlb.ways=2']],
    [
      'folded, emptied ways keep their place',
      ['iotlb.sets=8', 'iotlb.ways=4', 'iotlb.hashed=2', 'iotlb.refill-invalid-first=0'],
    ],
    ['mixed, three sets', ['iotlb.sets=3', 'iotlb.ways=3', 'iotlb.hashed=1']],
    ['one set', ['iotlb.sets=1', 'iotlb.ways=16', 'iotlb.refill-invalid-first=0']],
  ])('%s: counts as the machine does', (_, settings) => {
    const hardware = withSettings(armSmmuv3Generic, [...NO_WALK_CACHES, ...settings]);
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 200 }), (steps) => {
        const trace = traceOf(steps);
        const still = createStillReplay(hardware);
        if (still === undefined) throw new Error('the hardware must suit');
        let dropped = 0;
        const machine = createMachine(hardware, { onDrop: (_slot, why) => void (dropped += why === 0 ? 1 : 0) });
        const player = createPlayer(machine, new SeriesBuilder());
        for (const segment of trace.segments()) {
          still.play(segment);
          player.play(segment, 0);
        }
        const counts = machine.finish(0);
        const { hits, misses, lookups, walkReads, invalidated, faults } = still.counts();
        expect({ hits, misses, lookups }).toEqual({
          hits: counts.iotlb.hits,
          misses: counts.iotlb.misses,
          lookups: counts.iotlb.lookups,
        });
        expect({ walkReads, faults, invalidated }).toEqual({
          walkReads: counts.walkReads,
          faults: counts.faults,
          invalidated: dropped,
        });
      }),
      { numRuns: 60 },
    );
  });

  test('is not for other hardware', () => {
    expect(createStillReplay(qemuVtd)).toBeUndefined();
    expect(createStillReplay(armSmmuv3Generic)).toBeUndefined();
    expect(
      createStillReplay(withSettings(armSmmuv3Generic, [...NO_WALK_CACHES, 'iotlb.replacement=2'])),
    ).toBeUndefined();
    expect(createStillReplay(withSettings(armSmmuv3Generic, [...NO_WALK_CACHES, 'iotlb.ways=64']))).toBeUndefined();
  });

  test('an unmap ends it', () => {
    const still = createStillReplay(withSettings(armSmmuv3Generic, NO_WALK_CACHES));
    const trace = traceOf([]);
    const row = trace.begin(STREAM_ID.unmap, 0, 0, 0);
    trace.rows.unmap.columns.origin[row] = ORIGIN.iommu;
    trace.rows.unmap.columns.domain[row] = 1;
    const [segment] = [...trace.segments()];
    expect(() => segment && still?.play(segment)).toThrow(/event \d+ unmaps pages/);
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { armSmmuv3Generic } from '../hardware/arm-smmuv3-generic.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { withSettings } from '../hardware/profiles.ts';
import { qemuVtd } from '../hardware/qemu-vtd.ts';
import { createMachine } from '../model/create-machine.ts';
import { SMMUV3_OPCODE } from '../../traces/dialects/smmuv3-fields.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { ACCESS, ATTACH, DIALECT, INV_FORM, ORIGIN, STREAM_ID } from '../../traces/schema.ts';
import { ABSENT } from '../../traces/units.ts';
import { createPlayer } from './replay.ts';
import { createCountingReplay } from './counting-replay.ts';
import { SeriesBuilder } from './time-series.ts';
import { testHeader } from '../../traces/testing/test-header.ts';

const NO_WALK_CACHES = ['walk-cache.l1=0', 'walk-cache.l2=0', 'walk-cache.l3=0'];
const PAGES = 40;
const DOMAINS = 3;

type Step =
  | { readonly what: 'access'; readonly domain: number; readonly page: number }
  | { readonly what: 'range'; readonly domain: number; readonly page: number; readonly pages: number }
  | { readonly what: 'unmap' | 'map'; readonly domain: number; readonly page: number; readonly pages: number }
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
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constantFrom('unmap' as const, 'map' as const),
      domain,
      page,
      pages: fc.integer({ min: 1, max: 6 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('asid' as const), domain }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('all' as const) }) },
);

/** Domains with one device each, pages that stay mapped (the last is not), then the steps. */
function traceOf(steps: readonly Step[]): MemoryTrace {
  const trace = new MemoryTrace(testHeader({ host: { iommu: 'smmuv3' } }));
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
  /** What is mapped later is mapped elsewhere. */
  const change = (what: 'map' | 'unmap', d: number, from: number, pages: number): void => {
    const row = trace.begin(STREAM_ID[what], 0, 0, 0);
    const { columns } = rows[what];
    columns.origin[row] = ORIGIN.iommu;
    columns.domain[row] = d;
    columns.iovaLo[row] = from << 12;
    columns.sizeLo[row] = pages << 12;
    if (what === 'unmap') return;
    rows.map.columns.physLo[row] = from << 12;
    rows.map.columns.physHi[row] = 1;
    rows.map.columns.prot[row] = ACCESS.read | ACCESS.write;
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
    } else if (one.what === 'map' || one.what === 'unmap') change(one.what, one.domain, one.page, one.pages);
    else if (one.what === 'asid') command(SMMUV3_OPCODE.tlbiNhAsid, one.domain << 16, 0);
    else command(SMMUV3_OPCODE.tlbiNsnhAll, 0, 0);
  }
  return trace;
}

/** Plays a trace both ways. */
function bothWays(hardware: HardwareProfile, steps: readonly Step[], unmappedAccess: 'fault' | 'fill'): object[] {
  const replay = createCountingReplay(hardware, { unmappedAccess });
  if (replay === undefined) throw new Error('the hardware must suit');
  let dropped = 0;
  const onDrop = (_slot: number, why: number): void => void (dropped += why === 0 ? 1 : 0);
  const machine = createMachine(hardware, { unmappedAccess, onDrop });
  const player = createPlayer(machine, new SeriesBuilder());
  for (const segment of traceOf(steps).segments()) {
    replay.play(segment);
    player.play(segment, 0);
  }
  const { iotlb, walkReads, faults, unbacked } = machine.finish(0);
  const { hits, misses, lookups } = iotlb;
  const { outputs: _, ...counts } = replay.counts();
  return [counts, { hits, misses, lookups, walkReads, faults, unbacked, invalidated: dropped }];
}

describe('replay that only counts', () => {
  test('counts what the machine does, for any geometry', () => {
    const settings = fc.record({
      sets: fc.constantFrom(1, 2, 3, 4, 8, 11, 16, 64),
      ways: fc.integer({ min: 1, max: 16 }),
      hashed: fc.nat(2),
      'refill-invalid-first': fc.nat(1),
    });
    fc.assert(
      fc.property(
        settings,
        fc.constantFrom('fault' as const, 'fill' as const),
        fc.array(step, { minLength: 1, maxLength: 300, size: 'max' }),
        (geometry, unmapped, steps) => {
          const set = Object.entries(geometry).map(([name, value]) => `iotlb.${name}=${value}`);
          const hardware = withSettings(armSmmuv3Generic, [...NO_WALK_CACHES, ...set]);
          const [counted, modelled] = bothWays(hardware, steps, unmapped);
          expect(counted).toEqual(modelled);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('reads of tables are not known where walks have caches', () => {
    const [counted] = bothWays(armSmmuv3Generic, [{ what: 'access', domain: 1, page: 0 }], 'fault');
    expect(counted).toMatchObject({ misses: 1, walkReads: null });
  });

  test('is not for other hardware', () => {
    expect(createCountingReplay(qemuVtd)).toBeUndefined();
    expect(createCountingReplay(withSettings(armSmmuv3Generic, ['iotlb.replacement=2']))).toBeUndefined();
    expect(createCountingReplay(withSettings(armSmmuv3Generic, ['iotlb.ways=64']))).toBeUndefined();
  });

  test('large leaves end it', () => {
    const replay = createCountingReplay(armSmmuv3Generic);
    const trace = traceOf([{ what: 'map', domain: 1, page: 512, pages: 512 }]);
    const row = trace.begin(STREAM_ID.dma, 0, 0, 0);
    const { columns } = trace.rows.dma;
    columns.rid[row] = 8;
    columns.iovaLo[row] = 513 << 12;
    const [segment] = [...trace.segments()];
    expect(() => segment && replay?.play(segment)).toThrow(/larger than 4 KiB/);
  });
});

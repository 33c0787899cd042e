import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SMMUV3_OPCODE } from '../../traces/dialects/smmuv3-fields.ts';
import { openTrace } from '../../traces/file.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { ACCESS, ATTACH, DIALECT, INV_FORM, ORIGIN, STREAM_ID } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import { ABSENT } from '../../traces/units.ts';
import { REPLAY_COLUMNS, replayTrace } from '../engine/replay.ts';
import { amdGeneric } from '../hardware/amd-generic.ts';
import { armSmmuv3Generic } from '../hardware/arm-smmuv3-generic.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { hardwareProfile, withSettings } from '../hardware/profiles.ts';
import { intelBroadwell } from '../hardware/intel-broadwell.ts';
import { vtdServer } from '../hardware/vtd-server.ts';
import type { IotlbCounts } from '../results.ts';
import { createStackDistances } from './stack-distances.ts';
import type { StackDistances } from './stack-distances.ts';
import { testHeader } from '../../traces/testing/test-header.ts';

const CORPUS = join(import.meta.dirname, '../../traces/corpus');
const NO_WALK_CACHES = ['walk-cache.l1=0', 'walk-cache.l2=0', 'walk-cache.l3=0'];
/** Twenty sizes of a fully associative cache. */
const SIZES = [1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256, 512, 1000, 1024, 4096];
const SETS = [1, 2, 4, 8, 16, 32, 64, 128];
const WAYS = [1, 2, 3, 4, 5, 6, 7, 8];

function distances(trace: Trace, hardware: HardwareProfile, capacity: number): StackDistances {
  const found = createStackDistances({ hardware, capacity, sets: SETS, ways: 8 });
  for (const segment of trace.segments({ columns: REPLAY_COLUMNS })) found.play(segment);
  return found;
}

/** A replay of its own. */
function replayed(trace: Trace, hardware: HardwareProfile, sets: number, ways: number): IotlbCounts | null {
  const settings = [`iotlb.sets=${sets}`, `iotlb.ways=${ways}`];
  return replayTrace(trace, { hardware: withSettings(hardware, settings) }).iotlb;
}

/** Traces with accesses; those that take a minute only where all is asked for. */
const corpus = readdirSync(CORPUS)
  .filter((name) => name.endsWith('.iorr'))
  .filter((name) => {
    const trace = openTrace(join(CORPUS, name));
    const { dma } = trace.streamCounts;
    trace.close();
    return dma > 0 && (dma < 200_000 || process.env['IORR_FULL'] === '1');
  });

/** Set-associative hardware that takes the commands of a trace. */
function hardwareOf(trace: Trace): HardwareProfile {
  const { architecture } = hardwareProfile('auto', trace.header);
  if (architecture === 'smmuv3') return armSmmuv3Generic;
  return architecture === 'amd' ? amdGeneric : vtdServer;
}

describe('of the corpus', () => {
  test.each(corpus)('%s: the curve is that of twenty replays', (name) => {
    const trace = openTrace(join(CORPUS, name));
    const hardware = hardwareOf(trace);
    const curve = distances(trace, hardware, 8192);
    expect(curve.inexact()).toBe(0);
    for (const size of SIZES) expect([size, curve.full(size)]).toEqual([size, replayed(trace, hardware, 1, size)]);
    for (const [sets, ways] of [
      [4, 1],
      [16, 3],
      [64, 4],
      [128, 8],
    ] as const) {
      expect([sets, ways, curve.withSets(sets, ways)]).toEqual([sets, ways, replayed(trace, hardware, sets, ways)]);
    }
    trace.close();
  });
});

const DOMAINS = 3;
const PAGES = 40;

type Step =
  | { readonly what: 'access' | 'unmap' | 'map'; readonly domain: number; readonly page: number }
  | { readonly what: 'range'; readonly domain: number; readonly page: number; readonly pages: number }
  | { readonly what: 'asid'; readonly domain: number }
  | { readonly what: 'all' };

const domain = fc.integer({ min: 1, max: DOMAINS });
const page = fc.nat(PAGES - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 20, arbitrary: fc.record({ what: fc.constant('access' as const), domain, page }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constantFrom('unmap' as const, 'map' as const), domain, page }) },
  {
    weight: 3,
    arbitrary: fc.record({ what: fc.constant('range' as const), domain, page, pages: fc.integer({ min: 1, max: 32 }) }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('asid' as const), domain }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('all' as const) }) },
);

function traceOf(steps: readonly Step[], pageBytes: number): MemoryTrace {
  const trace = new MemoryTrace(testHeader({ host: { iommu: 'smmuv3' } }));
  const { rows } = trace;
  let time = 0;
  for (let d = 1; d <= DOMAINS; d++) {
    const at = trace.begin(STREAM_ID.attach, 0, 0, 0);
    rows.attach.columns.kind[at] = ATTACH.attach;
    rows.attach.columns.device[at] = d * 8;
    rows.attach.columns.pasid[at] = ABSENT;
    rows.attach.columns.domain[at] = d;
  }
  const command = (w0Lo: number, w0Hi: number, w1Lo: number): void => {
    const row = trace.begin(STREAM_ID.inv, time, 0, 0);
    const { columns } = rows.inv;
    columns.dialect[row] = DIALECT.smmuv3;
    columns.form[row] = INV_FORM.words;
    columns.w0Lo[row] = w0Lo;
    columns.w0Hi[row] = w0Hi;
    columns.w1Lo[row] = w1Lo;
  };
  for (const one of steps) {
    time += 10;
    if (one.what === 'access') {
      const row = trace.begin(STREAM_ID.dma, time, 0, 0);
      const { columns } = rows.dma;
      columns.rid[row] = one.domain * 8;
      columns.domain[row] = ABSENT;
      columns.iovaLo[row] = one.page << 12;
      columns.access[row] = ACCESS.read;
    } else if (one.what === 'map' || one.what === 'unmap') {
      const row = trace.begin(STREAM_ID[one.what], time, 0, 0);
      const { columns } = rows[one.what];
      columns.origin[row] = ORIGIN.iommu;
      columns.domain[row] = one.domain;
      const iova = (one.page << 12) & -pageBytes;
      columns.iovaLo[row] = iova;
      columns.sizeLo[row] = pageBytes;
      if (one.what === 'map') {
        rows.map.columns.physLo[row] = iova + 0x1000_0000;
        rows.map.columns.prot[row] = ACCESS.read | ACCESS.write;
      }
    } else if (one.what === 'range') {
      const range = ((one.pages - 1) << 12) | SMMUV3_OPCODE.tlbiNhVa;
      command(range, one.domain << 16, (one.page << 12) | (1 << 10) | (3 << 8) | 1);
    } else if (one.what === 'asid') command(SMMUV3_OPCODE.tlbiNhAsid, one.domain << 16, 0);
    else command(SMMUV3_OPCODE.tlbiNsnhAll, 0, 0);
  }
  return trace;
}

describe('of random traces with commands, maps and unmaps', () => {
  test.each([
    ['emptied ways are refilled first', []],
    ['emptied ways keep their place', ['iotlb.refill-invalid-first=0']],
    ['folded sets', ['iotlb.hashed=2', 'iotlb.refill-invalid-first=0']],
    ['mixed sets', ['iotlb.hashed=1']],
  ])('%s: every size and every geometry is a replay', (_, settings) => {
    const hardware = withSettings(armSmmuv3Generic, [...NO_WALK_CACHES, ...settings]);
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 250 }), (steps) => {
        const trace = traceOf(steps, 4096);
        const curve = distances(trace, hardware, 256);
        expect(curve.inexact()).toBe(0);
        for (const size of [1, 2, 3, 4, 7, 10, 20, 50, 100, 200]) {
          expect([size, curve.full(size)]).toEqual([size, replayed(trace, hardware, 1, size) ?? curve.full(size)]);
        }
        for (const sets of [1, 2, 8, 16]) {
          for (const ways of WAYS) {
            const told = curve.withSets(sets, ways);
            expect([sets, ways, told]).toEqual([sets, ways, replayed(trace, hardware, sets, ways) ?? told]);
          }
        }
      }),
      { numRuns: 10 },
    );
  });

  test('numbers of sets that do not divide each other', () => {
    const hardware = withSettings(armSmmuv3Generic, NO_WALK_CACHES);
    fc.assert(
      fc.property(fc.array(step, { minLength: 50, maxLength: 250 }), (steps) => {
        const trace = traceOf(steps, 4096);
        const curve = createStackDistances({ hardware, capacity: 256, sets: [2, 3, 5], ways: 4 });
        for (const segment of trace.segments()) curve.play(segment);
        for (const sets of [2, 3, 5]) {
          const told = curve.withSets(sets, 3);
          expect(told).toEqual(replayed(trace, hardware, sets, 3) ?? told);
        }
      }),
      { numRuns: 10 },
    );
  });

  test('what larger caches hold in another size is told', () => {
    const access = (at: number): Step => ({ what: 'access', domain: 1, page: at });
    const steps: Step[] = [
      { what: 'map', domain: 1, page: 1 },
      access(1),
      access(2),
      { what: 'map', domain: 1, page: 0 },
    ];
    const small = traceOf(steps, 4096);
    const curve = distances(small, withSettings(vtdServer, NO_WALK_CACHES), 64);
    expect(curve.inexact()).toBe(0);
    // a page is cached, then its table gives way to one large leaf without a command
    const trace = traceOf([access(1), { what: 'map', domain: 1, page: 0 }, access(1)], 1 << 21);
    expect(distances(trace, withSettings(armSmmuv3Generic, NO_WALK_CACHES), 64).inexact()).toBe(1);
  });

  test('a capacity that is too small for the sets is told', () => {
    const steps: Step[] = Array.from({ length: 64 }, (_, i) => ({ what: 'access', domain: 1, page: i % PAGES }));
    const curve = distances(traceOf(steps, 4096), intelBroadwell, 8);
    expect(curve.inexact()).toBeGreaterThan(0);
  });
});

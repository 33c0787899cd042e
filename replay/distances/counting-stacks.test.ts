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
import { REPLAY_COLUMNS } from '../engine/replay.ts';
import { amdGeneric } from '../hardware/amd-generic.ts';
import { armSmmuv3Generic } from '../hardware/arm-smmuv3-generic.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { hardwareProfile, withSettings } from '../hardware/profiles.ts';
import { vtdServer } from '../hardware/vtd-server.ts';
import { countStacks } from './counting-stacks.ts';
import type { CountedStacks } from './counting-stacks.ts';
import { createStackDistances } from './stack-distances.ts';
import { testHeader } from '../../traces/testing/test-header.ts';

const CORPUS = join(import.meta.dirname, '../../traces/corpus');
const SETS = [1, 2, 4, 8, 16, 32, 64, 128];

function counted(trace: Trace, hardware: HardwareProfile, ways: number): CountedStacks | undefined {
  const steps = countStacks(trace, hardware, SETS, ways);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** Misses of every geometry by both ways; undefined where counting is not for the trace. */
function both(
  trace: Trace,
  hardware: HardwareProfile,
  ways: number,
): { counted: number[]; told: number[] } | undefined {
  const found = counted(trace, hardware, ways);
  if (found === undefined) return undefined;
  const distances = createStackDistances({ hardware, capacity: 1 << 16, sets: SETS, ways });
  for (const segment of trace.segments({ columns: REPLAY_COLUMNS })) distances.play(segment);
  expect(found.lookups).toBe(distances.lookups());
  const all = SETS.flatMap((sets) => Array.from({ length: ways }, (_, i) => [sets, i + 1] as const));
  return {
    counted: all.map(([sets, size]) => found.misses(sets, size)),
    told: all.map(([sets, size]) => distances.withSets(sets, size).misses),
  };
}

/** Those that take longest only where all is asked for. */
const LONG = /^vtd-(?:strict|lazy)/;
const corpus = readdirSync(CORPUS).filter(
  (name) => name.endsWith('.iorr') && (!LONG.test(name) || process.env['IORR_FULL'] === '1'),
);

test.each(corpus)('%s: counts what distances tell', (name) => {
  const trace = openTrace(join(CORPUS, name));
  const { architecture } = hardwareProfile('auto', trace.header);
  const hardware = architecture === 'smmuv3' ? armSmmuv3Generic : architecture === 'amd' ? amdGeneric : vtdServer;
  if (trace.streamCounts.dma > 0) {
    const suits = /^(?:smmuv3|vtd-strict|vtd-lazy|vtd-pri)/.test(name);
    for (const refill of [0, 1]) {
      const found = both(trace, withSettings(hardware, [`iotlb.refill-invalid-first=${refill}`]), 8);
      expect(found?.counted).toEqual(found?.told);
      expect([name, found !== undefined]).toEqual([name, suits]);
    }
  } else expect(counted(trace, hardware, 8)?.lookups ?? 0).toBe(0);
  trace.close();
});

describe('of random traces', () => {
  const domain = fc.integer({ min: 1, max: 3 });
  const page = fc.nat(60);
  const step = fc.oneof(
    { weight: 20, arbitrary: fc.record({ what: fc.constant('access'), domain, page, pages: fc.constant(1) }) },
    {
      weight: 3,
      arbitrary: fc.record({ what: fc.constant('range'), domain, page, pages: fc.integer({ min: 1, max: 32 }) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ what: fc.constantFrom('asid', 'all', 'map'), domain, page, pages: fc.constant(1) }),
    },
  );

  function traceOf(
    steps: readonly { what: string; domain: number; page: number; pages: number }[],
    size: number,
  ): MemoryTrace {
    const trace = new MemoryTrace(testHeader({ host: { iommu: 'smmuv3' } }));
    const { rows } = trace;
    for (let d = 1; d <= 3; d++) {
      const at = trace.begin(STREAM_ID.attach, 0, 0, 0);
      rows.attach.columns.kind[at] = ATTACH.attach;
      rows.attach.columns.device[at] = d * 8;
      rows.attach.columns.pasid[at] = ABSENT;
      rows.attach.columns.domain[at] = d;
    }
    for (const one of steps) {
      if (one.what === 'access') {
        const row = trace.begin(STREAM_ID.dma, 0, 0, 0);
        rows.dma.columns.rid[row] = one.domain * 8;
        rows.dma.columns.domain[row] = ABSENT;
        rows.dma.columns.iovaLo[row] = one.page << 12;
        rows.dma.columns.access[row] = ACCESS.read;
      } else if (one.what === 'map') {
        const row = trace.begin(STREAM_ID.map, 0, 0, 0);
        const { columns } = rows.map;
        columns.origin[row] = ORIGIN.iommu;
        columns.domain[row] = one.domain;
        columns.iovaLo[row] = (one.page << 12) & -size;
        columns.physLo[row] = (one.page << 12) & -size;
        columns.sizeLo[row] = size;
        columns.prot[row] = ACCESS.read | ACCESS.write;
      } else {
        const row = trace.begin(STREAM_ID.inv, 0, 0, 0);
        const { columns } = rows.inv;
        columns.dialect[row] = DIALECT.smmuv3;
        columns.form[row] = INV_FORM.words;
        columns.w0Lo[row] =
          one.what === 'range'
            ? ((one.pages - 1) << 12) | SMMUV3_OPCODE.tlbiNhVa
            : one.what === 'asid'
              ? SMMUV3_OPCODE.tlbiNhAsid
              : SMMUV3_OPCODE.tlbiNsnhAll;
        columns.w0Hi[row] = one.what === 'all' ? 0 : one.domain << 16;
        columns.w1Lo[row] = one.what === 'range' ? (one.page << 12) | (1 << 10) | (3 << 8) | 1 : 0;
      }
    }
    return trace;
  }

  test.each([
    ['low bits, refilled first', [0, 1]],
    ['mixed, refilled first', [1, 1]],
    ['folded, emptied ways keep their place', [2, 0]],
    ['low bits, emptied ways keep their place', [0, 0]],
  ] as const)('%s: counts what distances tell', (_, [hashed, refill]) => {
    const settings = [`iotlb.hashed=${hashed}`, `iotlb.refill-invalid-first=${refill}`];
    const hardware = withSettings(armSmmuv3Generic, settings);
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 300 }), fc.integer({ min: 1, max: 6 }), (steps, ways) => {
        const found = both(traceOf(steps, 4096), hardware, ways);
        if (found === undefined) throw new Error('the trace must suit');
        expect(found.counted).toEqual(found.told);
      }),
      { numRuns: 40 },
    );
  });

  test('large pages are not for it', () => {
    const map = { what: 'map', domain: 1, page: 0, pages: 1 };
    expect(counted(traceOf([map], 1 << 20), armSmmuv3Generic, 2)).toBeDefined();
    const access = { ...map, what: 'access' };
    expect(counted(traceOf([map], 1 << 21), armSmmuv3Generic, 2)).toBeDefined();
    expect(counted(traceOf([map, access], 1 << 21), armSmmuv3Generic, 2)).toBeUndefined();
    // a page that was cached before it became part of a large one
    expect(
      counted(traceOf([access, { ...access, page: 1 }, map, access], 1 << 21), armSmmuv3Generic, 2),
    ).toBeUndefined();
    expect(counted(traceOf([], 4096), withSettings(vtdServer, ['iotlb.replacement=1']), 2)).toBeUndefined();
  });
});

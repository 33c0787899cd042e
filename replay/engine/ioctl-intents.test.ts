import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { plainEvents } from '../../traces/event.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { ATTACH, DIRTY_OP } from '../../traces/schema.ts';
import { mockBackend } from '../model/iommufd/mock/mock-backend.ts';
import { BUFFER, SimulatedCalls } from '../model/iommufd/simulated-calls.ts';
import { IntentWriter } from './ioctl-intents.ts';
import { testHeader } from '../../traces/testing/test-header.ts';

const IOVA = 0x100_0000;
const REQUEST = { destroy: 0x3b80, alloc: 0x3b81, map: 0x3b85, unmap: 0x3b86, option: 0x3b87, hwpt: 0x3b89 } as const;
const TRACKING = 0x3b8b;
const BITMAP = 0x3b8c;
const OP = { mockDomain: 2, replace: 10, dirty: 13 } as const;

function simulated(): { readonly calls: SimulatedCalls; readonly trace: MemoryTrace } {
  const trace = new MemoryTrace(testHeader());
  const calls = new SimulatedCalls(mockBackend);
  calls.machine.intents = new IntentWriter(trace);
  return { calls, trace };
}

const map = (calls: SimulatedCalls, ioas: number, iova: number, bytes: number): number =>
  calls.call(REQUEST.map, 7, ioas, 0, BUFFER, 0, bytes, 0, iova, 0).ret;

/** Events in a short form. */
function told(trace: MemoryTrace): string[] {
  return [...trace.segments()].flatMap((segment) =>
    [...plainEvents(segment, trace.strings)].map(({ stream, fields }) => {
      const { domain, iova, size, kind, op, hwpt } = fields;
      if (stream === 'attach') return `${kind === ATTACH.attach ? 'attach' : 'detach'} ${String(domain)}`;
      if (stream === 'dirty') return `dirty ${String(op)} ${String(hwpt)}`;
      return `${stream} ${String(domain)} ${Number(iova).toString(16)}+${Number(size).toString(16)}`;
    }),
  );
}

describe('intents', () => {
  test('nothing is mapped until a domain is there; then each domain gets every area, until it goes', () => {
    const { calls, trace } = simulated();
    const ioas = calls.call(REQUEST.alloc, 0, 0).struct.u32(8);
    map(calls, ioas, IOVA, 0x2000);
    expect(told(trace)).toEqual([]);
    const attached = calls.mock(OP.mockDomain, ioas).struct;
    map(calls, ioas, IOVA + 0x10000, 0x1000);
    expect(told(trace)).toEqual(['attach 1', 'map 1 1000000+2000', 'map 1 1010000+1000']);
    const hwpt = calls.call(REQUEST.hwpt, 0, attached.u32(24), ioas, 0, 0, 0, 0, 0, 0).struct.u32(16);
    calls.mock(OP.replace, attached.u32(16), hwpt);
    calls.call(REQUEST.unmap, ioas, IOVA, 0, 0x2000, 0);
    calls.call(REQUEST.destroy, attached.u32(16));
    calls.process.close(calls.fd);
    expect(told(trace).slice(3)).toEqual([
      'map 2 1000000+2000',
      'map 2 1010000+1000',
      'attach 2',
      'unmap 1 1000000+2000',
      'unmap 1 1010000+1000',
      'unmap 2 1000000+2000',
      'detach 2',
      'unmap 2 1010000+1000',
    ]);
  });

  test('without large pages every page is mapped by itself, and unmapped as a whole', () => {
    const { calls, trace } = simulated();
    const ioas = calls.call(REQUEST.alloc, 0, 0).struct.u32(8);
    calls.call(REQUEST.option, 1, 0, ioas, 0, 0);
    calls.mock(OP.mockDomain, ioas);
    map(calls, ioas, IOVA, 0x3000);
    calls.call(REQUEST.unmap, ioas, IOVA, 0, 0x3000, 0);
    expect(told(trace)).toEqual([
      'attach 1',
      'map 1 1000000+1000',
      'map 1 1001000+1000',
      'map 1 1002000+1000',
      'unmap 1 1000000+3000',
    ]);
  });

  test('a failed map tells nothing', () => {
    const { calls, trace } = simulated();
    const ioas = calls.call(REQUEST.alloc, 0, 0).struct.u32(8);
    calls.mock(OP.mockDomain, ioas);
    expect(map(calls, ioas, 0x1000, 0x1000)).toBeLessThan(0);
    expect(told(trace)).toEqual(['attach 1']);
  });

  test('dirty tracking and harvests, with the bitmap', () => {
    const { calls, trace } = simulated();
    const ioas = calls.call(REQUEST.alloc, 0, 0).struct.u32(8);
    const device = calls.mock(OP.mockDomain, ioas).struct.u32(24);
    const hwpt = calls.call(REQUEST.hwpt, 2, device, ioas, 0, 0, 0, 0, 0, 0).struct.u32(16);
    map(calls, ioas, IOVA, 0x4000);
    expect(calls.call(TRACKING, 1, hwpt, 0).ret).toBe(0);
    const bits = BUFFER + 0x100_0000;
    expect(calls.call(BITMAP, hwpt, 0, 0, IOVA, 0, 0x4000, 0, 0x1000, 0, bits, 0).ret).toBe(0);
    expect(calls.call(TRACKING, 0, hwpt, 0).ret).toBe(0);
    const dirty = [...trace.segments()].flatMap((segment) =>
      [...plainEvents(segment, trace.strings)].filter(({ stream }) => stream === 'dirty').map(({ fields }) => fields),
    );
    expect(dirty.map(({ op }) => op)).toEqual([DIRTY_OP.start, DIRTY_OP.harvest, DIRTY_OP.stop]);
    expect(dirty[1]).toMatchObject({ iova: BigInt(IOVA), length: 0x4000n, pageSize: 0x1000n, flags: 0 });
    expect(dirty[1]?.['bitmap']).toEqual(new Uint8Array(1));
  });

  test('whatever is mapped is unmapped by the time that the context goes', () => {
    const step = fc.tuple(fc.nat(4), fc.integer({ min: 1, max: 6 }), fc.nat(6), fc.nat(3));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const { calls, trace } = simulated();
        for (const [what, id, page, pages] of steps) {
          const at = IOVA + page * 0x1000;
          if (what === 0) calls.call(REQUEST.alloc, 0, 0);
          else if (what === 1) calls.mock(OP.mockDomain, id);
          else if (what === 2) map(calls, id, at, pages * 0x1000);
          else if (what === 3) calls.call(REQUEST.unmap, id, at, 0, pages * 0x1000, 0);
          else calls.call(REQUEST.destroy, id);
        }
        calls.process.close(calls.fd);
        const live = new Set<string>();
        for (const event of told(trace)) {
          const [what = '', ...range] = event.split(' ');
          const key = range.join(' ');
          if (what === 'map') {
            expect(live.has(key)).toBe(false);
            live.add(key);
          } else if (what === 'unmap') expect(live.delete(key)).toBe(true);
        }
        expect([...live]).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });
});

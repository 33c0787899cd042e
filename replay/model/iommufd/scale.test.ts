import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { mockBackend } from './mock/mock-backend.ts';
import { BUFFER, SimulatedCalls } from './simulated-calls.ts';

/** Whole figures on request; the default suite sees that nothing grows faster than it may. */
const FULL = process.env['IORR_FULL'] === '1';
const AREAS = FULL ? 1_000_000 : 20_000;
const CALLS = FULL ? 1_000_000 : 60_000;

const IOAS_ALLOC = 0x3b81;
const COPY = 0x3b83;
const MAP = 0x3b85;
const UNMAP = 0x3b86;
const HWPT_ALLOC = 0x3b89;
const MOCK_DOMAIN = 2;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function heap(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

/** Nanoseconds of a call, over `count` of them; the best of a few stretches, for other work on the machine only adds. */
function time(count: number, run: (index: number) => void): number {
  const stretch = Math.max(1, Math.floor(count / 5));
  let best = Infinity;
  for (let from = 0; from + stretch <= count; from += stretch) {
    const start = performance.now();
    for (let i = from; i < from + stretch; i++) run(i);
    best = Math.min(best, ((performance.now() - start) * 1e6) / stretch);
  }
  return best;
}

/** A permutation of 0..2^20-1: neighbours in time are not neighbours in the tree. */
function scattered(index: number): number {
  return (Math.imul(index, 0x9e37_79b1) >>> 0) % 1_048_576;
}

/** Every second page from 16 MiB on: the index as two words. */
function iovaWords(index: number): readonly [number, number] {
  const iova = 0x100_0000 + scattered(index) * 8192;
  return [iova % 2 ** 32, Math.floor(iova / 2 ** 32)];
}

describe('an IOAS of many areas', () => {
  test.each([
    ['without a domain', false],
    ['filled into a domain', true],
  ])('%s: under 1 KB each; map, look-up and unmap grow with the logarithm', (_, domain) => {
    const calls = new SimulatedCalls(mockBackend);
    const target = calls.call(IOAS_ALLOC, 0, 0).struct.u32(8);
    const ioas = calls.context.objects.find(target, 'ioas');
    if (domain) {
      // The table without a small aperture: pagetable_type 1.
      const elsewhere = calls.call(IOAS_ALLOC, 0, 0).struct.u32(8);
      const device = calls.mock(MOCK_DOMAIN, elsewhere).struct.u32(24);
      calls.process.memory.poke(BUFFER, Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0));
      expect(calls.call(HWPT_ALLOC, 0, device, target, 0, 0, 0xdead, 8, BUFFER, 0, 0, 0).ret).toBe(0);
    }
    expect(ioas?.domains).toHaveLength(domain ? 1 : 0);
    let failed = 0;
    const map = (index: number): void => {
      if (calls.call(MAP, 7, target, 0, BUFFER, 0, 4096, 0, ...iovaWords(index)).ret !== 0) failed++;
    };
    const tree = ioas?.areas;
    const before = heap();
    const early = time(AREAS / 10, map);
    const late = time(AREAS - AREAS / 10, (i) => map(i + AREAS / 10));
    expect(failed).toBe(0);
    expect(tree?.size).toBe(AREAS);
    const bytes = (heap() - before) / AREAS;
    const look = time(AREAS, (i) => {
      const iova = 0x100_0000n + BigInt(scattered(i)) * 8192n;
      if (tree?.first(iova, iova) === undefined) failed++;
    });
    const unmapped = time(AREAS, (i) => {
      if (calls.call(UNMAP, target, ...iovaWords(i), 4096, 0).ret !== 0) failed++;
    });
    if (FULL)
      process.stderr.write(
        `${AREAS} areas ${domain ? 'in a domain' : ''}: ${bytes.toFixed(0)} B each; map ${early.toFixed(0)}..${late.toFixed(0)} ns, look-up ${look.toFixed(0)} ns, unmap ${unmapped.toFixed(0)} ns\n`,
      );
    expect(failed).toBe(0);
    expect(tree?.size).toBe(0);
    expect(bytes).toBeLessThan(1024);
    // Ten times the areas: a level more, and caches that no longer hold them. Linear would be ten times.
    expect(late).toBeLessThan(early * 5);
    expect(unmapped).toBeLessThan(early * 5);
    expect(look).toBeLessThan(10_000);
  });
});

describe('speed', () => {
  test('ioctls through the model', () => {
    const calls = new SimulatedCalls(mockBackend);
    const ioas = calls.call(IOAS_ALLOC, 0, 0).struct.u32(8);
    const other = calls.call(IOAS_ALLOC, 0, 0).struct.u32(8);
    let failed = 0;
    const need = ({ ret }: { readonly ret: number }): void => {
      if (ret !== 0) failed++;
    };
    const round = [
      (iova: number) => calls.call(MAP, 7, ioas, 0, BUFFER, 0, 8192, 0, iova, 0),
      (iova: number) => calls.call(COPY, 7, other, ioas, 8192, 0, iova, 0, iova, 0),
      (iova: number) => calls.call(UNMAP, ioas, iova, 0, 8192, 0),
      (iova: number) => calls.call(UNMAP, other, iova, 0, 8192, 0),
      () => calls.call(0x3b87, 1, 1, ioas, 0, 0),
    ];
    const ns = time(CALLS, (i) => {
      const step = round[i % round.length];
      if (step !== undefined) need(step(0x100_0000 + (Math.floor(i / round.length) % 4096) * 8192));
    });
    if (FULL) process.stderr.write(`${Math.round(1e9 / ns)} ioctls/s\n`);
    expect(failed).toBe(0);
    expect(1e9 / ns).toBeGreaterThan(FULL ? 300_000 : 30_000);
  });
});

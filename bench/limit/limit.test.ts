import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createCountingReplay } from '../../replay/engine/counting-replay.ts';
import type { ReplayCounts } from '../../replay/engine/counting-replay.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { Random } from '../../traces/random.ts';
import { HAS_COMPILER, buildYardstick, runYardstick } from './c-yardstick.ts';
import { compareLimit } from './compare-limit.ts';
import { limitHardware } from './limit-hardware.ts';
import { LIMIT_SHAPES } from './limit-streams.ts';
import { LIMIT_OPERATION, limitHeader, writeLimitTrace } from './limit-trace.ts';

const SOURCES = join(import.meta.dirname, '../../../shared/limit');
const full = process.env['IORR_FULL'] === '1';
const scratch = mkdtempSync(join(tmpdir(), 'iorr-limit-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const SETS = 64;
const WAYS = 4;

function play(trace: MemoryTrace): ReplayCounts {
  const replay = createCountingReplay(limitHardware);
  if (replay === undefined) throw new Error('the geometry of the limit must suit');
  for (const segment of trace.segments()) replay.play(segment);
  return replay.counts();
}

function words(values: readonly (readonly [lo: number, hi: number])[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 8));
  values.forEach(([lo, hi], i) => {
    view.setInt32(i * 8, lo, true);
    view.setInt32(i * 8 + 4, hi, true);
  });
  return new Uint8Array(view.buffer);
}

/** Word of an event or of a mapping. */
function word(operation: number, pages: number, page: number, domain: number): readonly [number, number] {
  return [operation | (pages << 4) | ((page << 12) | 0), (page >>> 20) | (domain << 16)];
}

/** The limit's rules with lists and nothing else: a set is a list of keys from newest to oldest, an emptied way a null. */
function slowly(
  events: readonly (readonly [number, number, number, number])[],
): Pick<ReplayCounts, 'lookups' | 'hits' | 'misses' | 'walkReads' | 'faults' | 'invalidated'> {
  const sets = Array.from({ length: SETS }, () => Array.from({ length: WAYS }, (): string | null => null));
  const setOf = (page: number, domain: number): (string | null)[] =>
    sets[(page ^ (page >>> 6) ^ (domain * 37)) & (SETS - 1)] ?? [];
  let hits = 0;
  let misses = 0;
  let invalidated = 0;
  for (const [operation, pages, page, domain] of events) {
    if (operation <= LIMIT_OPERATION.write) {
      const set = setOf(page, domain);
      const key = `${domain}:${page}`;
      const at = set.indexOf(key);
      if (at >= 0) hits++;
      else misses++;
      set.splice(at >= 0 ? at : WAYS - 1, 1);
      set.unshift(key);
      continue;
    }
    for (const set of sets) {
      set.forEach((key, way) => {
        if (key === null) return;
        const [own = -1, at = -1] = key.split(':').map(Number);
        if (own !== domain) return;
        if (operation === LIMIT_OPERATION.invalidateRange && (at < page || at >= page + pages)) return;
        set[way] = null;
        invalidated++;
      });
    }
  }
  return { lookups: hits + misses, hits, misses, walkReads: misses * 4, faults: 0, invalidated };
}

describe('streams of the speed limit', () => {
  test('a converted stream has the counts of its rules', () => {
    const random = new Random(7);
    const first = 0x100000;
    const maps = Array.from({ length: 3 * 900 }, (_, i) => word(0, 0, first + (i % 900), Math.floor(i / 900)));
    const events = Array.from({ length: 30_000 }, (): readonly [number, number, number, number] => {
      const domain = random.below(3);
      const page = first + Math.floor(800 * (random.below(1000) / 1000) ** 3);
      if (random.chance(0.01)) return [LIMIT_OPERATION.invalidateRange, 1 + random.below(64), page, domain];
      if (random.chance(0.001)) return [LIMIT_OPERATION.invalidateDomain, 0, page, domain];
      return [random.below(2), 0, page, domain];
    });
    const trace = new MemoryTrace(limitHeader('test'));
    const stream = words(events.map(([operation, pages, page, domain]) => word(operation, pages, page, domain)));
    const pieces = writeLimitTrace(trace, words(maps), stream, 1e9);
    expect(trace.streamCounts.dma + trace.streamCounts.inv - pieces).toBe(events.length);
    expect(play(trace)).toMatchObject(slowly(events));
  });

  test('a file that is no whole number of words is refused', () => {
    const trace = new MemoryTrace(limitHeader('test'));
    expect(() => writeLimitTrace(trace, new Uint8Array(12), new Uint8Array(8), 1)).toThrow(/no whole number/);
  });
});

const EVENTS = 200_000;
const shapes = LIMIT_SHAPES.map((shape) => [shape.name, shape] as const);

describe.skipIf(!HAS_COMPILER)('against a C program', () => {
  test.each(shapes)('%s: the same counts, hits as they should be', async (name, shape) => {
    const { differences, events } = await compareLimit(shape, { events: EVENTS, rounds: 1 });
    expect({ name, events, differences }).toEqual({ name, events: EVENTS, differences: [] });
  });

  // what the yardstick counts is what the program counts that it stands for
  test.skipIf(!existsSync(SOURCES)).each(shapes)('%s: the yardstick is a true one', (name, shape) => {
    execFileSync('cc', ['-O3', '-march=native', '-o', join(scratch, 'limit'), join(SOURCES, 'limit.c'), '-lpthread']);
    const { maps, events } = shape.generate(EVENTS, new Random(2));
    writeFileSync(join(scratch, `${name}.map`), maps);
    writeFileSync(join(scratch, `${name}.ev`), events);
    const own = runYardstick(buildYardstick(scratch), join(scratch, name), 1);
    const text = execFileSync(join(scratch, 'limit'), [name, '1'], { cwd: scratch, encoding: 'utf8' });
    const number = (field: string): string => new RegExp(` ${field} (\\d+)`).exec(text)?.[1] ?? 'none';
    const { miss, walk, fault, inv, cmd, sum } = own;
    const counts = { miss, walk, fault, inv, cmd, sum };
    const expected = Object.fromEntries(Object.keys(counts).map((field) => [field, number(field)]));
    expect(Object.fromEntries(Object.entries(counts).map(([field, value]) => [field, String(value)]))).toEqual(
      expected,
    );
  });

  // absolute rates are those of the machine at that moment: the share of the C program in the same run is not
  test.skipIf(!full).each(shapes)('%s: its share of the speed', { timeout: 600_000 }, async (name, shape) => {
    const result = await compareLimit(shape, { events: 8_000_000, rounds: 9 });
    process.stdout.write(
      `${name}: ${result.kernel.toFixed(1)} M events per CPU-second, ratio ${result.ratio.toFixed(2)}\n`,
    );
    expect(result.ratio).toBeGreaterThanOrEqual(shape.goal);
  });
});

test('shapes hit as they should', () => {
  const share = (name: string): number => {
    const shape = LIMIT_SHAPES.find((one) => one.name === name)!;
    const { maps, events } = shape.generate(400_000, new Random(3));
    const trace = new MemoryTrace(limitHeader(name));
    writeLimitTrace(trace, maps, events, 400_000);
    const { hits, lookups } = play(trace);
    return hits / lookups;
  };
  expect(share('pure')).toBeGreaterThan(0.999);
  expect(share('dma')).toBeCloseTo(0.88, 1);
  expect(share('hot')).toBeCloseTo(0.81, 1);
  expect(share('z12')).toBeCloseTo(0.68, 1);
  expect(share('z10')).toBeCloseTo(0.28, 1);
});

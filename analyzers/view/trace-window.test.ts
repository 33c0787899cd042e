import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { plainEvents } from '../../traces/event.ts';
import type { PlainEvent } from '../../traces/event.ts';
import { openTrace } from '../../traces/file.ts';
import type { OpenTrace } from '../../traces/file.ts';
import { STREAM_ID } from '../../traces/schema.ts';
import { EventRows, MOST_ROWS } from './event-rows.ts';
import { SEGMENT, STEP_NS, writeSmallTrace } from './fixtures/small-trace.ts';
import { MOST_BINS, MOST_SEGMENTS, TraceOverview } from './trace-window.ts';
import type { TraceWindow } from './trace-window.ts';

const SEGMENTS = 80;
const folder = mkdtempSync(join(tmpdir(), 'iorr-window-'));
const file = join(folder, 'small.iorr');
let trace: OpenTrace;
let overview: TraceOverview;
let events: readonly PlainEvent[];
let done: readonly number[];

beforeAll(() => {
  writeSmallTrace(file, SEGMENTS, 'a mark');
  trace = openTrace(file);
  overview = new TraceOverview(trace);
  done = [...overview.read()];
  events = [...trace.segments()].flatMap((segment) => [...plainEvents(segment, trace.strings)]);
});
afterAll(() => {
  trace.close();
  rmSync(folder, { recursive: true });
});

function sum(array: Uint32Array | undefined): number {
  return array?.reduce((a, b) => a + b, 0) ?? -1;
}

function inside({ events: { from, to } }: TraceWindow): readonly PlainEvent[] {
  return events.filter(({ time }) => time >= from && time <= to);
}

describe('a window of a trace', () => {
  test('counts each event once, by stream, and each address once', () => {
    fc.assert(
      fc.property(
        fc.nat(SEGMENTS * SEGMENT),
        fc.nat(SEGMENTS * SEGMENT),
        fc.integer({ min: 1, max: 3000 }),
        (a, b, bins) => {
          const window = overview.window(Math.min(a, b) * STEP_NS, Math.max(a, b) * STEP_NS, bins);
          const own = inside(window);
          // what is kept is in whole parts; what was read is exact
          if (window.decoded === 0) return;
          for (const name of ['dma', 'map', 'unmap', 'mark'] as const) {
            const counted = sum(window.events.counts[STREAM_ID[name]]);
            expect([name, counted]).toEqual([name, own.filter(({ stream }) => stream === name).length]);
          }
          expect(sum(window.heat.cells)).toBe(own.filter(({ stream }) => stream !== 'mark').length);
          expect(window.events.bins).toBe(Math.min(bins, MOST_BINS));
        },
      ),
      { numRuns: 60 },
    );
  });

  test('one pass tells how far it is, segment by segment', () => {
    expect(done).toEqual(Array.from({ length: SEGMENTS }, (_, i) => (i + 1) * SEGMENT));
  });

  test('the whole is answered from what is kept, with all events and addresses', () => {
    const window = overview.window(overview.from, overview.to, 1000);
    expect(window.decoded).toBe(0);
    expect(window.events.counts.reduce((all, counts) => all + sum(counts), 0)).toBe(events.length);
    expect(sum(window.heat.cells)).toBe(events.filter(({ stream }) => stream !== 'mark').length);
    expect([window.firstEvent, window.endEvent]).toEqual([0, events.length]);
    expect(window.events.bins).toBeLessThanOrEqual(1000);
  });

  test('reads the segments that it touches and no others, and none where there are too many', () => {
    const segmentNs = SEGMENT * STEP_NS;
    const two = overview.window(10 * segmentNs + 5 * STEP_NS, 11 * segmentNs + 5 * STEP_NS, 100);
    expect(two.decoded).toBe(2);
    expect([two.firstEvent, two.endEvent]).toEqual([10 * SEGMENT + 5, 11 * SEGMENT + 6]);
    expect(overview.window(0, MOST_SEGMENTS * segmentNs - STEP_NS, 100).decoded).toBe(MOST_SEGMENTS);
    const wide = overview.window(0, MOST_SEGMENTS * segmentNs + 5 * STEP_NS, 100);
    expect(wide.decoded).toBe(0);
    expect(sum(wide.events.counts[STREAM_ID.dma])).toBeGreaterThan(MOST_SEGMENTS * 50 - 10);
  });

  test('whatever is asked, the answer is bounded', () => {
    for (const [from, to, bins] of [
      [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, 1e12],
      [1e300, -1e300, -5],
      [5, 5, 0],
    ] as const) {
      const { events: own, heat } = overview.window(from, to, bins);
      expect(own.bins).toBeLessThanOrEqual(MOST_BINS);
      expect(own.to).toBeGreaterThan(own.from);
      expect(heat.cells.length).toBeLessThanOrEqual(64 * 400);
      expect(heat.blocks).toEqual([...heat.blocks].sort((a, b) => a - b));
    }
  });

  test('blocks of addresses are as small as 64 of them allow, and closer in a smaller window', () => {
    const whole = overview.window(overview.from, overview.to, 400).heat;
    const near = overview.window(0, 20 * STEP_NS, 400).heat;
    expect(whole.blocks.length).toBeGreaterThan(32);
    expect(whole.blocks.length).toBeLessThanOrEqual(64);
    expect(near.blockBytes).toBeLessThan(whole.blockBytes);
  });
});

describe('rows of a trace', () => {
  test('are those that cat shows, by number', () => {
    const rows = new EventRows(trace).rows(SEGMENT - 2, 4);
    expect(rows.map(([event]) => event)).toEqual([98, 99, 100, 101]);
    expect(rows[1]?.slice(1, 5)).toEqual([99 * STEP_NS, 1, 42, 'map']);
    expect(rows[1]?.[5]).toContain('0x1305000+0x1000');
  });

  test('end where the trace ends, and at a limit', () => {
    const rows = new EventRows(trace);
    expect(rows.rows(events.length - 3, 100)).toHaveLength(3);
    expect(rows.rows(events.length, 100)).toEqual([]);
    expect(rows.rows(0, 1e9)).toHaveLength(MOST_ROWS);
  });

  test('an event has a place among its neighbours, one that is not there has none', () => {
    const rows = new EventRows(trace);
    expect(rows.place(1000)).toEqual({ t: 1000 * STEP_NS, from: 750 * STEP_NS, to: 1250 * STEP_NS });
    expect(rows.place(0)?.from).toBe(0);
    expect(rows.place(events.length)).toBeUndefined();
  });
});

import { describe, expect, test } from 'vitest';
import { withHiddenWrites } from './hidden-writes.ts';
import { MigrationRecord } from './recorded-migration.ts';
import { sketchedStream } from './testing/sketched-stream.ts';
import type { Sketch } from './testing/sketched-stream.ts';
import type { WriteStream } from './write-stream.ts';
import { inWritersTime } from './writers-time.ts';

const write = (page: number, at: number): Sketch => ({ what: 'write', page, at });

function ram(sketch: readonly Sketch[], endNs: number, harvests: readonly number[]): WriteStream {
  return { ...sketchedStream(sketch, endNs, harvests), source: 'ram' };
}

function timesOf({ time, length }: WriteStream): readonly number[] {
  return [...time.subarray(0, length)];
}

describe('what QEMU told of a migration', () => {
  const answer = (more: object): string =>
    JSON.stringify({ 'query-migrate': { ram: { total: 4096 * 1000, normal: 700, duplicate: 400 }, ...more } });

  test('its limits, its outcome and the share of zero pages', () => {
    const record = new MigrationRecord();
    record.report(
      '{"migrate-set-parameters":{"max-bandwidth":25165824,"downtime-limit":20,"cpu-throttle-initial":30,"throttle-trigger-threshold":40}}',
    );
    record.report('{"migrate-set-capabilities":{"capabilities":[{"capability":"auto-converge","state":true}]}}');
    record.report(answer({ status: 'active' }));
    record.throttled(5, 30);
    record.throttled(7, 70);
    record.report(answer({ status: 'completed', downtime: 2, 'total-time': 19_836 }));
    expect(record.result()).toEqual({
      linkBytesPerSecond: 25_165_824,
      downtimeLimitNs: 20e6,
      outcome: {
        completed: true,
        passes: null,
        memoryPages: 1000,
        sentPages: 700,
        zeroPages: 400,
        totalNs: 19_836e6,
        downtimeNs: 2e6,
        throttle: 70,
      },
      parameters: new Map([
        ['precopy.throttle-initial', 30],
        ['precopy.throttle-trigger', 40],
        ['precopy.auto-converge', 1],
        ['precopy.zero-share', 40],
      ]),
    });
  });

  test('what is none, or out of range, tells nothing', () => {
    const record = new MigrationRecord();
    for (const text of ['', 'x', '[]', 'null', '{"query-migrate":3}', '{"query-dirty-rate":{"status":"x"}}']) {
      record.report(text);
    }
    expect(record.result()).toBeNull();
    record.report('{"migrate-set-parameters":{"max-bandwidth":0,"downtime-limit":-1,"cpu-throttle-initial":200}}');
    record.throttled(1, 500);
    expect(record.result()).toMatchObject({ linkBytesPerSecond: null, downtimeLimitNs: null });
    expect(record.result()?.parameters.size).toBe(0);
  });

  test('a migration that is over holds nobody back', () => {
    const record = new MigrationRecord();
    record.state(1, 'completed');
    record.throttled(2, 40);
    record.state(3, 'active');
    record.state(4, 'completed');
    expect(record.held).toEqual([
      { timeNs: 2, percent: 40 },
      { timeNs: 4, percent: 0 },
    ]);
  });
});

test('writers that were held back wrote the same in less time', () => {
  const held = [
    { timeNs: 100, percent: 50 },
    { timeNs: 200, percent: 75 },
    { timeNs: 300, percent: 0 },
  ];
  const stream = { ...ram([write(1, 50), write(2, 150), write(3, 220), write(4, 400)], 500, [200]), held };
  const own = inWritersTime(stream);
  expect(timesOf(own)).toEqual([50, 125, 155, 275]);
  expect(own).toMatchObject({ startNs: 50, endNs: 375, harvests: [150], held: [] });
  expect(inWritersTime({ ...stream, held: [] }).time).toBe(stream.time);
});

describe('writes that a log hides until the next harvest', () => {
  test('come at the rate of those that were seen', () => {
    // seen 10 after each harvest: a write each 10
    const stream = ram([write(1, 0), write(7, 10), write(7, 110), write(7, 210)], 300, [100, 200]);
    const times = timesOf(withHiddenWrites(stream)).slice(1);
    // no more than 8 in an interval of 100
    expect(times.filter((at) => at < 100)).toEqual([10, 22.5, 35, 47.5, 60, 72.5, 85, 97.5]);
    expect(times.length).toBe(24);
  });

  test('a page that is seldom written gets none, nor one that was seen once', () => {
    const stream = ram([write(1, 0), write(7, 90), write(7, 190), write(7, 280)], 300, [100, 200]);
    expect(withHiddenWrites(stream).length).toBe(stream.length);
  });

  test('add no page to any interval', () => {
    const sketch = Array.from({ length: 200 }, (_, i) => write((i * i) % 37, i * 5));
    const harvests = [100, 250, 500, 900];
    const pagesIn = (stream: WriteStream): readonly string[] => {
      const seen = new Set<string>();
      for (let i = 0; i < stream.length; i++) {
        seen.add(`${harvests.filter((at) => at <= stream.time[i]!).length} ${stream.page[i]}`);
      }
      return [...seen].sort();
    };
    const stream = ram(sketch, 1000, harvests);
    const more = withHiddenWrites(stream);
    expect(more.length).toBeGreaterThan(stream.length);
    expect(pagesIn(more)).toEqual(pagesIn(stream));
    const times = timesOf(more);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  test('devices hide none', () => {
    const stream = sketchedStream([write(7, 10), write(7, 110)], 300, [100, 200]);
    expect(withHiddenWrites(stream)).toBe(stream);
  });
});

import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openTrace } from '../traces/file.ts';
import { ANALYSES } from './analyses.ts';
import { WatchedTrace } from './watched-trace.ts';

const FILE = join(import.meta.dirname, '../traces/corpus/vtd-vfio-7.2.iorr');

test.each(ANALYSES.filter(({ name }) => ['safety', 'latency', 'iotlb'].includes(name)))(
  '$name of a watched trace tells of every pass, and finds the same',
  async (analysis) => {
    const trace = openTrace(FILE);
    try {
      const question = { file: FILE, at: undefined, hardware: 'auto', settings: [] };
      const told: { readonly pass: number; events: number; stops: number }[] = [];
      const watched = new WatchedTrace(trace, (pass) => {
        const one = { pass, events: 0, stops: 0 };
        told.push(one);
        return {
          update: (events) => {
            expect(events).toBeGreaterThan(one.events);
            one.events = events;
          },
          stop: () => {
            one.stops++;
          },
        };
      });
      const { result } = await analysis.run(watched, question);
      expect(result).toEqual((await analysis.run(trace, question)).result);
      expect(told.length).toBeGreaterThan(0);
      expect(told).toEqual(told.map((_, i) => ({ pass: i + 1, events: trace.eventCount, stops: 1 })));
    } finally {
      trace.close();
    }
  },
);

test('a pass that is left before its end stops its progress', () => {
  const trace = openTrace(FILE);
  let stops = 0;
  const watched = new WatchedTrace(trace, () => ({ update: () => {}, stop: () => stops++ }));
  for (const _ of watched.segments()) break;
  expect(stops).toBe(1);
  trace.close();
});

import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { plainEvents } from '../../traces/event.ts';
import type { PlainEvent } from '../../traces/event.ts';
import { openTrace } from '../../traces/file.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import type { Trace } from '../../traces/trace.ts';
import { matches, parseFilter } from '../event-filter.ts';
import { filterTrace } from './filter-trace.ts';
import { runSteps } from './surgery.ts';

const corpus = join(import.meta.dirname, '../../traces/corpus');

function events(trace: Trace): PlainEvent[] {
  return [...trace.segments()].flatMap((segment) => [...plainEvents(segment, trace.strings)]);
}

const FILTERS: readonly { readonly [option: string]: unknown }[] = [
  { stream: ['inv,dma'] },
  { from: '4s', to: '8s' },
  { device: '0000:01:00.0' },
  { domain: '10', from: '6s' },
  { iova: '0x100010000-0x100020fff' },
];

describe('filter', () => {
  test.each(FILTERS)('%o: the events that match, as they were', (options) => {
    const trace = openTrace(join(corpus, 'vtd-pri-pasid-7.2-calls.iorr'));
    try {
      const filter = parseFilter(options);
      const { header, steps } = filterTrace(trace, filter);
      const sink = new MemoryTrace(header);
      const report = runSteps(steps(sink));
      const always = (event: PlainEvent): boolean => filter.streams === undefined && event.stream === 'mark';
      const inTime = { from: filter.from ?? 0, to: filter.to ?? Number.POSITIVE_INFINITY };
      const wanted = events(trace).filter((event) => matches(always(event) ? inTime : filter, event));
      const kept = events(sink);
      expect(kept.length).toBeGreaterThan(0);
      expect(kept.length).toBeLessThan(trace.eventCount);
      expect(kept.map(({ index: _index, ...event }) => event)).toEqual(
        wanted.map(({ index: _index, ...event }) => event),
      );
      expect(report.kept).toBe(kept.length);
    } finally {
      trace.close();
    }
  });

  test('a process is its calls and what its threads did', () => {
    const trace = openTrace(join(corpus, 'vtd-pri-pasid-7.2-calls.iorr'));
    try {
      const { header, steps } = filterTrace(trace, parseFilter({ pid: '191' }));
      const sink = new MemoryTrace(header);
      const { streams } = runSteps(steps(sink));
      const others = events(sink).filter(({ stream, task }) => stream !== 'mark' && task !== 191);
      expect(others).toEqual([]);
      expect(streams['ioctl']?.kept).toBeGreaterThan(1000);
      expect(header.fidelity.ioctl).toBe('partial');
    } finally {
      trace.close();
    }
    for (const wrong of ['', 'x', '-1', '99999999999']) expect(() => parseFilter({ pid: wrong })).toThrow('--pid');
  });

  test('what was lost is told whatever is asked for', () => {
    const trace = openTrace(join(corpus, 'iommufd-selftest.iorr'));
    try {
      const { header, steps } = filterTrace(trace, parseFilter({ stream: ['ioctl'] }));
      const { streams } = runSteps(steps(new MemoryTrace(header)));
      expect(streams['lost']).toEqual({ events: 320, kept: 320 });
      expect(streams['mark']?.kept).toBe(0);
    } finally {
      trace.close();
    }
  });
});

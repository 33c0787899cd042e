import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { plainEvents } from '../../traces/event.ts';
import { memorySource } from '../../traces/format/bytes-io.ts';
import { TraceFile } from '../../traces/format/reader.ts';
import { TraceWriter } from '../../traces/format/writer.ts';
import { EMPTY_HEALTH } from '../../traces/header.ts';
import type { TraceHeader } from '../../traces/header.ts';
import { STREAM_ID } from '../../traces/schema.ts';
import { testHeader } from '../../traces/testing/test-header.ts';
import { LastEvents } from './last-events.ts';

const HEADER: TraceHeader = testHeader();

function mark(last: LastEvents, time: number): void {
  const row = last.begin(STREAM_ID.mark, time, 0, 0);
  last.rows.mark.columns.text[row] = last.intern(`at ${time % 7}`);
}

function moved(last: LastEvents): { time: number; text: unknown }[] {
  const bytes: Uint8Array[] = [];
  const writer = new TraceWriter({ write: (chunk) => bytes.push(Uint8Array.from(chunk)) }, HEADER);
  last.moveTo(writer);
  writer.finish({ health: EMPTY_HEALTH, notes: {} });
  const trace = new TraceFile(memorySource(Buffer.concat(bytes)));
  return [...trace.segments()].flatMap((segment) =>
    [...plainEvents(segment, trace.strings)].map(({ time, fields }) => ({ time, text: fields['text'] })),
  );
}

describe('the last events', () => {
  test('all of the time that is kept are there, in order, with their texts; older ones go, and are counted', () => {
    const steps = fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 120 });
    fc.assert(
      fc.property(steps, (list) => {
        const last = new LastEvents(HEADER, 1000);
        let now = 0;
        const times = list.map((step) => (now += step));
        for (const time of times) mark(last, time);
        const kept = moved(last);
        expect(kept).toEqual(times.slice(-kept.length).map((time) => ({ time, text: `at ${time % 7}` })));
        expect(kept.length).toBeGreaterThanOrEqual(times.filter((time) => time >= now - 1000).length);
        expect(kept.length + last.dropped).toBe(times.length);
        expect((kept.at(-1)?.time ?? 0) - (kept[0]?.time ?? 0)).toBeLessThanOrEqual(1000 + 2 * 300 + 1000 / 8);
      }),
      { numRuns: 25 },
    );
  });

  test('what was moved is gone; what comes afterwards is kept anew', () => {
    const last = new LastEvents(HEADER, 1000);
    mark(last, 1);
    expect(moved(last)).toHaveLength(1);
    expect(moved(last)).toHaveLength(0);
    mark(last, 2);
    expect(moved(last)).toEqual([{ time: 2, text: 'at 2' }]);
  });
});

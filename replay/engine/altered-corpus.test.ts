import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openTrace } from '../../traces/file.ts';
import { Random } from '../../traces/random.ts';
import { OUTCOME, STREAM_ID } from '../../traces/schema.ts';
import type { Segment } from '../../traces/segment.ts';
import type { Trace } from '../../traces/trace.ts';
import { qemuVtd } from '../hardware/qemu-vtd.ts';
import { verifyTrace } from './verify.ts';

const ALTERATIONS = ['outcome', 'reset', 'output'] as const;
type Alteration = (typeof ALTERATIONS)[number];

/** Segments that are enough, to keep the test short. */
const SEGMENTS = 4;

/** The beginning of the same trace with some outcomes of accesses altered while it is read. */
function altered(trace: Trace, alterations: ReadonlyMap<number, Alteration>): Trace {
  return {
    header: trace.header,
    strings: trace.strings,
    health: trace.health,
    notes: trace.notes,
    eventCount: trace.eventCount,
    streamCounts: trace.streamCounts,
    *segments(plan) {
      let left = SEGMENTS;
      for (const segment of trace.segments(plan)) {
        if (left-- === 0) return;
        alter(segment, alterations);
        yield segment;
      }
    },
  };
}

function alter(segment: Segment, alterations: ReadonlyMap<number, Alteration>): void {
  const { outcome, outLo } = segment.rows.dma.columns;
  let row = 0;
  for (let i = 0; i < segment.count; i++) {
    if (segment.stream[i] !== STREAM_ID.dma) continue;
    const how = alterations.get(segment.firstEvent + i);
    if (how === 'outcome') outcome[row] = (outcome[row] ?? 0) ^ OUTCOME.hit;
    else if (how === 'reset') outcome[row] = (outcome[row] ?? 0) ^ OUTCOME.reset;
    else if (how === 'output') outLo[row] = (outLo[row] ?? 0) ^ 0x40_0000;
    row++;
  }
}

/** Events of accesses, at random. */
function pick(trace: Trace, count: number, random: Random): Map<number, Alteration> {
  const events: number[] = [];
  for (const segment of trace.segments({ columns: {} })) {
    for (let i = 0; i < segment.count; i++) {
      if (segment.stream[i] === STREAM_ID.dma) events.push(segment.firstEvent + i);
    }
  }
  const chosen = new Map<number, Alteration>();
  while (chosen.size < count) {
    chosen.set(events[random.below(events.length)] ?? 0, ALTERATIONS[random.below(3)] ?? 'outcome');
  }
  return chosen;
}

test.each([
  ['vtd-lazy-ats-6.12.iorr', 60],
  ['vtd-vfio-7.2.iorr', 25],
  ['nested-qemu-vfio-7.2.iorr', 1],
])('%s: %i recorded outcomes altered at random diverge, exactly those', (name, count) => {
  const trace = openTrace(join(import.meta.dirname, '../../traces/corpus', name));
  try {
    const options = { only: ['dma' as const], hardware: qemuVtd };
    const clean = verifyTrace(altered(trace, new Map()), options);
    expect(clean.diverged).toBe(0);
    const alterations = pick(altered(trace, new Map()), count, new Random(count));
    const result = verifyTrace(altered(trace, alterations), options);
    expect(result.divergences.map(({ event, what }) => [event, what])).toEqual(
      [...alterations].sort(([a], [b]) => a - b),
    );
    expect(result).toMatchObject({ checked: clean.checked, diverged: count });
  } finally {
    trace.close();
  }
});

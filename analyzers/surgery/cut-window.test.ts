import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { replayTrace } from '../../replay/engine/replay.ts';
import { openTrace } from '../../traces/file.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { createRowCopier } from '../../traces/row-copier.ts';
import { STREAM_ID, STREAM_NAMES } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import { findPlaces, parsePlace } from './cut-place.ts';
import { cutWindow } from './cut-window.ts';
import type { CutReport } from './cut-window.ts';
import { LiveRanges } from './live-ranges.ts';
import { runSteps } from './surgery.ts';

const corpus = join(import.meta.dirname, '../../traces/corpus');
const FULL = process.env['IORR_FULL'] === '1';
const SMALL = ['nested-qemu-vfio-7.2.iorr', 'vtd-vfio-7.2.iorr'];
/** Their replay counts nothing: they have no command and no access. */
const NOTHING = /iommufd|-ioctl|-ftrace|migration/;
const replayed = FULL ? readdirSync(corpus).filter((name) => name.endsWith('.iorr') && !NOTHING.test(name)) : SMALL;
const PLACES = 20;

function cut(trace: Trace, from: number, to: number): { cut: MemoryTrace; report: CutReport } {
  const surgery = cutWindow(trace, from, to);
  const sink = new MemoryTrace(surgery.header);
  const report = runSteps(surgery.steps(sink));
  return { cut: sink, report };
}

/** The whole up to the window's end, of whose beginning only what builds page tables is left: its caches are empty at the window. */
function emptiedAt(trace: Trace, from: number, to: number): MemoryTrace {
  const whole = new MemoryTrace(trace.header);
  const copyRow = createRowCopier(trace, whole);
  const control: readonly number[] = [STREAM_ID.map, STREAM_ID.unmap, STREAM_ID.attach];
  for (const segment of trace.segments()) {
    const rows = new Int32Array(STREAM_NAMES.length);
    for (let i = 0; i < segment.count; i++) {
      const id = segment.stream[i]!;
      const row = rows[id]!++;
      const event = segment.firstEvent + i;
      if (event >= to || (event < from && !control.includes(id))) continue;
      copyRow(segment, id, row, whole.begin(id, segment.time[i]!, segment.cpu[i]!, segment.task[i]!));
    }
  }
  return whole;
}

/** Without `unmappedPages`, which is of all unmaps and of which the whole has more: it does not say which were before the window. */
function counts(trace: Trace): object {
  const { iotlb, walks, walkReads, commands, exposure, stale, wasted } = replayTrace(trace);
  const { unmappedPages: _all, ...exposed } = exposure ?? { unmappedPages: 0 };
  return { iotlb, walks, walkReads, commands, exposed, stale, wasted };
}

describe('cut', () => {
  test.each(replayed)('%s: a window counts what it does in the whole', (name) => {
    const trace = openTrace(join(corpus, name));
    try {
      const { eventCount } = trace;
      const length = Math.max(1, Math.floor(eventCount / 50));
      for (let k = 0; k < PLACES; k++) {
        const from = Math.floor(((k + 0.5) * eventCount) / PLACES) - 3;
        const to = Math.min(eventCount, from + length);
        const whole = counts(emptiedAt(trace, from, to));
        expect({ from, ...counts(cut(trace, from, to).cut) }).toEqual({ from, ...whole });
      }
    } finally {
      trace.close();
    }
  });

  test('what is carried in is no command, access or fault, comes first and is told', () => {
    const trace = openTrace(join(corpus, 'vtd-vfio-7.2.iorr'));
    try {
      const from = Math.floor(trace.eventCount / 2);
      const { cut: window, report } = cut(trace, from, trace.eventCount);
      expect(report.kept).toBe(trace.eventCount - from);
      expect(report.carried).toBeGreaterThan(0);
      expect(window.header.carried).toBe(report.carried);
      expect(window.eventCount).toBe(report.kept + report.carried);
      expect(Object.keys(report.carriedStreams).sort()).toEqual(['attach', 'map', 'mark']);
      const times = [...window.segments()].flatMap(({ time, count }) => [...time.subarray(0, count)]);
      expect(times.slice(0, report.carried).every((time) => time === report.fromNs)).toBe(true);
    } finally {
      trace.close();
    }
  });

  test('a cut of a cut is the cut of the whole', () => {
    const trace = openTrace(join(corpus, 'vtd-pri-pasid-7.2.iorr'));
    try {
      const [a, b, c] = [2000, 5000, 8000];
      const { cut: outer, report } = cut(trace, a, c);
      const inner = cut(outer, report.carried + b - a, report.carried + c - a).cut;
      expect(counts(inner)).toEqual(counts(cut(trace, b, c).cut));
    } finally {
      trace.close();
    }
  });

  test('places are times, events and marks', () => {
    const trace = openTrace(join(corpus, 'smmuv3-strict-6.12.iorr'));
    try {
      const places = ['event:7', 'mark:fio-virtio-blk-randrw4k', 'mark:lab: start', '0s', '2m'];
      const [event, mark, start, first, last] = findPlaces(
        trace,
        places.map((text) => parsePlace(text, '--from')),
      );
      expect([event, first, last]).toEqual([7, 0, trace.eventCount]);
      expect(start).toBeLessThan(mark!);
      expect(() => findPlaces(trace, [parsePlace('mark:nothing', '--to')])).toThrow('no mark "nothing"');
    } finally {
      trace.close();
    }
    for (const wrong of ['event:x', 'mark:', 'noon', '-1s'])
      expect(() => parsePlace(wrong, '--from')).toThrow('--from');
  });
});

describe('live ranges', () => {
  const step = fc.record({ add: fc.boolean(), first: fc.nat(60), pages: fc.integer({ min: 1, max: 20 }) });

  test('hold what page by page bookkeeping holds', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const ranges = new LiveRanges<number>();
        const pages = new Map<number, string>();
        steps.forEach(({ add, first, pages: count }, n) => {
          if (add) ranges.add(first, first + count, n);
          else ranges.remove(first, first + count);
          for (let page = first; page < first + count; page++) {
            if (add) pages.set(page, `${n} ${page - first}`);
            else pages.delete(page);
          }
        });
        const held = new Map<number, string>();
        let end = -1;
        for (const range of ranges.ranges) {
          expect(range.first).toBeGreaterThanOrEqual(end);
          end = range.end;
          for (let page = range.first; page < range.end; page++) {
            held.set(page, `${range.value} ${range.offset + page - range.first}`);
          }
        }
        expect(held).toEqual(new Map([...pages].sort(([a], [b]) => a - b)));
      }),
    );
  });
});

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { verifyIoctl } from '../../replay/engine/verify-ioctl.ts';
import { openTrace } from '../../traces/file.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { createRowCopier } from '../../traces/row-copier.ts';
import { STREAM_NAMES } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import { cutWindow } from './cut-window.ts';
import { runSteps } from './surgery.ts';

const corpus = join(import.meta.dirname, '../../traces/corpus');
const full = process.env['IORR_FULL'] === '1';
const PLACES = 20;
/** Twenty cuts of these take long. */
const LARGE = ['iommufd-selftest.iorr', 'iommufd-random.iorr', 'vtd-pri-pasid-7.2-calls.iorr'];
const names = readdirSync(corpus).filter((name) => {
  if (!name.endsWith('.iorr') || (!full && LARGE.includes(name))) return false;
  const trace = openTrace(join(corpus, name));
  const { ioctl, call } = trace.streamCounts;
  trace.close();
  return ioctl + call > 0;
});

function piece(trace: Trace, from: number, to: number): MemoryTrace {
  const surgery = cutWindow(trace, from, to);
  const sink = new MemoryTrace(surgery.header);
  runSteps(surgery.steps(sink));
  return sink;
}

function beginning(trace: Trace, to: number): MemoryTrace {
  const sink = new MemoryTrace(trace.header);
  const copyRow = createRowCopier(trace, sink);
  for (const segment of trace.segments()) {
    const rows = new Int32Array(STREAM_NAMES.length);
    for (let i = 0; i < segment.count && segment.firstEvent + i < to; i++) {
      const id = segment.stream[i]!;
      const row = rows[id]!++;
      copyRow(segment, id, row, sink.begin(id, segment.time[i]!, segment.cpu[i]!, segment.task[i]!));
    }
  }
  return sink;
}

interface Judged {
  readonly checked: number;
  readonly diverged: number;
}

function judged(trace: Trace): Judged {
  const { checked = 0, diverged = 0 } = verifyIoctl(trace)?.counts ?? {};
  return { checked, diverged };
}

function less(a: Judged, b: Judged): Judged {
  return { checked: a.checked - b.checked, diverged: a.diverged - b.diverged };
}

describe('a cut of system calls', () => {
  test.each(names)('%s: the calls of a window are judged as in the whole', (name) => {
    const trace = openTrace(join(corpus, name));
    try {
      const { eventCount } = trace;
      const length = Math.max(10, Math.floor(eventCount / 50));
      for (let k = 0; k < PLACES; k++) {
        const from = Math.max(0, Math.floor(((k + 0.5) * eventCount) / PLACES) - 3);
        const to = Math.min(eventCount, from + length);
        const whole = less(judged(beginning(trace, to)), judged(beginning(trace, from)));
        const own = less(judged(piece(trace, from, to)), judged(piece(trace, from, from)));
        expect({ from, to, ...own }).toEqual({ from, to, ...whole });
      }
    } finally {
      trace.close();
    }
  });
});

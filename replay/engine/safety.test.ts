import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTrace } from '../../traces/file.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { createRowCopier } from '../../traces/row-copier.ts';
import { STREAM_ID, STREAM_NAMES } from '../../traces/schema.ts';
import type { Segment } from '../../traces/segment.ts';
import type { Trace } from '../../traces/trace.ts';
import { VTD_TYPE, vtdType } from '../../traces/dialects/vtd-fields.ts';
import { cutTrace } from './testing/cut-trace.ts';
import { analyzeSafety } from './safety.ts';

const CORPUS = join(import.meta.dirname, '../../traces/corpus');

/** The beginning of a trace, to keep the tests short. */
function beginning(file: string, events: number): MemoryTrace {
  const trace = openTrace(join(CORPUS, file));
  try {
    return cutTrace(trace, (event) => event < events, false);
  } finally {
    trace.close();
  }
}

const strict = beginning('vtd-strict-6.12.iorr', 2 * 65_536);
const lazy = beginning('vtd-lazy-ats-6.12.iorr', 3 * 65_536);

interface Command {
  readonly event: number;
  readonly time: number;
  readonly w0Lo: number;
}

function commandsOf(trace: Trace): Command[] {
  const list: Command[] = [];
  for (const segment of trace.segments()) {
    let row = 0;
    for (let i = 0; i < segment.count; i++) {
      if (segment.stream[i] !== STREAM_ID.inv) continue;
      const { form, w0Lo } = segment.rows.inv.columns;
      if (form[row] === 0)
        list.push({ event: segment.firstEvent + i, time: segment.time[i] ?? 0, w0Lo: w0Lo[row] ?? 0 });
      row++;
    }
  }
  return list;
}

type Edit = 'drop' | 'double' | { readonly delayTo: number };

/** A copy of a trace with some commands dropped, doubled, or put behind the last event before a later time. */
function edited(trace: Trace, edits: ReadonlyMap<number, Edit>): MemoryTrace {
  const copy = new MemoryTrace(trace.header);
  const copyRow = createRowCopier(trace, copy);
  const put = (segment: Segment, i: number, from: number, time: number): void => {
    const stream = segment.stream[i] ?? 0;
    const to = copy.begin(stream, time, segment.cpu[i] ?? 0, segment.task[i] ?? 0, segment.source[i]);
    copyRow(segment, stream, from, to);
  };
  let held: { readonly at: number; readonly put: () => void } | undefined;
  for (const segment of trace.segments()) {
    const row = new Int32Array(STREAM_NAMES.length);
    for (let i = 0; i < segment.count; i++) {
      const stream = segment.stream[i] ?? 0;
      const from = row[stream] ?? 0;
      row[stream] = from + 1;
      const time = segment.time[i] ?? 0;
      if (held !== undefined && time >= held.at) {
        held.put();
        held = undefined;
      }
      const edit = edits.get(segment.firstEvent + i);
      if (edit === 'drop') continue;
      if (edit !== undefined && edit !== 'double') {
        held = { at: edit.delayTo, put: () => put(segment, i, from, edit.delayTo) };
        continue;
      }
      put(segment, i, from, time);
      if (edit === 'double') put(segment, i, from, time);
    }
  }
  return copy;
}

const isFlush = ({ w0Lo }: Command): boolean => vtdType(w0Lo) === VTD_TYPE.iotlb;

describe('strict recording', () => {
  const clean = analyzeSafety(strict);
  const flushes = commandsOf(strict).filter(isFlush);

  test('has nothing stale, missing, late or redundant', () => {
    expect(clean.findingsByKind).toEqual({ stale: 0, missing: 0, late: 0, redundant: 0 });
    expect(clean.stale).toEqual({ translations: 0, maxAgeNs: 0 });
    expect(clean.unflushed?.pages.remapped).toBe(0);
    expect(clean.commands.iotlb).toBe(flushes.length);
    expect(clean.exposure?.pages).toBeGreaterThan(0);
  });

  test.each([3, 4001])('command %i that is dropped is missed at its unmap', (n) => {
    const flush = flushes[n];
    if (flush === undefined) throw new Error('the corpus has fewer commands');
    const result = analyzeSafety(edited(strict, new Map([[flush.event, 'drop']])));
    const named = result.findings.filter(({ kind }) => kind === 'missing' || kind === 'late');
    expect(named.length).toBeGreaterThan(0);
    // the unmap is the newest one before the command that has gone
    const unmap = newestUnmapBefore(flush.event);
    expect(named.every((finding) => finding.unmap === unmap)).toBe(true);
    expect(result.commands.iotlb).toBe(clean.commands.iotlb - 1);
  });

  test('commands that are doubled are wasted and redundant, one for one', () => {
    const twice = [5, 77, 1234].map((n) => flushes[n]?.event ?? -1);
    const result = analyzeSafety(edited(strict, new Map(twice.map((event) => [event, 'double']))));
    expect(result.wasted).toBe((clean.wasted ?? 0) + 3);
    expect(result.findingsByKind['redundant']).toBe(3);
    // each copy stands behind its original
    expect(result.findings.map(({ event }) => event)).toEqual(twice.map((event, i) => event + 1 + i));
  });

  test('a command that is delayed opens a window of that length', () => {
    const delayNs = 30_000;
    let late = 0;
    for (const n of [1500, 2000]) {
      const flush = flushes[n];
      if (flush === undefined) throw new Error('the corpus has fewer commands');
      const unmap = newestUnmapBefore(flush.event);
      const result = analyzeSafety(edited(strict, new Map([[flush.event, { delayTo: flush.time + delayNs }]])));
      // it ends with the delayed command, or sooner where another names the page or it is mapped again
      for (const finding of result.findings) {
        expect(finding.unmap).toBe(unmap);
        expect(finding.ageNs).toBeLessThanOrEqual(flush.time + delayNs - timeOf(unmap));
        if (finding.ageNs === flush.time + delayNs - timeOf(unmap)) late++;
      }
    }
    expect(late).toBeGreaterThan(0);
  });

  function newestUnmapBefore(event: number): number {
    let newest = -1;
    for (const segment of strict.segments()) {
      for (let i = 0; i < segment.count; i++) {
        if (segment.firstEvent + i >= event) return newest;
        if (segment.stream[i] === STREAM_ID.unmap) newest = segment.firstEvent + i;
      }
    }
    return newest;
  }

  function timeOf(event: number): number {
    for (const segment of strict.segments()) {
      if (event < segment.firstEvent + segment.count) return segment.time[event - segment.firstEvent] ?? 0;
    }
    return 0;
  }
});

describe('lazy recording with device TLBs', () => {
  test('waits for its flushes, and for those of device TLBs', () => {
    const result = analyzeSafety(lazy);
    expect(result.findingsByKind).toMatchObject({ stale: 0, missing: 0, late: 0 });
    expect(result.unflushed?.ns.p50).toBeGreaterThan(1_000_000);
    expect(result.unflushedDevices?.pages.covered).toBeGreaterThan(0);
    expect(result.domainWide).toBe(result.commands.iotlb + result.commands.deviceTlb);
  });

  test('a flush that is dropped shows as pages mapped again before any command', () => {
    const flushes = commandsOf(lazy).filter(isFlush);
    const dropped = new Map(flushes.slice(2, 8).map(({ event }) => [event, 'drop' as const]));
    const result = analyzeSafety(edited(lazy, dropped));
    expect(result.findingsByKind['missing']).toBeGreaterThan(0);
  });
});

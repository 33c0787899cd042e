import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CAPTURES, CAPTURES_ARE_READ, loadCapture } from '../recorder/import/testing/load-capture.ts';
import { deriveIntents } from '../replay/engine/derived-trace.ts';
import { rangeList } from '../replay/engine/testing/range-lists.ts';
import type { MemoryTrace } from '../traces/memory-trace.ts';
import { STREAM_ID } from '../traces/schema.ts';
import type { Trace } from '../traces/trace.ts';
import { joinWords } from '../traces/units.ts';

if (process.env['IORR_FULL'] === '1' && !CAPTURES_ARE_READ) {
  process.stderr.write('intents of captures are left out: ../shared/captures is not there\n');
}

/** Captures of calls with the kernel's trace of the same run beside them. */
function captures(): { readonly folder: string; readonly calls: string }[] {
  if (!CAPTURES_ARE_READ) return [];
  return readdirSync(CAPTURES).flatMap((folder) => {
    const files = folder.endsWith('.md') ? [] : readdirSync(join(CAPTURES, folder));
    if (!files.includes('trace.txt.zst')) return [];
    return files.filter((file) => /^ioctl_\w+\.hex\.zst$/.test(file)).map((calls) => ({ folder, calls }));
  });
}

/** Tasks of a trace in which one of them mapped something. */
function tasksOf(trace: MemoryTrace): number[] {
  const tasks = new Set<number>();
  for (const { rows, task } of trace.segments()) if (rows.map.count > 0) for (const id of task) tasks.add(id);
  return [...tasks];
}

function startsOf(trace: Trace): ReadonlySet<bigint> {
  const starts = new Set<bigint>();
  for (const { rows } of trace.segments()) {
    const { iovaLo, iovaHi } = rows.map.columns;
    for (let i = 0; i < rows.map.count; i++) starts.add(joinWords(iovaLo[i] ?? 0, iovaHi[i] ?? 0));
  }
  return starts;
}

/** Maps inside of an area that go on where the one before ended, both in addresses and in physical memory. */
function needlessCuts(trace: MemoryTrace, task: number, areas: ReadonlySet<bigint>): number {
  let cuts = 0;
  let end = '';
  for (const segment of trace.segments()) {
    const { columns } = segment.rows.map;
    let row = -1;
    for (let i = 0; i < segment.count; i++) {
      if (segment.stream[i] !== STREAM_ID.map) continue;
      row++;
      if (segment.task[i] !== task) continue;
      const iova = joinWords(columns.iovaLo[row] ?? 0, columns.iovaHi[row] ?? 0);
      const physical = joinWords(columns.physLo[row] ?? 0, columns.physHi[row] ?? 0);
      const size = joinWords(columns.sizeLo[row] ?? 0, columns.sizeHi[row] ?? 0);
      if (`${iova} ${physical}` === end && !areas.has(iova)) cuts++;
      end = `${iova + size} ${physical + size}`;
    }
  }
  return cuts;
}

describe.skipIf(!CAPTURES_ARE_READ)('captures with both calls and the trace of the kernel', () => {
  test.each(captures())('$folder/$calls: the same maps and unmaps', async ({ folder, calls }) => {
    const derived = deriveIntents((await loadCapture(`${folder}/${calls}`)).trace);
    if (derived === undefined) throw new Error('nothing derived');
    const { trace: traced } = await loadCapture(`${folder}/trace.txt.zst`);
    const maps = rangeList(derived, 'map');
    const unmaps = rangeList(derived, 'unmap');
    const same = tasksOf(traced).filter((task) => rangeList(traced, 'map', task).ranges.join() === maps.ranges.join());
    expect(same.length).toBeGreaterThan(0);
    for (const task of same) {
      const mapped = rangeList(traced, 'map', task);
      const unmapped = rangeList(traced, 'unmap', task);
      // a map is cut at the jumps of physical memory, and nowhere else, whatever the table's format
      expect(needlessCuts(traced, task, startsOf(derived))).toBe(0);
      // a log of ioctls ends before the program's end closes its files
      expect(unmapped.ranges.slice(0, unmaps.ranges.length)).toEqual(unmaps.ranges);
      process.stdout.write(
        `${folder}/${calls}, task ${task}: ${maps.events} maps derived, ${mapped.events} traced, ${maps.ranges.length} ranges agree; ` +
          `${unmaps.events} unmaps derived, ${unmapped.events} traced, ${unmaps.ranges.length} of ${unmapped.ranges.length} ranges agree\n`,
      );
    }
  });
});

import { createReadStream, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { decompress } from '../recorder/import/decompress.ts';
import { HEAD_BYTES } from '../recorder/import/importer.ts';
import { detectImporter } from '../recorder/import/importers.ts';
import { deriveIntents } from '../replay/engine/derived-trace.ts';
import { rangeList } from '../replay/engine/range-lists.ts';
import { FORMAT_VERSION } from '../traces/header.ts';
import { Health } from '../traces/health.ts';
import { MemoryTrace } from '../traces/memory-trace.ts';
import { STREAM_ID } from '../traces/schema.ts';
import type { Trace } from '../traces/trace.ts';
import { joinWords } from '../traces/units.ts';

const CAPTURES = join(import.meta.dirname, '../../shared/captures');
const present = process.env['IORR_FULL'] === '1' && existsSync(CAPTURES);

if (process.env['IORR_FULL'] === '1' && !present) {
  process.stderr.write('intents of captures are left out: ../shared/captures is not there\n');
}

async function imported(path: string): Promise<MemoryTrace> {
  const parts: Uint8Array[] = [];
  const chunks = decompress(createReadStream(join(CAPTURES, path)), (what) => expect.fail(what));
  for await (const chunk of chunks) parts.push(Uint8Array.from(chunk));
  const bytes = Buffer.concat(parts);
  const importer = detectImporter(bytes.subarray(0, HEAD_BYTES));
  if (importer === undefined) throw new Error(`${path}: not recognised`);
  const header = importer.describe(bytes.subarray(0, HEAD_BYTES));
  const { source, ...rest } = header;
  const trace = new MemoryTrace({
    formatVersion: FORMAT_VERSION,
    tool: 'iorr',
    toolVersion: '0',
    sources: [source],
    ...rest,
  });
  const run = importer.create({ sink: trace, health: new Health(), file: path, header });
  run.push(bytes);
  run.end();
  return trace;
}

/** Captures of calls with the kernel's trace of the same run beside them. */
function captures(): { readonly folder: string; readonly calls: string }[] {
  if (!present) return [];
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

describe.skipIf(!present)('captures with both calls and the trace of the kernel', () => {
  test.each(captures())('$folder/$calls: the same maps and unmaps', async ({ folder, calls }) => {
    const derived = deriveIntents(await imported(`${folder}/${calls}`));
    if (derived === undefined) throw new Error('nothing derived');
    const traced = await imported(`${folder}/trace.txt.zst`);
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

import { createReadStream, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { plainEvents } from '../../traces/event.ts';
import type { PlainEvent } from '../../traces/event.ts';
import { FORMAT_VERSION } from '../../traces/header.ts';
import { Health } from '../../traces/health.ts';
import type { HealthReport } from '../../traces/health.ts';
import { OUTCOME, STREAM_NAMES } from '../../traces/schema.ts';
import { TraceWriter } from '../../traces/format/writer.ts';
import { memorySource } from '../../traces/format/bytes-io.ts';
import { TraceFile } from '../../traces/format/reader.ts';
import { decompress } from './decompress.ts';
import { HEAD_BYTES } from './importer.ts';
import type { ImportFacts } from './importer.ts';
import { detectImporter } from './importers.ts';
import { PRINTED_TIME, firstDifference } from './testing/text-precision.ts';

/** Whole captures, where they are at hand: every line accounted for, and the counts that are known of them. */

const CAPTURES = fileURLToPath(new URL('../../../shared/captures/', import.meta.url));
const present = process.env['IORR_FULL'] === '1' && existsSync(CAPTURES);

interface Imported {
  readonly facts: ImportFacts;
  readonly health: HealthReport;
  readonly streams: { readonly [stream: string]: number };
  readonly trace: TraceFile;
}

async function importCapture(path: string): Promise<Imported> {
  const chunks = decompress(createReadStream(join(CAPTURES, path)), (what) => expect.fail(what));
  const parts: Uint8Array[] = [];
  let head = 0;
  while (head < HEAD_BYTES) {
    const step = await chunks.next();
    if (step.done === true) break;
    parts.push(Uint8Array.from(step.value));
    head += step.value.length;
  }
  const first = Buffer.concat(parts);
  const importer = detectImporter(first);
  if (importer === undefined) throw new Error(`${path}: not recognised`);
  const header = importer.describe(first.subarray(0, HEAD_BYTES));
  const written: Uint8Array[] = [];
  const writer = new TraceWriter(
    { write: (bytes) => written.push(Uint8Array.from(bytes)) },
    {
      formatVersion: FORMAT_VERSION,
      tool: 'iorr',
      toolVersion: 'test',
      sources: [header.source],
      host: header.host,
      clock: header.clock,
      fidelity: header.fidelity,
    },
    { compression: 'none' },
  );
  const health = new Health();
  const run = importer.create({ sink: writer, health, file: path, header });
  run.push(first);
  for await (const chunk of chunks) run.push(chunk);
  const facts = run.end();
  writer.finish({ health: health.report(), notes: {} });
  const trace = new TraceFile(memorySource(Buffer.concat(written), path));
  const seen = STREAM_NAMES.filter((name) => trace.streamCounts[name] > 0);
  return {
    facts,
    health: health.report(),
    streams: Object.fromEntries(seen.map((name) => [name, trace.streamCounts[name]])),
    trace,
  };
}

function lookups(trace: TraceFile): { hits: number; misses: number; resets: number; other: number } {
  const counts = { hits: 0, misses: 0, resets: 0, other: 0 };
  for (const { rows } of trace.segments({ columns: { dma: ['outcome'] } })) {
    for (let row = 0; row < rows.dma.count; row++) {
      const outcome = rows.dma.columns.outcome[row]!;
      if ((outcome & OUTCOME.reset) !== 0) counts.resets++;
      if ((outcome & ~OUTCOME.reset) === OUTCOME.known) counts.misses++;
      else if (outcome === (OUTCOME.known | OUTCOME.hit)) counts.hits++;
      else counts.other++;
    }
  }
  return counts;
}

/** Rows of `inv` whose low word has this type and granularity. */
function commands(trace: TraceFile, low: number): number {
  let count = 0;
  for (const { rows } of trace.segments({ columns: { inv: ['form', 'w0'] } })) {
    const { form, w0Lo } = rows.inv.columns;
    for (let row = 0; row < rows.inv.count; row++) if (form[row] === 0 && (w0Lo[row]! & 0x3f) === low) count++;
  }
  return count;
}

function folders(): string[] {
  return present ? readdirSync(CAPTURES) : [];
}

const TEXTS = folders().flatMap((folder) =>
  ['trace.txt.zst', 'tracecmd_report.txt.zst', 'tc_report.txt.zst', 'perf_script.txt.zst']
    .map((file) => `${folder}/${file}`)
    .filter((path) => existsSync(join(CAPTURES, path))),
);
const LOGS = folders()
  .flatMap((folder) => ['qemu_trace.log.zst', 'qemu_trace.log'].map((file) => `${folder}/${file}`))
  .filter((path) => existsSync(join(CAPTURES, path)));

/** Records, and what was printed of them. */
const RECORDS = [
  ...folders()
    .map((folder) => [`${folder}/trace.dat`, `${folder}/trace.txt.zst`] as const)
    .filter(([path]) => existsSync(join(CAPTURES, path))),
  ...(present ? [['perf-tracecmd-6.12/record_v7.dat.zst', 'perf-tracecmd-6.12/tc_report.txt.zst'] as const] : []),
  ...(present ? [['perf-tracecmd-6.12/perf.data.zst', 'perf-tracecmd-6.12/perf_script.txt.zst'] as const] : []),
];

function* eventsOf(trace: TraceFile): Generator<PlainEvent> {
  for (const segment of trace.segments()) yield* plainEvents(segment, trace.strings);
}

// IORR_FULL=1 and the captures beside the repository are needed: minutes of work, and files that are not part of it.
describe.skipIf(!present)('whole captures', () => {
  test('there are some', () => {
    expect(TEXTS.length).toBeGreaterThan(5);
    expect(LOGS.length).toBeGreaterThan(5);
    expect(RECORDS.length).toBeGreaterThan(5);
  });

  test.each([...TEXTS, ...LOGS])('%s: every line is accounted for, none is malformed', async (path) => {
    const { facts, health } = await importCapture(path);
    expect([health.malformed, health.truncated, health.lost, facts.skipped]).toEqual([0, 0, 0, 0]);
    expect(facts.events + facts.folded + facts.blank + health.unknown + health.ignored).toBe(facts.lines);
  });

  test.each(RECORDS)('%s: the events of %s, one by one', async (path, printed) => {
    const records = await importCapture(path);
    const text = await importCapture(printed);
    expect(records.facts.lines).toBe(text.facts.lines);
    expect([records.health.malformed, records.health.unknown, records.health.truncated]).toEqual([0, 0, 0]);
    const time = path.includes('perf.data') ? PRINTED_TIME.cut : PRINTED_TIME.rounded;
    expect(firstDifference(eventsOf(records.trace), eventsOf(text.trace), time)).toBeUndefined();
  });

  test('record_v6.dat', async () => {
    // Its report has one line more: `cpus=2`.
    const { facts, health } = await importCapture('perf-tracecmd-6.12/record_v6.dat.zst');
    expect([facts.lines, facts.events, health.entries]).toEqual([169_360, 169_360, []]);
  });

  test('vtd-strict-6.12, guest', async () => {
    const { facts, health, streams } = await importCapture('vtd-strict-6.12/trace.txt.zst');
    expect([facts.lines, facts.events, health.entries]).toEqual([1_187_287, 1_187_287, []]);
    expect(streams).toEqual({
      map: 271_330 + 179_256 + 4_105 + 16,
      unmap: 183_114 + 179_007 + 4_105 + 2,
      attach: 33,
      inv: 183_191,
      flush: 183_114,
      mark: 14,
    });
  });

  test('vtd-strict-6.12, host', async () => {
    const { facts, streams, trace } = await importCapture('vtd-strict-6.12/qemu_trace.log.zst');
    expect(facts.lines).toBe(4_585_165);
    expect(streams['dma']).toBe(1_108_678);
    expect(lookups(trace)).toEqual({ hits: 731_478, misses: 377_200, resets: 3, other: 0 });
    expect(commands(trace, 0x32)).toBe(183_114);
  });

  test('vtd-lazy-ats-6.12, guest and host', async () => {
    const guest = await importCapture('vtd-lazy-ats-6.12/trace.txt.zst');
    expect(guest.streams).toEqual({ map: 211_827, unmap: 157_247, attach: 47, inv: 1_844, flush: 1_755, mark: 14 });
    const host = await importCapture('vtd-lazy-ats-6.12/qemu_trace.log.zst');
    expect(host.streams).toMatchObject({ dma: 1_159_950, fault: 7 });
    expect(lookups(host.trace)).toEqual({ hits: 1_159_950 - 430_575, misses: 430_575, resets: 141, other: 0 });
    expect(commands(host.trace, 0x22)).toBe(1_136);
  });

  test('what trace-cmd reports of a ring buffer is what tracefs printed', async () => {
    for (const folder of ['vtd-lazy-ats-6.12', 'vtd-vfio-7.2', 'vtd-pri-pasid-7.2']) {
      const text = await importCapture(`${folder}/trace.txt.zst`);
      const report = await importCapture(`${folder}/tracecmd_report.txt.zst`);
      expect(report.streams).toEqual(text.streams);
    }
  });
});

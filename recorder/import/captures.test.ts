import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { plainEvents } from '../../traces/event.ts';
import type { PlainEvent } from '../../traces/event.ts';
import { OUTCOME } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import { CAPTURES, CAPTURES_ARE_READ, loadCapture } from './testing/load-capture.ts';
import { PRINTED_TIME, firstDifference } from './testing/text-precision.ts';

/** Whole captures, where they are at hand: every line accounted for, and the counts that are known of them. */

function streams(trace: Trace): { readonly [stream: string]: number } {
  return Object.fromEntries(Object.entries(trace.streamCounts).filter(([, count]) => count > 0));
}

function lookups(trace: Trace): { hits: number; misses: number; resets: number; other: number } {
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
function commands(trace: Trace, low: number): number {
  let count = 0;
  for (const { rows } of trace.segments({ columns: { inv: ['form', 'w0'] } })) {
    const { form, w0Lo } = rows.inv.columns;
    for (let row = 0; row < rows.inv.count; row++) if (form[row] === 0 && (w0Lo[row]! & 0x3f) === low) count++;
  }
  return count;
}

function folders(): string[] {
  return CAPTURES_ARE_READ ? readdirSync(CAPTURES) : [];
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
  ...(CAPTURES_ARE_READ
    ? [['perf-tracecmd-6.12/record_v7.dat.zst', 'perf-tracecmd-6.12/tc_report.txt.zst'] as const]
    : []),
  ...(CAPTURES_ARE_READ
    ? [['perf-tracecmd-6.12/perf.data.zst', 'perf-tracecmd-6.12/perf_script.txt.zst'] as const]
    : []),
];

function* eventsOf(trace: Trace): Generator<PlainEvent> {
  for (const segment of trace.segments()) yield* plainEvents(segment, trace.strings);
}

// IORR_FULL=1 and the captures beside the repository are needed: minutes of work, and files that are not part of it.
describe.skipIf(!CAPTURES_ARE_READ)('whole captures', () => {
  test('there are some', () => {
    expect(TEXTS.length).toBeGreaterThan(5);
    expect(LOGS.length).toBeGreaterThan(5);
    expect(RECORDS.length).toBeGreaterThan(5);
  });

  test.each([...TEXTS, ...LOGS])('%s: every line is accounted for, none is malformed', async (path) => {
    const { facts, health } = await loadCapture(path);
    expect([health.malformed, health.truncated, health.lost, facts.skipped]).toEqual([0, 0, 0, 0]);
    expect(facts.events + facts.folded + facts.blank + health.unknown + health.ignored).toBe(facts.lines);
  });

  test.each(RECORDS)('%s: the events of %s, one by one', async (path, printed) => {
    const records = await loadCapture(path);
    const text = await loadCapture(printed);
    expect(records.facts.lines).toBe(text.facts.lines);
    expect([records.health.malformed, records.health.unknown, records.health.truncated]).toEqual([0, 0, 0]);
    const time = path.includes('perf.data') ? PRINTED_TIME.cut : PRINTED_TIME.rounded;
    expect(firstDifference(eventsOf(records.trace), eventsOf(text.trace), time)).toBeUndefined();
  });

  test('record_v6.dat', async () => {
    // Its report has one line more: `cpus=2`.
    const { facts, health } = await loadCapture('perf-tracecmd-6.12/record_v6.dat.zst');
    expect([facts.lines, facts.events, health.entries]).toEqual([169_360, 169_360, []]);
  });

  test('vtd-strict-6.12, guest', async () => {
    const { facts, health, trace } = await loadCapture('vtd-strict-6.12/trace.txt.zst');
    expect([facts.lines, facts.events, health.entries]).toEqual([1_187_287, 1_187_287, []]);
    expect(streams(trace)).toEqual({
      map: 271_330 + 179_256 + 4_105 + 16,
      unmap: 183_114 + 179_007 + 4_105 + 2,
      attach: 33,
      inv: 183_191,
      flush: 183_114,
      mark: 14,
    });
  });

  test('vtd-strict-6.12, host', async () => {
    const { facts, trace } = await loadCapture('vtd-strict-6.12/qemu_trace.log.zst');
    expect(facts.lines).toBe(4_585_165);
    expect(trace.streamCounts.dma).toBe(1_108_678);
    expect(lookups(trace)).toEqual({ hits: 731_478, misses: 377_200, resets: 3, other: 0 });
    expect(commands(trace, 0x32)).toBe(183_114);
  });

  test('vtd-lazy-ats-6.12, guest and host', async () => {
    const guest = await loadCapture('vtd-lazy-ats-6.12/trace.txt.zst');
    expect(streams(guest.trace)).toEqual({
      map: 211_827,
      unmap: 157_247,
      attach: 47,
      inv: 1_844,
      flush: 1_755,
      mark: 14,
    });
    const host = await loadCapture('vtd-lazy-ats-6.12/qemu_trace.log.zst');
    expect(streams(host.trace)).toMatchObject({ dma: 1_159_950, fault: 7 });
    expect(lookups(host.trace)).toEqual({ hits: 1_159_950 - 430_575, misses: 430_575, resets: 141, other: 0 });
    expect(commands(host.trace, 0x22)).toBe(1_136);
  });

  test('what trace-cmd reports of a ring buffer is what tracefs printed', async () => {
    for (const folder of ['vtd-lazy-ats-6.12', 'vtd-vfio-7.2', 'vtd-pri-pasid-7.2']) {
      const text = await loadCapture(`${folder}/trace.txt.zst`);
      const report = await loadCapture(`${folder}/tracecmd_report.txt.zst`);
      expect(streams(report.trace)).toEqual(streams(text.trace));
    }
  });
});

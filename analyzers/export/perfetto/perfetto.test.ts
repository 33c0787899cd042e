import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTrace } from '../../../traces/file.ts';
import { EMPTY_HEALTH } from '../../../traces/header.ts';
import type { TraceHeader } from '../../../traces/header.ts';
import { MemoryTrace } from '../../../traces/memory-trace.ts';
import { DIALECT, INV_FORM, STREAM_ID, STREAM_NAMES } from '../../../traces/schema.ts';
import { testHeader } from '../../../traces/testing/test-header.ts';
import { analyzeLatency } from '../../latency/latency.ts';
import { exportBytes } from '../testing/export-bytes.ts';
import { decodePerfetto, one } from '../testing/perfetto-decoder.ts';
import type { DecodedEvent, DecodedTrace } from '../testing/perfetto-decoder.ts';
import { perfettoExporter } from './perfetto.ts';
import { ProtoWriter } from './wire.ts';

const CORPUS = join(import.meta.dirname, '../../../traces/corpus');
const HEADER: TraceHeader = testHeader({
  clock: { epochNs: '1750000000000000123', name: 'realtime', resolutionNs: 1 },
});

/** Events as trace_processor sorts them: by time, those of one time as they came. */
function sorted(events: readonly DecodedEvent[]): DecodedEvent[] {
  return events.toSorted((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
}

/** Lengths of all slices, by how ends are matched: with the innermost open one of the track. */
function slices({
  events,
}: DecodedTrace): readonly { readonly begin: DecodedEvent; readonly lasted: bigint; readonly depth: number }[] {
  const open = new Map<bigint, DecodedEvent[]>();
  const done: { begin: DecodedEvent; lasted: bigint; depth: number }[] = [];
  for (const event of sorted(events)) {
    const stack = open.get(event.track) ?? [];
    open.set(event.track, stack);
    if (event.type === 'begin') stack.push(event);
    if (event.type !== 'end') continue;
    const begin = stack.pop();
    if (begin === undefined) throw new Error(`an end without a begin on track ${event.track}`);
    done.push({ begin, lasted: event.time - begin.time, depth: stack.length });
  }
  for (const [track, stack] of open) if (stack.length > 0) throw new Error(`track ${track} ends open`);
  return done;
}

function countBy(events: readonly DecodedEvent[]): { readonly [category: string]: number } {
  const counts: Record<string, number> = {};
  for (const { type, category } of events)
    if (type === 'begin' || type === 'instant') counts[category] = (counts[category] ?? 0) + 1;
  return counts;
}

const SHOWN = [
  'vtd-pri-pasid-7.2-calls',
  'vtd-vfio-7.2',
  'vtd-vfio-7.2-ioctl',
  'smmuv3-strict-6.12-ftrace',
  'iommufd-random',
];

describe.each(SHOWN)('the Perfetto trace of %s', async (name) => {
  const trace = openTrace(join(CORPUS, `${name}.iorr`));
  const { bytes, notes } = await exportBytes(perfettoExporter, trace);
  const decoded = decodePerfetto(bytes);
  const latency = analyzeLatency(trace);
  const counts = trace.streamCounts;
  const epoch = BigInt(trace.header.clock.epochNs);
  trace.close();

  test('has every event once, under its stream', () => {
    const { group, ...streams } = countBy(decoded.events);
    expect(streams).toEqual(Object.fromEntries(STREAM_NAMES.filter((s) => counts[s] > 0).map((s) => [s, counts[s]])));
    expect(group ?? 0).toBe(
      latency.faults === null ? 0 : latency.faults.groups - latency.faults.unanswered - latency.faults.givenUp,
    );
    expect(notes).toEqual([]);
  });

  test('draws spans that never overlap on their track, as long as the analysis says', () => {
    const done = slices(decoded);
    expect(done.every(({ depth }) => depth === 0)).toBe(true);
    const sum = (category: string): number =>
      done.filter(({ begin }) => begin.category === category).reduce((ns, { lasted }) => ns + Number(lasted), 0);
    const whole = (spans: readonly { readonly sumNs: number }[] | null | undefined): number =>
      (spans ?? []).reduce((ns, { sumNs }) => ns + sumNs, 0);
    expect(sum('ioctl')).toBe(whole(latency.ioctls));
    expect(sum('group')).toBe(whole(latency.faults?.spans));
    // doorbells of a known lag are no commands
    const commands = done.filter(({ begin }) => begin.category === 'inv' && begin.name !== 'doorbell');
    expect(commands.reduce((ns, { lasted }) => ns + Number(lasted), 0)).toBe(whole(latency.commands));
  });

  test('puts tracks in a tree, and times on the clock of the trace', () => {
    for (const { parent } of decoded.tracks.values())
      if (parent !== undefined) expect(decoded.tracks.has(parent)).toBe(true);
    const groups = [...decoded.tracks.values()].filter(({ descriptor }) => descriptor.has('child_ordering'));
    const ranks = groups.map(({ descriptor }) => one(descriptor, 'sibling_order_rank'));
    expect(new Set(ranks).size).toBe(groups.length);
    expect(decoded.events.every(({ time }) => time >= 0n)).toBe(true);
    expect(sorted(decoded.events).some(({ time, type }) => type !== 'counter' && time >= epoch)).toBe(true);
  });

  test('has values on counters alone, and no track above itself', () => {
    const counters = new Set(
      [...decoded.tracks.values()].filter(({ descriptor }) => descriptor.has('counter')).map(({ uuid }) => uuid),
    );
    const wrong = decoded.events.filter(
      ({ type, track, value }) =>
        counters.has(track) !== (type === 'counter') || counters.has(track) === Number.isNaN(value),
    );
    expect(wrong).toEqual([]);
    for (const { uuid } of decoded.tracks.values()) {
      expect(uuid).not.toBe(0n);
      const above = new Set<bigint>();
      for (let at: bigint | undefined = uuid; at !== undefined; at = decoded.tracks.get(at)?.parent) {
        expect(above.has(at)).toBe(false);
        above.add(at);
      }
    }
  });

  test('counts the commands of each queue over time', () => {
    const perSecond = [...decoded.tracks.values()].filter(
      ({ descriptor, name: track }) => descriptor.has('counter') && track.endsWith(': commands'),
    );
    const inv = decoded.events.filter(
      ({ category, annotations }) => category === 'inv' && ['words', 'decoded'].includes(String(annotations['form'])),
    );
    let sum = 0;
    for (const { uuid } of perSecond) {
      const values = decoded.events.filter(({ track }) => track === uuid);
      const times = values.map(({ time }) => time);
      expect(times).toEqual(times.toSorted((a, b) => (a < b ? -1 : 1)));
      expect(values.at(-1)?.value).toBe(0);
      sum += values.reduce((all, { value }) => all + value, 0);
    }
    if (inv.length === 0) return expect(perSecond).toEqual([]);
    // all bins have one width: values are multiples of one command in a bin
    const least = Math.min(
      ...decoded.events
        .filter(({ track, value }) => value > 0 && perSecond.some(({ uuid }) => uuid === track))
        .map(({ value }) => value),
    );
    const times = sum / inv.length / least;
    expect(Math.abs(1 / times - Math.round(1 / times))).toBeLessThan(1e-6);
  });
});

function built(fill: (trace: MemoryTrace) => void): MemoryTrace {
  const trace = new MemoryTrace(HEADER);
  fill(trace);
  trace.health = EMPTY_HEALTH;
  return trace;
}

function command(trace: MemoryTrace, time: number, lag: number, unit: string): void {
  const row = trace.begin(STREAM_ID.inv, time, 0, 7);
  const { columns } = trace.rows.inv;
  columns.unit[row] = trace.intern(unit);
  columns.dialect[row] = DIALECT.vtd;
  columns.form[row] = INV_FORM.words;
  columns.w0Lo[row] = 5;
  columns.lagLo[row] = lag;
}

test('waits that overlap have lanes of their own, and their lengths', async () => {
  const trace = built((memory) => {
    command(memory, 1000, 900, 'dmar0');
    command(memory, 1100, 900, 'dmar0');
    command(memory, 1500, 400, 'dmar0');
    command(memory, 1600, 2000, 'dmar0');
  });
  const decoded = decodePerfetto((await exportBytes(perfettoExporter, trace)).bytes);
  const done = slices(decoded);
  expect(done.every(({ begin }) => begin.name === 'wait')).toBe(true);
  expect(done.map(({ lasted }) => Number(lasted)).toSorted((a, b) => a - b)).toEqual([400, 900, 900, 2000]);
  expect(new Set(done.map(({ begin }) => begin.track)).size).toBe(3);
  // it began before time 0 of the trace, and the clock goes on from there
  expect(done.find(({ lasted }) => lasted === 2000n)?.begin.time).toBe(1_750_000_000_000_000_123n - 400n);
  expect(decoded.primaryClock).toBe(1);
});

test('more spans at once than there are lanes become instants that tell their length', async () => {
  const trace = built((memory) => {
    for (let i = 0; i < 70; i++) command(memory, 1000 + i, 900, 'dmar0');
  });
  const { bytes, notes } = await exportBytes(perfettoExporter, trace);
  const decoded = decodePerfetto(bytes);
  expect(slices(decoded)).toHaveLength(64);
  expect(
    decoded.events.filter(({ type, annotations }) => type === 'instant' && annotations['lasted_ns'] === 900n),
  ).toHaveLength(6);
  expect(notes).toEqual(['6 spans overlap too many others: drawn without their length']);
});

test('any number of names, hostile ones too, are given anew now and then', async () => {
  const trace = built((memory) => {
    for (let i = 0; i < 10_000; i++) {
      const row = memory.begin(STREAM_ID.mark, i, -1, -1);
      memory.rows.mark.columns.text[row] = memory.intern(`<script>${i}\u0000\u202e\ud800`);
    }
  });
  const { events, packets } = decodePerfetto((await exportBytes(perfettoExporter, trace)).bytes);
  expect(events).toHaveLength(10_000);
  expect(events[9999]?.name).toBe('<script>9999\\x00\\u202e\\ud800');
  expect(packets.filter((packet) => (Number(one(packet, 'sequence_flags')) & 1) !== 0)).toHaveLength(3);
});

test('integers of all sizes, in their shortest form', () => {
  const writer = new ProtoWriter();
  expect(Buffer.from(writer.uint(1, 300).bytes).toString('hex')).toBe('08ac02');
  expect(Buffer.from(writer.clear().int(1, -1).bytes).toString('hex')).toBe('08ffffffffffffffffff01');
  expect(Buffer.from(writer.clear().long(1, 0xffff_ffff_ffff_ffffn).bytes).toString('hex')).toBe(
    '08ffffffffffffffffff01',
  );
  expect(Buffer.from(writer.clear().uint(15, 2 ** 53 - 1).bytes).toString('hex')).toBe('78ffffffffffffff0f');
  expect(Buffer.from(writer.clear().data(2, 'testing').bytes).toString('hex')).toBe('120774657374696e67');
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { plainEvents } from '../../traces/event.ts';
import type { PlainEvent } from '../../traces/event.ts';
import { openTrace } from '../../traces/file.ts';
import { Health } from '../../traces/health.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { CALL_EVENT, STREAM_ID } from '../../traces/schema.ts';
import type { EventSink } from '../../traces/trace.ts';
import { testHeader } from '../../traces/testing/test-header.ts';
import { eventRecord, writeCall, writeIoctl } from '../import/calls/call-rows.ts';
import { wordsOf } from '../import/calls/words.ts';
import { combineSources } from './combined-source.ts';
import type { LiveRun, LiveSource } from './live-source.ts';
import { findLiveSource } from './live-sources.ts';
import { SourceMerge } from './merge/source-merge.ts';
import { thisSystem } from './system.ts';
import { NO_LIVE_RECORDING, iorrLive } from './testing/live-machine.ts';

const HEADER = testHeader();

function eventsOf(trace: MemoryTrace): readonly PlainEvent[] {
  return [...trace.segments()].flatMap((segment) => [...plainEvents(segment, trace.strings)]);
}

function ioctl(sink: EventSink, source: number, tid: number, from: number, to: number, request = 0x3b81): void {
  const call = { time: to, pid: tid, tid, fd: 3, duration: to - from, ret: wordsOf(0), errno: 0, kind: '/dev/iommu' };
  writeIoctl(sink, source, { ...call, memory: [], request, argument: wordsOf(1), before: undefined, after: undefined });
}

function map(sink: EventSink, source: number, time: number, task: number, iova: number, domain: number): void {
  const row = sink.begin(STREAM_ID.map, time, 0, task, source);
  sink.rows.map.columns.iovaLo[row] = iova;
  sink.rows.map.columns.sizeLo[row] = 4096;
  sink.rows.map.columns.domain[row] = domain;
}

describe('events of several sources', () => {
  test('are in order of time, whole, each with its source and texts', () => {
    const times = fc.array(fc.nat(10_000), { maxLength: 40 }).map((list) => list.sort((a, b) => a - b));
    fc.assert(
      fc.property(fc.array(times, { minLength: 2, maxLength: 4 }), fc.nat(12), (sources, step) => {
        const trace = new MemoryTrace(HEADER);
        const merge = new SourceMerge(
          trace,
          sources.map(() => 0),
        );
        const left = sources.map((list) => [...list]);
        for (let i = 0; left.some((list) => list.length > 0); i = (i + 1) % left.length) {
          const list = left[i] ?? [];
          for (const time of list.splice(0, step + 1)) {
            const sink = merge.sinkOf(i);
            writeCall(sink, i, eventRecord(CALL_EVENT.start, `text ${time % 7}`, { time, pid: i, tid: i }));
          }
          merge.complete(i, list[0] ?? Number.POSITIVE_INFINITY);
          merge.run();
        }
        sources.forEach((_, i) => merge.complete(i, Number.POSITIVE_INFINITY));
        merge.run();
        const events = eventsOf(trace);
        expect(merge.waiting).toBe(0);
        expect(events.map(({ time }) => time)).toEqual(sources.flat().sort((a, b) => a - b));
        for (const { time, task, fields } of events) expect([task, fields['name']]).toEqual([task, `text ${time % 7}`]);
        const own = events.filter(({ task }) => task === 0).map(({ time }) => time);
        expect(own).toEqual(sources[0]);
      }),
    );
  });

  test('wait for a source that may still have something older, and no longer', () => {
    const trace = new MemoryTrace(HEADER);
    const merge = new SourceMerge(trace, [0, 0]);
    ioctl(merge.sinkOf(0), 0, 1, 10, 20);
    merge.run();
    expect(trace.eventCount).toBe(0);
    merge.complete(1, 21);
    merge.run();
    expect(trace.eventCount).toBe(1);
  });

  test('calls one behind the other are two, whoever missed which', () => {
    for (const [poorly, richly] of [
      [1000, 100],
      [100, 1000],
    ] as const) {
      const trace = new MemoryTrace(HEADER);
      const merge = new SourceMerge(trace, [1, 3]);
      ioctl(merge.sinkOf(0), 0, 7, poorly, poorly + 500);
      ioctl(merge.sinkOf(1), 1, 7, richly, richly + 500);
      for (const source of [0, 1]) merge.complete(source, Number.POSITIVE_INFINITY);
      merge.run();
      expect(eventsOf(trace).map(({ time }) => time)).toEqual([600, 1500]);
    }
  });

  test('one ioctl that two of them saw is that of the richer one; calls that it missed stay', () => {
    const trace = new MemoryTrace(HEADER);
    const merge = new SourceMerge(trace, [1, 3]);
    const [poor, rich] = [merge.sinkOf(0), merge.sinkOf(1)];
    for (let i = 0; i < 5; i++) {
      const at = i * 1000;
      ioctl(poor, 0, 7, at, at + 500);
      // The third one was lost.
      if (i !== 2) ioctl(rich, 1, 7, at + 10, at + 520);
    }
    // Another thread, and another request at the same time.
    ioctl(poor, 0, 8, 4100, 4600);
    ioctl(poor, 0, 7, 5000, 5200, 0x5401);
    for (const source of [0, 1]) merge.complete(source, Number.POSITIVE_INFINITY);
    merge.run();
    const kept = eventsOf(trace);
    expect(kept.map(({ time }) => time)).toEqual([520, 1520, 2500, 3520, 4520, 4600, 5200]);
    expect([merge.doubledOf(0), merge.doubledOf(1)]).toEqual([4, 0]);
  });

  test('a map that one of them knows the domain of is that one; the same again is another', () => {
    const trace = new MemoryTrace(HEADER);
    const merge = new SourceMerge(trace, [1, 3]);
    map(merge.sinkOf(0), 0, 1000, 7, 0x4000, -1);
    map(merge.sinkOf(0), 0, 3000, 7, 0x4000, -1);
    map(merge.sinkOf(0), 0, 4000, 9, 0x4000, -1);
    map(merge.sinkOf(1), 1, 1200, 7, 0x4000, 5);
    for (const source of [0, 1]) merge.complete(source, Number.POSITIVE_INFINITY);
    merge.run();
    expect(eventsOf(trace).map(({ time, fields }) => [time, fields['domain']])).toEqual([
      [1200, 5],
      [3000, -1],
      [4000, -1],
    ]);
  });

  test('sources that see the same, and one that is named twice, do not go together', () => {
    const [tracefs, perf] = [findLiveSource('tracefs'), findLiveSource('perf')];
    expect(() => combineSources([tracefs, perf])).toThrow(expect.objectContaining({ code: 'USAGE' }));
    expect(() => combineSources([perf, perf])).toThrow(/twice/);
    expect(combineSources([tracefs, findLiveSource('bpf')]).name).toBe('tracefs+bpf');
  });

  test('the loss of one does not stop the others; that of the last does', async () => {
    const trace = new MemoryTrace(HEADER);
    let polls = 0;
    const source = (name: string, endsAt: number): LiveSource => ({
      name,
      description: name,
      sees: name,
      misses: '',
      probe: () => [],
      describe: () => ({ producer: name, clock: HEADER.clock, fidelity: { ioctl: 'partial' } }),
      start: async (_system, _options, _target, { sink, source: index }): Promise<LiveRun> => ({
        poll: () => {
          polls++;
          if (polls >= endsAt) throw new Error('gone');
          ioctl(sink, index, index + 1, polls, polls);
          return false;
        },
        stop: async () => ({ taken: polls, lost: index, notes: {} }),
        abandon: () => {},
      }),
    });
    const options = {
      events: [],
      filtered: false,
      processesOnly: false,
      bufferBytes: undefined,
      subBufferBytes: undefined,
    };
    const both = combineSources([source('one', 3), source('two', 1000)]);
    const header = both.describe(thisSystem(), options);
    expect(header.parts?.map(({ format, fidelity }) => [format, fidelity])).toEqual([
      ['one', { ioctl: 'partial' }],
      ['two', { ioctl: 'partial' }],
    ]);
    const sink = { sink: trace, health: new Health(), header, source: 0, folder: { path: '' }, pipe: undefined };
    const run = await both.start(thisSystem(), options, { kind: 'everybody' }, sink);
    for (let i = 0; i < 10; i++) run.poll();
    const facts = await run.stop();
    expect(facts.notes['sources']).toMatchObject([
      { source: 'one', stopped: 'an error' },
      { source: 'two', lost: 1 },
    ]);
    expect(trace.eventCount).toBeGreaterThan(9);
    const alone = await combineSources([source('one', 0), source('two', 0)]).start(
      thisSystem(),
      options,
      { kind: 'everybody' },
      sink,
    );
    expect(() => alone.poll()).toThrow('gone');
  });
});

const folder = mkdtempSync(join(tmpdir(), 'iorr-combined-'));
afterAll(() => rmSync(folder, { recursive: true }));
const lacking = ['bpftrace', 'python3'].filter((name) => thisSystem().program(name) === undefined);
if (lacking.length > 0)
  process.stderr.write(`tracefs with bpf is not tested here: there is no ${lacking.join(', no ')}\n`);

describe.skipIf(NO_LIVE_RECORDING !== undefined || lacking.length > 0)('record --source tracefs,bpf', () => {
  test('ioctls of IOMMUs are those of bpf, all others those of tracefs, in one order of time', () => {
    const file = join(folder, 'both.iorr');
    const program = join(import.meta.dirname, 'testing/many-ioctls.py');
    const args = ['--source', 'tracefs', '--source', 'bpf', '-o', file, '--', 'python3', program, '20', '2', '1'];
    const { status, stdout, stderr } = iorrLive('record', ...args);
    expect(stderr).toContain('the command ended');
    expect(status).toBe(0);
    const trace = openTrace(file);
    const events = [...trace.segments()].flatMap((segment) => [...plainEvents(segment, trace.strings)]);
    const sources = [...trace.segments()].flatMap(({ source, count }) => [...source.subarray(0, count)]);
    expect(trace.header.sources).toMatchObject([
      { format: 'tracefs', fidelity: { ioctl: 'partial', map: expect.any(String) } },
      { format: 'bpf', fidelity: { ioctl: 'full' } },
    ]);
    expect(trace.header.fidelity).toMatchObject({ ioctl: 'full', lost: 'full' });
    const recording = trace.notes['recording'] as { sources: readonly { seenByARicherSource?: number }[] };
    trace.close();
    const said = stdout.split('\n').filter((line) => line.startsWith('{'));
    const iommu = events
      .map((event, i) => ({ event, source: sources[i] }))
      .filter(({ event }) => {
        return event.stream === 'ioctl' && (Number(event.fields['request']) & 0xff00) === 0x3b00;
      });
    // Two other drivers answer as well: their types were not asked for, so that only tracefs has them.
    expect(iommu.length).toBe(3 * 20);
    expect(said.length).toBeGreaterThan(iommu.length);
    expect(new Set(iommu.map(({ source }) => source))).toEqual(new Set([1]));
    expect(recording.sources[0]?.seenByARicherSource).toBeGreaterThanOrEqual(iommu.length);
    const times = events.map(({ time }) => time);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    const others = events.filter(({ stream }, i) => stream === 'ioctl' && sources[i] === 0);
    expect(others.some(({ fields }) => Number(fields['request']) >>> 0 === 0x8004_5200)).toBe(true);
  });
});

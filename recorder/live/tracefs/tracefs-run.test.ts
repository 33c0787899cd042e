import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { makeFormat, makeRecord } from '../../../bench/records/record-builder.ts';
import { SubBufferWriter } from '../../../bench/records/sub-buffer-writer.ts';
import type { WrittenEvent } from '../../../bench/records/sub-buffer-writer.ts';
import { plainEvents } from '../../../traces/event.ts';
import type { PlainEvent } from '../../../traces/event.ts';
import { FORMAT_VERSION } from '../../../traces/header.ts';
import { Health } from '../../../traces/health.ts';
import type { HealthReport } from '../../../traces/health.ts';
import { MemoryTrace } from '../../../traces/memory-trace.ts';
import { DEFAULT_LAYOUT } from '../../ftrace/ring-buffer.ts';
import type { LiveFacts, LiveState } from '../live-source.ts';
import { fakeSystem } from '../testing/fake-system.ts';
import type { RingBuffers } from './instance.ts';
import { TracefsRun } from './tracefs-run.ts';

const folder = mkdtempSync(join(tmpdir(), 'iorr-run-'));
afterAll(() => rmSync(folder, { recursive: true }));

const MAP = makeFormat('iommu:map', 1, ['u64 iova', 'u64 paddr', 'size_t size']);
const EPOCH = 1_000_000n;

/** One CPU's part: what its stream holds, and what the kernel says that it lost. */
interface CpuPart {
  readonly bytes: Uint8Array;
  readonly overrun?: number;
}

function written(events: readonly Partial<WrittenEvent>[], cpu: number, bytes: number): Uint8Array {
  const given = events.map((event, i): WrittenEvent => {
    const record = makeRecord(MAP, 1, { iova: BigInt(cpu * 1000 + i), size: 4096n });
    return { time: 0n, record, ...event };
  });
  return new SubBufferWriter({ littleEndian: true, bytes }).write(given);
}

interface Recorded {
  readonly events: readonly PlainEvent[];
  readonly facts: LiveFacts;
  readonly state: LiveState;
  readonly health: HealthReport;
}

let runs = 0;

/** Takes what the streams of one or more instances hold, as if they were a kernel's. */
async function take(instances: readonly (readonly CpuPart[])[], bytes = 4096): Promise<Recorded> {
  const buffers = instances.map((parts): RingBuffers => {
    const name = `${runs++}`;
    parts.forEach((part, cpu) => writeFileSync(join(folder, `${name}-${cpu}`), part.bytes));
    return {
      folder,
      cpus: () => parts.map((_, cpu) => cpu),
      pipe: (cpu) => join(folder, `${name}-${cpu}`),
      stats: (cpu) => ({ bytes: 1024, overrun: parts[cpu]?.overrun ?? 0, commitOverrun: 0, dropped: 0 }),
      switchOff: () => {},
      remove: () => {},
    };
  });
  const clock = { epochNs: String(EPOCH), name: 'mono', resolutionNs: 1 };
  const header = { producer: 'test', clock, fidelity: {} };
  const rest = { tool: 'iorr', toolVersion: 'test', sources: [], host: {}, clock, fidelity: {} };
  const sink = new MemoryTrace({ formatVersion: FORMAT_VERSION, ...rest });
  const health = new Health();
  const target = { sink, health, header, source: 0, folder: { path: folder }, pipe: undefined };
  const run = new TracefsRun(fakeSystem({}), buffers, { ...DEFAULT_LAYOUT, bytes }, [MAP], target, 4096);
  await run.ready();
  run.poll();
  await sleep(1);
  const state = run.state();
  const facts = await run.stop();
  const events = [...sink.segments()].flatMap((segment) => [...plainEvents(segment, sink.strings)]);
  return { events, facts, state, health: health.report() };
}

const at = (...times: readonly number[]): readonly Partial<WrittenEvent>[] =>
  times.map((time) => ({ time: EPOCH + BigInt(time) }));
const timesOf = (events: readonly PlainEvent[]): readonly number[] => events.map(({ time }) => time);

describe('what is taken from the buffers', () => {
  test('CPUs whose clocks differ are one order of time; events that a clock puts back are kept, brought forward, and told', async () => {
    const first = written(at(10, 30, 70), 0, 4096);
    // A sub-buffer of its own begins at an earlier time than the one before ended.
    const second = Buffer.concat([written(at(20, 60), 1, 4096), written(at(40, 80), 1, 4096)]);
    const { events, facts } = await take([[{ bytes: first }, { bytes: second }]]);
    expect(timesOf(events)).toEqual([10, 20, 30, 60, 60, 70, 80]);
    expect(events.map(({ cpu }) => cpu)).toEqual([0, 1, 0, 1, 1, 0, 1]);
    expect(facts).toMatchObject({ taken: 7, lost: 0, notes: { clockWentBack: { events: 1, mostNs: 20 } } });
  });

  test.each([4096, 65_536])('sub-buffers of %i bytes', async (bytes) => {
    const times = Array.from({ length: 5000 }, (_, i) => i * 2);
    const first = written(at(...times), 0, bytes);
    const second = written(at(...times.map((time) => time + 1)), 1, bytes);
    const { events, facts } = await take([[{ bytes: first }, { bytes: second }]], bytes);
    expect(timesOf(events)).toEqual(Array.from({ length: 10_000 }, (_, i) => i));
    expect(facts.notes).toMatchObject({ subBuffers: (first.length + second.length) / bytes });
    expect(facts.notes).not.toHaveProperty('clockWentBack');
  });

  test('several instances are one recording; each has losses of its own', async () => {
    const own = written(at(10, 40), 0, 4096);
    const stack = written(
      [...at(20), { time: EPOCH + 30n, missed: 7n }, { time: EPOCH + 50n, missed: 'unknown' }],
      0,
      4096,
    );
    const { events, facts, state, health } = await take([
      [{ bytes: own, overrun: 2 }],
      [{ bytes: stack, overrun: 12 }],
    ]);
    const maps = events.filter(({ stream }) => stream === 'map');
    expect(timesOf(maps)).toEqual([10, 20, 30, 40, 50]);
    const lost = events.filter(({ stream }) => stream === 'lost');
    // As sub-buffers told, and the rest of the kernel's account at the end.
    expect(lost.map(({ time, fields }) => [time, fields['count']])).toEqual([
      [30, 7n],
      [50, 1n],
      [50, 2n],
      [50, 4n],
    ]);
    expect(facts.lost).toBe(14);
    expect(state.lost).toBe(14);
    expect(state.fill).toBeGreaterThanOrEqual(0.25);
    expect(health.lost).toBe(14);
  });

  test('a damaged sub-buffer is counted, and what is around it is taken', async () => {
    const damaged = written(at(20, 30), 0, 4096);
    // Its first event reaches beyond its end.
    damaged[16] = 0;
    damaged.fill(0xff, 20, 24);
    const bytes = Buffer.concat([written(at(10), 0, 4096), damaged, written(at(40), 0, 4096)]);
    const { events, health } = await take([[{ bytes }]]);
    expect(timesOf(events)).toEqual([10, 40]);
    expect(health).toMatchObject({ malformed: 1 });
  });

  test('streams that can not be opened end the recording with an error', async () => {
    const buffers: RingBuffers = {
      folder: '/no/such',
      cpus: () => [0],
      pipe: () => '/no/such/pipe',
      stats: () => ({ bytes: 0, overrun: 0, commitOverrun: 0, dropped: 0 }),
      switchOff: () => {},
      remove: () => {},
    };
    const clock = { epochNs: '0', name: 'mono', resolutionNs: 1 };
    const rest = { tool: 'iorr', toolVersion: 'test', sources: [], host: {}, clock, fidelity: {} };
    const sink = new MemoryTrace({ formatVersion: FORMAT_VERSION, ...rest });
    const header = { producer: 'test', clock, fidelity: {} };
    const target = { sink, health: new Health(), header, source: 0, folder: { path: folder }, pipe: undefined };
    const run = new TracefsRun(fakeSystem({}), [buffers], DEFAULT_LAYOUT, [MAP], target, 4096);
    await expect(run.ready()).rejects.toThrow(expect.objectContaining({ code: 'RECORDING_FAILED' }));
  });
});

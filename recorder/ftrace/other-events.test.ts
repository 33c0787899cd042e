import { describe, expect, test } from 'vitest';
import { makeFormat, makeRecord } from '../../bench/records/record-builder.ts';
import type { FieldValue } from '../../bench/records/record-builder.ts';
import { eventJson, eventText } from '../../analyzers/event-text.ts';
import { plainEvents } from '../../traces/event.ts';
import type { PlainEvent } from '../../traces/event.ts';
import { Health } from '../../traces/health.ts';
import type { HealthReport } from '../../traces/health.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { ftraceText } from '../import/ftrace-text.ts';
import { EventDecoder } from './event-decoder.ts';
import type { EventFormat } from './event-format.ts';
import { EventOutput } from './event-output.ts';

const SWITCH = makeFormat(
  'sched:sched_switch',
  300,
  ['__data_loc char[] prev_comm', 'int prev_pid', 'long prev_state', 'u64 vruntime'],
  '"prev_comm=%s prev_pid=%d prev_state=%s%s vruntime=%llu", __get_str(prev_comm), REC->prev_pid, (REC->prev_state & 1) ? __print_flags(REC->prev_state, "|", { 1, "S" }) : "R", "+", REC->vruntime',
);
const PUSH = makeFormat(
  'kvm:kvm_dirty_ring_push',
  301,
  ['int index', 'u32 dirty_index', 'u32 slot', 'u64 offset', 'u16 words[3]'],
  '"ring %d: dirty 0x%x slot %u offset 0x%llx (used %u)", REC->index, REC->dirty_index, REC->slot, REC->offset, REC->dirty_index - 1',
);
const SYNC = makeFormat('dma:dma_sync_single_for_cpu', 302, ['u64 dma_addr']);
const MAP = makeFormat('iommu:map', 303, ['u64 iova', 'u64 paddr', 'size_t size']);
const CHANGED = makeFormat('iommu:unmap', 304, ['u64 address']);

function makeSink(): MemoryTrace {
  const { source, host, clock, fidelity } = ftraceText.describe(new Uint8Array(0));
  const rest = { host, clock, fidelity };
  return new MemoryTrace({ formatVersion: 3, tool: 'iorr', toolVersion: 'test', sources: [source], ...rest });
}

function eventsOf(sink: MemoryTrace): readonly PlainEvent[] {
  return [...sink.segments()].flatMap((segment) => [...plainEvents(segment, sink.strings)]);
}

interface Given {
  readonly format: EventFormat;
  readonly values: { readonly [field: string]: FieldValue };
}

function decode(given: readonly Given[], keepOthers: boolean): { events: readonly PlainEvent[]; health: HealthReport } {
  const sink = makeSink();
  const health = new Health();
  const output = new EventOutput(sink, health, 't', 0);
  const formats = [SWITCH, PUSH, SYNC, MAP, CHANGED];
  const decoder = new EventDecoder(formats, output, { littleEndian: true, machine: 'x86_64', keepOthers });
  given.forEach(({ format, values }, i) => {
    const record = makeRecord(format, 77, values);
    const words = new Int32Array(record.buffer);
    decoder.decode({ bytes: record, words, at: 0, length: record.length }, i * 1000, 1);
  });
  decoder.finish();
  return { events: eventsOf(sink), health: health.report() };
}

const GIVEN: readonly Given[] = [
  { format: SWITCH, values: { prev_comm: 'ksoftirqd/0', prev_pid: -5n, prev_state: 1n, vruntime: 2n ** 60n } },
  { format: PUSH, values: { index: 3n, dirty_index: 31n, slot: 2n, offset: 0xabcdefn, words: [1n, 2n, 3n] } },
  { format: SYNC, values: { dma_addr: 0x1000n } },
  { format: MAP, values: { iova: 0x1000n, paddr: 0x2000n, size: 4096n } },
  { format: CHANGED, values: { address: 9n } },
];

describe('events that no stream is for', () => {
  test('are kept where they were asked for, each with its fields as the kernel prints them', () => {
    const { events, health } = decode(GIVEN, true);
    expect(health).toMatchObject({ unknown: 0, ignored: 0, malformed: 0 });
    expect(events.map(({ stream }) => stream)).toEqual(['event', 'event', 'event', 'map', 'event']);
    const text = events.map((event) => eventText(event).replace(/^.*?event +/, ''));
    expect(text.slice(0, 3)).toEqual([
      'sched:sched_switch prev_comm=ksoftirqd/0 prev_pid=-5 prev_state=1 vruntime=1152921504606846976',
      'kvm:kvm_dirty_ring_push index=3 dirty_index=0x1f slot=2 offset=0xabcdef words={1,2,3}',
      'dma:dma_sync_single_for_cpu dma_addr=4096',
    ]);
    // A format that is not what its stream needs is kept too: nothing is lost because a kernel changed.
    expect(text[4]).toBe('iommu:unmap address=9');
    const json = JSON.parse(eventJson(events[1] as PlainEvent)) as Record<string, unknown>;
    expect(json).toMatchObject({ stream: 'event', task: 77, cpu: 1, name: 'kvm:kvm_dirty_ring_push' });
    expect(json['fields']).toEqual({ index: 3, dirty_index: '0x1f', slot: 2, offset: '0xabcdef', words: [1, 2, 3] });
    expect(json).not.toHaveProperty('layout');
    expect(json['data']).toMatch(/^2d0100004d000000/);
  });

  test('are counted by name where they were not', () => {
    const { events, health } = decode(GIVEN, false);
    expect(events.map(({ stream }) => stream)).toEqual(['map']);
    // kvm_dirty_ring_push and dma_sync are known to change nothing that a trace holds.
    expect(health).toMatchObject({ unknown: 2, ignored: 2 });
  });

  test('of a text are kept as they were printed', () => {
    const line = '     fio-385     [001] d.h1.    46.424530: ';
    const lines = `${line}sched_wakeup: comm=fio pid=385 prio=120\n${line}kvm_exit: vcpu 0 reason EXTERNAL\n`;
    const read = (allEvents: boolean): { events: readonly PlainEvent[]; report: HealthReport; written: number } => {
      const header = ftraceText.describe(Buffer.from(lines));
      const sink = makeSink();
      const health = new Health();
      const run = ftraceText.create({ sink, health, file: 't', header, allEvents });
      run.push(Buffer.from(lines));
      const { events } = run.end();
      return { events: eventsOf(sink), report: health.report(), written: events };
    };
    expect(read(false)).toMatchObject({ events: [], report: { unknown: 1, ignored: 1 }, written: 0 });
    const { events, report, written } = read(true);
    expect(report).toMatchObject({ unknown: 0, ignored: 0 });
    expect(written).toBe(2);
    expect(events.map(eventText)).toEqual([
      '    46.424530000   1     385  event  sched_wakeup comm=fio pid=385 prio=120',
      '    46.424530000   1     385  event  kvm_exit vcpu 0 reason EXTERNAL',
    ]);
    expect(JSON.parse(eventJson(events[0] as PlainEvent))).toMatchObject({
      name: 'sched_wakeup',
      layout: null,
      fields: null,
      text: 'comm=fio pid=385 prio=120',
    });
  });
});

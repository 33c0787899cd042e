import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IorrError } from '../../../traces/errors.ts';
import type { TraceHeader } from '../../../traces/header.ts';
import { FAULT_QUEUE_FILE } from '../../../traces/ioctl-requests.ts';
import { MemoryTrace } from '../../../traces/memory-trace.ts';
import { CALL_EVENT, SEEN, STREAM_ID } from '../../../traces/schema.ts';
import { testHeader } from '../../../traces/testing/test-header.ts';
import { eventRecord, writeCall, writeIoctl } from '../calls/call-rows.ts';
import { wordsOf } from '../calls/words.ts';
import { callLogHeaders, joinCallLogs } from './call-logs.ts';

const IOAS_MAP = 0x3b85;
const IOAS_UNMAP = 0x3b86;

function header(format: string): TraceHeader {
  return testHeader({
    sources: [{ format, producer: format }],
    clock: { epochNs: '0', name: format, resolutionNs: 1 },
    fidelity: { ioctl: 'partial' },
  });
}

interface Call {
  /** When the kernel returns, ns. */
  readonly time: number;
  readonly task: number;
  readonly request: number;
  readonly ret: number;
}

function put(trace: MemoryTrace, call: Call, time: number, known: { task: number; struct: boolean }): void {
  const bytes = Uint8Array.of(call.request & 0xff, call.time & 0xff);
  writeIoctl(trace, 0, {
    time,
    pid: -1,
    tid: known.task,
    fd: known.struct ? -1 : 4,
    duration: 500,
    ret: wordsOf(call.ret),
    errno: call.ret < 0 ? -call.ret : 0,
    kind: known.struct ? '/dev/iommu' : undefined,
    memory: [],
    request: call.request,
    argument: undefined,
    before: known.struct ? bytes : undefined,
    after: undefined,
  });
}

function putRead(trace: MemoryTrace, time: number, cookie: number): void {
  const who = { time, pid: -1, tid: -1 };
  const record = eventRecord(CALL_EVENT.syscall, 'read', who, 1, Uint8Array.of(cookie));
  writeCall(trace, 0, { ...record, kind: FAULT_QUEUE_FILE });
}

function joined(kernel: MemoryTrace, ...logs: MemoryTrace[]) {
  const sink = new MemoryTrace(
    callLogHeaders(
      kernel.header,
      logs.map((log) => log.header),
    ),
  );
  return { sink, reports: joinCallLogs(kernel, logs, sink) };
}

const gap = fc.integer({ min: 20_000, max: 5_000_000 });
const calls = fc
  .array(fc.record({ gap, map: fc.boolean(), fails: fc.boolean(), other: fc.boolean() }), {
    minLength: 40,
    maxLength: 200,
  })
  .map((list) => {
    let time = 1_000_000;
    return list.map(({ gap: after, map, fails, other }): Call => {
      time += after;
      return { time, task: other ? 20 : 10, request: map ? IOAS_MAP : IOAS_UNMAP, ret: fails ? -17 : 0 };
    });
  });

describe('a log of system calls and a trace of its kernel', () => {
  test('each call that both hold is one event, whatever the clocks', () => {
    fc.assert(
      fc.property(
        calls,
        fc.integer({ min: 0, max: 2 ** 40 }),
        fc.integer({ min: -15, max: 15 }),
        fc.infiniteStream(fc.integer({ min: 0, max: 8000 })),
        (all, offset, ppm, delays) => {
          const mine = all.filter(({ task }) => task === 10);
          fc.pre(mine.length > 8);
          const kernel = new MemoryTrace(header('ftrace-text'));
          for (const call of all) put(kernel, call, call.time, { task: call.task, struct: false });
          const log = new MemoryTrace(header('ioctl-hex'));
          for (const call of mine) {
            const [delay = 0] = delays.take(1);
            put(log, call, Math.round(call.time * (1 + ppm * 1e-6)) + offset + delay, { task: -1, struct: true });
          }
          const { sink, reports } = joined(kernel, log);
          expect(reports[0]).toMatchObject({
            task: 10,
            ioctls: mine.length,
            matched: mine.length,
            logOnly: 0,
            traceOnly: 0,
          });
          expect(sink.eventCount).toBe(all.length);
          for (const { rows, task, time, count } of sink.segments()) {
            const { before, seen, pid } = rows.ioctl.columns;
            for (let i = 0; i < count; i++) {
              const own = task[i] === 10;
              expect((seen[i]! & SEEN.before) !== 0).toBe(own);
              expect(pid[i]).toBe(own ? 10 : -1);
              if (own) expect(before.data[before.offsets[i]! + 1]).toBe(time[i]! & 0xff);
            }
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  test('what only the log has comes between the calls around it', () => {
    const kernel = new MemoryTrace(header('ftrace-text'));
    const log = new MemoryTrace(header('ioctl-hex'));
    writeCall(log, 0, eventRecord(CALL_EVENT.start, 'start', { time: 0, pid: -1, tid: -1 }));
    for (let i = 0; i < 20; i++) {
      const call = { time: 1_000_000 * (i + 1), task: 7, request: i % 3 === 0 ? IOAS_MAP : IOAS_UNMAP, ret: 0 };
      // The trace lost one.
      if (i !== 9) put(kernel, call, call.time, { task: 7, struct: false });
      put(log, call, call.time + 5e9, { task: -1, struct: true });
      putRead(log, call.time + 5e9, i);
    }
    const { sink, reports } = joined(kernel, log);
    expect(reports[0]).toMatchObject({ matched: 19, logOnly: 1, traceOnly: 0, calls: 21, offsetNs: '5000000000' });
    const names: string[] = [];
    for (const { stream, count } of sink.segments()) {
      for (let i = 0; i < count; i++) names.push(stream[i] === STREAM_ID.call ? 'call' : 'ioctl');
    }
    expect(names).toEqual(['call', ...Array.from({ length: 20 }, () => ['ioctl', 'call']).flat()]);
    const [segment] = sink.segments();
    expect([...segment!.task.subarray(0, 3)]).toEqual([7, 7, 7]);
    expect(segment!.rows.call.columns.pid[1]).toBe(7);
  });

  test('two runs of a program in one trace have a log each', () => {
    const kernel = new MemoryTrace(header('ftrace-text'));
    const logs = [30, 31].map((task, run) => {
      const log = new MemoryTrace(header(run === 0 ? 'ioctl-hex' : 'strace'));
      for (let i = 0; i < 60 - 20 * run; i++) {
        const request = (i * i) % 5 < 2 ? IOAS_MAP : IOAS_UNMAP;
        const call = { time: 1e9 * run + 100_000 * (i + 1), task, request, ret: 0 };
        put(kernel, call, call.time, { task, struct: false });
        put(log, call, call.time + 3000, { task: run === 0 ? -1 : task, struct: run === 0 });
      }
      return log;
    });
    const { reports } = joined(kernel, ...logs);
    expect(reports.map(({ task, matched }) => [task, matched])).toEqual([
      [30, 60],
      [31, 40],
    ]);
  });

  test('of two runs that made the same calls a log is that of the one whose clock it has', () => {
    const kernel = new MemoryTrace(header('ftrace-text'));
    const log = new MemoryTrace(header('ioctl-hex'));
    for (let run = 0; run < 3; run++) {
      for (let i = 0; i < 50; i++) {
        const request = (i * i) % 5 < 2 ? IOAS_MAP : IOAS_UNMAP;
        const call = {
          time: 1e9 * run + 100_000 * i + ((i * (7 + run)) % 11) * 9_000,
          task: 40 + run,
          request,
          ret: 0,
        };
        put(kernel, call, call.time, { task: 40 + run, struct: false });
        if (run === 1) put(log, call, call.time + 7e9 + (i % 3) * 700, { task: -1, struct: true });
      }
    }
    expect(joined(kernel, log).reports[0]).toMatchObject({ task: 41, matched: 50, offsetNs: '7000000000' });
  });

  test('of another run is refused', () => {
    const kernel = new MemoryTrace(header('ftrace-text'));
    const log = new MemoryTrace(header('ioctl-hex'));
    for (let i = 0; i < 40; i++) {
      const call = { time: 100_000 * (i + 1), task: 3, request: IOAS_MAP, ret: 0 };
      put(kernel, call, call.time, { task: 3, struct: false });
      put(log, { ...call, request: IOAS_UNMAP }, call.time, { task: -1, struct: true });
    }
    expect(() => joined(kernel, log)).toThrow(IorrError);
    expect(() => joined(kernel, log)).toThrow(/0 of 40 ioctls agree/);
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { CALL_EVENT, SEEN, STREAM_ID } from '../../traces/schema.ts';
import { MAPPING, MAPPING_PROT, encodeMappings } from '../../traces/user-memory.ts';
import { mockBackend } from '../model/iommufd/mock/mock-backend.ts';
import { BUFFER, BUFFER_BYTES, SimulatedCalls } from '../model/iommufd/simulated-calls.ts';
import type { SimulatedResult } from '../model/iommufd/simulated-calls.ts';
import { verifyIoctl } from './verify-ioctl.ts';
import { testHeader } from '../../traces/testing/test-header.ts';

const PID = 1;

/** One recorded call, and what to falsify in the recording: nothing, its errno, or a byte of its struct. */
interface Step {
  readonly request: number;
  readonly words: readonly number[];
  readonly falsify: 'nothing' | 'errno' | 'struct';
}

const id = fc.integer({ min: 0, max: 6 });
const iova = fc.nat(12).map((page) => 0x100_0000 + page * 4096);
const size = fc.constantFrom(0, 4096, 8192, 12288);
const address = fc.nat(100).map((page) => BUFFER + page * 4096);

const call = fc.oneof(
  fc.constant<[number, readonly number[]]>([0x3b81, [0, 0]]),
  id.map((a): [number, readonly number[]] => [0x3b80, [a]]),
  fc
    .tuple(id, address, size, iova, fc.nat(7))
    .map(([a, from, bytes, at, flags]): [number, readonly number[]] => [
      0x3b85,
      [flags, a, 0, from, 0, bytes, 0, at, 0],
    ]),
  fc.tuple(id, iova, size).map(([a, at, bytes]): [number, readonly number[]] => [0x3b86, [a, at, 0, bytes, 0]]),
  fc
    .tuple(id, id, fc.nat(15))
    .map(([a, b, flags]): [number, readonly number[]] => [0x3b89, [flags, a, b, 0, 0, 0, 0, 0, 0]]),
  fc
    .tuple(id, fc.constantFrom(0, 1, 4))
    .map(([a, flags]): [number, readonly number[]] => [
      0x3ba0,
      [12, a, 0, 0, 0, 0, flags, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ]),
);

const step: fc.Arbitrary<Step> = fc.tuple(call, fc.nat(19)).map(([[request, words], n]) => ({
  request,
  words,
  falsify: n === 0 ? 'errno' : n === 1 ? 'struct' : 'nothing',
}));

function began(): MemoryTrace {
  const trace = new MemoryTrace(testHeader({ fidelity: { ioctl: 'full', call: 'full' } }));
  const { columns } = trace.rows.call;
  const start = trace.begin(STREAM_ID.call, 0, -1, PID);
  columns.event[start] = CALL_EVENT.start;
  columns.pid[start] = PID;
  const maps = trace.begin(STREAM_ID.call, 1, -1, PID);
  const mapping = { startHi: 0, endHi: 0, offsetLo: 0, offsetHi: 0, prot: MAPPING_PROT.read | MAPPING_PROT.write };
  columns.event[maps] = CALL_EVENT.maps;
  columns.pid[maps] = PID;
  trace.setBytes(
    columns.data,
    maps,
    encodeMappings([
      { ...mapping, startLo: BUFFER, endLo: BUFFER + BUFFER_BYTES, flags: MAPPING.shared },
      { ...mapping, startLo: 0x7000_0000, endLo: 0x7000_1000, flags: 0 },
    ]),
  );
  const open = trace.begin(STREAM_ID.call, 2, -1, PID);
  columns.pid[open] = PID;
  columns.name[open] = trace.intern('openat');
  columns.path[open] = trace.intern('/dev/iommu');
  return trace;
}

function record(trace: MemoryTrace, calls: SimulatedCalls, { request, falsify }: Step, result: SimulatedResult): void {
  const row = trace.begin(STREAM_ID.ioctl, 3, -1, PID);
  const { columns } = trace.rows.ioctl;
  const ret = falsify === 'errno' ? -77 : result.ret;
  const after = result.struct.bytes.slice();
  if (falsify === 'struct') after[4] = (after[4] ?? 0) ^ 0x80;
  columns.pid[row] = PID;
  columns.fd[row] = calls.fd;
  columns.request[row] = request;
  columns.retLo[row] = ret;
  columns.retHi[row] = ret < 0 ? -1 : 0;
  columns.errno[row] = ret < 0 ? -ret : 0;
  columns.path[row] = trace.intern('/dev/iommu');
  columns.argLo[row] = calls.argument;
  columns.seen[row] = SEEN.argument | SEEN.before | SEEN.after;
  trace.setBytes(columns.before, row, result.before);
  trace.setBytes(columns.after, row, after);
}

describe('ioctls', () => {
  test('a faithful recording agrees whole; each falsified result diverges, and nothing else does', () => {
    let falsified = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
        const calls = new SimulatedCalls(mockBackend);
        const trace = began();
        const wrong: number[] = [];
        for (const [i, one] of steps.entries()) {
          record(trace, calls, one, calls.call(one.request, ...one.words));
          if (one.falsify !== 'nothing') wrong.push(3 + i);
        }
        falsified += wrong.length;
        const part = verifyIoctl(trace);
        expect(part?.counts).toEqual({
          checked: steps.length,
          agreed: steps.length - wrong.length,
          diverged: wrong.length,
        });
        expect([...new Set(part?.divergences.map(({ event }) => event))]).toEqual(wrong);
        expect(part?.skipped).toEqual({});
      }),
      { numRuns: 60 },
    );
    expect(falsified).toBeGreaterThan(10);
  });

  test('a divergence names the call, the field, and both values', () => {
    const calls = new SimulatedCalls(mockBackend);
    const trace = began();
    const result = calls.call(0x3b81, 0, 0);
    record(trace, calls, { request: 0x3b81, words: [], falsify: 'nothing' }, result);
    const second = calls.call(0x3b81, 0, 0);
    second.struct.setU32(8, 5);
    record(trace, calls, { request: 0x3b81, words: [], falsify: 'nothing' }, second);
    expect(verifyIoctl(trace)?.divergences).toEqual([
      { event: 4, kind: 'ioctl', what: 'IOMMU_IOAS_ALLOC out_ioas_id', recorded: '0x5', model: '0x2' },
    ]);
  });
});

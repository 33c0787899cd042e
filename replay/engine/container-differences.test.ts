import { expect, test } from 'vitest';
import type { TraceHeader } from '../../traces/header.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { SEEN, STREAM_ID } from '../../traces/schema.ts';
import { StructView } from '../model/iommufd/struct-view.ts';
import { compareContainers } from './container-differences.ts';
import { verifyIoctl } from './verify-ioctl.ts';
import { testHeader } from '../../traces/testing/test-header.ts';

const HEADER: TraceHeader = testHeader({ fidelity: { ioctl: 'full', call: 'full' } });
const CONTAINER = '/dev/vfio/vfio';

function struct(...words: readonly (number | bigint)[]): Uint8Array {
  const view = new StructView(
    new Uint8Array(words.reduce<number>((sum, word) => sum + (typeof word === 'number' ? 4 : 8), 0)),
  );
  let at = 0;
  for (const word of words) {
    if (typeof word === 'number') view.setU32(at, word);
    else view.setU64(at, word);
    at += typeof word === 'number' ? 4 : 8;
  }
  return view.bytes;
}

interface Call {
  readonly file: string;
  readonly request: number;
  readonly argument?: number;
  readonly before?: Uint8Array;
  readonly after?: Uint8Array;
  readonly errno?: number;
  readonly ret?: number;
}

/** Calls of a program whose fds the source doesn't know. */
function traceOf(calls: readonly Call[]): MemoryTrace {
  const trace = new MemoryTrace(HEADER);
  for (const [time, { file, request, argument = 0x1000, before, after, errno = 0, ret = 0 }] of calls.entries()) {
    const row = trace.begin(STREAM_ID.ioctl, time, -1, 7);
    const { columns } = trace.rows.ioctl;
    columns.pid[row] = 7;
    columns.fd[row] = -1;
    columns.request[row] = request;
    columns.errno[row] = errno;
    columns.retLo[row] = errno > 0 ? -errno : ret;
    columns.retHi[row] = errno > 0 ? -1 : 0;
    columns.path[row] = trace.intern(file);
    columns.argLo[row] = argument;
    columns.seen[row] = SEEN.argument | (before === undefined ? 0 : SEEN.before | SEEN.after);
    if (before !== undefined) {
      trace.setBytes(columns.before, row, before);
      trace.setBytes(columns.after, row, after ?? before);
    }
  }
  return trace;
}

const INFO_AFTER = struct(
  0x68,
  3,
  0x1000n,
  24,
  0,
  0x1_0002,
  56,
  0,
  0,
  0x1000n,
  0x1000_0000n,
  0x1_0003,
  72,
  0xffff,
  0,
  0x1_0001,
  0,
  1,
  0,
  0n,
  0xffff_ffffn,
);

const CALLS: readonly Call[] = [
  { file: CONTAINER, request: 0x3b64, argument: 0 },
  { file: '/dev/vfio/0', request: 0x3b68, before: struct(3) },
  { file: CONTAINER, request: 0x3b66, argument: 3 },
  { file: CONTAINER, request: 0x3b70, before: struct(0x68, ...Array.from({ length: 25 }, () => 0)), after: INFO_AFTER },
  { file: CONTAINER, request: 0x3b71, before: struct(32, 3, 0x10_0000n, 0n, 0x4000n) },
  { file: CONTAINER, request: 0x3b71, before: struct(32, 3, 0x10_0000n, 0x3000n, 0x4000n), errno: 17 },
  { file: CONTAINER, request: 0x3b75, before: struct(8, 1) },
  { file: CONTAINER, request: 0x3b72, before: struct(24, 0, 0x1000n, 0x1000n), errno: 22 },
  { file: CONTAINER, request: 0x3b72, before: struct(24, 0, 0n, 0x4000n) },
];

test('calls that the two containers answer differently are listed', () => {
  expect(compareContainers(traceOf(CALLS))).toEqual({
    calls: 6,
    differences: [
      { name: 'VFIO_IOMMU_DIRTY_PAGES', native: '0', compat: 'ENOTTY', calls: 1, firstEvent: 6 },
      { name: 'VFIO_IOMMU_UNMAP_DMA', native: 'EINVAL', compat: 'ENOENT', calls: 1, firstEvent: 7 },
    ],
  });
});

test('a recording without VFIO devices has nothing to compare', () => {
  expect(compareContainers(traceOf(CALLS.filter(({ file }) => file === CONTAINER)))).toBeUndefined();
});

test('the calls agree with TYPE1; what tells of the hardware is input', () => {
  const result = verifyIoctl(traceOf(CALLS));
  expect(result?.counts).toEqual({ checked: 8, agreed: 8, diverged: 0 });
  expect(result?.skipped).toEqual({ "hardware's answer, taken as input": 1 });
  const wrong = CALLS.map((call) => (call.errno === 22 ? { ...call, errno: 2 } : call));
  expect(verifyIoctl(traceOf(wrong))?.divergences).toMatchObject([
    { event: 7, what: 'VFIO_IOMMU_UNMAP_DMA ret', recorded: 'ENOENT', model: 'EINVAL' },
  ]);
});

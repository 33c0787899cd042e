import { describe, expect, test } from 'vitest';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { SEEN, STREAM_ID } from '../../traces/schema.ts';
import { StructView } from '../model/iommufd/struct-view.ts';
import { containerKind } from './container-kind.ts';
import { verifyIoctl } from './verify-ioctl.ts';
import { testHeader } from '../../traces/testing/test-header.ts';

const CONTAINER = '/dev/vfio/vfio';

interface Call {
  readonly request: number;
  readonly argument?: number;
  readonly ret?: number;
  readonly before?: readonly number[];
  readonly after?: readonly number[];
  readonly file?: string;
}

function words(values: readonly number[]): Uint8Array {
  const view = new StructView(new Uint8Array(values.length * 4));
  for (const [i, value] of values.entries()) view.setU32(i * 4, value);
  return view.bytes;
}

function traceOf(...calls: readonly Call[]): MemoryTrace {
  const trace = new MemoryTrace(testHeader({ fidelity: { ioctl: 'full' } }));
  for (const [time, { request, argument = 0x1000, ret = 0, before, after, file = CONTAINER }] of calls.entries()) {
    const row = trace.begin(STREAM_ID.ioctl, time, -1, 7);
    const { columns } = trace.rows.ioctl;
    columns.pid[row] = 7;
    columns.fd[row] = -1;
    columns.request[row] = request;
    columns.errno[row] = ret < 0 ? -ret : 0;
    columns.retLo[row] = ret;
    columns.retHi[row] = ret < 0 ? -1 : 0;
    columns.path[row] = trace.intern(file);
    columns.argLo[row] = argument;
    columns.seen[row] = SEEN.argument | (before === undefined ? 0 : SEEN.before | SEEN.after);
    if (before === undefined) continue;
    trace.setBytes(columns.before, row, words(before));
    trace.setBytes(columns.after, row, words(after ?? before));
  }
  return trace;
}

const kind = (...calls: readonly Call[]): boolean | undefined => containerKind(traceOf(...calls))?.iommufd;
const SET_GROUP = { request: 0x3b68, file: '/dev/vfio/3' };

describe('what /dev/vfio/vfio is', () => {
  test('most calls tell nothing', () => {
    expect(kind({ request: 0x3b64 }, { request: 0x3b65, argument: 3, ret: 1 }, SET_GROUP)).toBeUndefined();
    expect(kind({ request: 0x3b65, argument: 10, ret: 0 })).toBeUndefined();
    expect(kind({ request: 0x3b72, ret: -22 }, { request: 0x3b81, ret: -22 })).toBeUndefined();
    expect(kind({ request: 0x3b75, ret: -25, file: '/dev/vfio/devices/vfio0' })).toBeUndefined();
  });

  test('an answer that only one of them gives', () => {
    expect(kind({ request: 0x3b81 })).toBe(true);
    expect(kind({ request: 0x3b66, argument: 3, ret: -19 })).toBe(true);
    expect(kind({ request: 0x3b66, argument: 3, ret: -22 })).toBe(false);
    expect(kind(SET_GROUP, { request: 0x3b66, argument: 3, ret: -22 })).toBeUndefined();
    expect(kind(SET_GROUP, { request: 0x3b66, argument: 3 }, { request: 0x3b65, argument: 10, ret: 0 })).toBe(true);
    expect(kind(SET_GROUP, { request: 0x3b66, argument: 3 }, { request: 0x3b65, argument: 10, ret: 1 })).toBe(false);
    expect(kind({ request: 0x3b75, ret: -25 })).toBe(true);
    expect(kind({ request: 0x3b75 })).toBe(false);
    expect(kind({ request: 0x3b72, ret: -2 })).toBe(true);
    expect(kind({ request: 0x3b71, ret: -19 })).toBe(true);
    const info = (id: number, available: number) => [64, 3, 0x1000, 0, 24, 0, 0x1_0000 | id, 0, available];
    expect(kind({ request: 0x3b70, before: info(0, 0), after: info(3, 0xffff_ffff) })).toBe(true);
    expect(kind({ request: 0x3b70, before: info(0, 0), after: info(3, 65_535) })).toBe(false);
    expect(kind({ request: 0x3b70, before: info(0, 0), after: info(2, 0) })).toBe(false);
  });

  test('an iommufd is verified as one, and the result says so', () => {
    const part = verifyIoctl(
      traceOf(
        { request: 0x3b66, argument: 3, ret: -19 },
        { request: 0x3b81, before: [12, 0, 0], after: [12, 0, 1] },
        { request: 0x3b88, before: [12, 1, 1] },
        { request: 0x3b66, argument: 3 },
        { request: 0x3b75, before: [8, 1], ret: -25 },
        // RLIMIT_MODE: counted by process.
        { request: 0x3b87, before: [24, 0, 1, 0, 0, 0], after: [24, 0, 1, 0, 1, 0] },
      ),
    );
    expect(part?.divergences).toEqual([]);
    expect(part?.counts.agreed).toBe(6);
    expect(part?.notes.join()).toContain('/dev/vfio/vfio is an iommufd: event 0, VFIO_SET_IOMMU returned ENODEV');
  });
});

import { describe, expect, test } from 'vitest';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { SEEN, STREAM_ID } from '../../traces/schema.ts';
import { StructView } from '../model/iommufd/struct-view.ts';
import { findAddressUpdates } from './vaddr-windows.ts';
import { testHeader } from '../../traces/testing/test-header.ts';

const CONTAINER = '/dev/vfio/vfio';
const GROUP = '/dev/vfio/3';

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

type Call = readonly [file: string, request: number, before: Uint8Array | number, errno?: number];

/** Calls at 0, 100, 200 ... ns of a program whose fds the source doesn't know. */
function traceOf(...calls: readonly Call[]): MemoryTrace {
  const trace = new MemoryTrace(testHeader({ fidelity: { ioctl: 'full' } }));
  for (const [i, [file, request, before, errno = 0]] of calls.entries()) {
    const row = trace.begin(STREAM_ID.ioctl, i * 100, -1, 7);
    const { columns } = trace.rows.ioctl;
    columns.pid[row] = 7;
    columns.fd[row] = -1;
    columns.request[row] = request;
    columns.errno[row] = errno;
    columns.retLo[row] = -errno;
    columns.retHi[row] = errno > 0 ? -1 : 0;
    columns.path[row] = trace.intern(file);
    columns.argLo[row] = typeof before === 'number' ? before : 0x1000;
    columns.seen[row] = SEEN.argument | (typeof before === 'number' ? 0 : SEEN.before | SEEN.after);
    if (typeof before === 'number') continue;
    trace.setBytes(columns.before, row, before);
    trace.setBytes(columns.after, row, before);
  }
  return trace;
}

const map = (iova: bigint, flags = 3, errno = 0): Call => [
  CONTAINER,
  0x3b71,
  struct(32, flags, 0x10_0000n, iova, 0x1000n),
  errno,
];
const unmap = (iova: bigint, size: bigint, flags = 0, errno = 0): Call => [
  CONTAINER,
  0x3b72,
  struct(24, flags, iova, size),
  errno,
];
const BEGIN: readonly Call[] = [
  [CONTAINER, 0x3b64, 0],
  [GROUP, 0x3b68, struct(3)],
  [CONTAINER, 0x3b66, 3],
  map(0n),
  map(0x1000n),
];

describe('windows in which mappings have no address', () => {
  test('from the call that takes them away to the last that gives one back; what fails inside', () => {
    const found = findAddressUpdates(
      traceOf(
        ...BEGIN,
        unmap(0n, 0n, 6),
        unmap(0n, 0x1000n, 4, 22),
        ['/dev/vfio/4', 0x3b68, struct(3), 16],
        map(0n, 4),
        map(0x5000n),
        map(0x1000n, 4),
        unmap(0n, 0n, 2),
      ),
    );
    expect(found?.windows).toMatchObject([
      {
        opened: { event: 5, atNs: 500, name: 'VFIO_IOMMU_UNMAP_DMA' },
        closed: { event: 10, atNs: 1000, name: 'VFIO_IOMMU_MAP_DMA' },
        how: 'new addresses',
        durationNs: 500,
        mappings: 2,
        bytes: 8192,
        inside: [
          { event: 6, name: 'VFIO_IOMMU_UNMAP_DMA', result: 'EINVAL' },
          { event: 7, name: 'VFIO_GROUP_SET_CONTAINER', result: 'EBUSY' },
        ],
      },
    ]);
  });

  test('windows end with their mappings, or stay open', () => {
    const gone = findAddressUpdates(traceOf(...BEGIN, unmap(0n, 0x2000n, 4), unmap(0n, 0n, 2)));
    expect(gone?.windows).toMatchObject([{ how: 'unmapped', closed: { event: 6 }, durationNs: 100 }]);
    const left = findAddressUpdates(traceOf(...BEGIN, unmap(0x1000n, 0x1000n, 4), map(0x8000n), map(0x9000n)));
    expect(left?.windows).toMatchObject([{ how: 'still open', closed: null, mappings: 1, durationNs: 200 }]);
    const closed = findAddressUpdates(traceOf(...BEGIN, unmap(0n, 0x2000n, 4), [GROUP, 0x3b69, 0]));
    expect(closed?.windows).toMatchObject([{ how: 'container closed', closed: { event: 6 } }]);
  });

  test('an iommufd has none: VADDR is refused, CHANGE_PROCESS needs no window', () => {
    const refused: Call = ['/dev/iommu', 0x3b72, struct(24, 4, 0n, 0x1000n), 22];
    const change: Call = ['/dev/iommu', 0x3b92, struct(8, 0)];
    const failed: Call = ['/dev/iommu', 0x3b92, struct(8, 0), 22];
    expect(findAddressUpdates(traceOf(refused, change, failed))).toEqual({
      windows: [],
      refused: 1,
      changes: { calls: 2, done: 1, windows: 0 },
    });
  });

  test('a recording that asks for nothing of it has no report', () => {
    expect(findAddressUpdates(traceOf(...BEGIN))).toBeUndefined();
  });
});

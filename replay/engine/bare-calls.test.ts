import { describe, expect, test } from 'vitest';
import { CALL_EVENT, SEEN, STREAM_ID } from '../../traces/schema.ts';
import { RecordedCalls } from './testing/recorded-calls.ts';
import { verifyIoctl } from './verify-ioctl.ts';

const DEVICE = { fd: 4, path: '/dev/vfio/devices/vfio0' };
const IOAS_ALLOC = 0x3b81;
const MAP = 0x3b85;
const GET_HW_INFO = 0x3b8a;
const VDEVICE_ALLOC = 0x3b91;
const BIND = 0x3b76;
const ATTACH = 0x3b77;
const GET_INFO = 0x3b6b;
const [ENOENT, EFAULT, EINVAL, ENOTTY, EMSGSIZE, ESRCH] = [2, 14, 22, 25, 90, 3];

type Call = readonly [request: number, errno?: number, file?: typeof DEVICE];

/** A program with /dev/iommu and a device open, of which a source shows no structs. */
function verdict(...list: readonly Call[]) {
  const calls = new RecordedCalls().open().call('openat', { path: DEVICE.path, fd: -1, ret: DEVICE.fd });
  for (const [request, errno = 0, file] of list)
    calls.ioctl({ request, errno, before: [], ...(file === undefined ? {} : { file }) });
  calls.trace.rows.ioctl.columns.seen.fill(SEEN.argument);
  const part = verifyIoctl(calls.trace);
  const skipped = Object.values(part?.skipped ?? {}).reduce((sum, count) => sum + count, 0);
  return { ...part?.counts, skipped, what: part?.divergences.map(({ what, model }) => `${what}: ${model}`) };
}

describe('calls without structs', () => {
  test('what a program does in order agrees', () => {
    const calls: Call[] = [
      [BIND, 0, DEVICE],
      [IOAS_ALLOC],
      [GET_HW_INFO],
      [ATTACH, 0, DEVICE],
      [0x3b84, EMSGSIZE],
      [MAP],
      [MAP, EFAULT],
      [0x3b86, ENOENT],
      [GET_INFO, 0, DEVICE],
      [0x3bf0, ENOTTY],
    ];
    expect(verdict(...calls)).toEqual({ checked: 10, agreed: 10, diverged: 0, skipped: 0, what: [] });
  });

  test.each([
    ['a map before there is an IOAS', [[MAP]], 'IOMMU_IOAS_MAP ret: ENOENT: no ioas was made'],
    ['hardware of no device', [[IOAS_ALLOC], [GET_HW_INFO]], 'IOMMU_GET_HW_INFO ret: ENOENT: no device was made'],
    ['an errno that MAP never has', [[IOAS_ALLOC], [MAP, ESRCH]], 'an errno that the request can have'],
    ['a request that there is not', [[0x3bf0]], 'ENOTTY'],
    ['a virtual device before a vIOMMU', [[BIND, 0, DEVICE], [VDEVICE_ALLOC]], 'no viommu was made'],
    ['a device that is not bound', [[GET_INFO, 0, DEVICE]], 'EINVAL: the device is not bound'],
    [
      'an attach before there is an IOAS',
      [
        [BIND, 0, DEVICE],
        [ATTACH, 0, DEVICE],
      ],
      'ENOENT: no IOAS was made',
    ],
  ] as const)('%s diverges', (_, calls: readonly Call[], what) => {
    const found = verdict(...calls);
    expect(found.diverged).toBe(1);
    expect(found.what?.[0]).toContain(what);
  });

  test('an error that only the device or its driver can have is not judged', () => {
    expect(verdict([BIND, 0, DEVICE], [GET_INFO, EINVAL, DEVICE], [GET_HW_INFO, ESRCH])).toMatchObject({
      diverged: 0,
      skipped: 2,
    });
  });

  test('which of two iommufds a device was bound to is not known, nor what follows from it', () => {
    const calls = new RecordedCalls().open().call('openat', { path: '/dev/iommu', fd: -1, ret: 5 });
    calls.call('openat', { path: DEVICE.path, fd: -1, ret: DEVICE.fd });
    calls.ioctl({ request: BIND, file: DEVICE, before: [] }).ioctl({ request: GET_HW_INFO, before: [] });
    calls.ioctl({ request: GET_INFO, file: DEVICE, before: [] }).ioctl({ request: MAP, before: [] });
    calls.trace.rows.ioctl.columns.seen.fill(SEEN.argument);
    const part = verifyIoctl(calls.trace);
    expect(part?.divergences).toEqual([]);
    expect(part?.skipped).toMatchObject({ 'follows a call whose effect is not known': 3 });
  });

  test('a thread of another number uses the files that the first opened', () => {
    const calls = new RecordedCalls().open().ioctl({ request: IOAS_ALLOC, before: [] });
    calls.ioctl({ request: MAP, before: [] });
    const { columns } = calls.trace.rows.ioctl;
    columns.seen.fill(SEEN.argument);
    columns.pid[1] = 9;
    expect(verifyIoctl(calls.trace)?.counts).toEqual({ checked: 2, agreed: 2, diverged: 0 });
  });

  test('a thread that ends leaves its process what it has', () => {
    const calls = new RecordedCalls().open().call('openat', { path: DEVICE.path, fd: -1, ret: DEVICE.fd });
    const { trace } = calls.ioctl({ request: BIND, file: DEVICE, before: [] });
    for (const task of [9, 7]) {
      const row = trace.begin(STREAM_ID.call, 50, -1, task);
      trace.rows.call.columns.event[row] = CALL_EVENT.exit;
      trace.rows.call.columns.pid[row] = 7;
      calls.ioctl({ request: GET_INFO, file: DEVICE, before: [] });
    }
    trace.rows.ioctl.columns.seen.fill(SEEN.argument);
    const part = verifyIoctl(trace);
    expect(part?.counts).toEqual({ checked: 2, agreed: 2, diverged: 0 });
    expect(part?.skipped).toEqual({ [`on ${DEVICE.path}`]: 1 });
  });

  test('after lost events, and on files from before the recording, what was not seen made may have been', () => {
    const calls = new RecordedCalls().open().lost(1).ioctl({ request: MAP, before: [] });
    calls.trace.rows.ioctl.columns.seen.fill(SEEN.argument);
    expect(verifyIoctl(calls.trace)?.skipped).toEqual({ 'follows lost events': 1 });
    const later = new RecordedCalls()
      .ioctl({ request: MAP, before: [] })
      .ioctl({ request: MAP, errno: ESRCH, before: [] });
    later.trace.rows.ioctl.columns.seen.fill(SEEN.argument);
    const part = verifyIoctl(later.trace);
    expect(part?.skipped).toEqual({ 'objects from before the recording': 1 });
    // No file explains an errno that the request never has.
    expect(part?.counts).toEqual({ checked: 1, agreed: 0, diverged: 1 });
  });
});

import { describe, expect, test } from 'vitest';
import { RecordedCalls } from './testing/recorded-calls.ts';
import { machineAt, verifyIoctl } from './verify-ioctl.ts';
import { objectTrees } from '../model/iommufd/object-tree.ts';

const FILE = '/proc/self/fail-nth';
const ENOENT = 2;
const ENOMEM = 12;
const EFAULT = 14;
const IOAS_ALLOC = 0x3b81;
const DESTROY = 0x3b80;
const MAP = 0x3b85;
const UNMAP = 0x3b86;

function arm(calls: RecordedCalls, n: number): RecordedCalls {
  return calls.call('pwrite64', { path: FILE, fd: 5, ret: String(n).length, text: String(n) });
}

/** Reads what is left and ends the window; `left` undefined: nobody looks. */
function disarm(calls: RecordedCalls, left: number | undefined): RecordedCalls {
  if (left !== undefined) calls.call('pread64', { path: FILE, fd: 5, ret: 2, text: `${left}\n` });
  return calls.call('pwrite64', { path: FILE, fd: 5, ret: 1, text: '0' });
}

function alloc(calls: RecordedCalls, id: number, errno = 0): RecordedCalls {
  return calls.ioctl({ request: IOAS_ALLOC, errno, before: [12, 0, 0], after: [12, 0, id] });
}

function destroy(calls: RecordedCalls, id: number, errno = 0): RecordedCalls {
  return calls.ioctl({ request: DESTROY, errno, before: [8, id] });
}

/** A page at a fixed address. */
function map(calls: RecordedCalls, ioas: number, errno = 0): RecordedCalls {
  return calls.ioctl({ request: MAP, errno, before: [40, 7, ioas, 0, 0x10000, 0, 4096, 0, 0x2000, 0] });
}

function unmap(calls: RecordedCalls, ioas: number, errno = 0): RecordedCalls {
  return calls.ioctl({ request: UNMAP, errno, before: [24, ioas, 0x2000, 0, 4096, 0] });
}

function verdict(calls: RecordedCalls): { agreed: number; diverged: number; skipped: object; whats: string[] } {
  const part = verifyIoctl(calls.trace);
  return {
    agreed: part?.counts.agreed ?? 0,
    diverged: part?.counts.diverged ?? 0,
    skipped: part?.skipped ?? {},
    whats: (part?.divergences ?? []).map(({ what }) => what),
  };
}

describe('failures injected by fail-nth', () => {
  test('a sequence that fails one step later each time, until nothing is left to fail', () => {
    const calls = new RecordedCalls();
    // Injected errnos are not of one kind: a look-up of an object fails with ENOENT, a copy with EFAULT.
    const steps = [
      (errno: number) => alloc(calls, errno === 0 ? 1 : 0, errno),
      (errno: number) => map(calls, 1, errno),
      (errno: number) => unmap(calls, 1, errno),
      (errno: number) => destroy(calls, 1, errno),
    ];
    for (const [failing, errno] of [ENOMEM, EFAULT, ENOENT, ENOMEM, 0].entries()) {
      calls.open();
      arm(calls, failing + 1);
      for (const [i, step] of steps.entries()) {
        if (i > failing) break;
        step(i === failing ? errno : 0);
      }
      disarm(calls, errno === 0 ? 3 : 0).close();
    }
    expect(verdict(calls)).toEqual({
      agreed: 0 + 1 + 2 + 3 + 4,
      diverged: 0,
      skipped: {
        'failure injected: ENOMEM': 2,
        'failure injected: EFAULT': 1,
        'failure injected: ENOENT': 1,
      },
      whats: [],
    });
  });

  test('objects after a failure are as before it', () => {
    const calls = alloc(new RecordedCalls().open(), 1);
    destroy(arm(calls, 4), 1, ENOMEM);
    disarm(calls, 0);
    alloc(calls, 2);
    destroy(calls, 1);
    alloc(calls, 1);
    expect(verdict(calls)).toMatchObject({
      agreed: 4,
      diverged: 0,
      skipped: { 'failure injected: ENOMEM': 1 },
    });
    const [tree] = objectTrees(machineAt(calls.trace, Number.POSITIVE_INFINITY));
    expect(tree?.objects.map(({ id }) => id)).toEqual([1, 2]);
  });

  test('a call that fails by itself while armed is judged', () => {
    const calls = alloc(new RecordedCalls().open(), 1);
    unmap(arm(calls, 50), 1, ENOENT);
    disarm(calls, 0);
    expect(verdict(calls)).toMatchObject({ agreed: 2, diverged: 0, skipped: {} });
  });

  test('one armed write makes one call fail: a second is a divergence', () => {
    const calls = arm(new RecordedCalls().open(), 1);
    alloc(calls, 0, ENOMEM);
    alloc(calls, 0, ENOMEM);
    disarm(calls, 0);
    expect(verdict(calls)).toMatchObject({ diverged: 1, skipped: { 'failure injected: ENOMEM': 1 } });
  });

  test.each([
    ['what is left says that nothing fired', (calls: RecordedCalls) => disarm(alloc(arm(calls, 9), 0, ENOMEM), 4)],
    ['after 0 was written', (calls: RecordedCalls) => alloc(disarm(arm(calls, 1), 0), 0, ENOMEM)],
    [
      'the failure hit the reading back',
      (calls: RecordedCalls) =>
        disarm(alloc(arm(calls, 9), 0, ENOMEM).call('pread64', { path: FILE, fd: 5, ret: -EFAULT }), undefined),
    ],
    [
      'another file was written',
      (calls: RecordedCalls) => alloc(calls.call('write', { path: 'file', fd: 5, ret: 1, text: '1' }), 0, ENOMEM),
    ],
  ])('a failure is a divergence where %s', (_what, make) => {
    expect(verdict(make(new RecordedCalls().open()))).toMatchObject({
      diverged: 1,
      whats: ['IOMMU_IOAS_ALLOC ret', 'IOMMU_IOAS_ALLOC out_ioas_id'],
    });
  });

  test('a file that the source names only where it was opened is followed', () => {
    const calls = new RecordedCalls().open().call('openat', { path: FILE, fd: -1, ret: 9 });
    calls.call('write', { fd: 9, ret: 1, text: '3' });
    alloc(calls, 0, ENOMEM);
    expect(verdict(calls)).toMatchObject({ diverged: 0 });
  });

  test('the task of a thread is armed, not its process', () => {
    const calls = new RecordedCalls().open();
    calls.call('pwrite64', { path: '/proc/9/fail-nth', fd: 5, ret: 1, text: '1' });
    alloc(calls, 0, ENOMEM);
    calls.tid = 9;
    alloc(calls, 0, ENOMEM);
    expect(verdict(calls)).toMatchObject({ diverged: 1, skipped: { 'failure injected: ENOMEM': 1 } });
    calls.tid = 8;
    calls.call('write', { path: '/proc/thread-self/fail-nth', fd: 6, ret: 1, text: '1' });
    alloc(calls, 0, ENOMEM);
    calls.call('write', { path: '/proc/self/task/8/fail-nth', fd: 6, ret: 1, text: '0' });
    alloc(calls, 0, ENOMEM);
    expect(verdict(calls)).toMatchObject({ diverged: 2, skipped: { 'failure injected: ENOMEM': 2 } });
  });

  test('the failure that made another call fail is not there for an ioctl', () => {
    const calls = arm(new RecordedCalls().open(), 1);
    calls.call('openat', { path: '/dev/iommu', fd: -1, ret: -ENOMEM });
    disarm(alloc(calls, 0, ENOMEM), 0);
    const part = verdict(calls);
    expect(part).toMatchObject({ diverged: 1, skipped: {} });
    const [note] = verifyIoctl(calls.trace)?.notes ?? [];
    expect(note).toBe(
      'a failure was armed 1 times: 0 made an ioctl or a transfer of events fail, 1 other calls (1 openat), 0 were absorbed by calls that succeeded, 0 did not come',
    );
  });

  test('a failure makes no call succeed with another result', () => {
    const calls = disarm(alloc(arm(new RecordedCalls().open(), 1), 5), 0);
    expect(verdict(calls)).toMatchObject({ diverged: 1, skipped: {}, whats: ['IOMMU_IOAS_ALLOC out_ioas_id'] });
  });

  test('the failure that hit the disarming write came behind all calls', () => {
    const calls = alloc(arm(new RecordedCalls().open(), 2), 0, ENOMEM);
    calls.call('pwrite64', { path: FILE, fd: 5, ret: -EFAULT, text: '0' });
    expect(verdict(disarm(calls, undefined))).toMatchObject({ diverged: 1, skipped: {} });
  });

  test('what is left after a look goes on to count', () => {
    const calls = alloc(arm(new RecordedCalls().open(), 9), 1);
    calls.call('pread64', { path: FILE, fd: 5, ret: 2, text: '3\n' });
    disarm(alloc(calls, 0, ENOMEM), 0);
    expect(verdict(calls)).toMatchObject({ agreed: 1, diverged: 0, skipped: { 'failure injected: ENOMEM': 1 } });
  });

  test('writes whose bytes were not recorded arm and disarm in turns', () => {
    const calls = new RecordedCalls().open();
    const write = (ret = 1): RecordedCalls => calls.call('pwrite64', { path: FILE, fd: 5, ret });
    const read = (left: number): RecordedCalls =>
      calls.call('pread64', { path: FILE, fd: 5, ret: 2, text: `${left}\n` });
    write();
    alloc(calls, 0, ENOMEM);
    read(0);
    write();
    alloc(calls, 0, ENOMEM);
    write();
    // The call before, which nothing explains, was done by the model.
    alloc(calls, 2);
    read(2);
    write(-EFAULT);
    write();
    alloc(calls, 0, ENOMEM);
    expect(verdict(calls)).toMatchObject({ agreed: 1, diverged: 2, skipped: { 'failure injected: ENOMEM': 1 } });
  });

  test('an object that could not be made and one that could not be told of leave their id and descriptor', () => {
    const calls = new RecordedCalls().open();
    const queue = (id: number, fd: number, errno = 0): RecordedCalls =>
      calls.ioctl({
        request: 0x3b8e,
        errno,
        before: [16, 0, 0, 0],
        after: errno === 0 ? [16, 0, id, fd] : [16, 0, 0, 0],
      });
    arm(calls, 1);
    queue(0, 0, EFAULT);
    disarm(calls, 0);
    queue(1, 4);
    arm(calls, 2);
    queue(0, 0, ENOMEM);
    disarm(calls, 0);
    queue(2, 5);
    expect(verdict(calls)).toMatchObject({ agreed: 2, diverged: 0 });
  });

  test('where nobody read back what is left, any one call may have been hit', () => {
    const calls = arm(new RecordedCalls().open(), 1);
    alloc(calls, 0, ENOMEM);
    alloc(calls, 1);
    expect(verdict(calls)).toMatchObject({ agreed: 1, diverged: 0, skipped: { 'failure injected: ENOMEM': 1 } });
  });
});

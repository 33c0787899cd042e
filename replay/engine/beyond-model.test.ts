import { describe, expect, test } from 'vitest';
import { RecordedCalls } from './testing/recorded-calls.ts';
import { verifyIoctl } from './verify-ioctl.ts';

const ENOTTY = 25;
const E2BIG = 7;
const EOPNOTSUPP = 95;
const IOAS_ALLOC = 0x3b81;
const TEST_CMD = 0x3ba0;

/** IOMMU_TEST_CMD with an operation. */
function command(op: number): number[] {
  return [72, op, ...Array.from({ length: 16 }, () => 0)];
}

const NEWER = [
  ['a request', { request: 0x3b97, before: [8, 0] }, 'request 0x3b97 is not known', ENOTTY],
  ['a longer struct', { request: IOAS_ALLOC, before: [16, 0, 0, 1] }, 'struct is longer than known', E2BIG],
  [
    'an operation of the mock driver',
    { request: TEST_CMD, before: command(99) },
    'operation 99 of IOMMU_TEST_CMD is not known',
    EOPNOTSUPP,
  ],
] as const;

describe('what a newer kernel knows', () => {
  test.each(NEWER)('%s that it takes is named, and what follows is no divergence', (_what, call, reason) => {
    const calls = new RecordedCalls().open().ioctl(call);
    calls.ioctl({ request: IOAS_ALLOC, before: [12, 0, 0], after: [12, 0, 3] });
    const part = verifyIoctl(calls.trace);
    expect(part?.counts).toMatchObject({ checked: 0 });
    expect(part?.skipped).toEqual({ [reason]: 1, 'follows a call whose effect is not known': 1 });
  });

  test.each(NEWER)('%s that an older one refuses is judged', (_what, call, _reason, errno) => {
    const calls = new RecordedCalls().open().ioctl({ ...call, errno });
    calls.ioctl({ request: IOAS_ALLOC, before: [12, 0, 0], after: [12, 0, 3] });
    expect(verifyIoctl(calls.trace)?.counts).toMatchObject({ agreed: 1, diverged: 1 });
  });
});

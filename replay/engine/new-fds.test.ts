import { describe, expect, test } from 'vitest';
import { RecordedCalls } from './testing/recorded-calls.ts';
import { verifyTrace } from './verify.ts';

const IOAS_ALLOC = 0x3b81;
const FAULT_QUEUE_ALLOC = 0x3b8e;
const MAP_FILE = 0x3b8f;
const IOAS_UNMAP = 0x3b86;
const FIXED_WRITE = 7;

/** Opens /dev/iommu, allocates an IOAS with id 1, and makes a fault queue with id 2 whose fd is 9. */
function queueAt9(calls: 'full' | 'partial'): RecordedCalls {
  return new RecordedCalls(true, calls)
    .open()
    .ioctl({ request: IOAS_ALLOC, before: [12, 0, 0], after: [12, 0, 1] })
    .ioctl({ request: FAULT_QUEUE_ALLOC, before: [16, 0, 0, 0], after: [16, 0, 2, 9] });
}

describe('recordings that do not tell of every file', () => {
  test('a new fd is the number that the kernel gave; where every call is told it must be the lowest free one', () => {
    expect(verifyTrace(queueAt9('partial').trace, { only: ['ioctl'] })).toMatchObject({ agreed: 2, diverged: 0 });
    const told = verifyTrace(queueAt9('full').trace, { only: ['ioctl'] });
    expect(told.divergences).toMatchObject([{ recorded: '0x9' }]);
  });

  test('a map of a file that nobody saw opened is not judged, nor what depends on it', () => {
    const calls = (kind: 'full' | 'partial') =>
      new RecordedCalls(true, kind)
        .open()
        .ioctl({ request: IOAS_ALLOC, before: [12, 0, 0], after: [12, 0, 1] })
        .ioctl({ request: MAP_FILE, before: [40, FIXED_WRITE, 1, 6, 0, 0, 0x1000, 0, 0x10_0000, 0] })
        .ioctl({ request: IOAS_UNMAP, before: [24, 1, 0x10_0000, 0, 0x1000, 0] });
    const { agreed, diverged, skipped } = verifyTrace(calls('partial').trace, { only: ['ioctl'] });
    expect({ agreed, diverged }).toEqual({ agreed: 1, diverged: 0 });
    expect(Object.keys(skipped.reasons)).toContain('on a file whose opening was not recorded');
    expect(verifyTrace(calls('full').trace, { only: ['ioctl'] }).diverged).toBe(2);
  });
});

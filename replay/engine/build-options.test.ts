import { expect, test } from 'vitest';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { CALL_EVENT, SEEN, STREAM_ID } from '../../traces/schema.ts';
import { verifyIoctl } from './verify-ioctl.ts';
import { testHeader } from '../../traces/testing/test-header.ts';

const CHECK_EXTENSION = 0x3b65;
const NO_IOMMU = 8;

/** Runs of a program on one kernel, each with what it was told of VFIO_NOIOMMU_IOMMU. */
function runs(...answers: readonly (readonly number[])[]): ReturnType<typeof verifyIoctl> {
  const trace = new MemoryTrace(testHeader({ fidelity: { ioctl: 'full', call: 'full' } }));
  const { call, ioctl } = trace.rows;
  let time = 0;
  for (const [pid, told] of answers.entries()) {
    const start = trace.begin(STREAM_ID.call, time++, -1, pid + 1);
    call.columns.event[start] = CALL_EVENT.start;
    call.columns.pid[start] = pid + 1;
    const open = trace.begin(STREAM_ID.call, time++, -1, pid + 1);
    call.columns.event[open] = CALL_EVENT.syscall;
    call.columns.pid[open] = pid + 1;
    call.columns.name[open] = trace.intern('openat');
    call.columns.path[open] = trace.intern('/dev/iommu');
    call.columns.fd[open] = -1;
    call.columns.retLo[open] = 3;
    for (const ret of told) {
      const row = trace.begin(STREAM_ID.ioctl, time++, -1, pid + 1);
      ioctl.columns.pid[row] = pid + 1;
      ioctl.columns.fd[row] = 3;
      ioctl.columns.path[row] = trace.intern('/dev/iommu');
      ioctl.columns.request[row] = CHECK_EXTENSION;
      ioctl.columns.argLo[row] = NO_IOMMU;
      ioctl.columns.retLo[row] = ret;
      ioctl.columns.seen[row] = SEEN.argument;
    }
  }
  return verifyIoctl(trace);
}

test('what a kernel first says of its build is no judgement, but all later answers are held to it', () => {
  expect(runs([1, 1, 1], [1])).toMatchObject({
    counts: { agreed: 3, diverged: 0 },
    skipped: { 'a build option of the kernel is not known': 1 },
  });
  expect(runs([0, 1], [0, 1])).toMatchObject({ counts: { agreed: 1, diverged: 2 } });
  expect(runs([1], [0])).toMatchObject({ counts: { agreed: 0, diverged: 1 } });
});

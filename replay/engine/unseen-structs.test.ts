import { describe, expect, test } from 'vitest';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { CALL_EVENT, SEEN, STREAM_ID } from '../../traces/schema.ts';
import { verifyIoctl } from './verify-ioctl.ts';
import { testHeader } from '../../traces/testing/test-header.ts';

/** A recording that shows a program from its beginning. */
function recording(): MemoryTrace {
  const trace = new MemoryTrace(testHeader({ fidelity: { ioctl: 'partial' } }));
  const start = trace.begin(STREAM_ID.call, 0, -1, 7);
  trace.rows.call.columns.event[start] = CALL_EVENT.start;
  trace.rows.call.columns.pid[start] = 7;
  const open = trace.begin(STREAM_ID.call, 1, -1, 7);
  const { columns } = trace.rows.call;
  columns.pid[open] = 7;
  columns.name[open] = trace.intern('openat');
  columns.path[open] = trace.intern('/dev/iommu');
  columns.retLo[open] = 3;
  return trace;
}

interface Call {
  readonly request: number;
  readonly errno?: number;
  readonly before?: readonly number[];
  readonly after?: readonly number[];
}

function add(trace: MemoryTrace, { request, errno = 0, before, after }: Call): void {
  const row = trace.begin(STREAM_ID.ioctl, 2, -1, 7);
  const { columns } = trace.rows.ioctl;
  columns.pid[row] = 7;
  columns.fd[row] = 3;
  columns.request[row] = request;
  columns.errno[row] = errno;
  columns.retLo[row] = errno < 0 ? -1 : -errno;
  columns.retHi[row] = errno === 0 ? 0 : -1;
  columns.path[row] = trace.intern('/dev/iommu');
  columns.argLo[row] = 0x1000;
  columns.seen[row] = (before === undefined ? 0 : SEEN.before) | (after === undefined ? 0 : SEEN.after);
  if (before !== undefined) trace.setBytes(columns.before, row, words(before));
  if (after !== undefined) trace.setBytes(columns.after, row, words(after));
}

function words(values: readonly number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}

const IOAS_ALLOC = 0x3b81;
const DESTROY = 0x3b80;

describe('what a recording does not show', () => {
  test('a struct that nobody read is not judged, and what follows from it is no divergence', () => {
    const trace = recording();
    add(trace, { request: IOAS_ALLOC });
    // The id that the call before took is not known to be 1.
    add(trace, { request: IOAS_ALLOC, before: [12, 0, 0], after: [12, 0, 2] });
    const part = verifyIoctl(trace);
    expect(part?.skipped).toEqual({
      'contents of the struct not recorded': 1,
      'follows a call whose effect is not known': 1,
    });
    expect(part?.counts).toMatchObject({ diverged: 0 });
  });

  test('a failure without a reason is not judged and changes nothing', () => {
    const trace = recording();
    add(trace, { request: IOAS_ALLOC, errno: -1, before: [12, 0, 0] });
    add(trace, { request: IOAS_ALLOC, before: [12, 0, 0], after: [12, 0, 1] });
    add(trace, { request: DESTROY, before: [8, 1], after: [8, 1] });
    const part = verifyIoctl(trace);
    expect(part?.skipped).toEqual({ 'result not recorded': 1 });
    expect(part?.counts).toMatchObject({ agreed: 2, diverged: 0 });
  });

  test('what is shown is still judged', () => {
    const trace = recording();
    add(trace, { request: IOAS_ALLOC, errno: -1, before: [12, 0, 0] });
    add(trace, { request: IOAS_ALLOC, before: [12, 0, 0], after: [12, 0, 5] });
    expect(verifyIoctl(trace)?.counts).toMatchObject({ agreed: 0, diverged: 1 });
  });
});

import { describe, expect, test } from 'vitest';
import { HEAD_BYTES } from '../recorder/import/importer.ts';
import { detectImporter } from '../recorder/import/importers.ts';
import { FAILING_CASES, sweep } from '../replay/engine/testing/failing-cases.ts';
import { FailingKernel } from '../replay/engine/testing/failing-kernel.ts';
import { verifyIoctl } from '../replay/engine/verify-ioctl.ts';
import { errnoName } from '../traces/errno-names.ts';
import { Health } from '../traces/health.ts';
import { MemoryTrace } from '../traces/memory-trace.ts';
import { testHeader } from '../traces/testing/test-header.ts';
import { ndjsonLines } from './ndjson-lines.ts';

const UNREAD = 'data read from memory whose contents were not recorded';

function imported(text: string): { readonly trace: MemoryTrace; readonly health: Health } {
  const data = new TextEncoder().encode(text);
  const importer = detectImporter(data.subarray(0, HEAD_BYTES));
  if (importer === undefined) throw new Error('not recognised');
  const header = importer.describe(data.subarray(0, HEAD_BYTES));
  const { source, ...rest } = header;
  const trace = new MemoryTrace(testHeader({ sources: [source], ...rest }));
  const health = new Health();
  const run = importer.create({ sink: trace, health, file: 'failnth.jsonl', header });
  run.push(data);
  run.end();
  return { trace, health };
}

describe('a recorded sweep of fault injection, as it is imported', () => {
  test.each([
    ['named by thread', '/proc/self/task/7/fail-nth', '/proc/7/task/7/fail-nth', true],
    ['what was written is not shown', '/proc/self/task/7/fail-nth', '/proc/7/task/7/fail-nth', false],
    ['named by process', '/proc/self/fail-nth', '/proc/7/fail-nth', true],
    ['descriptors without names', '/proc/thread-self/fail-nth', '', true],
  ])('%s: injected failures are named, all else agrees', (_, failNth, failNthLink, written) => {
    const kernel = new FailingKernel();
    for (const run of Object.values(FAILING_CASES)) sweep(kernel, run);
    const { trace, health } = imported(ndjsonLines(kernel.calls.trace, { failNth, failNthLink, written }));
    expect(health.report().entries.filter(({ kind }) => kind !== 'ignored')).toEqual([]);
    const part = verifyIoctl(trace);
    expect(part?.divergences).toEqual([]);
    const { [UNREAD]: unread = 0, ...named } = part?.skipped ?? {};
    const reasons = [...kernel.injected].map(([errno, count]) => [`failure injected: ${errnoName(errno)}`, count]);
    expect(named).toEqual(Object.fromEntries(reasons));
    const injected = [...kernel.injected.values()].reduce((sum, count) => sum + count, 0);
    expect(part?.counts.agreed).toBe(kernel.ioctls - injected - unread);
  });
});

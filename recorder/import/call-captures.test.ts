import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { MemoryTrace } from '../../traces/memory-trace.ts';
import { CAPTURES, CAPTURES_ARE_READ, loadCapture } from './testing/load-capture.ts';

/** Whole captures of system calls, where they are at hand. */

const GET_DEVICE_FD = 0x3b6a;

function files(pattern: RegExp): string[] {
  if (!CAPTURES_ARE_READ) return [];
  return readdirSync(CAPTURES).flatMap((folder) => {
    if (folder.endsWith('.md')) return [];
    return readdirSync(join(CAPTURES, folder))
      .filter((file) => pattern.test(file))
      .map((file) => `${folder}/${file}`);
  });
}

const HEX = files(/^ioctl_.*\.hex/);
const STRACE = files(/^strace_.*\.txt$/);
const VMM = files(/^nest_.*\.log/);

// IORR_FULL=1 and the captures beside the repository are needed: files that are not part of it.
describe.skipIf(!CAPTURES_ARE_READ)('whole captures of system calls', () => {
  test.each([
    ['iommufd-selftest/iommufd.even.jsonl.gz', 50_308, 45_397],
    ['iommufd-selftest/vfio_dma_mmio.nvme.jsonl.gz', 914, 282],
    ['iommufd-random/sample.jsonl.gz', 12_949, 12_014],
  ] as const)('%s', async (path, lines, ioctls) => {
    const { importer, facts, health, trace } = await loadCapture(path);
    expect(importer.name).toBe('ioctl-ndjson');
    expect([facts.lines, facts.events, health.malformed, health.unknown]).toEqual([lines, lines, 0, 0]);
    expect(trace.streamCounts.ioctl).toBe(ioctls);
    expect(trace.streamCounts.call).toBe(lines - ioctls);
  });

  test.each([...HEX, ...STRACE, ...VMM])('%s: every line is accounted for, none is malformed', async (path) => {
    const { importer, facts, health } = await loadCapture(path);
    expect(['ioctl-hex', 'strace', 'qemu-log']).toContain(importer.name);
    expect([health.malformed, health.truncated, health.lost, facts.skipped]).toEqual([0, 0, 0, 0]);
    expect(facts.events + facts.folded + facts.blank + health.unknown + health.ignored).toBe(facts.lines);
  });

  test.each(HEX.filter((path) => path.includes('-vfio-7.2/')))(
    '%s is the program that strace saw too',
    async (path) => {
      const hex = await loadCapture(path);
      const strace = await loadCapture(path.replace('ioctl_', 'strace_').replace(/\.hex.*/, '.txt'));
      // Two runs of one program: the same requests with the same results, in the same order.
      expect(calls(hex.trace)).toEqual(calls(strace.trace));
    },
  );
});

/** Request, result and errno of each ioctl. */
function calls(trace: MemoryTrace): string[] {
  return [...trace.segments()].flatMap(({ rows: { ioctl } }) =>
    Array.from({ length: ioctl.count }, (_, row) => {
      const { request, retLo, errno } = ioctl.columns;
      // Which number a new fd gets depends on what else was open.
      const result = request[row] === GET_DEVICE_FD && errno[row] === 0 ? 'fd' : retLo[row];
      return `${(request[row] ?? 0).toString(16)} ${result} ${errno[row]}`;
    }),
  );
}

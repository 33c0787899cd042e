import { createReadStream, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { FORMAT_VERSION } from '../../traces/header.ts';
import { Health } from '../../traces/health.ts';
import type { HealthReport } from '../../traces/health.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { decompress } from './decompress.ts';
import { HEAD_BYTES } from './importer.ts';
import type { ImportFacts } from './importer.ts';
import { detectImporter } from './importers.ts';

/** Whole captures of system calls, where they are at hand. */

const CAPTURES = fileURLToPath(new URL('../../../shared/captures/', import.meta.url));
const present = process.env['IORR_FULL'] === '1' && existsSync(CAPTURES);

const GET_DEVICE_FD = 0x3b6a;

interface Imported {
  readonly format: string;
  readonly facts: ImportFacts;
  readonly health: HealthReport;
  readonly trace: MemoryTrace;
}

async function importCapture(path: string): Promise<Imported> {
  const parts: Uint8Array[] = [];
  const chunks = decompress(createReadStream(join(CAPTURES, path)), (what) => expect.fail(what));
  for await (const chunk of chunks) parts.push(Uint8Array.from(chunk));
  const bytes = Buffer.concat(parts);
  const importer = detectImporter(bytes.subarray(0, HEAD_BYTES));
  if (importer === undefined) throw new Error(`${path}: not recognised`);
  const header = importer.describe(bytes.subarray(0, HEAD_BYTES));
  const { source, ...rest } = header;
  const trace = new MemoryTrace({
    formatVersion: FORMAT_VERSION,
    tool: 'iorr',
    toolVersion: '0',
    sources: [source],
    ...rest,
  });
  const health = new Health();
  const run = importer.create({ sink: trace, health, file: path, header });
  run.push(bytes);
  return { format: importer.name, facts: run.end(), health: health.report(), trace };
}

function files(pattern: RegExp): string[] {
  if (!present) return [];
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
describe.skipIf(!present)('whole captures of system calls', () => {
  test.each([
    ['iommufd-selftest/iommufd.even.jsonl.gz', 50_308, 45_397],
    ['iommufd-selftest/vfio_dma_mmio.nvme.jsonl.gz', 914, 282],
    ['iommufd-random/sample.jsonl.gz', 12_949, 12_014],
  ] as const)('%s', async (path, lines, ioctls) => {
    const { format, facts, health, trace } = await importCapture(path);
    expect(format).toBe('ioctl-ndjson');
    expect([facts.lines, facts.events, health.malformed, health.unknown]).toEqual([lines, lines, 0, 0]);
    expect(trace.streamCounts.ioctl).toBe(ioctls);
    expect(trace.streamCounts.call).toBe(lines - ioctls);
  });

  test.each([...HEX, ...STRACE, ...VMM])('%s: every line is accounted for, none is malformed', async (path) => {
    const { format, facts, health } = await importCapture(path);
    expect(['ioctl-hex', 'strace', 'qemu-log']).toContain(format);
    expect([health.malformed, health.truncated, health.lost, facts.skipped]).toEqual([0, 0, 0, 0]);
    expect(facts.events + facts.folded + facts.blank + health.unknown + health.ignored).toBe(facts.lines);
  });

  test.each(HEX.filter((path) => path.includes('-vfio-7.2/')))(
    '%s is the program that strace saw too',
    async (path) => {
      const hex = await importCapture(path);
      const strace = await importCapture(path.replace('ioctl_', 'strace_').replace(/\.hex.*/, '.txt'));
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

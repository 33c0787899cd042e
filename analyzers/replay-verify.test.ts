import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTrace } from '../traces/file.ts';
import { EMPTY_HEALTH } from '../traces/header.ts';
import { DIALECT, OUTCOME, STREAM_ID } from '../traces/schema.ts';
import { runCommand } from '../traces/testing/recorded-io.ts';
import { testHeader } from '../traces/testing/test-header.ts';
import { replayCommand } from './replay-command.ts';
import { verifyCommand } from './verify-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'iorr-replay-'));
const good = join(folder, 'good.iorr');
const bad = join(folder, 'bad.iorr');
const silent = join(folder, 'silent.iorr');
const REPLAY = { hardware: 'auto', access: 'none', seed: '1', repeat: '1' };
const VERIFY = { hardware: 'auto' };
afterAll(() => rmSync(folder, { recursive: true }));

/** Three accesses to a page; the last one is recorded as a miss where `wrong`. */
function write(file: string, wrong: boolean, accesses = 3): void {
  const trace = createTrace(
    file,
    testHeader({
      sources: [{ format: 'qemu-log', producer: 'QEMU' }],
      host: { iommu: 'vtd', emulated: true },
      clock: { epochNs: '0', name: 'realtime', resolutionNs: 1000 },
      fidelity: { dma: 'full', inv: 'full' },
    }),
  );
  let row = trace.begin(STREAM_ID.inv, 1000, -1, -1);
  trace.rows.inv.columns.dialect[row] = DIALECT.vtd;
  trace.rows.inv.columns.w0Lo[row] = 0x400e2;
  for (let i = 0; i < accesses; i++) {
    row = trace.begin(STREAM_ID.dma, 2000 + i, -1, -1);
    const { columns } = trace.rows.dma;
    columns.rid[row] = 0x18;
    columns.domain[row] = 4;
    columns.iovaLo[row] = 0x5000;
    columns.outLo[row] = 0x9000;
    columns.pageShift[row] = 12;
    columns.outcome[row] = OUTCOME.known | (i > 0 && !(wrong && i === 2) ? OUTCOME.hit : 0);
  }
  trace.finish({ health: EMPTY_HEALTH, notes: {} });
}

beforeAll(() => {
  write(good, false);
  write(bad, true);
  write(silent, false, 0);
});

describe('iorr replay', () => {
  test('tables on stdout', async () => {
    const { code, out } = await runCommand(replayCommand, [good], REPLAY);
    expect(code).toBe(0);
    expect(out).toContain('hardware qemu-vtd');
    expect(out).toMatch(/Lookups +3/);
    expect(out).toMatch(/Exposure +unknown/);
  });

  test('--json has the names of the schema, --set shows in the parameters', async () => {
    const options = { ...REPLAY, json: true, hardware: 'vtd-64x4', set: ['sets=2,ways=1'], repeat: '2' };
    const { code, out } = await runCommand(replayCommand, [good], options);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      command: 'replay',
      options: { hardware: 'vtd-64x4', set: ['sets=2,ways=1'], repeat: 2 },
      health: { lost: 0 },
      result: {
        events: 8,
        iotlb: { lookups: 6, hits: 4, misses: 2, causes: { compulsory: 1, invalidation: 1, capacity: 0, conflict: 0 } },
        exposure: null,
        parameters: expect.arrayContaining([expect.objectContaining({ name: 'iotlb.sets', value: 2 })]),
      },
    });
    expect(JSON.parse(out).result.eventsPerSecond).toBeGreaterThan(0);
  });

  test.each([
    [{ set: ['wayz=1'] }, "has no parameter 'wayz'"],
    [{ repeat: '0' }, '--repeat 0: a whole number from 1'],
    [{ seed: 'x' }, '--seed x: a whole number'],
    [{ access: 'rinq' }, "unknown access model 'rinq'"],
  ])('%j is a usage error', async (wrong, message) => {
    const run = runCommand(replayCommand, [good], { ...REPLAY, ...wrong });
    await expect(run).rejects.toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(message) }),
    );
  });

  test('stops when interrupted, without a result', async () => {
    const { code, out } = await runCommand(replayCommand, [good], REPLAY, AbortSignal.abort());
    expect([code, out]).toEqual([130, '']);
  });
});

describe('iorr verify', () => {
  test('exit 0 where all agree', async () => {
    const { code, out } = await runCommand(verifyCommand, [good], { ...VERIFY, only: 'dma' });
    expect(code).toBe(0);
    expect(out).toContain('All 3 recorded outcomes agree');
  });

  test('exit 3 and the event where one diverges', async () => {
    const { code, out } = await runCommand(verifyCommand, [bad], { ...VERIFY, json: true });
    expect(code).toBe(3);
    expect(JSON.parse(out).result).toMatchObject({
      checked: 3,
      agreed: 2,
      diverged: 1,
      byKind: { dma: { checked: 3, diverged: 1 } },
      divergences: [{ event: 3, kind: 'dma', what: 'outcome', recorded: 'miss', model: 'hit' }],
    });
  });

  test.each([
    [silent, {}],
    [good, { only: 'inv' }],
    [good, { only: 'ioctl' }],
  ])('nothing to verify is an error with exit code 3', async (file, options) => {
    const run = runCommand(verifyCommand, [file], { ...VERIFY, ...options });
    await expect(run).rejects.toThrow(expect.objectContaining({ code: 'NOTHING_TO_VERIFY', exitCode: 3 }));
  });
});

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { guestLog, textChunks } from '../../bench/log-text.ts';
import { infoOf, killAfter } from '../../bench/robustness/kill-run.ts';
import { simulatedTrace } from '../../bench/simulated-trace.ts';
import { Random } from '../../traces/random.ts';

const full = process.env['IORR_FULL'] === '1';
const capture = join(import.meta.dirname, '../../../shared/captures/vtd-strict-6.12/trace.txt.zst');
const folder = mkdtempSync(join(tmpdir(), 'iorr-kill-'));

/** Kills of an import of a file, and of one whose input comes slowly: 5, or 50. */
const [FAST, SLOW] = full ? [35, 15] : [4, 1];
const REPEATS = 8;

let chunks: readonly Uint8Array[] = [];
let log = '';

beforeAll(() => {
  chunks = [...textChunks(guestLog(simulatedTrace('packet-nic', ['events=120k', 'calls=yes', 'devices=4'])))];
  log = join(folder, 'trace.txt');
  writeFileSync(log, Buffer.concat(Array.from({ length: REPEATS }, () => chunks).flat()));
});

afterAll(() => rmSync(folder, { recursive: true }));

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe('kill -9 of an import', () => {
  test.each(numbers(FAST))(
    'of a file at random instant %i: what is there opens, and says what is missing',
    async (i) => {
      const random = new Random(7000 + i);
      const input = full && existsSync(capture) && i % 2 === 0 ? capture : log;
      const output = join(folder, `fast-${i}.iorr`);
      const { killed } = await killAfter(['import', input, '-o', output], output, random.below(2500));
      const { health, result } = infoOf(output);
      const names = health.entries.map(({ name }) => name).join();
      // A whole file is there if the kill came after the last event was written, or the import was faster than the kill.
      const missing = result.closed ? 0 : health.truncated;
      expect(missing > 0).toBe(!result.closed);
      expect(names.includes('no footer: the recording was cut')).toBe(!result.closed);
      expect(killed || result.closed).toBe(true);
      expect(Object.values(result.streams).reduce((sum, { events }) => sum + events, 0)).toBe(result.events);
    },
  );

  test.each(numbers(SLOW))('of a slow input at random instant %i: at most a second of it is lost', async (i) => {
    const random = new Random(9000 + i);
    const output = join(folder, `slow-${i}.iorr`);
    // The first 64 KiB tell the format; the rest comes by the line.
    const [head, next] = chunks as readonly [Uint8Array, Uint8Array];
    const small = [head, ...numbers(400).map((k) => next.subarray(k * 150, k * 150 + 150))];
    const feed = { chunks: small, pauseMs: 20 };
    const delay = 2500 + random.below(2500);
    const { killed, fedAt, killedAt } = await killAfter(['import', '-', '-o', output], output, delay, feed);
    expect(killed).toBe(true);
    const { health, result } = infoOf(output);
    expect(result.closed).toBe(false);
    expect(health.truncated).toBeGreaterThan(0);
    // The period of a flush, and as much again for a machine that has other things to do.
    const before = fedAt.filter((at) => at < killedAt - 2000).length;
    const lines = Buffer.concat(small.slice(0, before))
      .toString()
      .split('\n')
      .filter((line) => line.includes(': '));
    expect(lines.length).toBeGreaterThan(500);
    expect(result.events).toBeGreaterThanOrEqual(lines.length - 1);
  });
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { infoOf, killAfter } from '../../bench/robustness/kill-run.ts';
import { Random } from '../../traces/random.ts';

const folder = mkdtempSync(join(tmpdir(), 'iorr-kill-'));
afterAll(() => rmSync(folder, { recursive: true }));

const KILLS = process.env['IORR_FULL'] === '1' ? 25 : 2;

describe('kill -9 of a simulation', () => {
  test.each(Array.from({ length: KILLS }, (_, i) => i))('at random instant %i: what is there opens', async (i) => {
    const output = join(folder, `${i}.iorr`);
    const delay = new Random(100 + i).below(3000);
    const args = ['simulate', 'ring-nic', '-o', output, '--set', 'events=1G'];
    const { killed } = await killAfter(args, output, delay);
    expect(killed).toBe(true);
    const { health, result } = infoOf(output);
    expect(result.closed).toBe(false);
    expect(health.truncated).toBeGreaterThan(0);
    expect(health.entries.map(({ name }) => name).join()).toMatch(/no footer: the recording was cut/);
    expect(Object.values(result.streams).reduce((sum, { events }) => sum + events, 0)).toBe(result.events);
  });
});

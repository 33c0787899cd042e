import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { analyzeCommand } from './analyze-command.ts';
import { runCommand } from '../traces/testing/recorded-io.ts';
import type { CommandRun } from '../traces/testing/recorded-io.ts';

const CORPUS = join(import.meta.dirname, '../traces/corpus');

function analyze(file: string, options: { readonly [key: string]: unknown } = {}): Promise<CommandRun> {
  return runCommand(analyzeCommand, ['safety', join(CORPUS, file)], options);
}

describe('iorr analyze safety', () => {
  test('says in one line what is wrong, then what it rests on', async () => {
    const { code, out } = await analyze('vtd-pri-pasid-7.2.iorr');
    expect(code).toBe(0);
    expect(out.split('\n')[0]).toMatch(
      /vtd-pri-pasid-7\.2\.iorr: 0 stale translations; 0 commands missing, 0 late, \d+ redundant/,
    );
    expect(out).toContain('Page-seconds');
  });

  test('gates: 0 where they hold, 3 and a reason where not', async () => {
    expect((await analyze('vtd-pri-pasid-7.2.iorr', { failOn: 'stale,missing,late' })).code).toBe(0);
    const breached = await analyze('vtd-pri-pasid-7.2.iorr', { failOn: 'commands.iotlb>0,stale' });
    expect(breached.code).toBe(3);
    expect(breached.err).toMatch(/^iorr: gate breached: commands.iotlb>0: commands.iotlb is \d+\n$/);
  });

  test('the document has the names that scripts rely on', async () => {
    const { out } = await analyze('vtd-pri-pasid-7.2.iorr', { json: true });
    const { command, result } = JSON.parse(out) as { command: string; result: Record<string, unknown> };
    expect(command).toBe('analyze safety');
    expect(result).toMatchObject({
      exposure: { pages: expect.any(Number), pageSeconds: expect.any(Number), ns: { p50: expect.any(Number) } },
      stale: { translations: 0, maxAgeNs: 0 },
      wasted: expect.any(Number),
      overWide: expect.any(Number),
      findings: expect.any(Array),
    });
  });

  test('a trace without accesses says what stays unknown, and a gate on it does not pass', async () => {
    const { code, out, err } = await analyze('smmuv3-strict-6.12-ftrace.iorr', { failOn: 'stale' });
    expect(out).toContain('stale translations unknown');
    expect(out).not.toContain('mapped again');
    expect(err).toContain('what is unknown does not pass');
    expect(code).toBe(3);
  });

  test.each(['smmuv3-strict-6.12.iorr', 'amd-vfio-7.2.iorr', 'virtio-iommu-6.12.iorr', 'vtd-vfio-7.2.iorr'])(
    '%s: what was recorded of a working driver has nothing missing',
    async (file) => {
      const { code, out } = await analyze(file, { failOn: 'findingsByKind.missing', json: true });
      expect(code).toBe(0);
      const { result } = JSON.parse(out) as { result: { findingsByKind: Record<string, number> } };
      expect(result.findingsByKind['stale']).toBe(0);
    },
  );

  test('a trace without unmaps is refused', async () => {
    await expect(analyze('vtd-vfio-7.2-qemu.iorr')).rejects.toThrow(/no unmaps/);
  });

  test('--at is refused', async () => {
    await expect(analyze('vtd-pri-pasid-7.2.iorr', { at: '1s' })).rejects.toThrow(/takes no --at/);
  });
});

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { importCommand } from '../recorder/import/import-command.ts';
import { verifyTrace } from '../replay/engine/verify.ts';
import { openTrace } from '../traces/file.ts';
import { runCommand } from '../traces/testing/recorded-io.ts';

/** Commands of whole captures, both sides joined: IORR_FULL=1 and the captures beside the repository. */

const CAPTURES = fileURLToPath(new URL('../../shared/captures/', import.meta.url));
const present = process.env['IORR_FULL'] === '1' && existsSync(CAPTURES);
if (!present) console.warn('whole captures are not verified: IORR_FULL=1 and ../shared/captures are needed');

test.skipIf(!present).each([
  ['vtd-strict-6.12', 183_114, 183_200],
  ['vtd-lazy-ats-6.12', 1_755, 1_241],
  ['smmuv3-strict-6.12', 100_380, 100_380],
  ['virtio-iommu-6.12', 443_607, 0],
  ['amd-vfio-7.2', 2_889, 1_463],
])('%s: every command that a map or unmap implies is regenerated', async (name, flushes, waits) => {
  const folder = mkdtempSync(join(tmpdir(), 'iorr-'));
  try {
    const output = join(folder, 'run.iorr');
    const args = ['trace.txt.zst', 'qemu_trace.log.zst'].map((file) => join(CAPTURES, name, file));
    const { code, err } = await runCommand(importCommand, args, { output });
    expect([code, err]).toEqual([0, expect.any(String)]);
    const trace = openTrace(output);
    try {
      const { divergences, byPart } = verifyTrace(trace, { only: ['inv'] });
      expect(divergences).toEqual([]);
      expect(byPart['inv.flush']?.agreed).toBe(flushes);
      expect(byPart['inv.wait']?.agreed ?? 0).toBe(waits);
    } finally {
      trace.close();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

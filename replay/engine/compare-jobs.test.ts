import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTrace } from '../../traces/file.ts';
import { costProfile } from '../costs/cost-profiles.ts';
import { hardwareProfile } from '../hardware/profiles.ts';
import { compareTrace } from './compare.ts';
import { callsHeader, deriveIntents } from './derived-trace.ts';

const full = process.env['IORR_FULL'] === '1';
const corpus = join(import.meta.dirname, '../../traces/corpus');
const files = readdirSync(corpus).filter((name) => name.endsWith('.iorr'));
const DESIGNS = ['linux-strict', 'linux-lazy', 'batch-n@8', 'per-page', 'persistent'];
/** One with devices that have caches of their own, one with calls alone; all of them take minutes. */
const usual = ['vtd-pri-pasid-7.2.iorr', 'vtd-vfio-7.2-ioctl.iorr'];

describe('a comparison of a corpus trace is the same by any number of workers', () => {
  test.each(full ? files : usual)('%s', async (name) => {
    const trace = openTrace(join(corpus, name));
    try {
      const { map, unmap } = (deriveIntents(trace) ?? trace).streamCounts;
      const options = {
        designs: DESIGNS,
        hardware: hardwareProfile('auto', callsHeader(trace)),
        profile: costProfile('auto', trace.header),
        parameters: new Map([['kernel', 612]]),
      };
      if (map + unmap === 0) {
        await expect(compareTrace(trace, options)).rejects.toMatchObject({ code: 'STREAM_MISSING' });
        return;
      }
      const alone = JSON.stringify(await compareTrace(trace, { ...options, jobs: 1 }));
      for (const jobs of full ? [2, 3, 8, 64] : [3]) {
        const text = JSON.stringify(await compareTrace(trace, { ...options, jobs }));
        expect(text === alone, `${jobs} jobs`).toBe(true);
      }
    } finally {
      trace.close();
    }
  });
});

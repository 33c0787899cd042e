import { join } from 'node:path';
import { expect, test } from 'vitest';
import { comparePri } from '../../replay/faults/compare-pri.ts';
import { vtdPrq } from '../../replay/faults/queues/vtd-prq.ts';
import { costProfile } from '../../replay/costs/cost-profiles.ts';
import { describeInput, makeEnvelope } from '../../traces/envelope.ts';
import { openTrace } from '../../traces/file.ts';
import { troubleWith } from '../report/fixtures/inert-page.ts';
import { lineCount } from '../report/fixtures/page-charts.ts';
import { priCompareHtml } from './pri-compare-html.ts';
import { priDesigns } from './pri-what-if.ts';

test('the page of page requests has a line for each row in every picture', async () => {
  const file = join(import.meta.dirname, '../../traces/corpus/vtd-pri-pasid-7.2.iorr');
  const trace = openTrace(file);
  try {
    const pageOf = async (what: string): Promise<string> => {
      const pri = await comparePri(trace, {
        designs: priDesigns(what, vtdPrq),
        profile: costProfile('auto', trace.header),
        parameters: new Map(),
        seed: 1,
      });
      if (pri === undefined) throw new Error('the comparison was not done');
      const caveats = [...pri.caveats, '<script>alert(1)</script>\u202e'];
      return priCompareHtml(
        makeEnvelope('compare', {
          version: '0.0.0',
          input: [describeInput('<b>.iorr', trace, trace.bytes)],
          options: {},
          health: trace.health,
          result: { pri: { ...pri, caveats } },
        }),
      );
    };
    const depths = await pageOf('depth=4,16,64;servers=1,2;arrivals=closed:32');
    expect(troubleWith(depths)).toEqual([]);
    // latency twice and occupancy twice by row; overflow and wait by depth
    expect(lineCount(depths)).toBe(4 * 6 + 2 * 2);
    expect(depths).toContain('Share of lost requests against queue depth');
    const one = await pageOf('servers=1,2');
    expect(lineCount(one)).toBe(4 * 2);
    expect(one).not.toContain('id="depth"');
  } finally {
    trace.close();
  }
});

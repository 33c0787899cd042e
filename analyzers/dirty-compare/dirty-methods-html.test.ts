import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compareDirty } from '../../replay/dirty/compare-dirty.ts';
import type { DirtyResult } from '../../replay/dirty/dirty-result.ts';
import { costProfile } from '../../replay/costs/cost-profiles.ts';
import { hardwareProfile } from '../../replay/hardware/profiles.ts';
import { describeInput, makeEnvelope } from '../../traces/envelope.ts';
import { openTrace } from '../../traces/file.ts';
import { troubleWith } from '../report/fixtures/inert-page.ts';
import { chartsOf, lineCount } from '../report/fixtures/page-charts.ts';
import { dirtyMethodsHtml } from './dirty-methods-html.ts';

/** The page of some methods, and what it is made of. */
async function pageOf(methods: string): Promise<{ readonly page: string; readonly dirty: DirtyResult }> {
  const file = join(import.meta.dirname, '../../traces/corpus/migration-dirty.iorr');
  const trace = openTrace(file);
  try {
    const dirty = await compareDirty(trace, {
      methods,
      tables: 'auto',
      threads: [1, 2],
      hardware: hardwareProfile('auto', trace.header),
      profile: costProfile('auto', trace.header),
      linkBytesPerSecond: 12.5e6,
      downtimeLimitNs: 20e6,
      planBytes: 2 ** 40,
      parameters: new Map(),
      seed: 1,
    });
    if (dirty === undefined) throw new Error('the comparison was not done');
    const caveats = [...dirty.caveats, '<script>alert(1)</script>\u202e'];
    const page = dirtyMethodsHtml(
      makeEnvelope('compare', {
        version: '0.0.0',
        input: [describeInput('<b>.iorr', trace, trace.bytes)],
        options: {},
        health: trace.health,
        result: { dirty: { ...dirty, caveats } },
      }),
    );
    return { page, dirty };
  } finally {
    trace.close();
  }
}

test('the page of methods has a line for each in every picture', async () => {
  const { page, dirty } = await pageOf('ad-bits@4k,ad-bits@2m');
  expect(troubleWith(page)).toEqual([]);
  // convergence with the recorded one, reported, duration, threads
  expect(lineCount(page)).toBe(4 * 2 + 1);
  expect(page).toContain('sent within 20.0');
  expect(page).toContain('aria-label="Plans"');
  // a point for each pass of a line with few, and one for its end, up to where the picture is cut; the recorded one has a
  // point for the memory and one for each synchronisation that found something
  const migrations = dirty.methods.map((row) => row.threads[0]!.migration);
  const until = 1.5 * Math.max(...migrations.filter((one) => one.converged).map(({ totalNs }) => totalNs));
  const passes = migrations.reduce((sum, migration) => {
    const [first] = migration.passes;
    const ends = migration.passes.map((pass) => pass.startNs + pass.durationNs - first!.startNs);
    return sum + 1 + ends.filter((at) => !(at > until)).length;
  }, 0);
  const [row] = dirty.methods;
  const found = row!.series.written.filter((pages) => pages > 0).length;
  const [convergence] = chartsOf(page);
  expect(convergence!.lines.flatMap(({ x, marks }) => (marks === true ? x : []))).toHaveLength(passes + 1 + found);
  expect(page).not.toContain('id="crossover"');
});

test('with page requests it has maps of what costs least', async () => {
  const { page, dirty } = await pageOf('ad-bits@4k,write-protect,pri-log');
  expect(troubleWith(page)).toEqual([]);
  const part = page.slice(page.indexOf('<section class="part" id="crossover"'), page.indexOf('id="figures"'));
  for (const { winners } of dirty.crossover!.maps) {
    const names = new Set(winners.flat().map(({ method }) => method));
    expect([...names].sort()).toEqual(['ad-bits@4k', 'pri-log@4k']);
  }
  // a part of the map for each, in both maps
  expect(part.match(/<path d="M[^"]+z" fill="currentColor"/g)).toHaveLength(4);
  expect(part).toContain('700\u202fµs');
  for (const label of ['Boundaries', 'Links', 'Storms', 'Latencies']) expect(part).toContain(`aria-label="${label}"`);
});

import { describe, expect, test } from 'vitest';
import type { CompareResult, DesignResult, Exposure } from '../../replay/results.ts';
import { compareResult, emptyResult, tenDesigns, unknownResult } from './fixtures/results.ts';
import { headline } from './headline.ts';

function title(result: CompareResult): string {
  return headline(result).title.replaceAll('\u202f', ' ');
}

/** Two designs with these CPU times and page-seconds. */
function pair(cpu: readonly [number, number], pageSeconds: readonly [number, number]): CompareResult {
  const [strict, lazy] = compareResult().designs;
  if (strict === undefined || lazy === undefined) throw new Error('no designs');
  const set = (design: DesignResult, i: 0 | 1): DesignResult => ({
    ...design,
    cpuNs: cpu[i],
    exposure: { ...(design.exposure as Exposure), pageSeconds: pageSeconds[i] },
  });
  return compareResult({ designs: [set(strict, 0), set(lazy, 1)] });
}

describe('the sentence', () => {
  test.each([
    [
      [1000, 250],
      [7, 2387],
      'linux-lazy takes 75.0 % less CPU time than linux-strict, but leaves 341 times the exposure',
    ],
    [[250, 1000], [7, 14], 'linux-strict takes 75.0 % less CPU time than linux-lazy, and leaves 50.0 % less exposure'],
    [[1000, 250], [5, 6], 'linux-lazy takes 75.0 % less CPU time than linux-strict, but leaves 20.0 % more exposure'],
    [[1000, 1], [5, 5], 'linux-lazy takes 99.9 % less CPU time than linux-strict, and leaves the same exposure'],
    [
      [1000, 250],
      [0, 6],
      'linux-lazy takes 75.0 % less CPU time than linux-strict, but leaves 6.00 page-seconds of exposure against none',
    ],
    [[1000, 250], [6, 0], 'linux-lazy takes 75.0 % less CPU time than linux-strict, and leaves no exposure'],
    [[1000, 250], [0, 0], 'linux-lazy takes 75.0 % less CPU time than linux-strict, and neither leaves any exposure'],
    [[5, 5], [1, 1], 'linux-lazy takes the same CPU time as linux-strict, and leaves the same exposure'],
    [[5, 0], [1, 1], 'linux-lazy takes no CPU time where linux-strict takes 5 ns, and leaves the same exposure'],
  ] as const)('CPU %j, exposure %j', (cpu, pageSeconds, said) => {
    expect(title(pair(cpu, pageSeconds))).toBe(said);
  });

  test('never calls an unknown exposure small', () => {
    expect(title(unknownResult())).toMatch(/at an unknown exposure$/);
    for (const { text } of headline(unknownResult()).details) expect(text).toMatch(/is unknown/);
  });

  test("names the model where accesses are a model's", () => {
    expect(title(compareResult({ access: 'ring' }))).toMatch(/times the exposure, by the access model ring$/);
  });

  test('of one design, of many, of none, of nothing', () => {
    const { designs } = compareResult();
    expect(title(compareResult({ designs: designs.slice(0, 1) }))).toMatch(
      /^linux-strict sends 211 241 invalidation commands for 183 114 unmaps$/,
    );
    expect(title(tenDesigns())).toMatch(/^Of 10 designs .* takes the least CPU time, .* leaves the least exposure$/);
    expect(title(compareResult({ designs: [] }))).toBe('No design was compared');
    expect(title(emptyResult())).toMatch(/neither leaves any exposure$/);
  });

  test('says how many stale translations were served', () => {
    const [strict] = compareResult().designs;
    if (strict === undefined) throw new Error('no design');
    const served = (translations: number): string =>
      headline(compareResult({ designs: [{ ...strict, stale: { translations, maxAgeNs: 9 } }] })).details[0]?.text ??
      '';
    expect(served(0)).toMatch(/No stale translation was served\.$/);
    expect(served(1)).toMatch(/ 1 stale translation was served\.$/);
    expect(served(3)).toMatch(/ 3 stale translations were served\.$/);
  });
});

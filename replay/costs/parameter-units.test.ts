import { describe, expect, test } from 'vitest';
import { DESIGNS, designTrouble, namedDesign } from '../designs/designs.ts';
import { DIRTY_PARAMETERS } from '../dirty/dirty-parameters.ts';
import { applySettings } from '../engine/compare-settings.ts';
import { vtdServer } from '../hardware/vtd-server.ts';
import { PATHS } from '../paths/paths.ts';
import { genericServer } from './generic-server.ts';
import { isCounted } from './parameter-units.ts';

describe('parameters that are counted', () => {
  const parts = [...DESIGNS, ...PATHS, { parameters: DIRTY_PARAMETERS }];
  const all = [...genericServer.parameters, ...parts.flatMap((part) => part.parameters)];

  test('are those whose default is whole', () => {
    for (const { name, value, unit } of all) {
      if (isCounted(unit)) expect(`${name} ${value}`).toBe(`${name} ${Math.round(value)}`);
    }
    expect(['ns', 'ms', 'MiB', '%', '% of memory', 'bytes/ns'].filter(isCounted)).toEqual([]);
    expect(['entries', '0 or 1', 'passes', 'Hz'].filter(isCounted)).toHaveLength(4);
  });

  test('take no fraction, by --set or behind a name', () => {
    for (const { name, unit, value } of all) {
      const set = (text: string): unknown => applySettings([`${name}=${text}`], vtdServer, genericServer, parts);
      expect(set(String(value))).toBeTruthy();
      if (isCounted(unit)) expect(() => set(`${Math.floor(value)}.5`)).toThrow(/whole number/);
    }
    expect(namedDesign('batch-n@1.5')).toBeUndefined();
    expect(designTrouble('batch-n@1.5')[0]).toMatch(/whole number/);
    expect(namedDesign('batch-n@2')?.given.size).toBe(1);
  });

  test('a name of a known family is answered with the family', () => {
    const wrong = (): unknown => applySettings(['precopy.zebra=1'], vtdServer, genericServer, parts);
    expect(wrong).toThrow(/nothing is called/);
  });
});

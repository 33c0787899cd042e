import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTrace } from '../../traces/file.ts';
import { EMPTY_HEALTH } from '../../traces/header.ts';
import { troubleWith } from '../report/fixtures/inert-page.ts';
import { analyzeDirty } from './dirty.ts';
import type { DirtyResult } from './dirty.ts';
import { dirtyHtml } from './dirty-html.ts';

const HOSTILE = '<img src=x onerror=alert(1)>\u202e"\'';

function analyze(name: string): DirtyResult {
  const trace = openTrace(join(import.meta.dirname, `../../traces/corpus/${name}.iorr`));
  try {
    return analyzeDirty(trace);
  } finally {
    trace.close();
  }
}

function hostile(result: DirtyResult): DirtyResult {
  const { writes, migration } = result;
  return {
    ...result,
    caveats: [HOSTILE],
    writes: writes && {
      ...writes,
      heat: { ...writes.heat, bands: writes.heat.bands.map((band) => ({ ...band, space: HOSTILE })) },
    },
    migration: migration && { ...migration, states: [{ timeNs: 0, state: HOSTILE }] },
  };
}

const migration = analyze('migration-dirty');
const PAGES = [
  ['a migration', migration],
  ['lost dirty state', analyze('iommufd-random')],
  ['hostile names', hostile(migration)],
  ['nothing', { ...migration, writes: null, harvested: null, estimates: null, migration: null, source: null }],
] as const;

describe.each(PAGES)('the page of %s', (_, result) => {
  const page = dirtyHtml(result, { file: HOSTILE, version: '0.0.0', health: EMPTY_HEALTH });

  test('is self-contained, inert and well-formed', () => {
    expect(troubleWith(page)).toEqual([]);
  });
});

test('pictures have what the result has', () => {
  const page = dirtyHtml(migration, { file: 'm.iorr', version: '0.0.0', health: EMPTY_HEALTH });
  for (const section of ['time', 'sets', 'leaves', 'migration'])
    expect(page).toContain(`<section class="part" id="${section}">`);
  const bands = migration.writes?.heat.bands.length;
  expect(page.match(/<rect class="band"/g)).toHaveLength(bands ?? -1);
  // cells of the map, drawn as runs: as many columns as are not empty
  const columns = [...page.matchAll(/class="heat-\d" d="([^"]+)"/g)].flatMap(
    ([, path = '']) => path.match(/h[\d.]+v/g) ?? [],
  );
  const filled = migration.writes?.heat.bands.flatMap((band) => band.pages.filter((pages) => pages > 0)).length ?? 0;
  const cell = (1240 - 150 - 14) / 120;
  const drawn = columns.reduce((sum, run) => sum + Number(run.slice(1, -1)), 0) / cell;
  expect(drawn).toBeCloseTo(filled, -1);
});

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTrace } from '../../traces/file.ts';
import { EMPTY_HEALTH } from '../../traces/header.ts';
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
  ['nothing', { ...migration, writes: null, harvested: null, migration: null, source: null }],
] as const;

describe.each(PAGES)('the page of %s', (_, result) => {
  const page = dirtyHtml(result, { file: HOSTILE, version: '0.0.0', health: EMPTY_HEALTH });

  test('lets only its own script and style run, by their hashes, and loads nothing', () => {
    const policy = /<meta http-equiv="Content-Security-Policy" content="([^"]+)">/.exec(page)?.[1] ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*|data:|blob:/);
    for (const tag of ['script', 'style']) {
      const inline = [...page.matchAll(new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`, 'g'))].map(
        (match) => match[1] ?? '',
      );
      expect(inline).toHaveLength(1);
      expect(policy).toContain(
        createHash('sha256')
          .update(inline[0] ?? '')
          .digest('base64'),
      );
    }
    const body = page.replace(/<script>[\s\S]*?<\/script>|<style>[\s\S]*?<\/style>/g, '');
    const bare = (body.match(/<[a-z][^>]*>/g) ?? []).map((tag) => tag.replace(/"[^"]*"/g, '""'));
    expect(bare.filter((tag) => /\s(?:src|srcset|data|action|style|on\w+)=/.test(tag))).toEqual([]);
    expect(bare.filter((tag) => /^<(?:img|iframe|object|embed|link|base|form)\b/.test(tag))).toEqual([]);
    expect(page).not.toContain('\u202e');
  });

  test('balances its elements, and holds no number that is none', () => {
    const body = page.replace(/<(script|style)\b[\s\S]*?<\/\1>/g, '');
    const open: string[] = [];
    for (const [, close, name = '', selfClosed] of body.matchAll(/<(\/?)([a-z][a-z0-9]*)\b[^>]*?(\/?)>/g)) {
      if (selfClosed === '/' || name === 'meta') continue;
      if (close === '') open.push(name);
      else expect(open.pop()).toBe(name);
    }
    expect(open).toEqual([]);
    expect(body).not.toMatch(/NaN|Infinity|undefined/);
    expect(page.length).toBeLessThan(400_000);
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

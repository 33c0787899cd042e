import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DESIGNS } from '../replay/designs/designs.ts';
import { readText, root } from './files.ts';

const trace = join(root, 'traces/corpus/vtd-pri-pasid-7.2.iorr');
/** The README's example: the first block marked as JavaScript. */
const [, example = ''] = /^```js\n(.*?)^```/ms.exec(readText('README.md')) ?? [];

let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'iorr-designs-'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(folder, 'every-nth.js'), example);
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function compare(designs: string, jobs: number): { status: number | null; stdout: string; stderr: string } {
  const args = ['compare', trace, '--designs', designs, '--jobs', String(jobs), '--json'];
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'dist/cli.js'), ...args], {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  return { status, stdout, stderr };
}

/** The example with something else in the place of a piece of it, as a file of its own. */
function altered(name: string, piece: string, other: string): string {
  expect(example).toContain(piece);
  writeFileSync(join(folder, name), example.replace(piece, other));
  return `./${name}`;
}

describe('a design of the user', () => {
  test('runs beside the built-in ones, in workers too, with the same bytes', () => {
    const designs = 'linux-strict,./every-nth.js,linux-lazy,./every-nth.js@8';
    const runs = [1, 3].map((jobs) => compare(designs, jobs));
    expect(runs.map(({ status, stderr }) => ({ status, stderr }))).toEqual(runs.map(() => ({ status: 0, stderr: '' })));
    expect(runs[1]?.stdout === runs[0]?.stdout).toBe(true);
    const { result } = JSON.parse(runs[0]?.stdout ?? '') as {
      result: {
        designs: { name: string; commands: number; syncs: number; stale: { translations: number } }[];
        parameters: { name: string; value: number }[];
      };
    };
    expect(result.designs.map(({ name }) => name)).toEqual(['linux-strict', 'every-nth', 'linux-lazy', 'every-nth@8']);
    const [strict, nth, , eighth] = result.designs;
    expect(eighth?.syncs ?? 0).toBeGreaterThan(4 * (nth?.syncs ?? 0));
    expect(eighth?.syncs ?? 0).toBeLessThan((strict?.syncs ?? 0) / 6);
    expect(nth?.stale.translations).toBe(0);
    expect(result.parameters).toContainEqual(expect.objectContaining({ name: 'every-nth@8.n', value: 8 }));
  });

  test('says what is wrong with it, and where', () => {
    const cases: readonly (readonly [string, RegExp, RegExp])[] = [
      ['./gone.js', /gone\.js: no such file/, /--designs takes names and files/],
      [
        altered('none.js', 'export default', 'export const x = 1; const y ='),
        /no export is a design.*exports x/,
        /docs\/designs\.md/,
      ],
      [altered('broken.js', 'return {', 'return {{'), /broken\.js: it does not load/, /ES module/],
      [
        altered('create.js', 'const held', "throw new Error('boom'); const held"),
        /failed in create: boom/,
        /create\.js:\d+/,
      ],
      [
        altered('unmap.js', 'flush.defer(intent);', 'flush.defer(nothing);'),
        /unmap\.js event \d+: design 'every-nth' failed in unmap of pages 0x/,
        /unmap\.js:\d+/,
      ],
      [altered('partial.js', 'expire() {},', ''), /it lacks expire/, /docs\/designs\.md/],
      [
        altered('timer.js', 'sync() {}', 'sync(d, c, t, time) { emit.arm(1, time); }'),
        /a later time expected/,
        /timer\.js:\d+/,
      ],
      [
        altered('taken.js', "name: 'every-nth',", "name: 'linux-lazy',"),
        /is not linux-lazy\.something/,
        /linux-lazy\.size/,
      ],
    ];
    for (const [designs, what, next] of cases) {
      const { status, stdout, stderr } = compare(designs, 1);
      expect({ designs, status, stdout }).toEqual({ designs, status: 1, stdout: '' });
      expect(stderr).toMatch(what);
      expect(stderr).toMatch(next);
    }
  });

  test('says so from a worker in the same words', () => {
    const designs = `linux-strict,${altered('late.js', 'flush.defer(intent);', 'flush.defer(nothing);')}`;
    const [alone, worker] = [1, 2].map((jobs) => compare(designs, jobs));
    expect(alone?.stderr).toMatch(/late\.js event \d+: design 'every-nth' failed in unmap/);
    expect(worker).toEqual(alone);
  });

  test('what it emits is a native command or an error that is counted', () => {
    const bad = altered(
      'bad.js',
      'flush.all(intent.domain);',
      'emit.command(0, 15, 0, 0, 0, 0, 0, 0, 0); emit.submit(0);',
    );
    const { status, stdout } = compare(`${bad}@8`, 1);
    expect(status).toBe(0);
    const { result } = JSON.parse(stdout) as {
      result: { designs: { commands: number; commandErrors: { error: string; count: number }[] }[] };
    };
    const [design] = result.designs;
    const [refused] = design?.commandErrors ?? [];
    expect(refused).toMatchObject({ error: 'IQE' });
    expect(refused?.count).toBeGreaterThan(90);
    expect(design?.commands).toBeGreaterThanOrEqual(refused?.count ?? 0);
  });
});

describe('docs/designs.md', () => {
  test('has every design with its promise and its parameters', () => {
    const rows = [...readText('docs/designs.md').matchAll(/^\| `([a-z-]+)` \| .* \| `([a-z-]+)` \| (.*)\|$/gm)];
    const documented = rows.map(([, name, promise, parameters = '']) => ({
      name,
      promise,
      parameters: [...parameters.matchAll(/`(\w+)`/g)].map(([, parameter]) => `${name}.${parameter}`),
    }));
    expect(documented).toEqual(
      DESIGNS.map(({ name, promise, parameters }) => ({
        name,
        promise,
        parameters: parameters.map((parameter) => parameter.name),
      })),
    );
  });
});

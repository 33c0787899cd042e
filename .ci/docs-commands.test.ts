import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { firstMissing, runBlocks } from './doc-blocks.ts';
import type { RunBlock } from './doc-blocks.ts';
import { projectFiles, readText, root } from './files.ts';

/** Pages with commands that are run: README.md first, whose outputs others show, too. */
const pages = ['README.md', ...projectFiles().filter((path) => /^docs\/.*\.md$/.test(path))]
  .map((path) => ({ path, blocks: runBlocks(readText(path)) }))
  .filter(({ blocks }) => blocks.length > 0);

interface Run {
  readonly command: string;
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

const folder = mkdtempSync(join(tmpdir(), 'iorr-docs-'));
const env = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`, COLUMNS: '100' };
/** One run a command, however many pages have it. */
const runs = new Map<string, Promise<Run>>();

function run(command: string): Promise<Run> {
  const known = runs.get(command);
  if (known !== undefined) return known;
  const started = new Promise<Run>((resolve) => {
    execFile('/bin/sh', ['-c', command], { cwd: folder, env, maxBuffer: 1 << 28 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      resolve({ command, status: typeof code === 'number' ? code : -1, stdout, stderr });
    });
  });
  runs.set(command, started);
  return started;
}

/** Runs of the blocks, each block's commands one behind the other, two blocks side by side. */
const done = new Map<RunBlock, Promise<readonly Run[]>>();

function startAll(): void {
  const lanes: Promise<unknown>[] = [Promise.resolve(), Promise.resolve()];
  for (const [i, block] of pages.flatMap(({ blocks }) => blocks).entries()) {
    const runBlock = async (): Promise<readonly Run[]> => {
      const all: Run[] = [];
      for (const command of block.commands) all.push(await run(command));
      return all;
    };
    const ended = (lanes[i % 2] ?? Promise.resolve()).then(runBlock);
    lanes[i % 2] = ended;
    done.set(block, ended);
  }
}

beforeAll(() => {
  mkdirSync(join(folder, 'bin'));
  for (const room of ['traces', 'recorder']) symlinkSync(join(root, room), join(folder, room));
  writeFileSync(
    join(folder, 'bin/iorr'),
    `#!/bin/sh\nexec '${process.execPath}' '${join(root, 'dist/cli.js')}' "$@"\n`,
  );
  chmodSync(join(folder, 'bin/iorr'), 0o755);
  startAll();
});

afterAll(async () => {
  await Promise.all(done.values());
  rmSync(folder, { recursive: true, force: true });
});

describe.each(pages)('$path', ({ blocks }) => {
  test.each(blocks)('$commands.0', async (block) => {
    const all = (await done.get(block)) ?? [];
    for (const { command, status, stdout, stderr } of all) {
      const said = status === block.exit ? '' : `${stdout}${stderr}`.slice(0, 2000);
      expect({ command, status, said }).toEqual({ command, status: block.exit, said: '' });
      if (!/>| -o /.test(command)) expect(stdout).not.toBe('');
    }
    expect(firstMissing(block.shown, all.map(({ stdout }) => stdout).join('\n'))).toBeUndefined();
  });
});

/** What stands at the beginning of a line before a number, or before `unknown`. */
const LABEL = /^ *([A-Z][A-Za-z-]*(?: [A-Za-z-]+)*) {2,}(?:[<>]?\d|unknown|median)/;

describe.each(pages.filter(({ path }) => path.startsWith('docs/analyses/')))('$path', ({ path, blocks }) => {
  test('has every number that its commands print', async () => {
    const all = await Promise.all(blocks.flatMap((block) => done.get(block) ?? []));
    const lines = all.flatMap((block) => block.flatMap(({ stdout }) => stdout.split('\n')));
    const labels = new Set(lines.flatMap((line) => LABEL.exec(line)?.[1] ?? []));
    const page = readText(path).toLowerCase();
    expect([...labels].filter((label) => !page.includes(label.toLowerCase()))).toEqual([]);
  });
});

describe('commands of pages', () => {
  test('README.md and the tutorial have some', () => {
    const paths = pages.map(({ path }) => path);
    expect(paths).toEqual(expect.arrayContaining(['README.md', 'docs/tutorial.md']));
  });

  test('are blocks marked as runnable, with what is shown of their output', () => {
    const page = '```sh run\na\nb\n```\ntext\n```text shown\n x  1\n...\ny\n```\n```sh run 3\nc\n```\n```sh\nd\n```\n';
    expect(runBlocks(page)).toEqual([
      { commands: ['a', 'b'], exit: 0, shown: [' x  1', '...', 'y'] },
      { commands: ['c'], exit: 3, shown: [] },
    ]);
    expect(() => runBlocks('```text shown\nx\n```\n')).toThrow(RangeError);
  });

  test('shown lines must be there, in order, however they are spaced', () => {
    expect(firstMissing(['x 1', '...', 'y'], 'a\n x  1\nb\ny')).toBeUndefined();
    expect(firstMissing(['y', 'x 1'], ' x  1\ny')).toBe('x 1');
    expect(firstMissing(['x 2'], 'x 1')).toBe('x 2');
  });
});

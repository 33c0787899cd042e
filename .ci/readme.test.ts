import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { projectFiles, readText, root } from './files.ts';

const readme = readText('README.md');

/** Command lines of the blocks that are marked as runnable: ```sh run */
const commands = [...readme.matchAll(/^```sh run\n(.*?)^```/gms)].flatMap(([, block = '']) => block.trim().split('\n'));

let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'iorr-readme-'));
  mkdirSync(join(folder, 'bin'));
  symlinkSync(join(root, 'traces'), join(folder, 'traces'));
  writeFileSync(
    join(folder, 'bin/iorr'),
    `#!/bin/sh\nexec '${process.execPath}' '${join(root, 'dist/cli.js')}' "$@"\n`,
  );
  chmodSync(join(folder, 'bin/iorr'), 0o755);
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('README.md', () => {
  test('has commands to run', () => {
    expect(commands.length).toBeGreaterThan(3);
  });

  test.each(commands)('%s', (command) => {
    const { status, stdout, stderr } = spawnSync('/bin/sh', ['-c', command], {
      cwd: folder,
      env: { ...process.env, PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}` },
      encoding: 'utf8',
    });
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
    if (!command.includes('>')) expect(stdout).not.toBe('');
  });

  test('names only scripts of package.json', () => {
    const { scripts } = JSON.parse(readText('package.json')) as {
      readonly scripts: { readonly [name: string]: string };
    };
    const named = [...readme.matchAll(/npm (?:run )?(start|test|setup|bench|corpus)\b/g)].map(([, name = '']) => name);
    expect(named).toContain('start');
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
  });

  test('links to nothing that is not there', () => {
    for (const path of projectFiles().filter((name) => name.endsWith('.md'))) {
      const links = [...readText(path).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, target = '']) => target);
      const missing = links.filter((target) => !existsSync(join(root, path, '..', target)));
      expect({ path, missing }).toEqual({ path, missing: [] });
    }
  });
});

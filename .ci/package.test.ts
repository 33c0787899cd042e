import { spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readText, root } from './files.ts';
import { programsOf } from './library-programs.ts';

/** Bytes that the package may have, packed and unpacked: most of both is the corpus, and code is there twice, joined and by module. */
const MOST_PACKED = 10 << 20;
const MOST_UNPACKED = 20 << 20;
const ROOMS = ['traces', 'recorder', 'replay', 'analyzers', 'bench'] as const;

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly bin: { readonly [name: string]: string };
  readonly exports: { readonly [path: string]: unknown };
  readonly scripts: { readonly [name: string]: string };
  readonly dependencies: { readonly [name: string]: string };
}

interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

let folder = '';
let project = '';
let packed: Packed;

function run(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, npm_config_update_notifier: 'false' },
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${status}\n${stdout}${stderr}`);
  return stdout;
}

function pack(from: string): Packed {
  const [found] = JSON.parse(
    run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], from),
  ) as Packed[];
  if (found === undefined) throw new Error('nothing was packed');
  return found;
}

/** Everything that packages need, where a program of the project finds it: links to those of the checkout. */
function linkPackages(): void {
  const from = join(root, 'node_modules');
  for (const name of readdirSync(from)) {
    if (name.startsWith('.') || name === 'iorr') continue;
    if (!name.startsWith('@')) symlinkSync(join(from, name), join(project, 'node_modules', name));
    else {
      mkdirSync(join(project, 'node_modules', name), { recursive: true });
      for (const inner of readdirSync(join(from, name))) {
        symlinkSync(join(from, name, inner), join(project, 'node_modules', name, inner));
      }
    }
  }
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'iorr-package-'));
  project = join(folder, 'project');
  packed = pack(root);
  const home = join(project, 'node_modules/iorr');
  mkdirSync(home, { recursive: true });
  run('tar', ['-xzf', join(folder, packed.filename), '--strip-components=1', '-C', home], folder);
  linkPackages();
  writeFileSync(join(project, 'package.json'), '{ "name": "user", "private": true, "type": "module" }');
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const manifest = JSON.parse(readText('package.json')) as Manifest;

describe('the package', () => {
  test('holds what users need, and nothing of how it is made', () => {
    const paths = packed.files.map(({ path }) => path);
    for (const path of ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'dist/cli.js']) {
      expect(paths).toContain(path);
    }
    for (const room of ROOMS) expect(paths).toContain(`dist/${room}/index.d.ts`);
    const others = paths.filter(
      (path) =>
        !/^(dist\/.+\.(js|d\.ts|css)|dist\/pieces\/LICENSES|traces\/corpus\/[\w.-]+\.(iorr|md)|[\w.]+)$/.test(path),
    );
    expect(others).toEqual([]);
    expect(paths.filter((path) => /\.test\.|\/testing\/|\/fixtures\//.test(path))).toEqual([]);
  });

  test('is not larger than it says', () => {
    console.log(`${packed.size} bytes packed, ${packed.unpackedSize} unpacked, ${packed.files.length} files`);
    expect(packed.size).toBeLessThan(MOST_PACKED);
    expect(packed.unpackedSize).toBeLessThan(MOST_UNPACKED);
  });

  test('is right in the eyes of publint', async () => {
    const { messages, pkg } = await publint({ pkgDir: join(project, 'node_modules/iorr'), strict: true, pack: false });
    expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
  });

  test('runs nothing when it is installed', () => {
    for (const name of ['preinstall', 'install', 'postinstall']) expect(manifest.scripts[name]).toBeUndefined();
    // without its dependencies, which would have to be fetched; its prepare script would fail, since what it runs is not packed
    const bare = join(folder, 'bare');
    const target = join(folder, 'target');
    mkdirSync(bare);
    mkdirSync(target);
    const {
      dependencies: _,
      optionalDependencies: __,
      peerDependencies: ___,
      ...rest
    } = JSON.parse(readFileSync(join(project, 'node_modules/iorr/package.json'), 'utf8')) as {
      readonly [name: string]: unknown;
    };
    writeFileSync(join(bare, 'package.json'), JSON.stringify({ ...rest, files: ['LICENSE'], exports: {}, bin: {} }));
    writeFileSync(join(bare, 'LICENSE'), 'a file');
    const { filename } = pack(bare);
    writeFileSync(join(target, 'package.json'), '{ "name": "user", "private": true }');
    run('npm', ['install', '--offline', '--no-audit', '--no-fund', join(folder, filename)], target);
    expect(existsSync(join(target, 'node_modules/iorr/LICENSE'))).toBe(true);
    expect(existsSync(join(target, 'node_modules/iorr/dist'))).toBe(false);
  });

  test('names every dependency of its code, and no module of it imports what is not packed', () => {
    const paths = new Set(packed.files.map(({ path }) => path));
    const missing: string[] = [];
    const packages = new Set<string>();
    for (const path of [...paths].filter((one) => one.endsWith('.js'))) {
      const text = readFileSync(join(project, 'node_modules/iorr', path), 'utf8');
      // from"x", import('x'), import "x": of strings in the code that look so, only paths are followed
      for (const [, name = ''] of text.matchAll(/(?:\bfrom ?|\bimport ?|\bimport\()["']([^"'\n]+)["']/g)) {
        if (name.startsWith('.')) {
          const target = join(dirname(path), name);
          if (!paths.has(target)) missing.push(`${path} -> ${name}`);
        } else if (/^(@[\w.-]+\/)?[\w.-]+(\/[\w./-]+)?$/.test(name) && !name.startsWith('node:')) {
          packages.add(
            name
              .split('/')
              .slice(0, name.startsWith('@') ? 2 : 1)
              .join('/'),
          );
        }
      }
    }
    expect(missing).toEqual([]);
    const whole = JSON.parse(readText('package.json')) as { readonly [part: string]: object | undefined };
    const known = ['dependencies', 'optionalDependencies', 'peerDependencies'].flatMap((part) =>
      Object.keys(whole[part] ?? {}),
    );
    expect(
      [...packages].filter((name) => existsSync(join(root, 'node_modules', name)) && !known.includes(name)),
    ).toEqual([]);
  });
});

describe('a project that uses it', () => {
  test('imports every room, and nothing else of it', () => {
    const program = `
      const rooms = ${JSON.stringify(ROOMS)};
      for (const room of rooms) console.log(room, Object.keys(await import('iorr/' + room)).length);
      const inner = await import('iorr/dist/traces/file.js').then(() => 'reached', (error) => error.code);
      console.log(inner);`;
    writeFileSync(join(project, 'imports.js'), program);
    const lines = run(process.execPath, ['imports.js'], project).trim().split('\n');
    expect(lines.slice(0, -1).map((line) => line.split(' ')[0])).toEqual([...ROOMS]);
    for (const line of lines.slice(0, -1)) expect(Number(line.split(' ')[1])).toBeGreaterThan(0);
    expect(lines.at(-1)).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED');
    expect(Object.keys(manifest.exports).sort()).toEqual(
      [...ROOMS.map((room) => `./${room}`), './package.json'].sort(),
    );
  });

  test('starts its program as npm links it', () => {
    const bin = join(project, 'node_modules/.bin');
    mkdirSync(bin);
    symlinkSync(`../iorr/${manifest.bin['iorr'] ?? ''}`, join(bin, 'iorr'));
    expect(lstatSync(join(bin, 'iorr')).isSymbolicLink()).toBe(true);
    expect(run('sh', ['-c', 'node_modules/.bin/iorr --version'], project)).toContain(manifest.version);
  });

  test.each([
    ['node16', { module: 'node16', moduleResolution: 'node16' }],
    ['bundler', { module: 'esnext', moduleResolution: 'bundler' }],
  ])('compiles the programs of docs/library.md with moduleResolution %s', (name, options) => {
    const programs = programsOf(readText('docs/library.md'));
    expect(programs.length).toBeGreaterThan(3);
    const sources = join(project, name);
    mkdirSync(sources);
    for (const program of programs) writeFileSync(join(sources, program.name), program.text);
    const compilerOptions = {
      ...options,
      target: 'es2023',
      strict: true,
      noEmit: true,
      types: ['node'],
      skipLibCheck: false,
    };
    writeFileSync(join(sources, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
    run(join(root, 'node_modules/.bin/tsc'), ['-p', sources], sources);
    expect(readdirSync(sources).sort()).toEqual(['tsconfig.json', ...programs.map((program) => program.name)].sort());
  });

  test('runs the programs of docs/library.md, which print what stands there', () => {
    symlinkSync(join(root, 'traces'), join(project, 'traces'));
    for (const { name, text, prints } of programsOf(readText('docs/library.md'))) {
      // types go, as every Node runs it: the programs keep to types that can be erased
      const script = join(project, name.replace(/\.ts$/, '.mjs'));
      run(join(root, 'node_modules/.bin/esbuild'), [join(project, 'bundler', name), `--outfile=${script}`], project);
      expect(text).not.toBe('');
      expect({ name, prints: run(process.execPath, [script], project) }).toEqual({ name, prints });
    }
  });
});

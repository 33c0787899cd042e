import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { root } from './files.ts';

let folder = '';

/** Puts a program into the only folder of PATH. */
function program(name: string, script: string): void {
  const path = join(folder, 'bin', name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}

function setup(): { status: number | null; stdout: string; stderr: string; installed: string } {
  const { status, stdout, stderr } = spawnSync('/bin/sh', [join(root, '.ci/setup.sh')], {
    env: { PATH: join(folder, 'bin') },
    encoding: 'utf8',
  });
  const log = join(folder, 'apt.log');
  return { status, stdout, stderr, installed: existsSync(log) ? readFileSync(log, 'utf8') : '' };
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'iorr-setup-'));
  mkdirSync(join(folder, 'bin'));
  symlinkSync('/usr/bin/head', join(folder, 'bin', 'head'));
  program('find', 'echo some.ttf');
  program('id', 'echo 0');
  program('redis-server', '');
  program('zsh', '');
  program('fish', '');
  program('strace', '');
  program('bpftrace', '');
  program('perf', '');
  program('apt-get', `echo "$*" >> '${join(folder, 'apt.log')}'`);
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('.ci/setup.sh', () => {
  test('does and says nothing where everything is there', () => {
    program('chromium', '');
    expect(setup()).toEqual({ status: 0, stdout: '', stderr: '', installed: '' });
  });

  test('as root it updates the list once and installs what is missing', () => {
    program('find', '');
    const { status, installed } = setup();
    expect(status).toBe(0);
    const calls = installed.trim().split('\n');
    expect(calls).toHaveLength(2);
    expect(calls[0]).toMatch(/^update /);
    expect(calls[1]).toMatch(/^install .*--no-install-recommends .*chromium fonts-dejavu-core$/);
  });

  test('tracers are asked for as root alone: without it nothing live is tested', () => {
    program('chromium', '');
    rmSync(join(folder, 'bin', 'strace'));
    rmSync(join(folder, 'bin', 'bpftrace'));
    rmSync(join(folder, 'bin', 'perf'));
    expect(setup().installed).toMatch(/install .* strace bpftrace linux-perf$/m);
    program('id', 'echo 1000');
    expect(setup()).toMatchObject({ status: 0, stderr: '' });
  });

  test('a server for sweeps over many machines', () => {
    program('chromium', '');
    rmSync(join(folder, 'bin', 'redis-server'));
    expect(setup().installed).toMatch(/install .* redis-server$/m);
  });

  test('shells whose completion is tested', () => {
    program('chromium', '');
    rmSync(join(folder, 'bin', 'zsh'));
    rmSync(join(folder, 'bin', 'fish'));
    expect(setup().installed).toMatch(/install .* zsh fish$/m);
  });

  test('takes another build of the browser for Chromium', () => {
    program('google-chrome', '');
    expect(setup()).toMatchObject({ status: 0, installed: '' });
  });

  test('without root it prints the command and fails', () => {
    program('id', 'echo 1000');
    const { status, stderr, installed } = setup();
    expect(status).toBe(1);
    expect(stderr).toContain('run as root: apt-get update && apt-get install -y --no-install-recommends chromium');
    expect(installed).toBe('');
  });

  test('without apt-get it names the packages and fails', () => {
    rmSync(join(folder, 'bin', 'apt-get'));
    const { status, stderr } = setup();
    expect(status).toBe(1);
    expect(stderr).toContain('these packages, by their Debian names: chromium');
  });

  test('fails where the installation fails', () => {
    program('apt-get', 'exit 100');
    expect(setup().status).not.toBe(0);
  });
});

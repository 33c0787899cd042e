import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTrace } from '../../traces/file.ts';
import { labObstacle, runLab } from './lab.ts';
import type { LabCheck } from './lab.ts';
import { readLabOptions } from './lab-options.ts';

const full = process.env['IORR_FULL'] === '1';
const project = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'iorr-lab-'));
const SECONDS = '20';

function options(...args: readonly string[]) {
  const read = readLabOptions(['--seconds', SECONDS, '--cpus', '1', '--out', join(folder, args.join('')), ...args]);
  if (read === 'help') throw new Error('no help was asked for');
  return read;
}

/**
 * A build of its own: another one may be under way in dist/, and guests run for minutes. It lies where it finds the project's
 * packages.
 */
const build = join(project, 'node_modules', '.cache', 'iorr-lab', `build-${process.pid}`);
const places = { project, dist: join(build, 'dist') };

const obstacle = labObstacle(options());
const ready = full && obstacle === undefined;
if (full && obstacle !== undefined) console.log(`laboratory left out: ${obstacle.message}; ${obstacle.hint}`);

afterAll(() => {
  for (const path of [folder, build]) rmSync(path, { recursive: true, force: true });
});

beforeAll(() => {
  if (!ready) return;
  mkdirSync(build, { recursive: true });
  copyFileSync(join(project, 'package.json'), join(build, 'package.json'));
  const compiler = join(project, 'node_modules', '.bin', 'tsc');
  const compile = ['-p', join(project, 'tsconfig.build.json'), '--outDir', places.dist];
  const { status, stdout } = spawnSync(compiler, compile, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`no build: ${stdout}`);
});

test('what is missing is named with the line that installs it', () => {
  const path = process.env['PATH'];
  process.env['PATH'] = folder;
  try {
    const { message, hint } = labObstacle(options()) ?? {};
    expect(message).toBe('not installed: qemu-system-x86_64, apt-get, dpkg-deb, xz, tar, timeout');
    expect(hint).toBe(
      'apt-get update && apt-get install --no-install-recommends qemu-system-x86 apt dpkg xz-utils tar coreutils',
    );
  } finally {
    process.env['PATH'] = path;
  }
});

interface Recorded {
  readonly out: string;
  readonly checks: readonly LabCheck[];
}

async function record(...args: readonly string[]): Promise<Recorded> {
  const { out, checks } = await runLab(options(...args), places, new AbortController().signal, () => undefined);
  expect(checks.map(({ name }) => name)).toEqual(['iorr import', 'iorr verify --only inv', 'iorr verify --only dma']);
  const trace = openTrace(join(out, 'run.iorr'));
  try {
    const { streamCounts, health } = trace;
    expect(health).toMatchObject({ lost: 0, malformed: 0, truncated: 0 });
    for (const stream of ['map', 'unmap', 'inv', 'dma'] as const) expect(streamCounts[stream]).toBeGreaterThan(500);
  } finally {
    trace.close();
  }
  // Scratch is gone: disks, initramfs and console.
  expect(readdirSync(out).filter((name) => name.startsWith('.guest'))).toEqual([]);
  expect(existsSync(join(out, 'guest.iorr'))).toBe(true);
  return { out, checks };
}

function failures(checks: readonly LabCheck[]): readonly string[] {
  return checks.filter(({ status }) => status !== 0).map(({ name, text }) => `${name}: ${text}`);
}

test.skipIf(!ready)('strict VT-d in a guest: the recording joins with its emulator and verifies', async () => {
  const { checks } = await record('--strict');
  expect(failures(checks)).toEqual([]);
});

test.skipIf(!ready)('lazy VT-d with ATS: every flush, wait and access verifies', async () => {
  const { checks } = await record('--lazy', '--ats');
  const [, commands] = checks;
  expect(failures(checks.filter((one) => one !== commands))).toEqual([]);
  // Not the causes: on a busy host an emulator's ticks come late, and timers of its guest run out early.
  expect(commands?.text).toMatch(/\binv\.flush\b.*\s0\s+100\s%$/m);
  expect(commands?.text).toMatch(/\binv\.wait\b.*\s0\s+100\s%$/m);
});

/** What `iorr verify --only ioctl` says of the calls that were recorded in a guest. */
async function recordCalls(...args: readonly string[]): Promise<readonly LabCheck[]> {
  const { out, checks } = await runLab(options(...args), places, new AbortController().signal, () => undefined);
  const trace = openTrace(join(out, 'guest.iorr'));
  try {
    expect(trace.health).toMatchObject({ lost: 0, malformed: 0 });
    expect(trace.streamCounts.ioctl).toBeGreaterThan(50);
  } finally {
    trace.close();
  }
  expect(new Set(checks.map(({ name }) => name))).toEqual(new Set(['iorr verify --only ioctl']));
  return checks;
}

test.skipIf(!ready)('VFIO type 1 in a guest: every call verifies', async () => {
  expect(failures(await recordCalls('--work', 'vfio', '--limit', '900'))).toEqual([]);
});

const kernelObstacle = full ? labObstacle(options('--build-kernel')) : undefined;
if (kernelObstacle !== undefined) console.log(`IOMMUFD left out: ${kernelObstacle.message}; ${kernelObstacle.hint}`);

test.skipIf(!ready || kernelObstacle !== undefined)(
  'IOMMUFD and its mock driver in a guest: every call verifies',
  { timeout: 7_200_000 },
  async () => {
    expect(failures(await recordCalls('--build-kernel', '--limit', '3600'))).toEqual([]);
  },
);

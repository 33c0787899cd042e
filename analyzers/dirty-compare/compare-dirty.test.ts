import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { DirtyResult } from '../../replay/dirty/dirty-result.ts';
import { IorrError } from '../../traces/errors.ts';
import { compareCommand } from '../compare-command.ts';
import { runCommand } from '../../traces/testing/recorded-io.ts';

const migration = join(import.meta.dirname, '../../traces/corpus/migration-dirty.iorr');
const calls = join(import.meta.dirname, '../../traces/corpus/iommufd-random.iorr');

/** What the command writes to stdout. */
async function run(file: string, options: { readonly [name: string]: unknown }): Promise<string> {
  const { code, out } = await runCommand(compareCommand, [file], options);
  expect(code).toBe(0);
  return out;
}

async function resultOf(options: { readonly [name: string]: unknown }): Promise<DirtyResult> {
  const document = JSON.parse(await run(migration, { ...options, json: true })) as { result: { dirty: DirtyResult } };
  return document.result.dirty;
}

describe('a recorded migration', async () => {
  const asked = {
    dirty: 'ad-bits@4k,ad-bits@2m,split-on-dirty,write-protect,kvm-ring@1024',
    threads: '1,4',
    plan: '1TiB',
  };
  const result = await resultOf(asked);

  test('is harvested where QEMU synchronised', () => {
    expect(result).toMatchObject({ source: 'ram', interval: 'recorded', harvests: 22, tables: 'vtd-second-stage' });
    // QEMU's own figure for the machine's memory
    expect(result.memoryBytes).toBe(Math.ceil(286_072_832 / 2 ** 21) * 2 ** 21);
    expect(result.caveats.join(' ')).toMatch(/as if a device had written them/);
  });

  test('no method misses a write, and what is written is the same for all', () => {
    for (const row of result.methods) {
      expect(row).toMatchObject({ missed: 0, canMiss: null, written: result.methods[0]!.written });
      expect(row.reported).toBe(row.written + row.over);
    }
  });

  test('small leaves report what was written, large ones many times more', () => {
    const [small, large, split, protect, ring] = result.methods;
    for (const row of [small, protect, ring]) expect(row?.over).toBe(0);
    expect(large!.reported).toBeGreaterThan(5 * large!.written);
    expect(split!.over).toBeLessThan(large!.over / 10);
    expect(small!.counts.entriesRead).toBeGreaterThan(400 * large!.counts.entriesRead);
    expect(protect!.tracking.faults).toBe(small!.written);
  });

  test('threads shorten a harvest, and a plan of 1 TiB costs 1 TiB', () => {
    const [small] = result.methods;
    const [one, four] = small!.threads;
    expect(four!.harvestNs).toBeLessThan(one!.harvestNs * 0.7);
    expect(small!.plan).toMatchObject({ bytes: 2 ** 40, bitmapBytes: 2 ** 25 });
    expect(result.methods.map((row) => row.plan === null)).toEqual([false, false, true, false, false]);
  });

  test('says the same each time, and in every form', async () => {
    const few = { dirty: 'ad-bits@2m,split-on-dirty', threads: '1,2' };
    const once = await resultOf({ ...few, jobs: '1' });
    expect(await resultOf({ ...few, jobs: '2' })).toEqual(once);
    const tables = await run(migration, few);
    const markdown = await run(migration, { ...few, markdown: true });
    for (const { name } of once.methods) {
      expect(tables).toContain(name);
      expect(markdown).toContain(name.replace('@', '&#64;'));
    }
    expect(markdown).toMatch(/^\| method \| threads \|/m);
  });
});

test('a migration with the limits of the recorded one takes as long, and sends as much', async () => {
  const { recorded, methods } = await resultOf({
    dirty: 'ad-bits@4k',
    link: '24MiB',
    downtime: '20ms',
    set: ['precopy.throttle-initial=30', 'precopy.throttle-trigger=40'],
  });
  const { converged, totalNs, sentPages, zeroPages, throttle, passes } = methods[0]!.threads[0]!.migration;
  expect(recorded).toMatchObject({ completed: true, passes: 22, sentPages: 121_834, zeroPages: 34_482, throttle: 70 });
  expect(converged).toBe(true);
  expect(Math.abs(totalNs / recorded!.totalNs! - 1)).toBeLessThan(0.02);
  expect(Math.abs((sentPages - zeroPages) / recorded!.sentPages! - 1)).toBeLessThan(0.02);
  expect(throttle).toBe(recorded!.throttle);
  expect(Math.abs(passes.length - recorded!.passes!)).toBeLessThanOrEqual(2);
});

test('a harvest without flush loses writes, and says so', async () => {
  const { methods, caveats } = await resultOf({ dirty: 'ad-bits@4k,ad-bits@2m', set: ['dirty.flush=0'] });
  expect(methods.every((row) => row.missed > 0 && row.canMiss !== null)).toBe(true);
  expect(caveats.join(' ')).toMatch(/can miss writes/);
});

describe('what can not be', () => {
  test.each([
    [{ dirty: 'ad-bits@64k' }, /no leaves of 64k/],
    [{ dirty: 'ad-bits', tables: 'x86-64' }, /EOPNOTSUPP/],
    [{ dirty: 'ad-bits', tables: 'vtd' }, /unknown tables/],
    [{ dirty: 'ad-bits', threads: '0' }, /threads/],
    [{ dirty: 'ad-bits', link: 'fast' }, /--link/],
    [{ dirty: 'nonsense' }, /unknown method 'nonsense'; known: ad-bits/],
    [{ dirty: 'ad-bits@3k' }, /size of the leaves expected/],
    [{ dirty: 'ad-bits@4k@2m' }, /size of the leaves expected/],
    [{ dirty: 'kvm-ring@1e3' }, /entries of the ring expected/],
    [{ dirty: 'ad-bits', threads: '1.5' }, /threads/],
    [{ dirty: 'ad-bits', downtime: 'soon' }, /--downtime/],
    [{ dirty: 'ad-bits', set: ['dirty.samples=2.5'] }, /whole number/],
    [{ dirty: 'ad-bits', plan: 'much' }, /--plan/],
    [{ dirty: 'ad-bits', json: true, markdown: true }, /both want stdout/],
    [{ dirty: 'ad-bits', set: ['dirty.orders=1'] }, /did you mean|nothing is called/],
    [{ link: '10Gbit' }, /belongs to --dirty/],
  ])('%j is refused', async (options, message) => {
    await expect(run(migration, options)).rejects.toThrow(message);
    await expect(run(migration, options)).rejects.toBeInstanceOf(IorrError);
  });

  test('a trace without writes', async () => {
    await expect(run(calls, { dirty: 'ad-bits' })).rejects.toThrow(/write/);
  });
});

test('where page requests are less expensive than dirty bits, by formula and by runs', async () => {
  const asked = { dirty: 'ad-bits@4k,write-protect,pri-log,kvm-ring', set: ['crossover.checks=2'] };
  const { crossover, methods, durationNs } = await resultOf(asked);
  expect(crossover).toMatchObject({ left: ['kvm-ring@4096'] });
  const { checks, maps, marks } = crossover!;
  expect(checks).toHaveLength(6);
  // the recorded harvests lie where QEMU's did, those of a run at another scale do not
  for (const { formulaNs, runNs } of checks) expect(Math.abs(formulaNs / runNs - 1)).toBeLessThan(0.25);
  const [bits] = maps[0]!.boundaries;
  expect(bits).toMatchObject({ method: 'pri-log@4k', against: 'ad-bits@4k', wins: 'below' });
  expect(marks.map(({ standing }) => standing)).toEqual(['assumed', 'published', 'published', 'published']);
  // what was published is an input: its consequences stand beside the row's own
  const latencies = methods[2]!.pri!.latencies;
  expect(latencies.map(({ latencyNs }) => latencyNs)).toEqual([expect.closeTo(10_000, -2), 700_000, 780, 20_800]);
  for (const { latencyNs, underWay } of latencies) {
    expect(underWay).toBeCloseTo((latencyNs * methods[2]!.tracking.requests) / durationNs, 1);
  }
});

test('docs/json.md has every name of the result', async () => {
  const result = await resultOf({ dirty: 'ad-bits,pri-log', plan: '1GiB', set: ['crossover.checks=1'] });
  const section =
    readFileSync(join(import.meta.dirname, '../../docs/json.md'), 'utf8')
      .split('## compare --dirty\n')[1]
      ?.split(/^## /m)[0] ?? '';
  const [row] = result.methods;
  const [threads] = row!.threads;
  const names = [
    result,
    row,
    row!.plan,
    row!.series,
    threads,
    threads!.migration,
    threads!.migration.passes[0],
    result.recorded,
    result.crossover,
    result.crossover?.methods[0],
    result.crossover?.marks[0],
    result.crossover?.maps[0],
    result.crossover?.maps[0]?.winners[0]?.[0],
    result.crossover?.maps[0]?.boundaries[0],
    result.crossover?.links[0],
    result.crossover?.checks[0],
    result.methods[1]?.pri,
    result.methods[1]?.pri?.latencies[0],
    result.methods[1]?.pri?.storms,
    result.methods[1]?.pri?.storms?.storms[0],
  ].flatMap((part) => Object.keys(part ?? {}));
  expect(names.filter((name) => !section.includes(`\`${name}`) && !section.includes(`.${name}`))).toEqual([]);
});

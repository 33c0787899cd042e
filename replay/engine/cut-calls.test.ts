import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { openTrace } from '../../traces/file.ts';
import { Random } from '../../traces/random.ts';
import type { Trace } from '../../traces/trace.ts';
import { mockBackend } from '../model/iommufd/mock/mock-backend.ts';
import { SimulatedCalls } from '../model/iommufd/simulated-calls.ts';
import { cutTrace } from './testing/cut-trace.ts';
import { Doubts } from './ioctl-doubts.ts';
import { RecordedCalls } from './testing/recorded-calls.ts';
import { verifyIoctl } from './verify-ioctl.ts';

const CORPUS = join(import.meta.dirname, '../../traces/corpus');
const CAPTURES = join(import.meta.dirname, '../../../shared/captures');
const CLI = join(import.meta.dirname, '../../dist/cli.js');
const TRACES = [
  'iommufd-random.iorr',
  'iommufd-selftest.iorr',
  'vtd-vfio-7.2-ioctl.iorr',
  'vtd-vfio-7.2-ioctl-type1.iorr',
];

/** Places at which events are taken out. */
type Cut = (random: Random, events: number) => { readonly keep: (event: number) => boolean; readonly told: boolean };

const CUTS: Readonly<Record<string, Cut>> = {
  'begins in the middle': (random, events) => {
    const from = random.below(events);
    return { keep: (event) => event >= from, told: false };
  },
  'has lost many events at one place': (random, events) => {
    const from = random.below(events);
    const to = from + 1 + random.below(1000);
    return { keep: (event) => event < from || event >= to, told: true };
  },
  'has lost a few events at many places': (random, events) => {
    const lost = new Set<number>();
    for (let place = 0; place < 40; place++) {
      const from = random.below(events);
      for (let i = random.below(12); i >= 0; i--) lost.add(from + i);
    }
    return { keep: (event) => !lost.has(event), told: true };
  },
};

/** Divergences of what is left by a cut; every ioctl of it is judged or named. */
function divergencesOf(trace: Trace, cut: Cut, seed: number): readonly unknown[] {
  const { keep, told } = cut(new Random(seed), trace.eventCount);
  const rest = cutTrace(trace, keep, told);
  const part = verifyIoctl(rest);
  if (part === undefined) return [];
  const skipped = Object.entries(part.skipped);
  const transfers = part.parts['ioctl.events']?.checked ?? 0;
  const named = skipped.reduce((sum, [, count]) => sum + count, 0);
  const { ioctl } = rest.streamCounts;
  expect(part.counts.checked + named).toBeGreaterThanOrEqual(ioctl);
  expect(part.counts.checked).toBeLessThanOrEqual(ioctl + transfers);
  return part.divergences.map((divergence) => ({ seed, ...divergence }));
}

describe.each(Object.entries(CUTS))('a recording that %s', (_name, cut) => {
  test.each(TRACES)('%s: what is left is judged without a divergence', (name) => {
    const trace = openTrace(join(CORPUS, name));
    try {
      for (let seed = 1; seed <= 5; seed++) expect(divergencesOf(trace, cut, seed)).toEqual([]);
    } finally {
      trace.close();
    }
  });

  const whole = process.env['IORR_FULL'] === '1' && existsSync(CAPTURES) && existsSync(CLI);
  if (!whole) console.warn('whole captures: need IORR_FULL=1, ../shared and a build');
  test
    .skipIf(!whole)
    .each([
      'iommufd-selftest/iommufd.even.jsonl.gz',
      'iommufd-selftest/vfio_dma_mmio.nvme.jsonl.gz',
      'iommufd-random/sample.jsonl.gz',
    ])(
    'whole capture %s',
    (capture) => {
      const folder = mkdtempSync(join(tmpdir(), 'iorr-cut-'));
      try {
        const path = join(folder, 'calls.iorr');
        spawnSync(process.execPath, [CLI, 'import', join(CAPTURES, capture), '-o', path]);
        const trace = openTrace(path);
        for (let seed = 1; seed <= 12; seed++) expect(divergencesOf(trace, cut, seed)).toEqual([]);
        trace.close();
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
    600_000,
  );
});

describe('after a loss', () => {
  const alloc = (calls: RecordedCalls, id: number): RecordedCalls =>
    calls.ioctl({ request: 0x3b81, before: [12, 0, 0], after: [12, 0, id] });

  test('an id that does not fit is named, one that fits counts', () => {
    const calls = alloc(alloc(new RecordedCalls().open(), 1).lost(3), 2);
    const part = verifyIoctl(alloc(calls, 5).trace);
    expect(part?.counts).toEqual({ checked: 2, agreed: 2, diverged: 0 });
    expect(part?.skipped).toEqual({ 'follows lost events': 1 });
  });

  test('a device that somebody else has may have been given back', () => {
    const doubts = new Doubts(true);
    doubts.start(1);
    expect([doubts.taken(2), doubts.excuse(2, undefined)]).toEqual([undefined, undefined]);
    doubts.lost([]);
    expect([doubts.taken(2), doubts.excuse(2, undefined)]).toEqual(['follows lost events', 'follows lost events']);
  });

  test('a child that is forked later is doubted as to the iommufds that it inherits', () => {
    const doubts = new Doubts(true);
    const { process, context } = new SimulatedCalls(mockBackend);
    const { context: opened } = new SimulatedCalls(mockBackend);
    doubts.start(process.pid);
    doubts.lost([process]);
    doubts.forked(process.pid, 2);
    expect(doubts.excuse(2, context)).toBe('follows lost events');
    expect(doubts.excuse(2, opened)).toBeUndefined();
  });

  test('before it everything is judged as ever', () => {
    const part = verifyIoctl(alloc(new RecordedCalls().open(), 7).lost(3).trace);
    expect(part?.counts).toMatchObject({ diverged: 1 });
  });
});

import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTrace } from '../file.ts';

const folder = import.meta.dirname;
const cli = join(folder, '../../dist/cli.js');

/** Together the corpus must stay small enough to be part of every checkout. */
const MAX_BYTES = 8_000_000;

// | `vtd-vfio-7.2.iorr` | trace.txt + qemu_trace.log of vtd-vfio-7.2 | 52011 | 11120 | 1560 | 1474 | 2622 | 356 | 0 | 0 | 0 | 700 | 870 | 0 |
const ROW = /^\| `(?<file>[^`]+\.iorr)` \| .* \| (?<numbers>\d+(?: \| \d+){11}) \|$/gm;

const provenance = readFileSync(join(folder, 'PROVENANCE.md'), 'utf8');
const rows = [...provenance.matchAll(ROW)].map(({ groups }) => {
  const [bytes, events, map, unmap, inv, dma, ioctl, dirty, gaps, ...checked] = (groups?.['numbers'] ?? '')
    .split(' | ')
    .map(Number);
  const [dmaChecked, invChecked, ioctlChecked] = checked;
  const counts = { bytes, events, map, unmap, inv, dma, ioctl, dirty, gaps };
  return { file: groups?.['file'] ?? '', ...counts, dmaChecked, invChecked, ioctlChecked };
});
const traces = readdirSync(folder).filter((name) => name.endsWith('.iorr'));

interface Verified {
  readonly diverged: number;
  readonly divergences: readonly unknown[];
  readonly byKind: { readonly [kind: string]: { readonly checked: number } };
}

/** What `iorr verify` says; undefined where it has nothing to verify. */
function verify(path: string): { status: number | null; result: Verified | undefined } {
  const { status, stdout } = spawnSync(process.execPath, [cli, 'verify', path, '--json'], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  return { status, result: stdout === '' ? undefined : (JSON.parse(stdout) as { result: Verified }).result };
}

describe('corpus', () => {
  test('every trace has a row in PROVENANCE.md, and together they are small', () => {
    expect(rows.map(({ file }) => file).sort()).toEqual(traces.sort());
    expect(rows.length).toBeGreaterThan(0);
    const sizes = traces.map((name) => statSync(join(folder, name)).size);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(MAX_BYTES);
  });

  test.each(rows)('$file is whole and as PROVENANCE.md says', ({ file, ...row }) => {
    const trace = openTrace(join(folder, file));
    try {
      let decoded = 0;
      for (const segment of trace.segments()) decoded += segment.count;
      const { events } = row;
      const { lost, truncated } = trace.health;
      expect({ decoded, lossy: lost > 0, truncated, closed: trace.closed }).toEqual({
        decoded: events,
        lossy: (row.gaps ?? 0) > 0,
        truncated: 0,
        closed: true,
      });
      const { map, unmap, inv, dma, ioctl, dirty, lost: gaps } = trace.streamCounts;
      const counts = { bytes: trace.bytes, events: trace.eventCount, map, unmap, inv, dma, ioctl, dirty, gaps };
      expect(row).toMatchObject(counts);
    } finally {
      trace.close();
    }
  });

  test.each(rows)('$file agrees with the model', ({ file, dmaChecked = 0, invChecked = 0, ioctlChecked = 0 }) => {
    const { status, result } = verify(join(folder, file));
    expect({ diverged: result?.diverged ?? 0, divergences: result?.divergences ?? [] }).toEqual({
      diverged: 0,
      divergences: [],
    });
    expect(['dma', 'inv', 'ioctl'].map((kind) => result?.byKind[kind]?.checked ?? 0)).toEqual([
      dmaChecked,
      invChecked,
      ioctlChecked,
    ]);
    expect(status).toBe(dmaChecked + invChecked + ioctlChecked > 0 ? 0 : 3);
  });

  test.each(rows)('$file names no path, program call or machine', ({ file }) => {
    const trace = openTrace(join(folder, file));
    try {
      for (const _segment of trace.segments()) void _segment;
      const { header, notes, health, strings } = trace;
      // RAM blocks of QEMU's own making have names that look like paths: `/rom@etc/acpi/tables`.
      const named = strings.filter((text) => !text.startsWith('/rom@etc/'));
      const texts = JSON.stringify({ header, notes, health, strings: named });
      expect(texts).not.toMatch(
        /(^|[\s"'=:])\/(?!dev\/|proc\/(?:self|\d+)\/|sys\/kernel\/)[a-z]+\/|\\\\|qemu-system|--?[a-z]+=|@/,
      );
    } finally {
      trace.close();
    }
  });
});

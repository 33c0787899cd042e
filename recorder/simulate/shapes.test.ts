import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openTrace } from '../../traces/file.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { Random } from '../../traces/random.ts';
import { ACCESS, ORIGIN, STREAM_ID, STREAM_NAMES } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import { pageNumber } from '../../traces/units.ts';
import { readSettings } from './parameter.ts';
import { simulatedHeader } from './workload.ts';
import { findWorkload } from './workloads.ts';

/** What mappings and page requests of a trace look like; times are left out, since those of the captures mean nothing. */
interface Shape {
  readonly maps: number;
  readonly unmaps: number;
  /** Share of one-page maps, and share of the mapped pages that lie in maps of 2 MiB and more. */
  readonly single: number;
  readonly inLarge: number;
  /** Pages that unmaps cover on average. */
  readonly unmapPages: number;
  /** Maps from one use of an address to the next, percentiles. */
  readonly reuse: readonly [p10: number, p50: number, p90: number];
  /** Accesses of a page between its map and its unmap, median. */
  readonly accesses: number;
  readonly requests: number;
  readonly groups: number;
}

function shapeOf(trace: Trace, rid: number): Shape {
  let maps = 0;
  let unmaps = 0;
  let single = 0;
  let pages = 0;
  let inLarge = 0;
  let unmapped = 0;
  let requests = 0;
  let groups = 0;
  const last = new Map<number, number>();
  const live = new Map<number, number>();
  const reuse: number[] = [];
  const accesses: number[] = [];
  for (const { stream, count, rows } of trace.segments()) {
    const next = new Int32Array(STREAM_NAMES.length);
    for (let i = 0; i < count; i++) {
      const id = stream[i] ?? 0;
      const r = next[id] ?? 0;
      next[id] = r + 1;
      if (id === STREAM_ID.map || id === STREAM_ID.unmap) {
        const { columns } = rows[id === STREAM_ID.map ? 'map' : 'unmap'];
        if (columns.origin[r] !== ORIGIN.iommu || columns.device[r] !== rid) continue;
        const first = pageNumber(columns.iovaLo[r] ?? 0, columns.iovaHi[r] ?? 0);
        const size = pageNumber(columns.sizeLo[r] ?? 0, columns.sizeHi[r] ?? 0);
        if (id === STREAM_ID.unmap) {
          unmaps++;
          unmapped += size;
          const uses = live.get(first);
          if (uses !== undefined) accesses.push(uses);
          live.delete(first);
          continue;
        }
        pages += size;
        if (size === 1) single++;
        if (size >= 512) inLarge += size;
        const before = last.get(first);
        if (before !== undefined) reuse.push(maps - before);
        last.set(first, maps++);
        live.set(first, 0);
      } else if (id === STREAM_ID.dma && rows.dma.columns.rid[r] === rid) {
        const page = pageNumber(rows.dma.columns.iovaLo[r] ?? 0, rows.dma.columns.iovaHi[r] ?? 0);
        const uses = live.get(page);
        if (uses !== undefined) live.set(page, uses + 1);
      } else if (id === STREAM_ID.prq && rows.prq.columns.rid[r] === rid) {
        requests++;
        if (((rows.prq.columns.access[r] ?? 0) & ACCESS.last) !== 0) groups++;
      }
    }
  }
  return {
    maps,
    unmaps,
    single: single / maps,
    inLarge: inLarge / pages,
    unmapPages: unmapped / unmaps,
    reuse: [quantile(reuse, 0.1), quantile(reuse, 0.5), quantile(reuse, 0.9)],
    accesses: quantile(accesses, 0.5),
    requests,
    groups,
  };
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
}

function simulated(name: string, settings: readonly string[]): Shape {
  const workload = findWorkload(name);
  const values = readSettings(name, workload.parameters, settings);
  const trace = new MemoryTrace(simulatedHeader(workload, '0', values));
  for (const _events of workload.generate(trace, values, new Random(1))) {
    // nothing to show in between
  }
  return shapeOf(trace, 0x100);
}

function recorded(name: string, rid: number): Shape {
  const trace = openTrace(fileURLToPath(new URL(`../../traces/corpus/${name}.iorr`, import.meta.url)));
  const shape = shapeOf(trace, rid);
  trace.close();
  return shape;
}

/** Both figures within a share of each other. */
function near(ours: number, theirs: number, share: number): void {
  expect(ours).toBeGreaterThan(theirs * (1 - share));
  expect(ours).toBeLessThan(theirs * (1 + share));
}

describe('workloads have the shape of what was captured', () => {
  test('nvme: fio with random blocks of 4 KiB on two CPUs (vtd-strict-6.12)', () => {
    const theirs = recorded('vtd-strict-6.12', 0x20);
    const ours = simulated('nvme', ['events=150k', 'commands=none', 'queues=2', 'depth=7']);
    expect(theirs.single).toBeGreaterThan(0.99);
    expect(ours.single).toBe(1);
    near(ours.unmaps / ours.maps, theirs.unmaps / theirs.maps, 0.02);
    expect([ours.accesses, theirs.accesses]).toEqual([1, 1]);
    // completions in any order: the time to the next use of an address is geometric
    for (const i of [0, 1, 2] as const) near(ours.reuse[i], theirs.reuse[i], 0.6);
    near(ours.reuse[1], theirs.reuse[1], 0.15);
  });

  test('nvme: larger blocks map page by page and unmap at once', () => {
    const ours = simulated('nvme', ['events=100k', 'commands=none', 'block=64Ki']);
    expect(ours.unmapPages).toBe(16);
    expect(ours.single).toBe(1);
    near(ours.maps / ours.unmaps, 16, 0.3);
  });

  test('ring-nic: one page a packet, its ring goes round as that of an e1000e', () => {
    // vtd-strict-6.12, e1000e under iperf3, behind what the corpus keeps of it: 250, 271, 374 maps from use to use, ring of 256
    const ours = simulated('ring-nic', [
      'events=150k',
      'commands=none',
      'descriptor=1',
      'cores=1',
      'flows=1',
      'aged=0',
    ]);
    for (const [i, theirs] of [250, 271, 374].entries()) near(ours.reuse[i] ?? 0, theirs, 0.35);
    near(ours.reuse[1], 271, 0.1);
    expect(ours.single).toBe(1);
    expect(ours.accesses).toBe(1);
  });

  test('sva: requests of a group, and groups that are refused (vtd-pri-pasid-7.2)', () => {
    const theirs = recorded('vtd-pri-pasid-7.2', 0x100);
    const ours = simulated('sva', ['events=60k']);
    near(ours.requests / ours.groups, theirs.requests / theirs.groups, 0.15);
    expect([ours.single, theirs.single]).toEqual([1, 1]);
  });

  test('vm: memory is mapped in large pieces that stay (nested-qemu-vfio-7.2)', () => {
    const theirs = recorded('nested-qemu-vfio-7.2', 0x20);
    const ours = simulated('vm', ['events=50k', 'memory=4096']);
    expect(theirs.inLarge).toBeGreaterThan(0.95);
    expect(ours.inLarge).toBe(1);
    expect(ours.unmaps).toBe(0);
  });
});

import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openTrace } from '../../traces/file.ts';
import type { OpenTrace } from '../../traces/file.ts';
import { ATTACH, ORIGIN } from '../../traces/schema.ts';
import { costProfile } from '../costs/cost-profiles.ts';
import { hardwareProfile } from '../hardware/profiles.ts';
import { compareTrace } from './compare.ts';
import { deriveIntents } from './derived-trace.ts';
import { rangeList } from './testing/range-lists.ts';
import { replayTrace } from './replay.ts';
import { SketchedTrace } from './testing/sketched-trace.ts';

/**
 * Calls of one program on Linux 7.2, with struct bytes before and after each, by the three ways that VFIO has; the kernel's
 * trace of the same runs is in the corpus (`vtd-vfio-7.2.iorr`), by the task that made them.
 */
const RUNS = [
  { name: 'iommufd', task: 219, count: 307 },
  { name: 'legacy', task: 205, count: 202 },
  { name: 'legacy1', task: 213, count: 202 },
] as const;

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

function opened<T>(name: string, use: (trace: OpenTrace) => T): T {
  const trace = openTrace(path(name));
  try {
    return use(trace);
  } finally {
    trace.close();
  }
}

const calls = <T>(name: string, use: (trace: OpenTrace) => T): T => opened(`fixtures/vtd-vfio-7.2-${name}.iorr`, use);

describe('intents derived from ioctls', () => {
  test.each(RUNS)('$name: maps and unmaps are those that the kernel traced', ({ name, task, count }) => {
    const derived = calls(name, (trace) => {
      const found = deriveIntents(trace);
      if (found === undefined) throw new Error('nothing derived');
      expect(found.derivation.diverged).toBe(0);
      return { map: rangeList(found, 'map'), unmap: rangeList(found, 'unmap') };
    });
    const traced = opened('../../traces/corpus/vtd-vfio-7.2.iorr', (trace) => ({
      map: rangeList(trace, 'map', task),
      unmap: rangeList(trace, 'unmap', task),
    }));
    expect(derived.map.ranges).toEqual(traced.map.ranges);
    expect(derived.unmap.ranges).toEqual(traced.unmap.ranges);
    expect(derived.map.events).toBe(count);
    expect(derived.unmap.events).toBe(count);
    expect(derived.map.bytes).toBe(traced.map.bytes);
  });

  test('a driver that is named decides what is done', () => {
    calls('iommufd', (trace) => {
      const recorded = deriveIntents(trace);
      const vtd = deriveIntents(trace, 'vtd');
      expect(vtd?.derivation.diverged).toBe(0);
      expect(vtd?.streamCounts).toEqual(recorded?.streamCounts);
      // Devices of Arm have another window of reserved addresses.
      const other = deriveIntents(trace, 'smmuv3');
      expect(other?.derivation.diverged).toBeGreaterThan(0);
      expect(replayTrace(trace, { driver: 'smmuv3' }).caveats).toContainEqual(
        expect.stringContaining('other than the model'),
      );
      expect(() => deriveIntents(trace, 'none')).toThrow('no driver none');
    });
  });

  test('events are of the domain that they change, and of the API that asked', () => {
    calls('iommufd', (trace) => {
      const origins = new Set<number>();
      const domains = new Set<number>();
      const kinds: number[] = [];
      for (const { rows } of deriveIntents(trace)?.segments() ?? []) {
        for (const origin of rows.map.columns.origin) origins.add(origin);
        for (const domain of rows.map.columns.domain) domains.add(domain);
        kinds.push(...rows.attach.columns.kind);
      }
      expect([...origins]).toEqual([ORIGIN.iommufd]);
      expect([...domains]).toEqual([1, 2, 3]);
      expect(kinds).toEqual([ATTACH.attach, ATTACH.attach, ATTACH.detach]);
    });
    calls('legacy', (trace) => {
      const segments = [...(deriveIntents(trace)?.segments() ?? [])];
      expect(segments.flatMap(({ rows }) => [...new Set(rows.map.columns.origin)])).toEqual([ORIGIN.vfio]);
    });
  });

  test('a comparison and a replay work from calls alone, and say so', async () => {
    const trace = openTrace(path('fixtures/vtd-vfio-7.2-iommufd.iorr'));
    try {
      const result = await compareTrace(trace, {
        designs: ['linux-strict', 'linux-lazy'],
        hardware: hardwareProfile('auto', trace.header),
        profile: costProfile('auto', trace.header),
        access: 'touch-once',
      });
      const [strict, lazy] = result?.designs ?? [];
      expect(strict).toMatchObject({ unmaps: 307, commands: 307 });
      expect(lazy).toMatchObject({ unmaps: 307, commands: 307 });
      expect(result?.caveats[0]).toContain('derived from 339 ioctls');
      expect(result?.caveats.join()).toContain('307 unmaps are in domains that user space owns');
      expect(strict?.iotlb?.lookups).toBeGreaterThan(1000);
      expect(replayTrace(trace).caveats[0]).toContain('derived from 339 ioctls');
    } finally {
      trace.close();
    }
  });

  test("a trace with the IOMMU core's own events is taken as it is", () => {
    expect(deriveIntents(new SketchedTrace().map(1, 5).unmap(1, 5).trace)).toBeUndefined();
    expect(opened('../../traces/corpus/nested-qemu-vfio-7.2.iorr', deriveIntents)).toBeUndefined();
  });
});

import { describe, expect, test } from 'vitest';
import { DIALECT } from '../../traces/schema.ts';
import { costProfile } from '../costs/cost-profiles.ts';
import { DEFAULT_CONTEXT } from '../designs/design.ts';
import { compareTrace } from '../engine/compare.ts';
import { SketchedTrace } from '../engine/testing/sketched-trace.ts';
import { hardwareProfile } from '../hardware/profiles.ts';
import type { CompareResult, DesignResult } from '../results.ts';
import { PATHS, findPath, pathParameter } from './paths.ts';

const BUFFERS = 40;

/** Buffers of four pages, each mapped, used and unmapped; then all that is left. */
function workload(): SketchedTrace {
  const sketch = new SketchedTrace().tag(4).attach(0x18);
  for (let i = 0; i < BUFFERS; i++) {
    const page = 0x1000 + 16 * i;
    sketch
      .by(i % 2, 100 + (i % 2))
      .after(20_000)
      .map(4, page, 4)
      .after(100)
      .dma(0x18, page, 4);
    sketch.after(5000).unmap(4, page, 4);
  }
  return sketch;
}

async function compare(
  paths: readonly string[],
  hardware = 'vtd-64x4',
  settings: readonly (readonly [string, number])[] = [],
): Promise<CompareResult> {
  const { trace } = workload();
  const result = await compareTrace(trace, {
    designs: ['linux-strict'],
    paths,
    hardware: hardwareProfile(hardware, trace.header),
    profile: costProfile('generic-server', trace.header),
    parameters: new Map(settings),
  });
  if (result === undefined) throw new Error('aborted');
  return result;
}

async function row(path: string, hardware?: string, settings?: readonly (readonly [string, number])[]) {
  return (await compare([path], hardware, settings)).designs[0] as DesignResult;
}

describe('paths', () => {
  test.each(PATHS.map((path) => [path.name, path] as const))('%s', (name, path) => {
    expect(PATHS.filter((other) => other.name === name)).toEqual([path]);
    expect(path.summary).not.toBe('');
    for (const { value, source, unit } of path.parameters) {
      expect(value).toBeGreaterThanOrEqual(0);
      expect(source).not.toBe('');
      expect(unit).not.toBe('');
    }
    const route = path.create(pathParameter(path, new Map()), DEFAULT_CONTEXT);
    expect(route.queues).toBeGreaterThanOrEqual(1);
    expect(route.most).toBeGreaterThanOrEqual(1);
    // every parameter changes something, for one or the other dialect
    const context = { ...DEFAULT_CONTEXT, dialect: DIALECT.smmuv3 };
    const before = JSON.stringify([route, path.create(pathParameter(path, new Map()), context)]);
    for (const { name: knob, value } of path.parameters) {
      const parameter = pathParameter(path, new Map([[knob, value + 1]]));
      const after = JSON.stringify([path.create(parameter, DEFAULT_CONTEXT), path.create(parameter, context)]);
      expect({ knob, after }).not.toEqual({ knob, after: before });
    }
  });

  test('the hardware gets the same commands on every path of one design, and exits tell them apart', async () => {
    const names = [
      'native',
      'trapped',
      'ioctl-1',
      'ioctl-n',
      'virtio',
      'kvm-shared',
      'tsm-mediated',
      'non-mediated-msi',
    ];
    const { designs, caveats } = await compare(names);
    expect(designs.map(({ path }) => path)).toEqual(names);
    for (const design of designs) expect(design).toMatchObject({ commands: BUFFERS, syncs: BUFFERS, unmaps: BUFFERS });
    const of = (name: string) => designs.find(({ path }) => path === name) as DesignResult;
    expect(of('native')).toMatchObject({ exits: 0, ioctls: 0, lists: null });
    expect(of('trapped')).toMatchObject({ exits: BUFFERS, ioctls: 0 });
    expect(of('ioctl-1')).toMatchObject({ exits: BUFFERS, ioctls: BUFFERS, lists: { refused: 0, unissued: 0 } });
    // a kick for each map and each unmap; each becomes an ioctl
    expect(of('virtio')).toMatchObject({ exits: 2 * BUFFERS, ioctls: 2 * BUFFERS });
    expect(of('kvm-shared')).toMatchObject({ exits: 0, ioctls: 0 });
    // map, unmap and the hand-over of its command
    expect(of('tsm-mediated')).toMatchObject({ exits: 3 * BUFFERS });
    expect(of('native').cpuNs).toBeLessThan(of('trapped').cpuNs);
    expect(of('trapped').cpuNs).toBeLessThan(of('ioctl-n').cpuNs);
    expect(of('native').exposure?.pageSeconds ?? 0).toBeLessThan(of('trapped').exposure?.pageSeconds ?? 0);
    for (const whatIf of ['kvm-shared', 'tsm-mediated', 'non-mediated-msi']) {
      expect(caveats.join('\n')).toContain(`path ${whatIf} is a what-if`);
    }
    expect(caveats.join('\n')).not.toContain('path trapped');
  });

  test('without nesting what is mapped is told, too', async () => {
    const shadow = await row('shadow');
    expect(shadow.commands).toBe(2 * BUFFERS);
    expect(shadow).toMatchObject({ exits: 2 * BUFFERS, ioctls: 2 * BUFFERS });
  });

  test('one command an ioctl, or lists', async () => {
    // without range invalidation four pages are four commands
    const one = await row('ioctl-1', 'arm-smmuv3-generic');
    const many = await row('ioctl-n', 'arm-smmuv3-generic');
    const small = await row('ioctl-n', 'arm-smmuv3-generic', [['ioctl-n.size', 2]]);
    expect(one.commands).toBe(many.commands);
    expect(one).toMatchObject({ exits: BUFFERS, ioctls: one.commands });
    expect(many).toMatchObject({ exits: BUFFERS, ioctls: BUFFERS });
    expect(small.ioctls).toBe(Math.ceil(one.commands / BUFFERS / 2) * BUFFERS);
    const direct = await row('direct-queue', 'arm-smmuv3-generic');
    expect(direct).toMatchObject({ exits: 0, ioctls: 0, commands: one.commands });
    expect(direct.cpuNs).toBeLessThan(many.cpuNs);
  });

  test('a refused command: who trusts the count leaves stale translations behind, who does not, none', async () => {
    const refuse = [['ioctl-n.refuse-every', 7]] as const;
    const careful = await row('ioctl-n', 'arm-smmuv3-generic', refuse);
    expect(careful.lists?.refused).toBeGreaterThan(0);
    expect(careful.lists?.unissued).toBe(0);
    expect(careful.commands).toBe(
      (await row('ioctl-n', 'arm-smmuv3-generic')).commands - (careful.lists?.refused ?? 0),
    );
    const lazy = async (trust: number) => {
      const sketch = new SketchedTrace().tag(4).attach(0x18);
      for (let i = 0; i < 20; i++)
        sketch
          .after(1000)
          .map(4, 0x1000 + 4096 * i, 1023)
          .after(100)
          .unmap(4, 0x1000 + 4096 * i, 1023);
      const result = await compareTrace(sketch.trace, {
        designs: ['linux-strict'],
        paths: ['ioctl-n'],
        hardware: hardwareProfile('arm-smmuv3-generic', sketch.trace.header),
        profile: costProfile('generic-server', sketch.trace.header),
        parameters: new Map([
          ['ioctl-n.refuse-every', 3],
          ['ioctl-n.trust-count', trust],
        ]),
      });
      return result?.designs[0] as DesignResult;
    };
    const trusting = await lazy(1);
    const exact = await lazy(0);
    expect(exact.lists?.unissued).toBe(0);
    expect(trusting.lists?.unissued).toBeGreaterThan(0);
    expect(trusting.lists?.refused).toBe(exact.lists?.refused);
    expect(trusting.commands).toBe(exact.commands - (trusting.lists?.unissued ?? 0));
  });

  test('a path that these commands have not is refused, and a name that is none', async () => {
    await expect(compare(['direct-queue'])).rejects.toMatchObject({ code: 'USAGE' });
    await expect(compare(['shadow'], 'arm-smmuv3-generic')).rejects.toMatchObject({ code: 'USAGE' });
    await expect(compare(['ioctl-n'], 'amd-generic')).rejects.toMatchObject({ code: 'USAGE' });
    expect(() => findPath('traped')).toThrow(
      expect.objectContaining({ code: 'USAGE', hint: "did you mean 'trapped'?" }),
    );
  });
});

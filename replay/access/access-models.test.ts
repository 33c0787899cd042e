import { describe, expect, test } from 'vitest';
import { Random } from '../../traces/random.ts';
import { ACCESS_MODELS, accessModel } from './access-models.ts';

type Access = readonly [time: number, rid: number, domain: number, page: number, access: number];

/** Two buffers in a domain with a ring of one page at 0x100, used and given back in order. */
function play(name: string, seed = 1): Access[] {
  const seen: Access[] = [];
  const model = accessModel(name).create((...access) => void seen.push(access), new Random(seed));
  model.mapped(0, 0x18, 4, 0x100, 1, 3);
  model.mapped(10, 0x18, 4, 0x10, 2, 1);
  model.mapped(20, 0x18, 4, 0x20, 1, 2);
  model.unmapping(30, 0x18, 4, 0x10, 2);
  model.unmapping(40, 0x18, 4, 0x20, 1);
  return seen;
}

describe('access models', () => {
  test('none makes no accesses', () => {
    expect(play('none')).toEqual([]);
  });

  test('touch-once reads or writes each page when it is mapped', () => {
    expect(play('touch-once')).toEqual([
      [0, 0x18, 4, 0x100, 2],
      [10, 0x18, 4, 0x10, 1],
      [10, 0x18, 4, 0x11, 1],
      [20, 0x18, 4, 0x20, 2],
    ]);
  });

  test('ring uses each buffer before its unmap, between reading and writing its descriptor', () => {
    expect(play('ring')).toEqual([
      [30, 0x18, 4, 0x100, 1],
      [30, 0x18, 4, 0x10, 0],
      [30, 0x18, 4, 0x11, 0],
      [30, 0x18, 4, 0x100, 2],
      [40, 0x18, 4, 0x100, 1],
      [40, 0x18, 4, 0x20, 0],
      [40, 0x18, 4, 0x100, 2],
    ]);
  });

  test('uniform touches mapped pages only, and depends on the seed alone', () => {
    const mapped = [0x100, 0x10, 0x11, 0x20];
    const seen = play('uniform');
    expect(seen.length).toBe(10);
    for (const [, , , page] of seen) expect(mapped).toContain(page);
    expect(seen.filter(([time, , , page]) => time === 40 && (page === 0x10 || page === 0x11))).toEqual([]);
    expect(play('uniform')).toEqual(seen);
    expect(play('uniform', 2)).not.toEqual(seen);
  });

  test.each(ACCESS_MODELS.map((model) => [model.name, model] as const))('%s', (name, model) => {
    expect(ACCESS_MODELS.filter((other) => other.name === name)).toEqual([model]);
    expect(model.summary).not.toBe('');
    let count = 0;
    const absurd = model.create(() => count++, new Random(1));
    absurd.mapped(0, 0, 1, 0, 2 ** 51, 3);
    absurd.unmapping(0, 0, 1, 0, 2 ** 51);
    expect(count).toBeLessThan(20_000);
  });

  test('an unknown name suggests the nearest', () => {
    expect(() => accessModel('rign')).toThrow(expect.objectContaining({ code: 'USAGE', hint: "did you mean 'ring'?" }));
  });
});

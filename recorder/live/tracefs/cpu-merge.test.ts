import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CpuMerge } from './cpu-merge.ts';
import type { CpuStream } from './cpu-merge.ts';

/** A CPU whose events come in chunks. */
class Chunks implements CpuStream {
  live = false;
  time = 0;
  drained = true;
  readonly name: number;
  readonly #times: number[] = [];

  constructor(name: number) {
    this.name = name;
  }

  add(...times: readonly number[]): void {
    this.#times.push(...times);
    if (!this.live) this.advance();
  }

  advance(): void {
    const next = this.#times.shift();
    this.live = next !== undefined;
    if (next !== undefined) this.time = next;
  }
}

function merged(cpus: readonly Chunks[]): { merge: CpuMerge<Chunks>; out: { cpu: number; time: number }[] } {
  const out: { cpu: number; time: number }[] = [];
  return { merge: new CpuMerge(cpus, ({ name }, time) => out.push({ cpu: name, time })), out };
}

const ALL = Number.POSITIVE_INFINITY;
const MANY = 1_000_000;

describe('the merge of CPUs', () => {
  test('any streams in order, in any slices, become one in order that has every event once', () => {
    const times = fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 30 });
    fc.assert(
      fc.property(fc.array(times, { maxLength: 9 }), fc.integer({ min: 1, max: 7 }), (streams, slice) => {
        const cpus = streams.map((_, i) => new Chunks(i));
        streams.forEach((list, i) => cpus[i]?.add(...list.toSorted((a, b) => a - b)));
        const { merge, out } = merged(cpus);
        while (merge.run(ALL, slice) === slice);
        const inOrder = streams.flat().toSorted((a, b) => a - b);
        expect(out.map(({ time }) => time)).toEqual(inOrder);
        streams.forEach((list, i) => expect(out.filter(({ cpu }) => cpu === i)).toHaveLength(list.length));
        expect(merge.backwards).toBe(0);
      }),
    );
  });

  test('nothing later than the limit is given out: a CPU that has nothing yet may still have something earlier', () => {
    const [a, b] = [new Chunks(0), new Chunks(1)];
    const { merge, out } = merged([a, b]);
    a.add(10, 20, 30);
    merge.run(20, MANY);
    expect(out).toEqual([
      { cpu: 0, time: 10 },
      { cpu: 0, time: 20 },
    ]);
    b.add(25);
    merge.run(ALL, MANY);
    expect(out.slice(2)).toEqual([
      { cpu: 1, time: 25 },
      { cpu: 0, time: 30 },
    ]);
  });

  test('a CPU that was not read to its end holds up the others when it runs dry', () => {
    const [a, b] = [new Chunks(0), new Chunks(1)];
    const { merge, out } = merged([a, b]);
    a.add(10, 40);
    b.add(20);
    b.drained = false;
    expect(merge.run(ALL, MANY)).toBe(2);
    expect(merge.run(ALL, MANY)).toBe(0);
    b.add(30);
    b.drained = true;
    merge.run(ALL, MANY);
    expect(out.map(({ time }) => time)).toEqual([10, 20, 30, 40]);
  });

  test('a clock that goes back on one CPU keeps its order, is brought forward, and is counted', () => {
    const [a, b] = [new Chunks(0), new Chunks(1)];
    const { merge, out } = merged([a, b]);
    a.add(10, 30, 25, 35);
    b.add(20, 32);
    merge.run(ALL, MANY);
    expect(out).toEqual([
      { cpu: 0, time: 10 },
      { cpu: 1, time: 20 },
      { cpu: 0, time: 30 },
      { cpu: 0, time: 30 },
      { cpu: 1, time: 32 },
      { cpu: 0, time: 35 },
    ]);
    expect(merge).toMatchObject({ backwards: 1, farthestBack: 5 });
  });

  test('a CPU whose clock is behind the others by more than the limit allows is counted too', () => {
    const [a, b] = [new Chunks(0), new Chunks(1)];
    const { merge, out } = merged([a, b]);
    a.add(100);
    merge.run(100, MANY);
    b.add(40, 60, 110);
    merge.run(ALL, MANY);
    expect(out.map(({ time }) => time)).toEqual([100, 100, 100, 110]);
    expect(merge).toMatchObject({ backwards: 2, farthestBack: 60 });
  });
});

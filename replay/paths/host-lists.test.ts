import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HostLists } from './host-lists.ts';

/** Carries out a list and gives what was issued, in order, and the calls. */
function carryOut(lists: HostLists, count: number): { issued: number[]; calls: number } {
  const issued: number[] = [];
  const calls = lists.run(count, (from, n) => {
    for (let i = 0; i < n; i++) issued.push(from + i);
  });
  return { issued, calls };
}

/** The host and the hypervisor, command by command, as their sources tell it. */
function stepByStep(count: number, chunk: number, refuseEvery: number, trust: boolean, seen: number) {
  let list = Array.from({ length: count }, (_, i) => i);
  const issued: number[] = [];
  let calls = 0;
  let unissued = 0;
  let refused = 0;
  while (list.length > 0) {
    calls++;
    let batch: number[] = [];
    let done = list.length;
    for (const [at, command] of list.entries()) {
      if (refuseEvery > 0 && (seen + command + 1) % refuseEvery === 0) {
        done = at;
        break;
      }
      batch.push(command);
      if (batch.length === chunk) {
        issued.push(...batch);
        batch = [];
      }
    }
    if (done === list.length) {
      issued.push(...batch);
      break;
    }
    refused++;
    if (trust) unissued += batch.length;
    list = [...(trust ? [] : batch), ...list.slice(done + 1)];
  }
  return { issued, calls, unissued, refused };
}

describe('lists that a host carries out', () => {
  test('without refusals a list is one call', () => {
    const lists = new HostLists({ chunk: 63, refuseEvery: 0, trustCount: true });
    expect(carryOut(lists, 100)).toEqual({ issued: Array.from({ length: 100 }, (_, i) => i), calls: 1 });
    expect(carryOut(lists, 0)).toEqual({ issued: [], calls: 0 });
    expect(lists).toMatchObject({ refused: 0, unissued: 0 });
  });

  test('who trusts the count loses what stood before the refusal in its chunk', () => {
    const trusting = new HostLists({ chunk: 63, refuseEvery: 100, trustCount: true });
    // 0 to 62 went out; 63 to 98 were counted and lost; 99 is refused
    expect(carryOut(trusting, 120).issued).toEqual([
      ...Array.from({ length: 63 }, (_, i) => i),
      ...Array.from({ length: 20 }, (_, i) => 100 + i),
    ]);
    expect(trusting).toMatchObject({ refused: 1, unissued: 36 });
    const careful = new HostLists({ chunk: 63, refuseEvery: 100, trustCount: false });
    const { issued, calls } = carryOut(careful, 120);
    expect(issued).toHaveLength(119);
    expect(calls).toBe(2);
    expect(careful).toMatchObject({ refused: 1, unissued: 0 });
  });

  test('equals the host and the hypervisor step by step', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 70 }),
        fc.integer({ min: 0, max: 90 }),
        fc.boolean(),
        (counts, chunk, refuseEvery, trustCount) => {
          const lists = new HostLists({ chunk, refuseEvery, trustCount });
          let seen = 0;
          let refused = 0;
          let unissued = 0;
          for (const count of counts) {
            const expected = stepByStep(count, chunk, refuseEvery, trustCount, seen);
            expect(carryOut(lists, count)).toEqual({ issued: expected.issued, calls: expected.calls });
            seen += count;
            refused += expected.refused;
            unissued += expected.unissued;
          }
          expect(lists).toMatchObject({ refused, unissued });
          if (!trustCount) expect(unissued).toBe(0);
        },
      ),
    );
  });
});

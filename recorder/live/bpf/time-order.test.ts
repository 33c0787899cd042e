import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TimeOrder } from './time-order.ts';

test('steps that come in any order are taken by time, those of equal times as they came', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(9), { maxLength: 60 }), (times) => {
      const order = new TimeOrder();
      const taken: number[] = [];
      times.forEach((time, i) => order.add(time, () => taken.push(i)));
      order.finish();
      expect(taken).toEqual(times.map((_, i) => i).toSorted((a, b) => (times[a] ?? 0) - (times[b] ?? 0)));
      expect(order.late).toBe(0);
    }),
  );
});

test('a step that comes too late is counted, and is given a time that does not go back', () => {
  const order = new TimeOrder();
  order.cpus = 1;
  const taken: number[] = [];
  for (const time of [30, 10]) order.add(time, (now) => taken.push(now));
  order.report(0, 31);
  expect(order.release()).toBe(31);
  order.add(20, (now) => taken.push(now));
  order.finish();
  expect(taken).toEqual([10, 30, 30]);
  expect(order.late).toBe(1);
});

test('more steps than are held go before all CPUs have reported, the oldest first', () => {
  const order = new TimeOrder();
  let taken = 0;
  let last = -1;
  let back = 0;
  const count = 262_144 + 100;
  // from the newest to the oldest: the order that moving steps one by one takes quadratic time for
  for (let time = count; time > 0; time--) {
    order.add(time, (now) => {
      if (now < last) back++;
      last = now;
      taken++;
    });
  }
  expect(taken).toBe(100);
  order.finish();
  expect([taken, back]).toEqual([count, 0]);
});

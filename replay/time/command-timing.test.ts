import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DIALECT } from '../../traces/schema.ts';
import { queueRules } from './queue-rules.ts';
import type { QueueRules } from './queue-rules.ts';
import { STEP } from './step-ring.ts';
import { TimingBench } from './testing/timing-bench.ts';

const VTD = queueRules(DIALECT.vtd, 702);
const SMMUV3 = queueRules(DIALECT.smmuv3, 702);
const AMD = queueRules(DIALECT.amd, 702);
const AMD_LOCKED = queueRules(DIALECT.amd, 612);
const VIRTIO = queueRules(DIALECT.virtio, 702);
const RISCV = queueRules(DIALECT.riscv, 702);

describe('by hand', () => {
  test('one submission alone', () => {
    const bench = new TimingBench(VTD).submit(0, 1000).run();
    // 2 x 20 to write, 100 to ring; 400 to fetch, 300 for the command, 200 for the wait; nine looks of 100
    expect(bench.effects).toEqual([{ cpu: 0, device: false, time: 1840 }]);
    expect(bench.ends()).toEqual(['0: 2040']);
    expect(bench.queue).toMatchObject({ commands: 1, tailWrites: 1, deepest: 2, lockNs: 1040, lookNs: 900 });
    expect(bench.queue.hardware.busyNs).toBe(500);
  });

  test('VT-d: who waits takes the lock for each look', () => {
    const bench = new TimingBench(VTD).submit(0, 0).submit(1, 0).run();
    // 0 writes until 140 and looks until 240; 1 has the lock from 290 and writes until 430; then they look in turn, 150 each.
    // 0 is done at 1040 and sees it at 1180; 1 is done at 1540, looks from 1230 on alone, and sees it at 1630
    expect(bench.effects.map(({ time }) => time)).toEqual([840, 1340]);
    expect(bench.ends()).toEqual(['0: 1180', '1: 1630']);
    expect(bench.timing.lockWait.quantiles()).toMatchObject({ count: 2, mean: 145, max: 290 });
  });

  test('AMD: each command takes the lock and the tail, and the wait is looked for once a microsecond', () => {
    const bench = new TimingBench(AMD, { lookNs: 1000 }).submit(0, 0).run();
    // command written at 120, done at 820; wait written at 240, done at 1020, seen at 1240
    expect(bench.effects[0]?.time).toBe(820);
    expect(bench.ends()).toEqual(['0: 1240']);
    expect(bench.queue).toMatchObject({ tailWrites: 2, lockNs: 240 });
    const locked = new TimingBench(AMD_LOCKED, { lookNs: 1000 }).submit(0, 0).submit(1, 300).run();
    expect(locked.queue.lockNs).toBe(2 * 1240);
    // the other waits for the lock until 1240 and takes as long
    expect(locked.ends()).toEqual(['0: 1240', '1: 2530']);
  });

  test('SMMUv3: who comes first writes the tail for those that come until then', () => {
    const bench = new TimingBench(SMMUV3).submit(0, 0).submit(1, 10).submit(2, 60).run();
    // 0: written at 40, published at 140. 1 gets its place at 50, and publishes when 0 has: at 240, with 2, which came at 100
    expect(bench.queue).toMatchObject({ tailWrites: 2, commands: 3 });
    expect(bench.ends()).toEqual(['0: 1040', '1: 1540', '2: 2040']);
  });

  test('virtio: nobody gets at the queue while somebody waits', () => {
    const bench = new TimingBench(VIRTIO).submit(0, 0).submit(1, 0).run();
    expect(bench.ends()).toEqual(['0: 1040', '1: 2130']);
  });

  test('the unit goes on while a device works, and the wait is for both', () => {
    const bench = new TimingBench(VTD).submit(0, 0, 1, 2).run();
    // 80 + 100 to hand over; own from 580 to 880, devices from 880 and 1180, answers at 1880 and 2180, status at 2380
    expect(bench.effects.map(({ time }) => time)).toEqual([880, 1880, 2180]);
    expect(bench.ends()).toEqual(['0: 2380']);
    expect(bench.queue.hardware.busyNs).toBe(3 * 300 + 200);
  });

  test('a full ring: the lock is given back until somebody sees his entries done', () => {
    const bench = new TimingBench(VTD, { entries: 4 }).submit(0, 0).submit(1, 50).run();
    expect(bench.queue).toMatchObject({ fullStalls: 1, deepest: 2 });
    // 1 finds it full at 290 (0 looks until 240), comes again at 1040, when 0 has seen its own done, and takes 1040
    expect(bench.ends()).toEqual(['0: 1040', '1: 2080']);
    expect(bench.queue.fullStallNs).toBe(1040 - 290);
  });

  test('calls that wait keep the lock until the hardware is done, one after the other', () => {
    const costs = { handOverNs: 200, passNs: 50, callsWait: true } as const;
    const bench = new TimingBench(VTD, costs).submit(0, 0, 1, 0, 1).run();
    // 140 to write and ring, 200 + 50 to call, 400 + 300 + 200 in the hardware
    expect(bench.ends()).toEqual(['0: 1290']);
    expect(bench.queue.lockNs).toBe(1290);
  });

  test('a device that takes minutes is waited for in turn, in no time', () => {
    const minutes = 120e9;
    const times = [0, 5].map((extra) => {
      const bench = new TimingBench(VTD);
      const other = bench.timing.queue(1, 0);
      const steps = Uint8Array.of(STEP.device);
      const ns = Float64Array.of(minutes + extra);
      for (const [cpu, queue] of [bench.queue, bench.queue, bench.queue, other].entries()) {
        bench.timing.submit(cpu, queue, 0, steps, ns, 1, 1, 1, true);
      }
      bench.run();
      return bench.finishes.map(({ end }) => end);
    });
    for (const ends of times) {
      expect(ends).toHaveLength(4);
      for (const end of ends) expect(end - minutes).toBeLessThan(5000);
      // looks of three in turn, 150 apart
      expect(Math.max(...ends) - minutes).toBeGreaterThan(1000);
    }
  });

  test('times beyond what a double holds exactly end, too', () => {
    const bench = new TimingBench(VTD, { waitNs: 1e18, transferNs: 0, lookNs: 1 });
    for (let i = 0; i < 12; i++) bench.submit(i % 3, 0);
    expect(bench.run().finishes).toHaveLength(12);
  });

  test('a CPU whose submission takes longer than the recording left it is late with the next', () => {
    const bench = new TimingBench(VTD).submit(0, 0).submit(0, 500).run();
    expect(bench.finishes).toEqual([
      { cpu: 0, start: 0, end: 1040 },
      { cpu: 0, start: 1040, end: 2080 },
    ]);
    expect(bench.timing.lateNs).toBe(540);
  });
});

const submissions = fc.array(
  fc.record({
    cpu: fc.integer({ min: 0, max: 5 }),
    gap: fc.integer({ min: 0, max: 2000 }),
    own: fc.integer({ min: 1, max: 12 }),
    devices: fc.integer({ min: 0, max: 3 }),
  }),
  { minLength: 1, maxLength: 40 },
);
test('whole rounds of looks at once are the looks one by one', () => {
  const few = fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 2, maxLength: 6 });
  fc.assert(
    fc.property(few, fc.integer({ min: 1, max: 120 }), fc.integer({ min: 0, max: 60 }), (gaps, lookNs, transferNs) => {
      const benches = [false, true].map((stops) => {
        const bench = new TimingBench(VTD, { fetchNs: 60_000, lookNs, transferNs });
        let now = 0;
        gaps.forEach((gap, cpu) => {
          now += gap;
          bench.submit(cpu, now);
        });
        // too short a way to skip anything
        const end = stops ? 80_000 : 0;
        for (let at = 0; at < end; at += 100) bench.timing.run(at);
        return bench.run();
      });
      expect(benches[1]?.finishes).toEqual(benches[0]?.finishes);
      expect(benches[1]?.queue.lockNs).toBe(benches[0]?.queue.lockNs);
    }),
    { numRuns: 50 },
  );
});

const costs = fc.record({
  entries: fc.integer({ min: 20, max: 64 }),
  transferNs: fc.integer({ min: 0, max: 200 }),
  lookNs: fc.integer({ min: 1, max: 500 }),
  fetchNs: fc.integer({ min: 0, max: 1000 }),
  iotlbNs: fc.integer({ min: 1, max: 900 }),
});
const RULES: readonly (readonly [string, QueueRules])[] = [
  ['vtd', VTD],
  ['smmuv3', SMMUV3],
  ['amd', AMD],
  ['amd before 7.0', AMD_LOCKED],
  ['virtio', VIRTIO],
  ['riscv', RISCV],
];

describe.each(RULES)('%s', (_name, rules) => {
  test('every command takes effect once, in order, and no wait ends before', () => {
    fc.assert(
      fc.property(submissions, costs, (list, some) => {
        const bench = new TimingBench(rules, some);
        let now = 0;
        const asked = list.map(({ cpu, devices, gap, own }) => {
          now += gap;
          bench.submit(cpu, now, own, devices);
          return { cpu, ready: now, own, devices };
        });
        bench.run();
        expect(bench.finishes).toHaveLength(asked.length);
        const commands = asked.reduce((sum, { devices, own }) => sum + own + devices, 0);
        expect(bench.effects).toHaveLength(commands);
        expect(bench.queue.commands).toBe(commands);
        // one after the other, none while another is worked on
        const own = bench.effects.filter(({ device }) => !device).map(({ time }) => time);
        own.forEach((time, i) => expect(time - (own[i - 1] ?? 0)).toBeGreaterThanOrEqual(some.iotlbNs));
        const work = commands * some.iotlbNs;
        expect(bench.queue.hardware.busyNs).toBeGreaterThanOrEqual(work + asked.length * 200);
        for (let cpu = 0; cpu < 6; cpu++) {
          const mine = asked.filter((one) => one.cpu === cpu);
          const ends = bench.finishes.filter((one) => one.cpu === cpu);
          const effects = bench.effects.filter((one) => one.cpu === cpu);
          let taken = 0;
          mine.forEach(({ devices, own: count, ready }, i) => {
            const { end = 0, start = 0 } = ends[i] ?? {};
            expect(start).toBe(Math.max(ready, ends[i - 1]?.end ?? 0));
            for (const { time } of effects.slice(taken, taken + count + devices)) {
              expect(time).toBeGreaterThan(start);
              expect(time).toBeLessThan(end);
            }
            taken += count + devices;
          });
        }
        // one holder at a time
        if (rules.order === 'lock') expect(bench.queue.lockNs).toBeLessThanOrEqual(bench.timing.end);
        expect(bench.queue.deepest).toBeLessThanOrEqual(some.entries);
      }),
      { numRuns: 40 },
    );
  });

  test('in steps or at once, the times are the same', () => {
    fc.assert(
      fc.property(submissions, costs, fc.integer({ min: 1, max: 3000 }), (list, some, step) => {
        const whole = new TimingBench(rules, some);
        const steps = new TimingBench(rules, some);
        let now = 0;
        for (const { cpu, devices, gap, own } of list) {
          now += gap;
          whole.submit(cpu, now, own, devices);
          for (let at = now - gap; at < now; at += step) steps.timing.run(at);
          steps.submit(cpu, now, own, devices);
        }
        whole.run();
        steps.run();
        expect(steps.finishes.map(({ cpu, end }) => `${cpu} ${end}`).sort()).toEqual(
          whole.finishes.map(({ cpu, end }) => `${cpu} ${end}`).sort(),
        );
        expect(steps.queue.lockNs).toBe(whole.queue.lockNs);
        expect(steps.queue.busy.shares()).toEqual(whole.queue.busy.shares());
      }),
      { numRuns: 30 },
    );
  });
});

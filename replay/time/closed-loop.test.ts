import { describe, expect, test } from 'vitest';
import { Random } from '../../traces/random.ts';
import { DIALECT } from '../../traces/schema.ts';
import { closedLoop } from './closed-loop.ts';
import type { ClosedLoopPoint } from './closed-loop.ts';
import { coreScaling } from './core-scaling.ts';
import type { QueueCosts } from './queue-costs.ts';
import { queueRules } from './queue-rules.ts';
import type { QueueRules } from './queue-rules.ts';
import { STEP } from './step-ring.ts';
import { SubmissionStreams, sampleOf } from './submission-streams.ts';
import type { SubmissionStream } from './submission-streams.ts';
import { ROUND_COSTS, TimingBench } from './testing/timing-bench.ts';

const VTD = queueRules(DIALECT.vtd, 702);
/** The lock is held until the submission is done: one server. */
const ONE_SERVER = { ...queueRules(DIALECT.virtio, 702), entries: 100_000 };
/** Nothing takes time but the commands, 1 ns each. */
const BARE: QueueCosts = {
  ...ROUND_COSTS,
  entries: 100_000,
  commandNs: 0,
  doorbellNs: 0,
  transferNs: 0,
  lookNs: 1,
  fetchNs: 0,
  iotlbNs: 1,
  waitNs: 0,
};

/** A stream with the think times and numbers of commands that two functions give. */
function streamOf(count: number, think: () => number, commands: () => number): SubmissionStream {
  const streams = new SubmissionStreams(Number.POSITIVE_INFINITY);
  let now = 0;
  for (let i = 0; i < count; i++) {
    now += think();
    const own = commands();
    streams.submitted(0, now, 0, new Uint8Array(own).fill(STEP.own), new Float64Array(own), own, own, 0, true);
    streams.finished(0, now, now);
  }
  const [stream] = streams.streams();
  if (stream === undefined) throw new Error('no stream');
  return stream;
}

function exponential(random: Random, mean: number): () => number {
  return () => Math.round(-mean * Math.log(1 - random.unit()));
}

function loop(cores: number, stream: SubmissionStream, costs = BARE, rules: QueueRules = ONE_SERVER): ClosedLoopPoint {
  return closedLoop(cores, stream, [], { costs, rules, queues: 1, seed: 1 });
}

describe('one server against closed forms', () => {
  test('deterministic: as many as fit, then the server alone says', () => {
    // 200 of work, 800 between
    const stream = streamOf(
      4096,
      () => 800,
      () => 200,
    );
    for (const cores of [1, 2, 4, 8]) {
      const { submissionsPerSecond, waitNs } = loop(cores, stream);
      expect(submissionsPerSecond).toBeCloseTo(Math.min(cores * 1e6, 5e6), -4);
      if (cores > 5) expect(waitNs.mean).toBeCloseTo(cores * 200 - 800, -1);
    }
  });

  test('machine repairman (M/M/1//N)', () => {
    const random = new Random(7);
    const service = 40;
    const think = 200;
    const stream = streamOf(20_000, exponential(random, think), exponential(random, service));
    for (const cores of [1, 6, 12]) {
      // p0 = 1 / sum of N! / (N - k)! (S / Z)^k; X = (1 - p0) / S; R = N / X - Z
      let term = 1;
      let sum = 1;
      for (let k = 1; k <= cores; k++) {
        term *= (cores - k + 1) * (service / think);
        sum += term;
      }
      const throughput = (1 - 1 / sum) / service;
      const { submissionsPerSecond, waitNs } = loop(cores, stream);
      expect((submissionsPerSecond / (1e9 * throughput) - 1) ** 2).toBeLessThan(0.02 ** 2);
      const wait = cores / throughput - think;
      expect((waitNs.mean / wait - 1) ** 2).toBeLessThan(0.04 ** 2);
    }
  });

  test('open arrivals of one length (M/D/1)', () => {
    const random = new Random(3);
    for (const load of [0.3, 0.6, 0.8]) {
      const bench = new TimingBench(ONE_SERVER, BARE);
      const gap = exponential(random, 50 / load);
      let now = 0;
      for (let i = 0; i < 10_000; i++) {
        now += gap();
        bench.submit(i, now, 50);
        bench.timing.run(now);
      }
      bench.run();
      const wait = (load * 50) / (2 * (1 - load));
      expect(Math.abs(bench.timing.lockWait.quantiles().mean / wait - 1)).toBeLessThan(0.12);
    }
  });
});

describe('scaling', () => {
  const stream = streamOf(2000, exponential(new Random(5), 9000), () => 2);
  const options = { costs: ROUND_COSTS, rules: VTD, queues: 1, seed: 1 };

  test('the knee lies where demand, think and wait say', () => {
    const scaling = coreScaling([1, 2, 4, 8, 16, 32, 64], [stream], options);
    // hardware: two commands and what tells that they are done; lock: 2 x 20 + 100
    expect(scaling?.demandNs).toEqual({ hardware: 800, lock: 140 });
    const bound = scaling?.knee.bound ?? 0;
    expect(bound).toBeCloseTo((9000 + 1340) / 800, 0);
    expect(scaling?.knee.departs).toBeGreaterThan(4);
    expect(scaling?.knee.departs).toBeLessThan(bound);
    expect(scaling?.knee.saturates).toBeGreaterThan(bound * 0.8);
    expect(scaling?.points.at(-1)?.submissionsPerSecond).toBeLessThanOrEqual(1e9 / 800);
    const [one, two] = scaling?.points ?? [];
    expect(one?.relative).toBe(1);
    expect(two?.relative).toBeCloseTo(2, 0);
  });

  test('two queues bear twice as many', () => {
    const one = coreScaling([1, 64], [stream], options);
    const two = coreScaling([1, 64], [stream], { ...options, queues: 2 });
    const most = one?.points.at(-1)?.submissionsPerSecond ?? 0;
    expect((two?.points.at(-1)?.submissionsPerSecond ?? 0) / most).toBeCloseTo(2, 1);
  });

  test('the seed decides, and nothing else', () => {
    const of = (seed: number): string => JSON.stringify(coreScaling([1, 3, 9], [stream], { ...options, seed }));
    expect(of(1)).toBe(of(1));
    expect(of(1)).not.toBe(of(2));
    expect(coreScaling([1, 2], [], options)).toBeUndefined();
  });

  test('pauses of a CPU are left out, work between its submissions is not', () => {
    const streams = new SubmissionStreams(1000);
    const none = new Float64Array(1);
    const submit = (at: number): void => {
      streams.seen(0, at);
      streams.submitted(0, at, 0, new Uint8Array(1), none, 1, 1, 1, true);
      streams.finished(0, at, at + 100);
    };
    submit(50_000);
    streams.seen(0, 50_700);
    submit(51_500);
    // 5000 without any work
    submit(56_500);
    expect([...(streams.streams()[0]?.thinkNs ?? [])]).toEqual([0, 1400, 0]);
  });

  test('a sample keeps blocks, and all of a short stream', () => {
    let at = 0;
    const long = streamOf(
      1000,
      () => at++,
      () => 1,
    );
    const all = sampleOf(long, 1000, new Random(1));
    expect(all.count).toBe(1000);
    const some = sampleOf(long, 128, new Random(1));
    expect(some.count).toBe(128);
    for (const sample of [all, some]) {
      for (let i = 1; i < 32; i++) expect(sample.thinkNs[i]! - sample.thinkNs[i - 1]!).toBe(1);
      expect(sample.stepsFrom[sample.count]).toBe(sample.count);
    }
  });
});

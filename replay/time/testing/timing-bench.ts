import { CommandTiming } from '../command-timing.ts';
import type { QueueCosts } from '../queue-costs.ts';
import type { QueueRules } from '../queue-rules.ts';
import { STEP } from '../step-ring.ts';
import type { UnitQueue } from '../unit-queue.ts';

/** Costs of round numbers: one command and its wait take 1040 ns under VT-d's rules. */
export const ROUND_COSTS: QueueCosts = {
  entries: 256,
  commandNs: 20,
  doorbellNs: 100,
  handOverNs: 0,
  passNs: 0,
  callsWait: false,
  transferNs: 50,
  lookNs: 100,
  wayBackNs: 0,
  resumeNs: 0,
  fetchNs: 400,
  iotlbNs: 300,
  waitNs: 200,
};

export interface Finish {
  readonly cpu: number;
  readonly start: number;
  readonly end: number;
}

export interface Effect {
  readonly cpu: number;
  readonly device: boolean;
  readonly time: number;
}

/** One queue that a test submits to, and what it was told. */
export class TimingBench {
  readonly finishes: Finish[] = [];
  readonly effects: Effect[] = [];
  readonly timing: CommandTiming;
  readonly queue: UnitQueue;

  constructor(rules: QueueRules, costs: Partial<QueueCosts> = {}) {
    this.timing = new CommandTiming({ ...ROUND_COSTS, entries: rules.entries, ...costs }, rules, {
      effect: (cpu, device, time) => this.effects.push({ cpu, device, time }),
      finished: (cpu, start, end) => this.finishes.push({ cpu, start, end }),
    });
    this.queue = this.timing.queue(0, 0);
  }

  /** A wait behind `own` commands of the unit and `devices` for a device that takes 1000 ns. */
  submit(cpu: number, ready: number, own = 1, devices = 0, calls = 0): this {
    const steps = Uint8Array.from([
      ...Array.from({ length: calls }, () => STEP.call),
      ...Array.from({ length: own }, () => STEP.own),
      ...Array.from({ length: devices }, () => STEP.device),
    ]);
    const ns = new Float64Array(steps.length).fill(1000);
    this.timing.submit(cpu, this.queue, ready, steps, ns, steps.length, own + devices, 1, true);
    return this;
  }

  run(): this {
    this.timing.run(Number.POSITIVE_INFINITY);
    return this;
  }

  ends(): readonly string[] {
    return this.finishes.map(({ cpu, end }) => `${cpu}: ${end}`);
  }
}

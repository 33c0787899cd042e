import { Random } from '../../traces/random.ts';
import type { Nanoseconds, RequesterId } from '../../traces/units.ts';
import type { AtcCounts } from '../results.ts';
import type { AtcPolicy } from './atc-policy.ts';

/** What became of a command: answered; lost, so that the device's cache stays as it was; or not sent, the device being cut off. */
export const ANSWER = { done: 0, lost: 1, unsent: 2 } as const;

interface Device {
  /** Factor on the mean latency. */
  readonly slowness: number;
  readonly random: Random;
  readonly fails: boolean;
  commands: number;
  /** Commands that it got since it last left one unanswered. */
  answered: number;
  cutOff: boolean;
}

/**
 * Devices with ATS as those who answer invalidations: how long each takes, which it leaves unanswered, and what the driver's policy
 * makes of that. PCIe 10.3: an invalidation is done when the device says so, and nothing behind it in the queue before.
 */
export class AnsweringDevices {
  readonly #policy: AtcPolicy;
  readonly #mean: Nanoseconds;
  readonly #parameter: (name: string) => number;
  readonly #seed: number;
  readonly #devices = new Map<RequesterId, Device>();
  /** `ANSWER` of the newest command. */
  answer: number = ANSWER.done;
  #commands = 0;
  #timeouts = 0;
  #timeoutNs = 0;
  #lost = 0;
  #unsent = 0;
  /** DMA of devices that were cut off. */
  blockedAccesses = 0;
  /** There are devices that were cut off. */
  cutsOff = false;

  /** `mean` is an answer's mean latency in ns. */
  constructor(policy: AtcPolicy, mean: Nanoseconds, parameter: (name: string) => number, seed: number) {
    this.#policy = policy;
    this.#mean = mean;
    this.#parameter = parameter;
    this.#seed = seed;
  }

  /** A device gets a command. Returns how long the queue waits for it; `answer` says what became of it. */
  serve(rid: RequesterId): Nanoseconds {
    const device = this.#device(rid);
    if (device.cutOff) {
      this.answer = ANSWER.unsent;
      this.#unsent++;
      return 0;
    }
    this.answer = ANSWER.done;
    this.#commands++;
    device.commands++;
    const tail = this.#parameter('atc.tail');
    const usual =
      this.#mean * device.slowness + (tail > 0 ? Math.round(-tail * Math.log(1 - device.random.unit())) : 0);
    const every = this.#parameter('atc.timeout-every');
    if (!device.fails || every === 0 || ++device.answered < every) return usual;
    device.answered = 0;
    const timeout = 1e6 * this.#parameter('atc.timeout');
    this.#timeouts++;
    this.#timeoutNs += timeout;
    if (this.#policy.retries) return timeout + usual;
    this.answer = ANSWER.lost;
    this.#lost++;
    if (this.#policy.quarantines) {
      device.cutOff = true;
      this.cutsOff = true;
    }
    return timeout;
  }

  isCutOff(rid: RequesterId): boolean {
    return this.#devices.get(rid)?.cutOff === true;
  }

  /** Undefined if no device ever got a command. `unmaps` is what amplification is given against. */
  counts(unmaps: number): AtcCounts | null {
    if (this.#devices.size === 0) return null;
    return {
      commands: this.#commands,
      perUnmap: unmaps === 0 ? null : this.#commands / unmaps,
      timeouts: this.#timeouts,
      timeoutNs: this.#timeoutNs,
      lost: this.#lost,
      unsent: this.#unsent,
      blockedAccesses: this.blockedAccesses,
      devices: [...this.#devices]
        .sort(([a], [b]) => a - b)
        .map(([rid, { commands, cutOff }]) => ({ rid, commands, quarantined: cutOff })),
    };
  }

  #device(rid: RequesterId): Device {
    const known = this.#devices.get(rid);
    if (known !== undefined) return known;
    const failing = this.#parameter('atc.failing-device');
    const random = new Random(this.#seed ^ Math.imul(rid + 1, 0x9e37_79b1));
    const device: Device = {
      slowness: 1 + this.#parameter('atc.spread') * random.unit(),
      random,
      fails: failing < 0 || failing === rid,
      commands: 0,
      answered: 0,
      cutOff: false,
    };
    this.#devices.set(rid, device);
    return device;
  }
}

import { Random } from '../../../traces/random.ts';
import type { Nanoseconds } from '../../../traces/units.ts';
import { EVENT } from './fault-events.ts';
import type { FaultEvents } from './fault-events.ts';
import type { FaultCosts } from './fault-costs.ts';
import type { FaultSamples } from './fault-samples.ts';
import type { FaultServiceOptions } from './fault-service-options.ts';
import { OUTCOME_OF } from './group-table.ts';
import type { GroupTable } from './group-table.ts';
import { IntFifo } from './int-fifo.ts';
import { LevelOverTime } from './level-over-time.ts';
import type { PageRepair } from './page-repair.ts';
import { timeSampler } from './service-time.ts';
import type { TimeSampler } from './service-time.ts';

/** The host: the line of complete groups, the servers, and the responses that wait to be submitted. */
export class FaultServers {
  readonly #options: FaultServiceOptions;
  readonly #costs: FaultCosts;
  readonly #table: GroupTable;
  readonly #events: FaultEvents;
  readonly #samples: FaultSamples;
  readonly #repair: PageRepair;
  readonly #serviceOf: TimeSampler;
  readonly #complete = new IntFifo();
  readonly #answers: number[] = [];
  #idle: number;
  #generation = 0;
  #flushDue = false;
  /** Groups in the line or with a server; servers that are busy. */
  readonly host = new LevelOverTime();
  readonly busy = new LevelOverTime();
  submissions = 0;

  constructor(
    options: FaultServiceOptions,
    table: GroupTable,
    events: FaultEvents,
    samples: FaultSamples,
    repair: PageRepair,
  ) {
    this.#options = options;
    this.#costs = options.costs;
    this.#table = table;
    this.#events = events;
    this.#samples = samples;
    this.#repair = repair;
    this.#serviceOf = timeSampler(options.service, new Random(options.seed), options.unknownServiceNs);
    this.#idle = options.servers;
  }

  /** A complete group comes. */
  take(slot: number): void {
    this.#complete.push(slot);
    this.host.set(this.#events.now, this.host.level + 1);
    if (this.#idle > 0) this.#serve(this.#costs.wakeNs);
  }

  /** An idle server takes the oldest group. */
  #serve(wakeNs: Nanoseconds): void {
    this.#idle--;
    this.busy.set(this.#events.now, this.#options.servers - this.#idle);
    const { arrivals } = this.#options;
    const table = this.#table;
    const slot = this.#complete.shift();
    const begin = this.#events.now + wakeNs;
    this.#samples.server.add(begin - table.completeAt[slot]!); // in range
    const group = table.group[slot]!;
    const refused = arrivals.refused?.[group] === 1;
    table.outcome[slot] = refused ? OUTCOME_OF.refused : OUTCOME_OF.repaired;
    const ns = this.#serviceOf(arrivals.serviceNs?.[group] ?? Number.NaN) + (refused ? 0 : this.#repair.repair(slot));
    this.#samples.service.add(ns);
    this.#events.at(begin + ns, EVENT.served, slot);
  }

  served(slot: number): void {
    this.#table.servedAt[slot] = this.#events.now;
    this.host.set(this.#events.now, this.host.level - 1);
    this.#answers.push(slot);
    if (this.#answers.length >= this.#options.batch || this.#flushDue) this.#submit();
    else {
      if (this.#answers.length === 1 && this.#options.lingerNs > 0) {
        this.#events.at(this.#events.now + this.#options.lingerNs, EVENT.timer, this.#generation);
      }
      this.freeServer();
    }
  }

  /** A server that is busy submits all responses that wait. */
  #submit(): void {
    const { submitNs, respondNs, answerNs } = this.#costs;
    let time = this.#events.now + submitNs;
    for (const slot of this.#answers) {
      this.#samples.batch.add(this.#events.now - this.#table.servedAt[slot]!); // in range
      time += respondNs;
      this.#events.at(time + answerNs, EVENT.answered, slot);
    }
    this.#answers.length = 0;
    this.#generation = (this.#generation + 1) & 0xff_ffff;
    this.#flushDue = false;
    this.submissions++;
    if (time > this.#events.now) this.#events.at(time, EVENT.free, 0);
    else this.freeServer();
  }

  /** A server is done with what it did. */
  freeServer(): void {
    if (this.#complete.count > 0) {
      this.#idle++;
      this.#serve(0);
      return;
    }
    // the last one to go submits what waits
    if (this.#answers.length > 0 && this.#idle === this.#options.servers - 1) {
      this.#submit();
      return;
    }
    this.#idle++;
    this.busy.set(this.#events.now, this.#options.servers - this.#idle);
  }

  timer(generation: number): void {
    if (generation !== this.#generation || this.#answers.length === 0) return;
    if (this.#idle === 0) {
      this.#flushDue = true;
      return;
    }
    this.#idle--;
    this.busy.set(this.#events.now, this.#options.servers - this.#idle);
    this.#submit();
  }
}

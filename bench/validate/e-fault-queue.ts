import { erlangC, lossOfMmck, occupancyOfMmc, waitOfMg1, waitOfMmc } from '../../replay/faults/service/closed-forms.ts';
import { makeArrivals } from '../../replay/faults/service/fault-arrivals.ts';
import { NO_COSTS } from '../../replay/faults/service/fault-costs.ts';
import type { FaultServiceResult } from '../../replay/faults/service/fault-service-result.ts';
import { simulateFaultService } from '../../replay/faults/service/fault-service.ts';
import type { ServiceTime } from '../../replay/faults/service/service-time.ts';
import type { QueueTiming } from '../../replay/faults/queues/queue-timing.ts';
import { validationLine } from './line.ts';
import type { ValidationLine, ValidationSection } from './line.ts';

/** Page requests of one run. */
const GROUPS = { short: 60_000, long: 2_000_000 } as const;
/** Standard errors of mean waits: up to 6% of short runs, 1% of long ones. */
const TOLERANCE = { short: 0.15, long: 0.02 } as const;
const SERVICE_NS = 10_000;
/** Larger than anything that waits here: the queue itself never limits. */
const ENDLESS = 1 << 22;

const PLAIN: QueueTiming = {
  entries: ENDLESS,
  spare: 0,
  freed: 'pass',
  full: 'drop',
  overflow: 'none',
  lost: 'success',
  discards: false,
  restarted: false,
  denies: false,
  outstanding: ENDLESS,
};

interface Case {
  readonly groups: number;
  readonly servers: number;
  /** Offered traffic, in servers. */
  readonly load: number;
  readonly service: ServiceTime;
  /** Places, those in service included; without it there is no end. */
  readonly places?: number;
}

/** Nothing takes time but the service, and requests come from as many devices as it takes not to be limited by any. */
function run({ groups, servers, load, service, places }: Case): FaultServiceResult {
  const perSecond = (load * 1e9) / SERVICE_NS;
  return simulateFaultService({
    arrivals: makeArrivals({ groups, devices: 1024, perSecond, kind: 'poisson', seed: 11 }),
    queue: places === undefined ? PLAIN : { ...PLAIN, freed: 'answered' },
    entries: places ?? ENDLESS,
    outstanding: ENDLESS,
    servers,
    service,
    unknownServiceNs: SERVICE_NS,
    batch: 1,
    lingerNs: 0,
    repairPages: 1,
    prefetch: 0,
    costs: NO_COSTS,
    asksAgain: false,
    seed: 12,
    quantiles: false,
  });
}

const EXPONENTIAL: ServiceTime = { kind: 'exponential', ns: SERVICE_NS };

function lines(short: boolean): readonly ValidationLine[] {
  const groups = short ? GROUPS.short : GROUPS.long;
  const tolerance = short ? TOLERANCE.short : TOLERANCE.long;
  const line = (id: string, what: string, unit: string, theory: number, model: number, why: string): ValidationLine =>
    validationLine({
      id: `E.${id}`,
      what,
      unit,
      published: theory,
      predicted: model,
      tolerance,
      status: 'predicted',
      why,
    });
  const waits = (result: FaultServiceResult): number => result.parts.serverNs.mean / SERVICE_NS;

  const mmc = [
    [1, 0.5],
    [1, 0.8],
    [4, 3.2],
    [8, 6.4],
  ].flatMap(([servers = 1, load = 0]) => {
    // few wait at many servers, and those long: twice the requests for the same error
    const result = run({ groups: servers > 1 ? 2 * groups : groups, servers, load, service: EXPONENTIAL });
    const name = `M/M/${servers} at ${Math.round((100 * load) / servers)}%`;
    const why = `Erlang C: ${erlangC(servers, load).toFixed(3)} of the arrivals wait`;
    const id = `mm${servers}.${Math.round((100 * load) / servers)}`;
    return [
      line(`${id}.wait`, `${name}: wait for a server`, 'services', waitOfMmc(servers, load), waits(result), why),
      line(`${id}.host`, `${name}: groups in the host`, 'groups', occupancyOfMmc(servers, load), result.host.mean, why),
    ];
  });
  const md1 = [0.5, 0.8, 0.9].map((load) => {
    const result = run({ groups, servers: 1, load, service: { kind: 'fixed', ns: SERVICE_NS } });
    const why = 'Pollaczek-Khinchine: half of what an exponential service makes wait';
    const percent = Math.round(100 * load);
    return line(
      `md1.${percent}.wait`,
      `M/D/1 at ${percent}%: wait`,
      'services',
      waitOfMg1(load, 0),
      waits(result),
      why,
    );
  });
  const gamma = run({ groups, servers: 1, load: 0.7, service: { kind: 'gamma', ns: SERVICE_NS, shape: 0.5 } });
  const loss = [
    [1, 8, 0.9],
    [1, 16, 1.2],
    [4, 12, 3.6],
  ].map(([servers = 1, places = 1, load = 0]) => {
    const result = run({ groups, servers, load, service: EXPONENTIAL, places });
    const what = `M/M/${servers}/${places} at ${Math.round((100 * load) / servers)}%: overflow`;
    const why = 'requests that find all entries taken, by the stationary distribution';
    return line(
      `mm${servers}k${places}.overflow`,
      what,
      'share',
      lossOfMmck(servers, places, load),
      result.overflowProbability,
      why,
    );
  });
  return [
    ...mmc,
    ...md1,
    line(
      'mg1.wait',
      'M/G/1 at 70%, gamma of shape 0.5: wait',
      'services',
      waitOfMg1(0.7, 2),
      waits(gamma),
      'Pollaczek-Khinchine with a squared coefficient of variation of 2',
    ),
    ...loss,
  ];
}

/** The service of page requests against queues that theory can solve. */
export const faultQueueSection: ValidationSection = {
  name: 'E',
  title: 'Fault queues against closed forms',
  source: 'Erlang (1917), Pollaczek (1930) and Khinchine (1932), as in Kleinrock, Queueing Systems, volume 1 (1975)',
  run: lines,
  notes: (all) => [
    `largest difference ${(100 * Math.max(...all.map(({ error }) => error ?? 0))).toFixed(2)}%, over ${all.length} figures: chance alone, which a longer run makes smaller`,
  ],
};

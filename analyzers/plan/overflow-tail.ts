import { serviceOf } from '../../replay/faults/compare-pri.ts';
import type { PriRow } from '../../replay/faults/compare-pri.ts';
import type { PriDesign } from '../../replay/faults/pri-design.ts';
import { lossOfMmck } from '../../replay/faults/service/closed-forms.ts';
import { makeArrivals } from '../../replay/faults/service/fault-arrivals.ts';
import type { FaultArrivals } from '../../replay/faults/service/fault-arrivals.ts';
import { simulateFaultService } from '../../replay/faults/service/fault-service.ts';
import type { RecordedFaults } from '../../replay/faults/service/recorded-arrivals.ts';
import { faultCosts } from '../../replay/faults/service/service-parameters.ts';

/** What is known of the probability that a page request is lost. */
export interface OverflowTail {
  /**
   * `bounded`: it can't happen; `simulated`: losses of the run itself; `fitted`: extrapolated from losses of shallower queues;
   * `closed-form`: M/M/c/K; `unseen`: none in so many.
   */
  readonly basis: 'bounded' | 'simulated' | 'fitted' | 'closed-form' | 'unseen';
  readonly probability: number;
  /** What goals are held against: two standard errors above. */
  readonly upper: number;
  readonly how: string;
  /** Losses of shallower queues that it rests on. */
  readonly points: readonly TailPoint[];
}

interface TailPoint {
  readonly depth: number;
  readonly requests: number;
  readonly lost: number;
}

/** Groups of one run, and runs with other random numbers, whose spread is the error. */
const GROUPS = 30_000;
const SEEDS = 3;
/** Losses that a depth must have to be fitted, also of a recording, points of the fit, and the least of them. */
const LEAST_LOST = 30;
const LEAST_RECORDED = 5;
const MOST_POINTS = 5;
const LEAST_POINTS = 3;
/** Above this a queue is full of the time, not in the tail. */
const MOST_PROBABILITY = 0.2;
const DEPTHS = [2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256];

export interface TailOptions {
  readonly faults: RecordedFaults;
  readonly design: PriDesign;
  readonly parameter: (name: string) => number;
  readonly seed: number;
  /** Curves by all that they depend on but the depth. */
  readonly known: Map<string, readonly TailPoint[]>;
}

/** Losses of a queue, of which `row` is a run with the recorded arrivals. */
export function overflowTail(row: PriRow, options: TailOptions): OverflowTail {
  const { faults, design } = options;
  const { timing } = design.queue;
  const { requests, lostRequests } = row;
  const bounded = (how: string): OverflowTail => ({ basis: 'bounded', probability: 0, upper: 0, how, points: [] });
  if (timing.full === 'hold') return bounded(`requests of ${design.queue.name} wait where they are`);
  const most = faults.arrivals.devices * design.outstanding;
  if (most <= design.depth - timing.spare) {
    return bounded(
      `${faults.arrivals.devices} devices with ${design.outstanding} requests each have ${most} under way at most, the queue takes ${design.depth - timing.spare}`,
    );
  }
  const seen: OverflowTail = {
    basis: 'simulated',
    probability: lostRequests / Math.max(1, requests),
    upper: (lostRequests + 2 * Math.sqrt(lostRequests)) / Math.max(1, requests),
    how: `${lostRequests} of ${requests} requests were lost`,
    points: [],
  };
  if (design.arrivals.kind === 'closed') {
    if (lostRequests > 0) return seen;
    return {
      ...seen,
      basis: 'unseen',
      upper: 3 / Math.max(1, requests),
      how: `none of ${requests} requests was lost: below 3 in as many, with 95 %`,
    };
  }
  // requests of a recording come in bursts, which independent ones do not; a recording has few of them: the worse of the two
  const found = [
    ...(lostRequests > 0 ? [seen] : []),
    fitted(options, 'recorded'),
    fitted(options, 'independent') ?? closedForm(options),
  ].filter((tail) => tail !== undefined);
  return found.reduce((worst, tail) => (tail.upper > worst.upper ? tail : worst));
}

/** `recorded`: at the recorded times, once; `independent`: at the recorded rate, many more of them. */
type Process = 'recorded' | 'independent';

function curve(options: TailOptions, process: Process): readonly TailPoint[] {
  const { design, known } = options;
  const { queue, service, arrivals, depth: _depth, ...rest } = design;
  const key = JSON.stringify([process, queue.name, service.name, arrivals.name, rest]);
  let points = known.get(key);
  if (points === undefined) {
    points = simulated(options, process);
    known.set(key, points);
  }
  return points;
}

/** Losses of shallow queues. */
function simulated({ faults, design, parameter, seed }: TailOptions, process: Process): readonly TailPoint[] {
  const { service } = serviceOf(design, faults, parameter);
  const points: TailPoint[] = [];
  let fewest = Number.POSITIVE_INFINITY;
  for (const depth of DEPTHS) {
    let requests = 0;
    let lost = 0;
    for (let run = 0; run < (process === 'recorded' ? 1 : SEEDS); run++) {
      const arrivals =
        process === 'recorded'
          ? faster(faults.arrivals, design.speed)
          : repeated(faults.arrivals, rateOf(faults, design), seed + 17 * run);
      const result = simulateFaultService({
        arrivals,
        queue: design.queue.timing,
        entries: depth,
        outstanding: design.outstanding,
        servers: design.servers,
        service:
          service.kind === 'recorded' && process === 'independent'
            ? { kind: 'empirical', list: faults.serviceNs }
            : service,
        unknownServiceNs: parameter('pri.service'),
        batch: design.batch,
        lingerNs: parameter('pri.linger'),
        repairPages: design.repairPages,
        prefetch: design.prefetch,
        costs: faultCosts(parameter),
        // requests that are sent again come in bursts of their own
        asksAgain: false,
        seed: seed + run,
        quantiles: false,
      });
      requests += result.requests;
      lost += result.lostRequests;
    }
    points.push({ depth, requests, lost });
    fewest = Math.min(fewest, lost);
    if (fewest < leastLost(process)) break;
  }
  return points;
}

function leastLost(process: Process): number {
  return process === 'recorded' ? LEAST_RECORDED : LEAST_LOST;
}

/** The recorded times, passing so many times as fast. */
function faster(arrivals: FaultArrivals, speed: number): FaultArrivals {
  const { time, pages } = arrivals;
  const start = time[0] ?? 0;
  return {
    ...arrivals,
    time: time.map((ns) => Math.round(start + (ns - start) / speed)),
    ...(pages === undefined ? {} : { pages: { ...pages, offsetNs: pages.offsetNs.map((ns) => ns / speed) } }),
  };
}

/** Groups a second. */
function rateOf({ arrivals: { groups, time } }: RecordedFaults, { arrivals, speed }: PriDesign): number {
  const span = groups < 2 ? 0 : (time[groups - 1] ?? 0) - (time[0] ?? 0);
  const recorded = span > 0 ? ((groups - 1) * 1e9) / span : 1;
  return (arrivals.value > 0 ? arrivals.value : recorded) * speed;
}

/** The recorded groups over and over, at independent times; each request asks for a page of its own. */
function repeated(arrivals: FaultArrivals, perSecond: number, seed: number): FaultArrivals {
  const { groups, devices, device, requestsFrom, pages } = arrivals;
  const { time } = makeArrivals({ groups: GROUPS, devices, perSecond, kind: 'poisson', seed });
  const many = Math.max(1, groups);
  const from = new Int32Array(GROUPS + 1);
  const offsets: number[] = [];
  for (let i = 0; i < GROUPS; i++) {
    const first = requestsFrom?.[i % many] ?? 0;
    const count = requestsFrom === undefined ? 1 : requestsFrom[(i % many) + 1]! - first; // in range
    from[i + 1] = from[i]! + count; // in range
    for (let k = 0; k < count; k++) offsets.push(pages?.offsetNs[first + k] ?? 0);
  }
  return {
    groups: GROUPS,
    time,
    devices,
    rids: arrivals.rids,
    ...(device === undefined ? {} : { device: Int32Array.from({ length: GROUPS }, (_, i) => device[i % many] ?? 0) }),
    requestsFrom: from,
    pages: {
      page: Float64Array.from(offsets, (_, i) => i * 4096),
      space: new Int32Array(offsets.length),
      offsetNs: Float64Array.from(offsets),
    },
  };
}

/**
 * log p = a + b depth through the deepest queues that lost enough, weighted by their losses: the tail of a queue whose service times
 * have an exponential tail is geometric (Kleinrock, "Queueing Systems" volume 1, 1975, 3.6). Undefined for too few points, or where
 * losses do not get rarer.
 */
function fitted(options: TailOptions, process: Process): OverflowTail | undefined {
  const { depth } = options.design;
  const points = curve(options, process);
  const least = leastLost(process);
  const come =
    process === 'recorded'
      ? 'requests as recorded'
      : 'requests coming independently of each other at the recorded rate';
  const usable = points
    .filter(({ lost, requests }) => lost >= least && lost / requests <= MOST_PROBABILITY)
    .slice(-MOST_POINTS);
  const exact = points.find((point) => point.depth === depth && point.lost >= least);
  if (exact !== undefined) {
    const probability = exact.lost / exact.requests;
    const upper = (exact.lost + 2 * Math.sqrt(exact.lost)) / exact.requests;
    return {
      basis: 'simulated',
      probability,
      upper,
      how: `${exact.lost} of ${exact.requests} requests were lost, ${come}`,
      points: [exact],
    };
  }
  if (usable.length < LEAST_POINTS) return undefined;
  const line = weightedLine(
    usable.map(({ depth: x, lost, requests }) => ({ x, y: Math.log(lost / requests), weight: lost })),
  );
  if (line.slope >= 0) return undefined;
  const log = line.at(depth);
  const error = line.errorAt(depth);
  const depths = usable.map((point) => point.depth).join(', ');
  return {
    basis: 'fitted',
    probability: Math.exp(log),
    upper: Math.min(1, Math.exp(log + 2 * error)),
    how: `a geometric tail through the losses of ${depths} entries, ${come}; upper end of two standard errors (a factor of ${Math.exp(Math.min(700, 2 * error)).toPrecision(2)})`,
    points: usable,
  };
}

interface Line {
  readonly slope: number;
  at(x: number): number;
  errorAt(x: number): number;
}

/** Least squares; the error is from the scatter about the line, or from the weights as counts if that is more. */
export function weightedLine(
  points: readonly { readonly x: number; readonly y: number; readonly weight: number }[],
): Line {
  const sum = (of: (point: (typeof points)[number]) => number): number =>
    points.reduce((total, point) => total + point.weight * of(point), 0);
  const weight = sum(() => 1);
  const meanX = sum(({ x }) => x) / weight;
  const meanY = sum(({ y }) => y) / weight;
  const spread = sum(({ x }) => (x - meanX) ** 2);
  const slope = sum(({ x, y }) => (x - meanX) * (y - meanY)) / spread;
  const at = (x: number): number => meanY + slope * (x - meanX);
  // of counts, log p has the variance 1 / count: the weights are inverse variances
  const scatter = points.length > 2 ? sum(({ x, y }) => (y - at(x)) ** 2) / (points.length - 2) : 1;
  const scale = Math.max(1, scatter);
  return { slope, at, errorAt: (x) => Math.sqrt(scale * (1 / weight + (x - meanX) ** 2 / spread)) };
}

/** What M/M/c/K loses; of queues whose entries are free again when the driver has taken them, the driver is the one server. */
function closedForm({ faults, design, parameter }: TailOptions): OverflowTail {
  const costs = faultCosts(parameter);
  const { service, standing } = serviceOf(design, faults, parameter);
  const { timing } = design.queue;
  const recorded = faults.serviceNs.reduce((total, ns) => total + ns, 0) / Math.max(1, faults.serviceNs.length);
  const answered = timing.freed === 'answered';
  const mean = answered ? ('ns' in service ? service.ns : recorded) : costs.handlerNs + costs.interruptNs;
  const servers = answered ? design.servers : 1;
  const requests = faults.requests / Math.max(1, faults.arrivals.groups);
  const places = Math.max(servers, Math.floor((design.depth - timing.spare) / Math.max(1, requests)));
  const load = (rateOf(faults, design) * mean) / 1e9;
  const probability = Math.min(1, lossOfMmck(servers, places, load));
  return {
    basis: 'closed-form',
    probability,
    upper: probability,
    how: `too few losses to fit: M/M/${servers}/${places} at a load of ${load.toPrecision(2)} servers (requests come independently of each other, ${answered ? `service is ${standing}` : 'entries are held for the interrupt and the driver'}, exponential)`,
    points: [],
  };
}

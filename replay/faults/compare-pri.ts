import { IorrError } from '../../traces/errors.ts';
import type { Trace } from '../../traces/trace.ts';
import type { Nanoseconds } from '../../traces/units.ts';
import type { CostProfile } from '../costs/cost-profile.ts';
import type { ProfileParameter, WaitQuantiles } from '../results.ts';
import { fittedService } from './pri-design.ts';
import type { NamedArrivals, PriDesign, ServiceStanding } from './pri-design.ts';
import { withTimes } from './service/fault-arrivals.ts';
import type { FaultArrivals } from './service/fault-arrivals.ts';
import type { FaultServiceResult } from './service/fault-service-result.ts';
import { simulateFaultService } from './service/fault-service.ts';
import type { ClosedLoop } from './service/fault-service-options.ts';
import { readRecordedFaults } from './service/recorded-arrivals.ts';
import type { RecordedFaults } from './service/recorded-arrivals.ts';
import { faultCosts, serviceParameters } from './service/service-parameters.ts';
import type { ServiceTime } from './service/service-time.ts';

const PAGE_BYTES = 4096;
/** Servers that are busier do not keep up. */
const MOST_BUSY = 0.99;
/** Groups of all devices together that a closed loop keeps under way. */
const MOST_THREADS = 1 << 20;

export interface ComparePriOptions {
  readonly designs: readonly PriDesign[];
  readonly profile: CostProfile;
  /** Parameters that were set. */
  readonly parameters: ReadonlyMap<string, number>;
  readonly seed: number;
  /** Told how much is done, of 1. */
  readonly progress?: (share: number) => void;
  readonly signal?: AbortSignal;
}

/** What the recording shows of page requests, before anything is modelled. */
export interface RecordedPri {
  /** `queue`: as drivers took them from the hardware; `user`: as user space read them. */
  readonly source: 'queue' | 'user';
  readonly unit: string;
  /** Units whose requests are left out. */
  readonly otherUnits: number;
  readonly startNs: Nanoseconds;
  /** First request of the first group to that of the last. */
  readonly durationNs: Nanoseconds;
  readonly requests: number;
  readonly groups: number;
  readonly devices: number;
  readonly groupsPerSecond: number;
  readonly answered: number;
  readonly refused: number;
  readonly unanswered: number;
  readonly partial: number;
  readonly stopMarkers: number;
  readonly orphans: number;
  readonly responseNs: WaitQuantiles;
  readonly inOrder: boolean;
}

/** A row: what was asked for, and what came of it. */
export interface PriRow extends FaultServiceResult {
  /** The values in which rows differ: `depth=256 servers=2`. */
  readonly name: string;
  readonly design: {
    readonly queue: string;
    readonly depth: number;
    readonly outstanding: number;
    readonly servers: number;
    readonly service: string;
    readonly arrivals: string;
    readonly speed: number;
    readonly batch: number;
    readonly repairBytes: number;
    readonly prefetch: number;
  };
  readonly serviceStanding: ServiceStanding;
  /** Groups that devices had their translations for, in a second. */
  readonly groupsPerSecond: number;
  /** Fewest entries with which no request is lost in this run; null where some were. */
  readonly depthNeeded: number | null;
}

/** `compare --pri`: page requests of a recording with other queues, servers and repairs. */
export interface PriResult {
  readonly profile: string;
  readonly recorded: RecordedPri;
  readonly rows: readonly PriRow[];
  readonly parameters: readonly ProfileParameter[];
  readonly caveats: readonly string[];
}

/** Lets every design serve the page requests of a trace. Returns undefined if it was aborted. */
export async function comparePri(trace: Trace, options: ComparePriOptions): Promise<PriResult | undefined> {
  const { designs, profile, seed, signal } = options;
  const faults = readRecordedFaults(trace);
  const { parameter, table } = serviceParameters(options.parameters, profile.faults);
  const costs = faultCosts(parameter);
  const names = rowNames(designs);
  const rows: PriRow[] = [];
  for (const [i, design] of designs.entries()) {
    // between runs, so that Ctrl-C is seen
    await nextTurn();
    if (signal?.aborted === true) return undefined;
    const { service, standing } = serviceOf(design, faults, parameter);
    const { arrivals, closed } = arrivalsOf(design, faults, seed);
    const result = simulateFaultService({
      arrivals,
      queue: design.queue.timing,
      entries: design.depth,
      outstanding: design.outstanding,
      servers: design.servers,
      service,
      unknownServiceNs: parameter('pri.service'),
      batch: design.batch,
      lingerNs: parameter('pri.linger'),
      repairPages: design.repairPages,
      prefetch: design.prefetch,
      costs,
      asksAgain: true,
      refaults: parameter('pri.refault'),
      ...(closed === undefined ? {} : { closed }),
      seed,
      quantiles: true,
    });
    rows.push(rowOf(names[i] ?? '', design, standing, result));
    options.progress?.((i + 1) / designs.length);
  }
  return {
    profile: profile.name,
    recorded: recordedOf(faults),
    rows,
    parameters: table,
    caveats: caveatsOf(trace, faults, designs, rows),
  };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Service time of a design on a recording, and what it rests on. */
export function serviceOf(
  { service }: PriDesign,
  { serviceNs }: RecordedFaults,
  parameter: (name: string) => number,
): { readonly service: ServiceTime; readonly standing: ServiceStanding } {
  const assumed = { service: { kind: 'fixed', ns: parameter('pri.service') }, standing: 'assumed' } as const;
  const { time } = service;
  const known = serviceNs.length > 0;
  if (time === 'default') return known ? { service: { kind: 'recorded' }, standing: 'recorded' } : assumed;
  if (time === 'fitted') return known ? { service: fittedService(serviceNs), standing: 'fitted' } : assumed;
  if (time === 'resampled') {
    return known ? { service: { kind: 'empirical', list: serviceNs }, standing: 'recorded' } : assumed;
  }
  if (time.kind === 'published') {
    const ns = time.cpuFaults > 0 ? time.cpuFaults * parameter('pri.cpu-fault') : parameter('pri.published');
    return { service: { kind: 'exponential', ns }, standing: 'published' };
  }
  if (time.kind === 'recorded') return known ? { service: time, standing: 'recorded' } : assumed;
  return { service: time, standing: 'assumed' };
}

/** When the groups are wished for. */
function arrivalsOf(
  { arrivals: asked, speed }: PriDesign,
  faults: RecordedFaults,
  seed: number,
): { readonly arrivals: FaultArrivals; readonly closed?: ClosedLoop } {
  const { arrivals } = faults;
  if (asked.kind === 'closed') {
    if (asked.value * arrivals.devices > MOST_THREADS) {
      throw new IorrError('LIMIT', `${asked.name}: ${arrivals.devices} devices have too many groups under way`, {
        hint: `fewer than ${MOST_THREADS} in all: arrivals=closed:${Math.max(1, Math.floor(MOST_THREADS / arrivals.devices))}`,
      });
    }
    return { arrivals, closed: { threads: asked.value, think: { kind: 'fixed', ns: asked.thinkNs } } };
  }
  if (asked.kind !== 'recorded') {
    const perSecond = (asked.value > 0 ? asked.value : groupsPerSecond(arrivals)) * speed;
    return { arrivals: withTimes(arrivals, perSecond, asked.kind, seed + 3) };
  }
  if (speed === 1) return { arrivals };
  const start = arrivals.time[0] ?? 0;
  const time = arrivals.time.map((ns) => Math.round(start + (ns - start) / speed));
  const { pages } = arrivals;
  const faster = pages === undefined ? {} : { pages: { ...pages, offsetNs: pages.offsetNs.map((ns) => ns / speed) } };
  return { arrivals: { ...arrivals, time, ...faster } };
}

function groupsPerSecond({ groups, time }: FaultArrivals): number {
  const span = groups < 2 ? 0 : (time[groups - 1] ?? 0) - (time[0] ?? 0);
  return span > 0 ? ((groups - 1) * 1e9) / span : 1;
}

function rowOf(name: string, design: PriDesign, serviceStanding: ServiceStanding, result: FaultServiceResult): PriRow {
  const { queue, depth, outstanding, servers, service, arrivals, speed, batch, repairPages, prefetch } = design;
  const done = result.repaired + result.avoided;
  return {
    name,
    design: {
      queue: queue.name,
      depth,
      outstanding,
      servers,
      service: service.time === 'default' ? serviceStanding : service.name,
      arrivals: arrivals.name,
      speed,
      batch,
      repairBytes: repairPages * PAGE_BYTES,
      prefetch,
    },
    serviceStanding,
    groupsPerSecond: result.spanNs > 0 ? (done * 1e9) / result.spanNs : 0,
    depthNeeded: result.lostRequests > 0 || result.held > 0 ? null : result.queue.max + queue.timing.spare,
    ...result,
  };
}

/** Rows are named by what they differ in, all by their queue if they are the same. */
function rowNames(designs: readonly PriDesign[]): readonly string[] {
  const values: readonly (readonly [string, (design: PriDesign) => string])[] = [
    ['', (design) => design.queue.name],
    ['depth=', (design) => String(design.depth)],
    ['outstanding=', (design) => String(design.outstanding)],
    ['servers=', (design) => String(design.servers)],
    ['service=', (design) => design.service.name],
    ['arrivals=', (design) => design.arrivals.name],
    ['speed=', (design) => String(design.speed)],
    ['batch=', (design) => String(design.batch)],
    ['repair=', (design) => repairName(design.repairPages)],
    ['prefetch=', (design) => String(design.prefetch)],
  ];
  // each queue has its own depth by default: told where rows of one queue differ
  const differ = values.filter(([key, of]) =>
    key === ''
      ? new Set(designs.map(of)).size > 1
      : designs.some((one) => designs.some((other) => one.queue === other.queue && of(one) !== of(other))),
  );
  const shown = differ.length === 0 ? values.slice(0, 1) : differ;
  return designs.map((design) => shown.map(([key, of]) => `${key}${of(design)}`).join(' '));
}

function repairName(pages: number): string {
  return pages >= 512 ? '2m' : pages >= 16 ? '64k' : '4k';
}

function recordedOf(faults: RecordedFaults): RecordedPri {
  const { arrivals, serviceNs: _times, ...counts } = faults;
  const { groups, time, devices } = arrivals;
  const startNs = time[0] ?? 0;
  return {
    ...counts,
    startNs,
    durationNs: groups === 0 ? 0 : (time[groups - 1] ?? 0) - startNs,
    groups,
    devices,
    groupsPerSecond: groups < 2 ? 0 : groupsPerSecond(arrivals),
  };
}

function caveatsOf(
  trace: Trace,
  faults: RecordedFaults,
  designs: readonly PriDesign[],
  rows: readonly PriRow[],
): readonly string[] {
  const has = (test: (design: PriDesign) => boolean): boolean => designs.some(test);
  const arrivals = (kind: NamedArrivals['kind']): boolean => has((design) => design.arrivals.kind === kind);
  const said: readonly (readonly [boolean, string])[] = [
    [
      trace.header.host.emulated === true,
      'recorded times are those of an emulator: orders and counts are real, latencies of the recording are not',
    ],
    [
      faults.otherUnits > 0,
      `only the requests to ${faults.unit} are compared; ${faults.otherUnits} other units have queues of their own`,
    ],
    [
      faults.source === 'user',
      'no source shows the queue of the hardware: requests are those that user space read, at the time of its reads',
    ],
    [
      arrivals('recorded'),
      'devices ask when they asked in the recording, however long answers take (arrivals=closed:N lets the next request wait for an answer)',
    ],
    [
      faults.serviceNs.length === 0 && rows.some((row) => row.serviceStanding === 'assumed'),
      'the trace has no responses: what a server takes is assumed (pri.service)',
    ],
    [
      !faults.inOrder && rows.some((row) => row.serviceStanding === 'recorded'),
      'responses of the recording are out of order: several servers worked, and the recorded service is the whole time to the response, waits included',
    ],
    [
      rows.some((row) => row.utilisation > MOST_BUSY && !row.design.arrivals.startsWith('closed')),
      'where servers are busy all the time they do not keep up with the arrivals: waits grow for as long as the recording lasts',
    ],
    [
      has(({ prefetch, repairPages }) => prefetch > 0 || repairPages > 1),
      'pages that come with others stay until they are asked for: their eviction is not modelled',
    ],
    [
      rows.some((row) => row.serviceStanding === 'published'),
      'published service times are inputs: VIO (OSDI 2025) measured 700 us from request to response on its own machine; here a server takes that long on average',
    ],
    [
      has(({ queue }) => queue.timing.denies),
      'Linux denies every page request of an SMMUv3 page request queue: nothing is repaired',
    ],
    [
      rows.some(({ lostRequests, design }) => lostRequests > 0 && design.queue === 'amd-ppr'),
      'requests that an AMD log loses are never answered: the device asks again after pri.timeout, which is assumed',
    ],
    [
      rows.some((row) => row.givenUp > 0),
      'some groups were given up after 1,000 attempts: the queue is too small to pass anything',
    ],
    [trace.health.lost > 0, 'the recording lost events: requests or responses may be missing'],
  ];
  return said.flatMap(([is, text]) => (is ? [text] : []));
}

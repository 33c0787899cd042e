import type { Nanoseconds } from '../../traces/units.ts';
import { queueOfIommu } from '../faults/queues/page-request-queues.ts';
import { serviceParameters } from '../faults/service/service-parameters.ts';
import { simulateFaultService } from '../faults/service/fault-service.ts';
import type { FaultCosts } from '../faults/service/fault-costs.ts';
import type { FaultServiceResult } from '../faults/service/fault-service-result.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { faultsByPass, faultsOfPass } from './block-faults.ts';
import type { PassFaults } from './block-faults.ts';
import type { DirtyParameter } from './dirty-parameters.ts';
import type { FaultStorm, FaultStorms } from './dirty-result.ts';
import type { WriteStream } from './write-stream.ts';

/** Parts that a pass is protected in. */
const SLICES = [1, 2, 4, 16, 64, 256];
/** Faults that are simulated at most; a pass with more is left out. */
const MOST_FAULTS = 1e6;

export interface StormOptions {
  readonly stream: WriteStream;
  /** Times of harvests. */
  readonly at: readonly Nanoseconds[];
  readonly blockShift: number;
  readonly hardware: HardwareProfile;
  readonly parameter: DirtyParameter;
  /** Inputs whose storm is told too, beside the parameters' own. */
  readonly published: readonly { readonly name: string; readonly latencyNs: Nanoseconds }[];
  readonly seed: number;
}

/**
 * Page requests of the pass with the most of them, one by one through the queue of the hardware: as they come when all is protected
 * at once, when it is protected in slices, and at worst, all of them together. Null where no pass has one.
 */
export function faultStorms(options: StormOptions): FaultStorms | null {
  const { stream, at, blockShift, parameter, published } = options;
  const counts = faultsByPass(stream, at, blockShift);
  // the pass before says what is protected in it
  const passes = counts
    .map((count, pass) => ({ count, pass }))
    .filter(({ count }) => count > 0 && count <= MOST_FAULTS);
  const later = passes.filter(({ pass }) => pass > 0);
  const [worst] = (later.length > 0 ? later : passes).sort((a, b) => b.count - a.count || a.pass - b.pass);
  if (worst === undefined) return null;
  const paced = SLICES.map((slices) => ({
    slices,
    faults: faultsOfPass(stream, at, blockShift, worst.pass, slices),
  }));
  const [whole] = paced;
  if (whole === undefined) return null;
  const together = { ...whole.faults, time: new Float64Array(whole.faults.time.length) };
  const own = parameter('pri.latency');
  const storms = [
    storm(options, { name: 'all together', slices: 1, faults: together, latencyNs: own }),
    ...paced.map(({ slices, faults }) =>
      storm(options, { name: slices === 1 ? 'at once' : `${slices} slices`, slices, faults, latencyNs: own }),
    ),
    ...published.map(({ name, latencyNs }) =>
      storm(options, { name: `at once, ${name}`, slices: 1, faults: whole.faults, latencyNs }),
    ),
  ];
  const budget = parameter('pri.stall-budget') / 100;
  const within = storms.slice(1, 1 + SLICES.length).find(({ blockedShare }) => blockedShare <= budget);
  return {
    pass: worst.pass,
    faults: worst.count,
    protectedBlocks: whole.faults.protectedBlocks,
    durationNs: whole.faults.durationNs,
    queue: queueOf(options.hardware).name,
    storms,
    slices: within?.slices ?? null,
  };
}

interface Storm {
  readonly name: string;
  readonly slices: number;
  readonly faults: PassFaults;
  /** 0: the sum of the parts. */
  readonly latencyNs: Nanoseconds;
}

function storm(options: StormOptions, { name, slices, faults, latencyNs }: Storm): FaultStorm {
  const { parameter } = options;
  const groups = faults.time.length;
  const service = parameter('pri.handler');
  const result = simulateFaultService({
    arrivals: {
      groups,
      time: faults.time.map(Math.round),
      device: faults.space,
      devices: options.stream.domains.length,
      rids: [],
    },
    queue: queueOf(options.hardware).timing,
    entries: parameter('pri.queue'),
    outstanding: parameter('pri.outstanding'),
    servers: parameter('pri.servers'),
    service: { kind: 'fixed', ns: service },
    unknownServiceNs: service,
    batch: 1,
    lingerNs: 0,
    repairPages: 1,
    prefetch: 0,
    costs: costsOf(parameter, latencyNs),
    asksAgain: true,
    seed: options.seed,
    quantiles: true,
  });
  return rowOf(name, slices, faults, result);
}

function rowOf(name: string, slices: number, faults: PassFaults, result: FaultServiceResult): FaultStorm {
  const { durationNs, protectedBlocks } = faults;
  const devices = Math.max(1, result.devices.filter((device) => device.groups > 0).length);
  const sum = (value: (device: FaultServiceResult['devices'][number]) => number): number =>
    result.devices.reduce((total, device) => total + value(device), 0);
  const share = (ns: number): number => ns / (devices * Math.max(durationNs, result.spanNs));
  return {
    name,
    slices,
    blocksAtOnce: Math.ceil(protectedBlocks / slices),
    faults: faults.time.length,
    latency: result.doneNs,
    spanNs: result.spanNs,
    queueMean: result.queue.mean,
    queueP99: result.queue.p99,
    queueMax: result.queue.max,
    waitingMax: result.host.max,
    overflowProbability: result.overflowProbability,
    deviceStallNs: sum(({ stallNs }) => stallNs),
    stallShare: share(sum(({ stallNs }) => stallNs)),
    blockedShare: share(sum(({ blockedNs }) => blockedNs)),
  };
}

/** `latencyNs` beyond the parts is spent on the way, where requests do not wait for each other. */
function costsOf(parameter: DirtyParameter, latencyNs: Nanoseconds): FaultCosts {
  const other = serviceParameters(new Map()).parameter;
  const parts =
    parameter('pri.request') +
    parameter('pri.interrupt') +
    parameter('pri.handler') +
    parameter('pri.entry') +
    parameter('pri.response') +
    parameter('pri.retranslate');
  const more = latencyNs === 0 ? 0 : Math.max(0, latencyNs - parts);
  return {
    requestNs: parameter('pri.request') + more,
    interruptNs: parameter('pri.interrupt'),
    handlerNs: 0,
    wakeNs: 0,
    entryNs: parameter('pri.entry'),
    populateNs: 0,
    populateHugeNs: 0,
    submitNs: 0,
    respondNs: parameter('pri.response'),
    answerNs: 0,
    retranslateNs: parameter('pri.retranslate'),
    restartNs: other('pri.restart'),
    timeoutNs: other('pri.timeout'),
  };
}

function queueOf(hardware: HardwareProfile) {
  return queueOfIommu(hardware.architecture);
}

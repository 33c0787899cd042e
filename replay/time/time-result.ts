import type { Nanoseconds } from '../../traces/units.ts';
import type { CommandTime } from '../results.ts';
import type { CommandTiming } from './command-timing.ts';
import type { DeviceStalls } from './device-stalls.ts';

const MOST_DEVICES = 100;

/** What is told of a run's times. Units are given by the number that they were made with. */
export function timeResult(
  timing: CommandTiming,
  stalls: DeviceStalls,
  start: Nanoseconds,
  end: Nanoseconds,
): CommandTime {
  const spanNs = Math.max(end, timing.end) - start;
  const share = (ns: Nanoseconds): number => (spanNs > 0 ? Math.min(1, ns / spanNs) : 0);
  return {
    submitToWait: timing.submitToWait.quantiles(),
    lockWait: timing.lockWait.quantiles(),
    spanNs,
    lateNs: timing.lateNs,
    queues: timing.queues.map((queue) => ({
      unit: queue.unit,
      index: queue.index,
      commands: queue.commands,
      tailWrites: queue.tailWrites,
      utilisation: share(queue.hardware.busyNs),
      lockUtilisation: share(queue.lockNs),
      deepest: queue.deepest,
      fullStalls: queue.fullStalls,
      fullStallNs: queue.fullStallNs,
      series: {
        binNs: queue.busy.binNs,
        startNs: Number.isNaN(queue.busy.start) ? start : queue.busy.start,
        utilisation: queue.busy.shares(),
      },
    })),
    devices: stalls.result(MOST_DEVICES),
  };
}

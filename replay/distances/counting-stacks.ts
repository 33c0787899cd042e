import type { Trace } from '../../traces/trace.ts';
import { createCountingReplay } from '../engine/counting-replay.ts';
import { countingSteps } from '../engine/counting-steps.ts';
import { parameterOf } from '../hardware/profile.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { withSettings } from '../hardware/profiles.ts';
import { stackLayout, suitsStacks } from '../model/stacks-module.ts';
import type { StackShape } from '../model/stacks-module.ts';
import { isStackHardware } from './lru-hardware.ts';

/** Lookups, and misses of every geometry that was followed. */
export interface CountedStacks {
  readonly lookups: number;
  readonly misses: (sets: number, ways: number) => number;
}

/**
 * Misses of several numbers of sets and all associativities up to `ways`, counted in WebAssembly in steps of a segment: the same as
 * `createStackDistances` tells, without causes, and several times as fast. Undefined where the hardware or the trace is not for it: larger pages than 4 KiB,
 * numbers of sets that are no powers of two, caches of devices.
 */
export function* countStacks(
  trace: Trace,
  hardware: HardwareProfile,
  sets: readonly number[],
  ways: number,
): Generator<number, CountedStacks | undefined> {
  if (!isStackHardware(hardware)) return undefined;
  const shape: StackShape = {
    sets,
    ways,
    index: parameterOf(hardware, 'iotlb.hashed'),
    refillInvalidFirst: parameterOf(hardware, 'iotlb.refill-invalid-first') !== 0,
  };
  if (!suitsStacks(shape)) return undefined;
  const single = withSettings(hardware, ['iotlb.sets=1', 'iotlb.ways=1']);
  const replay = createCountingReplay(single, { unmappedAccess: 'fill', stacks: shape });
  if (replay === undefined) return undefined;
  if (!(yield* countingSteps(trace, replay))) return undefined;
  const { lookups } = replay.counts();
  const { newest, found } = stackLayout(shape);
  const first = replay.kernel.counters(newest, sets.length);
  const places = replay.kernel.counters(found, sets.length * ways);
  return {
    lookups,
    misses: (count, size) => {
      const level = sets.indexOf(count);
      let hits = 0;
      // the newest of its set at one level is so at all later ones
      for (let from = 0; from <= level; from++) hits += first[from]!;
      for (let way = 0; way < size; way++) hits += places[level * ways + way]!;
      return lookups - hits;
    },
  };
}

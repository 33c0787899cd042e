import { analyzeIotlb } from '../../analyzers/iotlb/iotlb.ts';
import { ACCESS_MODELS } from '../../replay/access/access-models.ts';
import { COST_PROFILES } from '../../replay/costs/cost-profiles.ts';
import { DESIGNS } from '../../replay/designs/designs.ts';
import { compareTrace } from '../../replay/engine/compare.ts';
import { countStacks } from '../../replay/distances/counting-stacks.ts';
import { replayTrace } from '../../replay/engine/replay.ts';
import { verifyTrace } from '../../replay/engine/verify.ts';
import type { HardwareProfile } from '../../replay/hardware/profile.ts';
import { HARDWARE } from '../../replay/hardware/profiles.ts';
import { IorrError } from '../../traces/errors.ts';
import { memorySource } from '../../traces/format/bytes-io.ts';
import { TraceFile } from '../../traces/format/reader.ts';
import { toJson } from '../../traces/plain-json.ts';
import type { Random } from '../../traces/random.ts';
import { baseTraces } from './base-traces.ts';
import type { FuzzTarget } from './fuzz-target.ts';
import { mutateTrace } from './mutate-trace.ts';

/** What a trace may be refused for by the three questions. */
const EXPECTED = new Set([
  'FORMAT_EMPTY',
  'FORMAT_UNKNOWN',
  'TRACE_NEWER',
  'TRACE_DAMAGED',
  'NOTHING_TO_VERIFY',
  'STREAM_MISSING',
  'LIMIT',
]);

function pick<T>(list: readonly T[], random: Random): T {
  return list[random.below(list.length)] as T;
}

/** Misses of several geometries, counted. */
function count(trace: TraceFile, hardware: HardwareProfile): void {
  const steps = countStacks(trace, hardware, [1, 4, 64], 4);
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done !== true) continue;
    toJson({ misses: step.value?.misses(64, 4) ?? null });
    return;
  }
}

async function ask(trace: TraceFile, random: Random): Promise<void> {
  const hardware = pick(HARDWARE, random);
  const factory = pick(ACCESS_MODELS, random);
  switch (random.below(5)) {
    case 0:
      toJson(replayTrace(trace, factory.name === 'none' ? { hardware } : { hardware, accesses: { factory, seed: 1 } }));
      return;
    case 1:
      toJson(verifyTrace(trace));
      return;
    case 2:
      toJson(analyzeIotlb(trace, { hardware }));
      return;
    case 3:
      count(trace, hardware);
      return;
    default: {
      const options = { designs: DESIGNS.map(({ name }) => name), hardware, profile: pick(COST_PROFILES, random) };
      toJson((await compareTrace(trace, { ...options, access: factory.name })) ?? {});
    }
  }
}

/** Damaged traces and traces of random values: replayed, verified, compared, and their IOTLB looked at. */
export function fuzzReplays(): FuzzTarget {
  const bases = baseTraces();
  return {
    make: (random) => mutateTrace(bases, random),
    async take(bytes, random) {
      try {
        const trace = new TraceFile(memorySource(bytes, 'damaged.iorr'));
        await ask(trace, random);
        return { refused: undefined, events: trace.eventCount };
      } catch (error) {
        if (error instanceof IorrError && EXPECTED.has(error.code)) return { refused: error.code, events: 0 };
        throw error;
      }
    },
  };
}

import { ACCESS_MODELS } from '../../replay/access/access-models.ts';
import { COST_PROFILES } from '../../replay/costs/cost-profiles.ts';
import { DESIGNS } from '../../replay/designs/designs.ts';
import { compareTrace } from '../../replay/engine/compare.ts';
import { replayTrace } from '../../replay/engine/replay.ts';
import { verifyTrace } from '../../replay/engine/verify.ts';
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

async function ask(trace: TraceFile, random: Random): Promise<void> {
  const hardware = pick(HARDWARE, random);
  const factory = pick(ACCESS_MODELS, random);
  switch (random.below(3)) {
    case 0:
      toJson(replayTrace(trace, factory.name === 'none' ? { hardware } : { hardware, accesses: { factory, seed: 1 } }));
      return;
    case 1:
      toJson(verifyTrace(trace));
      return;
    default: {
      const options = { designs: DESIGNS.map(({ name }) => name), hardware, profile: pick(COST_PROFILES, random) };
      toJson((await compareTrace(trace, { ...options, access: factory.name })) ?? {});
    }
  }
}

/** Damaged traces and traces of random values: replayed, verified and compared. */
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

import { describe, expect, test } from 'vitest';
import { IorrError } from '../../traces/errors.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { Random } from '../../traces/random.ts';
import { readSettings } from './parameter.ts';
import { simulatedHeader } from './workload.ts';
import type { Workload } from './workload.ts';
import { WORKLOADS } from './workloads.ts';

const EVENTS = 3000;
/** Events of one operation at most: descriptors of 512 pages, commands of 512 pages. */
const LARGEST_OPERATION = 8 * 512;

/** The number of events that were made, or what is wrong with the values; nothing may be made before that is said. */
function events(workload: Workload, settings: readonly string[]): number | string {
  const values = readSettings(workload.name, workload.parameters, [`events=${EVENTS}`, ...settings]);
  const trace = new MemoryTrace(simulatedHeader(workload, '0', values));
  try {
    for (const _events of workload.generate(trace, values, new Random(1))) {
      // nothing to show in between
    }
  } catch (error) {
    if (!(error instanceof IorrError) || trace.eventCount > 0) throw error;
    return error.code;
  }
  return trace.eventCount;
}

describe.each(WORKLOADS.map((workload) => [workload.name, workload] as const))('%s', (_name, workload) => {
  const settings = workload.parameters.flatMap((parameter) => {
    if (parameter.name === 'events') return [];
    if (parameter.kind === 'choice') return parameter.choices.map((choice) => `${parameter.name}=${choice}`);
    return [parameter.min, parameter.max].map((value) => `${parameter.name}=${value}`);
  });

  test.each(settings)('%s makes a trace, or is refused before its first event', (setting) => {
    const made = events(workload, [setting]);
    if (typeof made === 'string') expect(made).toBe('USAGE');
    else {
      expect(made).toBeGreaterThan(0);
      expect(made).toBeLessThan(EVENTS + LARGEST_OPERATION);
    }
  });
});

import { join } from 'node:path';
import { expect, test } from 'vitest';
import { costProfile } from '../../replay/costs/cost-profiles.ts';
import { hardwareProfile } from '../../replay/hardware/profiles.ts';
import { openTrace } from '../../traces/file.ts';
import { planInThread } from './plan-thread.ts';
import { planAxes } from './plan-parameters.ts';
import type { PlannedSetting } from './plan-result.ts';
import type { PlanOrder } from './plan-worker.ts';

const FILE = join(import.meta.dirname, '../../traces/corpus/vtd-strict-6.12.iorr');

function orderOf(goals: readonly string[], vary: readonly string[]): PlanOrder {
  const trace = openTrace(FILE);
  trace.close();
  const hardware = hardwareProfile('auto', trace.header);
  return {
    files: [FILE],
    goals,
    question: { hardware, profile: costProfile('auto', trace.header), settings: [], counts: 'iotlb', seed: 1 },
    axes: planAxes(vary, hardware),
    tenants: [1],
    clones: { seed: 1 },
    downtimeLimitNs: null,
  };
}

/** Each setting is a replay of the whole trace. */
const LONG = orderOf(['p99 submit < 1 ns'], ['design=linux-strict,linux-lazy,per-page,batch-n', 'cores=1,2,4,8']);

test('an end that is asked for comes in the middle of a pass, with what is known', async () => {
  const stop = new AbortController();
  const known: PlannedSetting[] = [];
  let asked = 0;
  const result = await planInThread(LONG, stop.signal, (setting) => {
    known.push(setting);
    asked = performance.now();
    stop.abort();
  });
  expect(result).toBeUndefined();
  expect(known).toHaveLength(1);
  expect(known[0]?.goals[0]?.goal).toBe('p99 submit < 1 ns');
  // a pass takes longer
  expect(performance.now() - asked).toBeLessThan(500);
});

test('one that was asked for before it began begins nothing', async () => {
  const told: PlannedSetting[] = [];
  expect(await planInThread(LONG, AbortSignal.abort(), (setting) => told.push(setting))).toBeUndefined();
  expect(told).toEqual([]);
});

test('what fails in the thread fails here, with code and hint', async () => {
  const order = orderOf(['no PRQ overflow in 1e9'], ['prq.depth=4,8']);
  await expect(planInThread(order, new AbortController().signal, () => {})).rejects.toMatchObject({
    name: 'IorrError',
    code: 'STREAM_MISSING',
    message: expect.stringContaining('page requests'),
  });
});

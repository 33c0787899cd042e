import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { IorrError } from '../traces/errors.ts';
import { runCommand } from '../traces/testing/recorded-io.ts';
import type { CommandRun } from '../traces/testing/recorded-io.ts';
import { planCommand } from './plan-command.ts';
import type { PlanResult } from './plan/plan-result.ts';
import { replayCommand } from './replay-command.ts';
import { comparePriCommand } from './pri-compare/compare-pri-command.ts';

const ROOT = join(import.meta.dirname, '..');
const CORPUS = join(ROOT, 'traces/corpus');
const scratch = mkdtempSync(join(tmpdir(), 'iorr-plan-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const DEFAULTS = { hardware: 'auto', profile: 'auto', seed: '1', addresses: 'same' };

async function plan(file: string, options: { readonly [name: string]: unknown }): Promise<CommandRun> {
  return runCommand(planCommand, [join(CORPUS, file)], { ...DEFAULTS, ...options });
}

async function planned(file: string, options: { readonly [name: string]: unknown }): Promise<PlanResult> {
  const { out } = await plan(file, { ...options, json: true });
  return (JSON.parse(out) as { readonly result: PlanResult }).result;
}

interface Replayed {
  readonly iotlb: { readonly lookups: number; readonly hits: number };
  readonly walkReads: number;
}

async function replayed(file: string, hardware: string, set: readonly string[]): Promise<Replayed> {
  const { out, code } = await runCommand(replayCommand, [join(CORPUS, file)], {
    hardware,
    set,
    json: true,
    repeat: '1',
    access: 'none',
    seed: '1',
  });
  expect(code).toBe(0);
  return (JSON.parse(out) as { readonly result: Replayed }).result;
}

const hitRate = ({ iotlb }: Replayed): number => iotlb.hits / iotlb.lookups;
const walkReads = ({ iotlb, walkReads: reads }: Replayed): number => reads / iotlb.lookups;

/** Traces, goals, and what a replay says of them. */
const SHOWS = [
  {
    file: 'smmuv3-strict-6.12.iorr',
    hardware: 'arm-smmuv3-generic',
    goal: 'hit rate >= 0.4',
    vary: ['sets=1..4096'],
    set: [],
    holds: (result: Replayed) => hitRate(result) >= 0.4,
    value: hitRate,
    method: 'one pass',
  },
  {
    file: 'nested-qemu-vfio-7.2.iorr',
    hardware: 'vtd-64x4',
    goal: 'hit rate >= 95 %',
    vary: ['iotlb.sets=1..256', 'ways=1..16'],
    set: [],
    holds: (result: Replayed) => hitRate(result) >= 0.95,
    value: hitRate,
    method: 'one pass',
  },
  {
    file: 'vtd-lazy-ats-6.12.iorr',
    hardware: 'vtd-64x4',
    goal: 'hit rate >= 48 %',
    vary: ['iotlb.sets=1..256', 'ways=1..16'],
    set: [],
    holds: (result: Replayed) => hitRate(result) >= 0.48,
    value: hitRate,
    method: 'one pass',
  },
  {
    file: 'vtd-pri-pasid-7.2.iorr',
    hardware: 'vtd-64x4',
    goal: 'walk reads <= 1',
    vary: ['walk-cache.l1=0,1,2,4,8,16,32,64'],
    set: [],
    holds: (result: Replayed) => walkReads(result) <= 1,
    value: walkReads,
    method: 'bisection',
  },
  {
    // tree PLRU is no stack algorithm: each size is a replay
    file: 'amd-vfio-7.2.iorr',
    hardware: 'amd-generic',
    goal: 'hit rate > 0.6',
    vary: ['ways=1..64'],
    set: ['iotlb.replacement=1', 'iotlb.sets=1'],
    holds: (result: Replayed) => hitRate(result) > 0.6,
    value: hitRate,
    method: 'sweep',
  },
] as const;

/** Those of more than half a million events only where all is asked for. */
const shown = SHOWS.filter(({ file }) => process.env['IORR_FULL'] === '1' || file !== 'vtd-lazy-ats-6.12.iorr');

describe('answers are those of replays', () => {
  test.each(shown)('$file: $goal', async ({ file, hardware, goal, vary, set, holds, value, method }) => {
    const { answers } = await planned(file, { hardware, goal: [goal], vary, set });
    const [answer] = answers;
    expect(answer?.method).toBe(method);
    const chosen = answer?.chosen;
    if (chosen === null || chosen === undefined) throw new Error('there is an answer');
    const settings = (values: { readonly [name: string]: unknown }): string[] => [
      ...set,
      ...Object.entries(values).map(([name, of]) => `${name}=${String(of)}`),
    ];
    const own = await replayed(file, hardware, settings(chosen.values));
    expect(holds(own)).toBe(true);
    expect(value(own)).toBe(chosen.goals[0]?.value);
    expect(answer?.smaller.length).toBeGreaterThan(0);
    for (const less of answer?.smaller ?? []) {
      const result = await replayed(file, hardware, settings(less.values));
      expect(holds(result)).toBe(false);
      expect(value(result)).toBe(less.goals[0]?.value);
    }
  });
});

describe('page requests', () => {
  test('a queue that overflows in no simulation is judged by its tail, and by what devices may ask', async () => {
    const file = 'vtd-pri-pasid-7.2.iorr';
    const vary = ['depth=64..512', 'prq.speed=1000'];
    const { answers } = await planned(file, { goal: ['no PRQ overflow in 1e9'], vary });
    const [answer] = answers;
    expect(answer?.overflow?.basis).toBe('fitted');
    const depth = answer?.chosen?.values['prq.depth'];
    const [less] = answer?.smaller ?? [];
    expect(less?.holds).toBe(false);
    // what can be simulated of it holds
    const { out } = await runCommand({ ...planCommand, run: comparePriCommand }, [join(CORPUS, file)], {
      pri: `depth=${String(depth)};speed=1000`,
      json: true,
    });
    expect(out).toMatch(/"lostRequests": ?0\b/);
    const bounded = await planned(file, { goal: ['PRQ overflow = 0'], vary: ['depth=64..512', 'outstanding=32'] });
    expect(bounded.answers[0]?.overflow?.basis).toBe('bounded');
    expect(bounded.answers[0]?.chosen?.values['prq.depth']).toBe(64);
  });
});

describe('tenants', () => {
  test('an answer for each number of them, until when it holds, and how fair it is', async () => {
    const file = 'vtd-vfio-7.2.iorr';
    const options = {
      hardware: 'vtd-64x4',
      goal: ['hit rate >= 0.5'],
      tenants: '1,2,...,4',
      vary: ['sets=1..256'],
      set: ['ways=1'],
    };
    const { answers, spreadNs } = await planned(file, options);
    expect(answers.map(({ tenants }) => tenants)).toEqual([1, 2, 4]);
    expect(spreadNs).toBeGreaterThan(0);
    let before = 0;
    for (const { chosen, until, tenants, fairness } of answers) {
      const sets = Number(chosen?.values['iotlb.sets']);
      expect(sets).toBeGreaterThanOrEqual(before);
      before = sets;
      expect(until?.holds).toBeGreaterThanOrEqual(tenants);
      if (tenants > 1) expect(fairness?.jain).toBeLessThanOrEqual(1);
    }
    const { out } = await plan(file, options);
    expect(out).toMatch(/^tenants {2}smallest .*holds for$/m);
  });

  test('how many a unit bears, by bisection to the very number', async () => {
    const file = 'vtd-vfio-7.2.iorr';
    const { answers } = await planned(file, { hardware: 'vtd-64x4', goal: ['hit rate >= 0.6'], tenants: '1..16' });
    const until = answers[0]?.until;
    if (until?.breaks === null || until === null || until === undefined) throw new Error('it breaks');
    expect(until.breaks).toBe(until.holds + 1);
    for (const [count, code] of [
      [until.holds, 0],
      [until.breaks, 3],
    ] as const) {
      const own = await plan(file, {
        hardware: 'vtd-64x4',
        goal: ['hit rate >= 0.6'],
        tenants: String(count),
        vary: ['sets=64'],
      });
      expect(own.code).toBe(code);
    }
  });
});

describe('iorr plan', () => {
  test('shows the answer, its margin, the next smaller one, what binds, and a page', async () => {
    const html = join(scratch, 'plan.html');
    const { out, err, code } = await plan('vtd-vfio-7.2.iorr', {
      hardware: 'vtd-64x4',
      goal: ['hit rate >= 0.8', 'no stale'],
      set: ['iotlb.replacement=2'],
      vary: ['sets=1..64'],
      html,
    });
    expect(code === 0 || code === 3).toBe(true);
    expect(err).toContain(`wrote ${html}`);
    expect(out).toMatch(/^plan {2}.*vtd-vfio-7\.2\.iorr {2}on vtd-64x4$/m);
    expect(out).toContain('binds next: ');
    const page = readFileSync(html, 'utf8');
    expect(page).toContain('hit rate &gt;= 0.8');
    expect(page).not.toMatch(/https?:\/\/(?!www\.w3\.org)/);
  });

  test('3 where nothing meets the goals, with what comes nearest', async () => {
    const { out, code } = await plan('vtd-vfio-7.2.iorr', { goal: ['hit rate = 1'], hardware: 'vtd-64x4' });
    expect(code).toBe(3);
    expect(out).toMatch(/none of the settings meets the goals\n {2}nearest is iotlb\.sets=\d+/);
  });

  test.each([
    [{ goal: [] }, /a goal expected/],
    [{ goal: ['stale = 0'] }, /nothing to vary/],
    [{ goal: ['hit rate > 0.5'], vary: ['stes=1..4'] }, /--vary stes: nothing is called so/],
    [{ goal: ['hit rate > 0.5'], vary: ['sets=4..1'] }, /--vary sets=4..1: a range goes up/],
    [{ goal: ['hit rate > 0.5'], vary: ['depth=x'] }, /a number expected/],
    [{ goal: ['hit rate > 0.5'], vary: ['depth=1,2', 'prq.depth=4'] }, /--vary names prq\.depth twice/],
    [{ goal: ['hit rate > 0.5'], tenants: '0' }, /numbers from 1 to 4096/],
    [{ goal: ['hit rate > 0.5'], tenants: '1,...' }, /numbers from 1 to 4096/],
    [{ goal: ['hit rate > 0.5'], tenants: '2', addresses: 'far' }, /same, keyed or a number/],
    [{ goal: ['submit < 1 us'], design: 'linux-stric' }, /linux-stric/],
    [{ goal: ['no PRQ overflow in 1e9'] }, /page requests are compared on recorded ones/],
  ])('%j is refused', async (options, message) => {
    const refused = plan('vtd-vfio-7.2-qemu.iorr', options);
    await expect(refused).rejects.toThrow(message);
    await expect(refused).rejects.toBeInstanceOf(IorrError);
  });

  test('docs/json.md has every name of the result', async () => {
    const result = await planned('vtd-vfio-7.2.iorr', {
      hardware: 'vtd-64x4',
      goal: ['hit rate >= 0.8'],
      tenants: '1,2',
    });
    const documented =
      readFileSync(join(ROOT, 'docs/json.md'), 'utf8')
        .split(/^## plan$/m)[1]
        ?.split(/^## /m)[0] ?? '';
    expect([...namesOf(result)].filter((name) => !documented.includes(name))).toEqual([]);
  });
});

/** Names of objects, but not those of values by parameter. */
function namesOf(value: unknown): Set<string> {
  const names = new Set<string>();
  const visit = (of: unknown): void => {
    if (Array.isArray(of)) of.forEach(visit);
    else if (of !== null && typeof of === 'object') {
      for (const [name, inner] of Object.entries(of)) {
        names.add(name);
        if (name !== 'values') visit(inner);
      }
    }
  };
  visit(value);
  return names;
}

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { PriResult } from '../../replay/faults/compare-pri.ts';
import { IorrError } from '../../traces/errors.ts';
import { compareCommand } from '../compare-command.ts';
import { runCommand } from '../../traces/testing/recorded-io.ts';

const requests = join(import.meta.dirname, '../../traces/corpus/vtd-pri-pasid-7.2.iorr');
const calls = join(import.meta.dirname, '../../traces/corpus/iommufd-random.iorr');
const strict = join(import.meta.dirname, '../../traces/corpus/smmuv3-strict-6.12.iorr');

/** What the command writes to stdout. */
async function run(file: string, options: { readonly [name: string]: unknown }): Promise<string> {
  const { code, out } = await runCommand(compareCommand, [file], options);
  expect(code).toBe(0);
  return out;
}

async function resultOf(pri: string, options: { readonly [name: string]: unknown } = {}): Promise<PriResult> {
  const document = JSON.parse(await run(requests, { pri, ...options, json: true })) as { result: { pri: PriResult } };
  return document.result.pri;
}

describe('page requests of a recording', () => {
  test('are read as groups, and every response is joined', async () => {
    const { recorded } = await resultOf('default');
    expect(recorded).toMatchObject({
      unit: 'dmar0',
      requests: 1005,
      groups: 735,
      devices: 1,
      answered: 735,
      refused: 14,
    });
    expect(recorded).toMatchObject({ unanswered: 0, partial: 0, orphans: 0, otherUnits: 0 });
  });

  test('as they were: every group is served once, the refused ones are refused', async () => {
    const { rows } = await resultOf('');
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({
      groups: 735,
      repaired: 721,
      refused: 14,
      lost: 0,
      requests: 1005,
      lostRequests: 0,
    });
    expect(rows[0]).toMatchObject({
      serviceStanding: 'recorded',
      design: { queue: 'vtd-prq', depth: 2048, servers: 1 },
    });
  });

  test('with nothing but the recorded service, latencies are the recorded ones', async () => {
    const none = ['request', 'interrupt', 'record', 'wake', 'entry', 'response', 'submit', 'answer', 'retranslate'];
    const { recorded, rows } = await resultOf('service=recorded', { set: none.map((name) => `pri.${name}=0`) });
    expect(recorded.inOrder).toBe(true);
    expect(rows[0]!.responseNs).toEqual(recorded.responseNs);
  });

  test('all combinations are rows, named by what they differ in', async () => {
    const { rows } = await resultOf('depth=4,2048;servers=1,2 batch=1,16');
    expect(rows.map(({ name }) => name)).toEqual([
      'depth=4 servers=1 batch=1',
      'depth=4 servers=1 batch=16',
      'depth=4 servers=2 batch=1',
      'depth=4 servers=2 batch=16',
      'depth=2048 servers=1 batch=1',
      'depth=2048 servers=1 batch=16',
      'depth=2048 servers=2 batch=1',
      'depth=2048 servers=2 batch=16',
    ]);
  });

  test('too small a queue overflows where requests come fast; what it needs is said', async () => {
    const { rows } = await resultOf('depth=4,2048;arrivals=closed:64;service=fixed:5us');
    const [small, large] = rows;
    expect(small!.overflowProbability).toBeGreaterThan(0.1);
    expect(small!.depthNeeded).toBeNull();
    expect(large).toMatchObject({ lostRequests: 0, depthNeeded: large!.queue.max + 1 });
    expect(small!.repaired + small!.refused).toBe(735);
    expect(small!.doneNs.mean).toBeGreaterThan(large!.doneNs.mean);
  });

  test('published times are inputs, and marked', async () => {
    const { rows, caveats } = await resultOf('service=published,published:3x,published:80x');
    expect(rows.map((row) => row.serviceStanding)).toEqual(['published', 'published', 'published']);
    const [vio, three, eighty] = rows.map((row) => row.parts.serviceNs.mean);
    expect(Math.abs(vio! / 700_000 - 1)).toBeLessThan(0.1);
    // whole ns, and the page-table entries
    expect(eighty! / three! / (80 / 3)).toBeCloseTo(1, 1);
    expect(caveats.join(' ')).toMatch(/published service times are inputs/);
    const text = await run(requests, { pri: 'service=published,exp:20us' });
    expect(text).toMatch(/ published {2}.* exp:20us \(assumed\) /s);
  });

  test('more pages at a time are fewer requests', async () => {
    const { rows } = await resultOf('repair=4k,64k,2m;prefetch=0,8');
    const [one, , block, , huge] = rows;
    expect(one!.avoided).toBe(0);
    expect(block!.avoided).toBeGreaterThan(0);
    expect(huge!.avoided).toBeGreaterThan(block!.avoided);
    for (const row of rows) expect(row.repaired + row.refused + row.avoided).toBe(735);
  });

  test('says the same each time, in every form, for any number of jobs', async () => {
    const what = 'queue=vtd-prq,amd-ppr,smmuv3-stall,smmuv3-priq,riscv-pq;service=fitted';
    const once = await resultOf(what, { jobs: '1' });
    expect(await resultOf(what, { jobs: '4' })).toEqual(once);
    const tables = await run(requests, { pri: what });
    const markdown = await run(requests, { pri: what, markdown: true });
    for (const { name } of once.rows) {
      expect(tables).toContain(name);
      expect(markdown).toContain(name);
    }
    expect(once.rows[3]).toMatchObject({ name: 'smmuv3-priq', repaired: 0, refused: 735 });
  });

  test('costs can be set', async () => {
    const { rows, parameters } = await resultOf('service=fixed:0ns;servers=1024', { set: ['pri.wake=1000000'] });
    expect(rows[0]!.parts.serverNs.p50).toBe(1_000_000);
    expect(parameters.find(({ name }) => name === 'pri.wake')).toMatchObject({ value: 1_000_000, standing: 'assumed' });
  });
});

test('reads of a fault queue are requests, too, where nothing shows the hardware', async () => {
  const text = await run(calls, { pri: 'servers=1,2', json: true });
  const { pri } = (JSON.parse(text) as { result: { pri: PriResult } }).result;
  expect(pri.recorded).toMatchObject({ source: 'user', unit: '' });
  expect(pri.recorded.groups).toBeGreaterThan(0);
  expect(pri.rows.map(({ groups }) => groups)).toEqual([pri.recorded.groups, pri.recorded.groups]);
  expect(pri.caveats.join(' ')).toMatch(/no source shows the queue of the hardware/);
});

describe('what can not be', () => {
  test.each([
    [{ pri: 'dept=4' }, /unknown name 'dept'/],
    [{ pri: 'depth=1' }, /depth=1/],
    [{ pri: 'depth=' }, /no value/],
    [{ pri: 'depth=4;depth=8' }, /twice/],
    [{ pri: 'queue=vtd' }, /unknown queue/],
    [{ pri: 'service=exp' }, /service=exp/],
    [{ pri: 'service=exp:fast' }, /a time such as/],
    [{ pri: 'arrivals=closed:0' }, /closed=0/],
    [{ pri: 'repair=1g' }, /repair=1g/],
    [
      {
        pri: `servers=${Array.from({ length: 30 }, (_, i) => i + 1).join(',')};batch=${Array.from({ length: 30 }, (_, i) => i + 1).join(',')}`,
      },
      /500 rows/,
    ],
    [{ pri: '', dirty: 'ad-bits' }, /different questions/],
    [{ pri: '', threads: '4' }, /belongs to --dirty/],
    [{ pri: '', set: ['pri.wakee=1'] }, /nothing is called/],
    [{ pri: '', json: true, markdown: true }, /both want stdout/],
  ])('%j is refused', async (options, message) => {
    await expect(run(requests, options)).rejects.toThrow(message);
    await expect(run(requests, options)).rejects.toBeInstanceOf(IorrError);
  });

  test('a trace without page requests', async () => {
    await expect(run(strict, { pri: '' })).rejects.toThrow(/this trace has none/);
  });
});

test('docs/json.md has every name of the result', async () => {
  const result = await resultOf('');
  const section =
    readFileSync(join(import.meta.dirname, '../../docs/json.md'), 'utf8')
      .split('## compare --pri\n')[1]
      ?.split(/^## /m)[0] ?? '';
  const [row] = result.rows;
  const parts = [result, result.recorded, row, row!.design, row!.parts, row!.queue, row!.queueSeries, row!.devices[0]];
  const names = parts.flatMap((part) => Object.keys(part ?? {}));
  expect(names.filter((name) => !section.includes(`\`${name}`) && !section.includes(`.${name}`))).toEqual([]);
});

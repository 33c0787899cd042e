import { describe, expect, test } from 'vitest';
import type { TraceHeader } from '../../traces/header.ts';
import { testHeader } from '../../traces/testing/test-header.ts';
import { COST_NAMES, costsOf } from './cost-profile.ts';
import { COST_PROFILES, costProfile } from './cost-profiles.ts';

const header = (emulated: boolean): TraceHeader => testHeader({ host: { emulated } });

describe('cost profiles', () => {
  test.each(COST_PROFILES.map((profile) => [profile.name, profile] as const))('%s', (name, profile) => {
    expect(COST_PROFILES.filter((other) => other.name === name)).toEqual([profile]);
    expect(profile.parameters.map((parameter) => parameter.name)).toEqual([...COST_NAMES]);
    for (const { name: cost, unit, source, value } of profile.parameters) {
      expect(unit).toBe(cost === 'queue.entries' ? 'entries' : cost === 'device.reads' ? 'requests' : 'ns');
      expect(source).not.toBe('');
      expect(value).toBeGreaterThanOrEqual(0);
    }
    expect(costsOf(profile)['queue.wait']).toBe(
      profile.parameters.find((parameter) => parameter.name === 'queue.wait')?.value,
    );
  });

  test('one command and its wait cost what the summary says', () => {
    const total = (name: string): number => {
      const costs = costsOf(costProfile(name, header(false)));
      return (
        2 * costs['cpu.command'] +
        costs['cpu.doorbell'] +
        costs['queue.fetch'] +
        costs['queue.iotlb'] +
        costs['queue.wait'] +
        costs['cpu.resume']
      );
    };
    expect(total('generic-server')).toBeCloseTo(1000, -2);
    expect(total('qemu-tcg')).toBeCloseTo(17_000, -3);
  });

  test('a sync on an empty SMMUv3 queue takes what was published', () => {
    const costs = costsOf(costProfile('arm-server', header(false)));
    expect(costs['cpu.command'] + costs['cpu.doorbell'] + costs['queue.fetch'] + costs['queue.wait']).toBe(240);
  });

  test('auto follows the trace; an unknown name suggests the nearest', () => {
    expect(costProfile('auto', header(true)).name).toBe('qemu-tcg');
    expect(costProfile('auto', header(false)).name).toBe('generic-server');
    expect(() => costProfile('generic', header(true))).toThrow(
      expect.objectContaining({ code: 'USAGE', hint: "did you mean 'generic-server'?" }),
    );
  });

  test('a profile that lacks a name is refused', () => {
    expect(() => costsOf({ name: 'x', summary: '', parameters: [] })).toThrow(/cpu.unmap/);
  });
});

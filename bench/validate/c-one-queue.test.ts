import { describe, expect, test } from 'vitest';
import { oneQueueKnee, oneQueueSection } from './c-one-queue.ts';
import { holds } from './line.ts';

describe('validation C', () => {
  test('every line of the short form holds, and is the same each time', { timeout: 60_000 }, async () => {
    const lines = await oneQueueSection.run(true);
    expect(
      lines.filter((line) => !holds(line)).map(({ id, predicted, published }) => ({ id, predicted, published })),
    ).toEqual([]);
    expect(new Set(lines.map(({ id }) => id)).size).toBe(lines.length);
    expect(lines.filter(({ status }) => status === 'fitted').map(({ id }) => id)).toEqual(['C.wait.1-cores']);
    expect(await oneQueueSection.run(true)).toEqual(lines);
  });

  test('the queue saturates above eight cores, and a direct one bears more than twice as many', () => {
    const { direct, part, serviceNs, trapped } = oneQueueKnee(true);
    expect(serviceNs.least).toBeLessThan(6958);
    expect(serviceNs.most).toBeGreaterThan(6958);
    expect(trapped.least).toBeGreaterThan(8);
    expect(trapped.least).toBeLessThan(trapped.value);
    expect(trapped.most).toBeGreaterThan(trapped.value);
    expect(direct.least).toBeGreaterThan(2 * trapped.most);
    expect(part.ns).toBeLessThan(6958);
    expect(part.cores).toBeGreaterThan(trapped.value);
  });
});

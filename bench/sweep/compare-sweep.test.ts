import { expect, test } from 'vitest';
import { simulatedTrace } from '../simulated-trace.ts';
import { compareSweep } from './compare-sweep.ts';

test('64 geometries share one reading, and the one among them is what it is alone', async () => {
  const trace = simulatedTrace('zipf', ['events=16Ki', 'pages=1Ki']);
  const found = await compareSweep('zipf', trace, 1, 'iotlb');
  expect(found).toMatchObject({ points: 64, passes: 1, agrees: true });
  expect(found.ratio).toBeGreaterThan(0);
});

test.skipIf(process.env['IORR_FULL'] !== '1')(
  '64 take at most three times as long as one',
  { timeout: 120_000 },
  async () => {
    for (const [name, settings] of [
      ['dma', ['events=1Mi', 'pages=512']],
      ['zipf', ['events=1Mi', 'pages=64Ki']],
      ['packet-nic', ['events=512Ki', 'devices=4']],
    ] as const) {
      const trace = simulatedTrace(name, settings);
      for (const counts of ['iotlb', 'misses'] as const) {
        const { ratio } = await compareSweep(name, trace, 5, counts);
        process.stdout.write(`${name}, ${counts}: 64 geometries in ${ratio.toFixed(2)} times the time of one\n`);
        expect(ratio).toBeLessThanOrEqual(3);
      }
    }
  },
);

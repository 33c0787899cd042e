import { join } from 'node:path';
import { formatCount, formatDecimal } from '../../analyzers/report/format-units.ts';
import { layOut } from '../../analyzers/report/plain-table.ts';
import { decodeTrace, decodedAsTrace } from '../../replay/sweep/decoded-trace.ts';
import { openTrace } from '../../traces/file.ts';
import { programExit, programOptions } from '../../traces/program.ts';
import type { Trace } from '../../traces/trace.ts';
import { simulatedTrace } from '../simulated-trace.ts';
import { compareSweep } from './compare-sweep.ts';

/** `npm run bench:sweep`: what 64 geometries of an IOTLB cost beside one. */
const ROUNDS = 9;
const CORPUS = join(import.meta.dirname, '../../../traces/corpus');

function corpusTrace(name: string): Trace {
  const trace = openTrace(join(CORPUS, name));
  const decoded = decodedAsTrace(decodeTrace(trace));
  trace.close();
  return decoded;
}

const traces: readonly (readonly [name: string, trace: () => Trace])[] = [
  ['dma', () => simulatedTrace('dma', ['events=1Mi', 'pages=512'])],
  ['zipf', () => simulatedTrace('zipf', ['events=1Mi', 'pages=64Ki'])],
  ['packet-nic', () => simulatedTrace('packet-nic', ['events=512Ki', 'devices=4'])],
  ['smmuv3-strict-6.12', () => corpusTrace('smmuv3-strict-6.12.iorr')],
  ['vtd-strict-6.12', () => corpusTrace('vtd-strict-6.12.iorr')],
];
async function rowOf(name: string, trace: Trace, counts: 'iotlb' | 'misses'): Promise<string[]> {
  const { events, one, all, ratio, passes, points, agrees } = await compareSweep(name, trace, ROUNDS, counts);
  return [
    `  ${name}`,
    formatCount(events),
    formatDecimal(one),
    formatDecimal(all),
    formatDecimal(ratio),
    `${points} in ${passes}`,
    agrees ? 'yes' : 'NO',
  ];
}
process.exitCode = await programExit('bench:sweep', async () => {
  programOptions({ options: {} });
  const rows: (string[] | { readonly heading: string })[] = [];
  for (const counts of ['iotlb', 'misses'] as const) {
    rows.push({ heading: counts === 'misses' ? 'misses alone, counted' : 'misses by cause' });
    for (const [name, make] of traces) rows.push(await rowOf(name, make(), counts));
  }
  const head = ['', 'events', 'one, ns/event', 'all, ns/event', 'ratio', 'points in readings', 'agree'];
  process.stdout.write(`${layOut({ head, rows })}\n\nCPU time, medians of ${ROUNDS} rounds in turns.\n`);
  return 0;
});

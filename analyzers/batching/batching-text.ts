import { printable } from '../report/escape.ts';
import { formatChange, formatCount, formatDecimal, formatNs } from '../report/format-units.ts';
import { layOut, wrapText } from '../report/plain-table.ts';
import type { Spread } from '../sample.ts';
import type { BatchSizes } from './batches.ts';
import type { BatchedReplay, BatchingResult } from './batching.ts';

const COLUMNS = 100;
/** CPUs and devices shown; JSON has all. */
const SHOWN = 8;

function spread({ p50, p95, p99, max }: Spread): string {
  return `median ${formatCount(p50)}, P95 ${formatCount(p95)}, P99 ${formatCount(p99)}, most ${formatCount(max)}`;
}

function recordedLines(result: BatchingResult): string {
  const { commandsPerSubmit, submitsPerUnmap } = result;
  const perUnmap = result.unmaps === 0 ? null : result.commands / result.unmaps;
  const lines: (readonly [string, string, string])[] = [
    ['Unmaps', formatCount(result.unmaps), `of ${formatCount(result.unmappedPages)} pages`],
    ['Commands', formatCount(result.commands), perUnmap === null ? '' : `${formatDecimal(perUnmap)} an unmap`],
    [
      'Submits',
      formatCount(result.submits),
      submitsPerUnmap === null ? 'no source saw the waits' : `${formatDecimal(submitsPerUnmap)} an unmap`,
    ],
    ...(commandsPerSubmit === null ? [] : [['Commands of a submit', '', spread(commandsPerSubmit)] as const]),
    ['Pages of an unmap', '', spread(result.unmapPages)],
    ['Unmaps that touch', '', `${spread(result.runUnmaps)}, one behind the other on a CPU`],
    ['Pages of those', '', spread(result.runPages)],
  ];
  return layOut({ head: ['Recorded', '', ''], rows: lines, align: ['left', 'right', 'left'] });
}

function groups(title: string, of: readonly BatchSizes[]): string {
  const rows = of
    .slice(0, SHOWN)
    .map(({ name, batches, size }) => [
      printable(name, 30),
      formatCount(batches),
      formatCount(size.p50),
      formatCount(size.p95),
      formatCount(size.max),
    ]);
  return layOut({ head: [title, 'Batches', 'Median', 'P95', 'Most'], rows });
}

function replayed(rows: readonly BatchedReplay[]): string {
  const [base] = rows;
  return layOut({
    head: ['Replayed: unmaps of a batch', 'Commands', 'Syncs', '', 'CPU time', '', 'Misses', 'Page-seconds', 'P99'],
    rows: rows.map((one) => [
      formatCount(one.batch),
      formatCount(one.commands),
      formatCount(one.syncs),
      one === base ? '' : formatChange(one.syncs, base?.syncs ?? null),
      formatNs(one.cpuNs),
      one === base ? '' : formatChange(one.cpuNs, base?.cpuNs ?? null),
      formatCount(one.misses),
      formatDecimal(one.pageSeconds),
      formatNs(one.exposureP99Ns),
    ]),
  });
}

function caveatLines(caveat: string): readonly string[] {
  return wrapText(printable(caveat, 500), COLUMNS - 4).map((line, i) => `${i === 0 ? '  ! ' : '    '}${line}`);
}

export function batchingText(file: string, result: BatchingResult): string {
  const facts = `hardware ${result.hardware}, cost profile ${result.profile}, accesses ${result.access}`;
  const parts = [
    `iorr analyze batching  ${printable(file, 200)}\n${facts}`,
    recordedLines(result),
    ...(result.commandsByCpu.length > 0 ? [groups('Commands of a submit', result.commandsByCpu)] : []),
    ...(result.unmapsByDevice.length > 0 ? [groups('Unmaps that touch', result.unmapsByDevice)] : []),
    replayed(result.replayed),
    ...(result.caveats.length === 0 ? [] : [['Read with care', ...result.caveats.flatMap(caveatLines)].join('\n')]),
  ];
  return `${parts.map((part) => part.trimEnd()).join('\n\n')}\n`;
}

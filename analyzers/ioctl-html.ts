import type { IoctlAnalysis } from './analyze-ioctl.ts';
import { leadOf, partOf, partsOf } from './report/chapter.ts';
import type { Chapter } from './report/chapter.ts';
import { formatCount, formatNs, formatNumberOf, formatShare } from './report/format-units.ts';
import { eventCommand, eventLink, sortableTable } from './report/html-parts.ts';
import type { Cell } from './report/html-parts.ts';
import { html } from './report/markup.ts';

/** Rows of a table; JSON has all. */
const SHOWN = 200;

/** What `iorr analyze ioctl` found, for a page. */
export function ioctlChapter(result: IoctlAnalysis, file: string): Chapter {
  const { calls, failed, requests, batches, containers } = result;
  const title =
    failed === 0 ? formatNumberOf(calls, 'ioctl') : `${formatNumberOf(calls, 'ioctl')}, ${formatCount(failed)} failed`;
  const requestRows = requests.slice(0, SHOWN).map((request): readonly Cell[] => [
    [request.name, null],
    [request.file ?? '', null],
    [formatCount(request.calls), request.calls],
    [formatShare(request.calls, calls), request.calls],
    [formatCount(request.failed), request.failed],
    [
      Object.entries(request.errnos)
        .map(([errno, count]) => `${errno} ${formatCount(count)}`)
        .join(', '),
      null,
    ],
    ...(['p50', 'p99', 'max', 'sum'] as const).map((part): Cell => {
      const ns = request.latencyNs?.[part] ?? null;
      return [ns === null ? '' : formatNs(ns), ns];
    }),
  ]);
  const head = ['Request', 'File', 'Calls', 'Of all', 'Failed', 'Errors', 'P50', 'P99', 'Longest', 'Sum'];
  const batchRows = batches
    .slice(0, SHOWN)
    .map(({ name, unit, size }): readonly Cell[] => [
      [name, null],
      [unit, null],
      ...[size.p50, size.p95, size.p99, size.max].map((value): Cell => [formatCount(value), value]),
    ]);
  const differences = (containers?.differences ?? []).slice(0, SHOWN).map((one): readonly Cell[] => [
    [one.name, null],
    [one.native, null],
    [one.compat, null],
    [formatCount(one.calls), one.calls],
    [eventLink(one.firstEvent), one.firstEvent],
    [eventCommand(file, one.firstEvent), null],
  ]);
  return {
    command: 'analyze ioctl',
    file,
    lead: leadOf(title, [
      ['Trace', file],
      ['Processes', formatCount(result.processes)],
      ['First to last', formatNs(result.durationNs)],
      ['In the kernel', formatNs(result.kernelNs)],
    ]),
    caveats: [],
    parts: partsOf(
      partOf(
        'requests',
        'Requests',
        null,
        html`<div class="panel">${sortableTable('Requests', head, requestRows, [1, 5])}</div>`,
      ),
      batchRows.length === 0
        ? null
        : partOf(
            'batches',
            'Batches',
            html`How much one call asks for.`,
            html`<div class="panel">${sortableTable('Batches', ['Request', 'Unit', 'Median', 'P95', 'P99', 'Most'], batchRows, [1])}</div>`,
          ),
      differences.length === 0
        ? null
        : partOf(
            'containers',
            'Containers',
            html`Calls that a TYPE1 container and an iommufd in its place answer differently.`,
            html`<div class="panel">${sortableTable('Containers', ['Call', 'TYPE1', 'iommufd', 'Calls', 'First', 'To look at it'], differences, [1, 2, 5])}</div>`,
          ),
    ),
    basis: [],
    parameters: [],
    charts: null,
  };
}

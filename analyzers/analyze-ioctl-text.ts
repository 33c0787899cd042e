import type { BatchReport, IoctlAnalysis, RequestReport } from './analyze-ioctl.ts';
import type { ContainerComparison } from '../replay/engine/container-differences.ts';
import type { DevicePasid } from '../replay/engine/guest-pasid.ts';
import type { AddressUpdates, CallAt } from '../replay/engine/vaddr-windows.ts';
import { printable } from './report/escape.ts';
import { formatBytes, formatCount, formatNs, formatNumberOf, formatShare } from './report/format-units.ts';
import { layOut } from './report/plain-table.ts';

/** Errnos shown in a row of the table. */
const SHOWN_ERRNOS = 3;

function errnoText({ errnos }: RequestReport): string {
  const entries = Object.entries(errnos);
  const shown = entries.slice(0, SHOWN_ERRNOS).map(([name, count]) => `${name} ${formatCount(count)}`);
  if (entries.length > SHOWN_ERRNOS) shown.push(`${entries.length - SHOWN_ERRNOS} more`);
  return shown.join(', ');
}

function requestTable(requests: readonly RequestReport[]): string {
  return layOut({
    head: ['request', 'on', 'errors', 'calls', 'failed', 'p50', 'p95', 'p99', 'max'],
    left: 3,
    rows: requests.map((request) => {
      const { latencyNs } = request;
      const times = [latencyNs?.p50, latencyNs?.p95, latencyNs?.p99, latencyNs?.max];
      return [
        printable(request.name),
        printable(request.file ?? '?'),
        errnoText(request),
        formatCount(request.calls),
        formatCount(request.failed),
        ...times.map((ns) => (ns === undefined ? '-' : formatNs(ns))),
      ];
    }),
  });
}

/** Rows of requests that one thread repeats: the longest. */
const SHOWN_ROWS = 10;

function shownBatches(batches: readonly BatchReport[]): BatchReport[] {
  const inRow = batches.filter(({ unit }) => unit === 'calls in a row');
  const longest = new Set(inRow.toSorted((a, b) => b.size.max - a.size.max).slice(0, SHOWN_ROWS));
  return batches.filter((batch) => batch.unit !== 'calls in a row' || longest.has(batch));
}

function batchTable(batches: readonly BatchReport[]): string {
  return layOut({
    head: ['one call asks for', 'unit', 'p50', 'p95', 'p99', 'max', 'sum'],
    left: 2,
    rows: shownBatches(batches).map(({ name, unit, size }) => {
      const show = unit === 'bytes' ? formatBytes : formatCount;
      return [printable(name), unit, ...[size.p50, size.p95, size.p99, size.max, size.sum].map((value) => show(value))];
    }),
  });
}

/** Where TYPE1 and iommufd in its place answer differently. */
function containerText({ calls, differences }: ContainerComparison): string {
  const compared = `${formatNumberOf(calls, 'container call')} asked of TYPE1 and of iommufd`;
  if (differences.length === 0) return `${compared}: no answer differs`;
  return [
    `${compared}: answers that differ`,
    layOut({
      head: ['request', 'TYPE1', 'iommufd', 'calls', 'first event'],
      left: 3,
      rows: differences.map(({ name, native, compat, calls: count, firstEvent }) => [
        name,
        native,
        compat,
        formatCount(count),
        String(firstEvent),
      ]),
    }),
  ].join('\n');
}

function callText({ name, event }: CallAt): string {
  return `${printable(name)} (event ${event})`;
}

/** Windows without addresses, and what takes their place on an iommufd. */
function addressText({ windows, refused, changes }: AddressUpdates): string {
  const lines: string[] = [];
  if (windows.length > 0) {
    lines.push(
      `${formatNumberOf(windows.length, 'window')} in which mappings have no address: DMA goes on; pins of mediated devices and new groups fail (EBUSY; they waited before Linux 6.3)`,
      layOut({
        head: ['opened by', 'closed by', 'how', 'for', 'mappings', 'bytes', 'calls that fail inside'],
        left: 3,
        rows: windows.map(({ opened, closed, how, durationNs, mappings, bytes, inside }) => [
          callText(opened),
          closed === null ? '-' : callText(closed),
          how,
          formatNs(durationNs),
          formatCount(mappings),
          formatBytes(bytes),
          formatCount(inside.length),
        ]),
      }),
    );
    for (const call of windows.flatMap(({ inside }) => inside).slice(0, SHOWN_ROWS))
      lines.push(`  ${callText(call)} returned ${call.result}: ${call.why}`);
  }
  if (refused > 0)
    lines.push(`${formatNumberOf(refused, 'call')} with VADDR on an iommufd, which knows no such thing (EINVAL)`);
  if (changes.calls > 0) {
    lines.push(
      `${formatNumberOf(changes.calls, 'call')} of IOMMU_IOAS_CHANGE_PROCESS, ${formatCount(changes.done)} done: no window, pages stay pinned and mapped`,
    );
  }
  return lines.join('\n');
}

function guestText({ guest, bits }: DevicePasid): string {
  switch (guest?.kind) {
    case 'none':
      return 'none to find';
    case 'own':
    case 'inserted':
      return `finds it at 0x${guest.offset.toString(16)}`;
    case 'hidden':
      return `can't find it: ${guest.why}`;
    default:
      return bits === 0 ? 'none to find' : 'unknown: config space was not read';
  }
}

function pasidText(pasids: readonly DevicePasid[]): string {
  return layOut({
    head: ['device', 'PCI id', 'PASID bits', 'a guest', 'a VMM can insert it at'],
    left: 5,
    rows: pasids.map((device) => [
      printable(device.file),
      device.pci ?? '?',
      device.bits === null ? '?' : String(device.bits),
      guestText(device),
      device.insertable === null ? '-' : `0x${device.insertable.toString(16)}`,
    ]),
  });
}

/** For people. `file` is the trace's name. */
export function ioctlAnalysisText(file: string, analysis: IoctlAnalysis): string {
  const { calls, failed, unknown, processes, kernelNs, durationNs } = analysis;
  const share = kernelNs === null ? 'time in the kernel unknown' : `${formatNs(kernelNs)} in the kernel`;
  const results = unknown === 0 ? '' : `, ${formatCount(unknown)} of them without a known result`;
  const lines = [
    `${printable(file)}: ${formatNumberOf(calls, 'ioctl')}${results} of ${formatNumberOf(processes, 'process', 'processes')} in ${formatNs(durationNs)}`,
    `${formatNumberOf(failed, 'call')} failed (${formatShare(failed, calls)}); ${share}`,
    '',
    requestTable(analysis.requests),
  ];
  if (analysis.batches.length > 0) lines.push('', batchTable(analysis.batches));
  if (analysis.containers !== null) lines.push('', containerText(analysis.containers));
  if (analysis.addresses !== null) lines.push('', addressText(analysis.addresses));
  if (analysis.pasids.length > 0) lines.push('', pasidText(analysis.pasids));
  return `${lines.join('\n')}\n`;
}

import type { HealthReport } from '../../traces/health.ts';
import { STREAM_NAMES } from '../../traces/schema.ts';
import type { StreamName } from '../../traces/schema.ts';
import { printable } from './counted-names.ts';
import type { AttributedRows, AttributionReport } from './join/attribution.ts';
import type { CallLogReport } from './join/call-logs.ts';
import type { JoinReport } from './join/join.ts';
import type { ImportUnit } from './importer.ts';
import type { SourceReport } from './read-source.ts';

/** What `iorr import` answers. */
export interface ImportResult {
  readonly output: string;
  readonly events: number;
  readonly bytes: number;
  readonly bytesPerEvent: number;
  /** Events by stream; streams without events are not named. */
  readonly streams: { readonly [S in StreamName]?: number };
  readonly inputs: readonly SourceReport[];
  /** Lines of all inputs; of binary ones, records or events (`inputs[].unit`). */
  readonly lines: number;
  /** Lines by CPU seconds of the whole import: decompression, parsing, owners, joining, writing. Without process start. */
  readonly linesPerSecond: number;
  /** Lines by CPU seconds until the last input was read and written once. */
  readonly readLinesPerSecond: number;
  readonly readNs: number;
  readonly readCpuNs: number;
  /** CPU time and elapsed time of the whole import, from the first byte on: the start of the process is not in them. */
  readonly cpuNs: number;
  readonly wallNs: number;
  /** False where it was interrupted. */
  readonly complete: boolean;
  /** Whose maps they are, as far as could be found; null where there was nothing to find. */
  readonly attribution: AttributionReport | null;
  /** How two captures of one run were joined; null for a single one. */
  readonly join: Omit<JoinReport, 'attribution'> | null;
  /** How logs of system calls were joined with a kernel's trace; null without. */
  readonly callLogs: readonly CallLogReport[] | null;
}

export function streamsOf(counts: { readonly [S in StreamName]: number }): ImportResult['streams'] {
  return Object.fromEntries(STREAM_NAMES.filter((name) => counts[name] > 0).map((name) => [name, counts[name]]));
}

/** True where figures that rest on the trace are lower bounds. */
export function isIncomplete(health: HealthReport): boolean {
  return health.malformed + health.unknown + health.lost + health.truncated > 0;
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

function per(value: number, of: number): string {
  return of === 0 ? '-' : (value / of).toFixed(2);
}

const KINDS = ['malformed', 'unknown', 'lost', 'truncated', 'ignored'] as const;
const MEANING: { readonly [K in (typeof KINDS)[number]]: string } = {
  malformed: 'not understood',
  unknown: 'events of other kinds',
  lost: 'lost by the source',
  truncated: 'cut off',
  ignored: 'known, not part of a trace',
};
/** Names shown per kind. */
const SHOWN = 6;

function healthLines(health: HealthReport): string[] {
  const lines: string[] = [];
  for (const kind of KINDS) {
    const entries = health.entries.filter((entry) => entry.kind === kind).sort((a, b) => b.count - a.count);
    if (entries.length === 0) continue;
    const shown = entries.slice(0, SHOWN).map(({ name, count: n, first }) => {
      const place = kind === 'ignored' || first[0] === undefined ? '' : ` (first: ${first[0]})`;
      return `${name} ${count(n)}${place}`;
    });
    if (entries.length > SHOWN) shown.push(`${entries.length - SHOWN} more`);
    lines.push(`  ${kind.padEnd(9)} ${count(health[kind])} ${MEANING[kind]}: ${shown.join(', ')}`);
  }
  return lines.length === 0 ? ['  everything in it was understood'] : lines;
}

function ownerLine(what: string, { rows, attributed }: AttributedRows): string[] {
  if (rows === 0) return [];
  const rest = rows === attributed ? 'all' : `${count(attributed)} of ${count(rows)}`;
  return [`  owners: ${rest} ${what} attributed to a domain`];
}

function ownerLines(attribution: AttributionReport | null): string[] {
  if (attribution === null) return [];
  return [...ownerLine('maps', attribution.maps), ...ownerLine('unmaps', attribution.unmaps)];
}

function joinLines(join: ImportResult['join']): string[] {
  if (join === null) return [];
  const { commands, clock, accesses } = join;
  const { median, p99 } = clock.residualNs;
  const on = {
    commands: `${count(commands.matched)} commands that both captures hold`,
    requests: `${count(commands.matched)} maps and unmaps and the commands that they made the driver send`,
    accesses: `${count(clock.pairs)} first accesses through new maps`,
  }[commands.by];
  const lines = [
    `  joined on ${on}; clocks ${clock.driftPpm.toFixed(1)} ppm apart, ` +
      `residual median ${(median / 1000).toFixed(1)} us, P99 ${(p99 / 1000).toFixed(1)} us`,
  ];
  if (accesses.translations > 0) {
    const unexplained = count(accesses.unexplainedWalks + accesses.unexplainedHits);
    lines.push(`  ${unexplained} of ${count(accesses.translations)} translations go through no recorded map`);
  }
  return lines;
}

function callLogLine({ format, task, ioctls, matched, traceOnly, calls, driftPpm, residualNs }: CallLogReport): string {
  const { median, p99 } = residualNs;
  return (
    `  ${format}: ${count(matched)} of ${count(ioctls)} ioctls are thread ${task}'s of the trace (which has ${count(traceOnly)} more), ` +
    `${count(calls)} other rows added; clocks ${driftPpm.toFixed(1)} ppm apart, ` +
    `residual median ${(median / 1000).toFixed(1)} us, P99 ${(p99 / 1000).toFixed(1)} us`
  );
}

/** What all inputs are counted in; lines where they differ. */
function unitOf(inputs: ImportResult['inputs']): ImportUnit {
  const units = new Set(inputs.map(({ unit }) => unit));
  return units.size === 1 ? (inputs[0]?.unit ?? 'lines') : 'lines';
}

/** The summary for people, on stderr. */
export function summaryText(result: ImportResult, health: HealthReport): string {
  const streams = Object.entries(result.streams).map(([name, events]) => `${name} ${count(events)}`);
  const lines = [
    `${result.output}: ${count(result.events)} events in ${count(result.bytes)} bytes (${per(result.bytes, result.events)} per event)`,
    ...result.inputs.map((input) => {
      const folded = input.folded > 0 ? `, ${count(input.folded)} of them part of another one's event` : '';
      return `  ${input.file}: ${input.format}, ${count(input.lines)} ${input.unit}${folded}`;
    }),
    `  ${streams.join(', ')}`,
    ...(result.callLogs ?? []).map(callLogLine),
    ...joinLines(result.join),
    ...ownerLines(result.attribution),
    ...healthLines(health),
    `  ${count(Math.round(result.linesPerSecond))} ${unitOf(result.inputs)}/s a core in all, without process start (${count(Math.round(result.readLinesPerSecond))} until all was read); ${(result.wallNs / 1e9).toFixed(1)} s`,
  ];
  if (!result.complete) lines.push('  interrupted: the trace holds what was read up to then');
  // names of files and of what was not understood are others' texts
  return `${lines.map(printable).join('\n')}\n`;
}

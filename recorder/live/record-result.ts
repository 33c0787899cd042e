import type { HealthReport } from '../../traces/health.ts';
import { STREAM_NAMES } from '../../traces/schema.ts';
import type { StreamName } from '../../traces/schema.ts';
import type { CommandEnd } from './traced-command.ts';

/** Why a recording ended. */
export type StopReason = 'command' | 'gone' | 'duration' | 'size' | 'signal';

/** What `iorr record` answers. */
export interface RecordResult {
  readonly output: string;
  readonly source: string;
  /** Rows of the trace. */
  readonly events: number;
  readonly bytes: number;
  readonly bytesPerEvent: number;
  /** Rows by stream; streams without rows are not named. */
  readonly streams: { readonly [S in StreamName]?: number };
  /** Events that the kernel gave; two of them are one row where a call and its return are paired. */
  readonly taken: number;
  /** Events that the kernel counted as lost. */
  readonly lost: number;
  readonly wallNs: number;
  /** CPU time of the recorder while it recorded, and events taken by it. */
  readonly cpuNs: number;
  readonly takenPerCpuSecond: number;
  readonly stopped: StopReason;
  readonly command: CommandEnd | null;
}

export function streamsOf(counts: { readonly [S in StreamName]: number }): RecordResult['streams'] {
  return Object.fromEntries(STREAM_NAMES.filter((name) => counts[name] > 0).map((name) => [name, counts[name]]));
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

const REASON: { readonly [R in StopReason]: string } = {
  command: 'the command ended',
  gone: 'the processes ended',
  duration: 'the time was up',
  size: 'the file had its size',
  signal: 'stopped',
};

/** For people, on stderr. */
export function recordText(result: RecordResult, health: HealthReport): string {
  const streams = Object.entries(result.streams).map(([name, rows]) => `${name} ${count(rows)}`);
  const lines = [
    `${result.output}: ${count(result.events)} events in ${count(result.bytes)} bytes, ${(result.wallNs / 1e9).toFixed(1)} s; ${REASON[result.stopped]}`,
    `  ${streams.length === 0 ? 'nothing happened' : streams.join(', ')}`,
  ];
  if (result.lost > 0) {
    lines.push(
      `  LOST ${count(result.lost)} events: counts are lower bounds. A larger --buffer-size or fewer events lose none`,
    );
  }
  for (const { kind, name, count: times } of health.entries) {
    if (kind !== 'lost') lines.push(`  ${kind} ${count(times)}: ${name}`);
  }
  return `${lines.join('\n')}\n`;
}

import type { DirtyResult, DirtyRow, DirtyThreads, RecordedOutcome } from '../../replay/dirty/dirty-result.ts';
import { formatBytes, formatCount, formatDecimal, formatNs, formatShare } from '../report/format-units.ts';

const GIB = 2 ** 30;
/** Of the writers' throughput: more than that is told in the headline. */
const MUCH_LOST = 0.05;

/** A column of a table of methods. */
interface Column<T> {
  readonly title: string;
  readonly cell: (of: T) => string;
}

/** What a method reports and does, whatever the threads. */
export const WORK_COLUMNS: readonly Column<DirtyRow>[] = [
  { title: 'reported pages', cell: (row) => formatCount(row.reported) },
  { title: 'over-reported', cell: (row) => formatShare(row.over, row.reported) },
  { title: 'missed', cell: (row) => formatCount(row.missed) },
  { title: 'entries read', cell: (row) => formatCount(row.counts.entriesRead) },
  { title: 'cleared', cell: (row) => formatCount(row.counts.entriesCleared) },
  { title: 'flushes', cell: (row) => formatCount(row.counts.flushes) },
  { title: 'bitmap', cell: (row) => formatBytes(row.counts.bitmapBytes) },
  { title: 'faults', cell: (row) => formatCount(row.tracking.faults) },
  { title: 'splits', cell: (row) => formatCount(row.tracking.splits) },
  { title: 'merges', cell: (row) => formatCount(row.tracking.merges) },
  { title: 'IOTLB misses', cell: (row) => formatCount(row.tracking.misses) },
  { title: 'of tracking', cell: (row) => formatCount(row.missesCaused) },
  { title: 'stall', cell: (row) => formatNs(row.stallNs) },
  { title: 'throughput lost', cell: (row) => formatShare(row.throughputLost, 1) },
  { title: 'handlers', cell: (row) => formatNs(row.handlerNs) },
];

/** What depends on the number of threads. */
export const TIME_COLUMNS: readonly Column<DirtyThreads>[] = [
  { title: 'threads', cell: ({ threads }) => formatCount(threads) },
  { title: 'harvest', cell: ({ harvestNs, wallNs }) => formatNs(harvestNs / Math.max(1, wallNs.length)) },
  { title: 'worst', cell: ({ worstNs }) => formatNs(worstNs) },
  { title: 'per GiB', cell: ({ nsPerGiB }) => formatNs(nsPerGiB) },
  { title: 'start', cell: ({ startNs }) => formatNs(startNs) },
  { title: 'migration', cell: ({ migration }) => (migration.converged ? 'converges' : 'does not') },
  { title: 'passes', cell: ({ migration }) => formatCount(migration.passes.length) },
  { title: 'resent pages', cell: ({ migration }) => formatCount(migration.resentPages) },
  { title: 'throttle', cell: ({ migration }) => `${migration.throttle}\u202f%` },
  {
    title: 'downtime',
    cell: ({ migration }) => (migration.downtimeNs === null ? '-' : formatNs(migration.downtimeNs)),
  },
  { title: 'total', cell: ({ migration }) => formatNs(migration.totalNs) },
];

/** Rows of the second table: a method and a number of threads; last the migration that the trace recorded. */
export function timeRows({ methods, recorded }: DirtyResult): readonly (readonly string[])[] {
  const rows = methods.flatMap((row) =>
    row.threads.map((threads) => [row.name, ...TIME_COLUMNS.map(({ cell }) => cell(threads))]),
  );
  return recorded === null ? rows : [...rows, ['as recorded', ...recordedCells(recorded)]];
}

/** In the columns of `TIME_COLUMNS`. */
function recordedCells(recorded: RecordedOutcome): readonly string[] {
  const { completed, passes, memoryPages, sentPages, zeroPages, throttle, downtimeNs, totalNs } = recorded;
  const resent =
    memoryPages === null || sentPages === null || zeroPages === null
      ? '-'
      : formatCount(Math.max(0, sentPages + zeroPages - memoryPages));
  const cells: { readonly [title: string]: string } = {
    migration: completed ? 'converges' : 'does not',
    passes: passes === null ? '-' : formatCount(passes),
    'resent pages': resent,
    throttle: `${throttle}\u202f%`,
    downtime: downtimeNs === null ? '-' : formatNs(downtimeNs),
    total: totalNs === null ? '-' : formatNs(totalNs),
  };
  return TIME_COLUMNS.map(({ title }) => cells[title] ?? '-');
}

export const PLAN_TITLES = ['method', 'memory', 'tables', 'entries', 'bitmap', 'threads', 'by formula', 'by samples'];

/** Rows of the table of plans; empty where nothing was planned. */
export function planRows({ methods }: DirtyResult): readonly (readonly string[])[] {
  return methods.flatMap(({ name, plan, threads }) => {
    if (plan === null) return [];
    return threads.map((one, i) => [
      name,
      formatBytes(plan.bytes),
      formatBytes(plan.tableBytes),
      formatCount(plan.entries),
      formatBytes(plan.bitmapBytes),
      formatCount(one.threads),
      formatNs(plan.formulaNs[i] ?? null),
      formatNs(plan.sampledNs[i] ?? null),
    ]);
  });
}

/** What was compared, in one sentence. */
export function dirtyFacts(result: DirtyResult): string {
  const each = result.interval === 'recorded' ? 'at recorded times' : `every ${formatNs(result.interval)}`;
  return (
    `${formatDecimal(result.memoryBytes / GIB)} GiB mapped, ${formatCount(result.harvests)} harvests ${each} in ${formatNs(result.durationNs)}, ` +
    `tables ${result.tables}, hardware ${result.hardware}, cost profile ${result.profile}, ` +
    `link ${formatLink(result.linkBytesPerSecond)}, downtime ${formatNs(result.downtimeLimitNs)}`
  );
}

function formatLink(bytesPerSecond: number): string {
  const bits = bytesPerSecond * 8;
  return bits < 1e9 ? `${formatDecimal(bits / 1e6)} Mbit/s` : `${formatDecimal(bits / 1e9)} Gbit/s`;
}

/** The sentence that answers the question: what finds out least expensively, and what lets a migration end. */
export function dirtyHeadline(result: DirtyResult): string {
  const rows = result.methods.filter((row) => row.missed === 0);
  const [best] = [...rows].sort((a, b) => costOf(a) - costOf(b));
  const lost = result.methods.filter((row) => row.missed > 0);
  const parts: string[] = [];
  if (best !== undefined) {
    const worst = Math.max(...rows.map(costOf));
    const times =
      costOf(best) > 0 && rows.length > 1 ? `, ${formatDecimal(worst / costOf(best))} times less than the slowest` : '';
    parts.push(`${best.name} harvests in ${formatNs(costOf(best))}${times}`);
  }
  const converging = result.methods.filter(({ threads }) => threads.some(({ migration }) => migration.converged));
  const others = result.methods.filter((row) => !converging.includes(row)).map(({ name }) => name);
  parts.push(
    `pre-copy converges with ${converging.length} of ${result.methods.length} methods${others.length === 0 || converging.length === 0 ? '' : `, not with ${others.join(', ')}`}`,
  );
  const held = result.methods.filter(({ throughputLost }) => throughputLost >= MUCH_LOST);
  if (held.length > 0) {
    const most = Math.max(...held.map(({ throughputLost }) => throughputLost));
    const names = held.map(({ name }) => name).join(', ');
    parts.push(`writers lose up to ${formatShare(most, 1)} of their throughput to ${names}`);
  }
  if (lost.length > 0) parts.push(`${lost.map(({ name }) => name).join(', ')} missed writes`);
  return `${parts.join('; ')}.`;
}

/** Mean time of a harvest with the first number of threads. */
function costOf({ threads }: DirtyRow): number {
  const [first] = threads;
  return first === undefined ? 0 : first.harvestNs / Math.max(1, first.wallNs.length);
}

import type { PriResult, PriRow, RecordedPri } from '../../replay/faults/compare-pri.ts';
import { formatCount, formatDecimal, formatNs, formatNumberOf, formatShare } from '../report/format-units.ts';

/** A column of a table of rows. */
interface Column {
  readonly title: string;
  readonly cell: (row: PriRow) => string;
}

/** A service time, and what it rests on where its name does not say so. */
function serviceText({ design, serviceStanding: standing }: PriRow): string {
  const said = standing === 'recorded' || design.service.startsWith(standing);
  return said ? design.service : `${design.service} (${standing})`;
}

/** What a row is made of. */
const DESIGN_COLUMNS: readonly Column[] = [
  { title: 'queue', cell: ({ design }) => `${design.queue}@${design.depth}` },
  { title: 'servers', cell: ({ design }) => formatCount(design.servers) },
  { title: 'service', cell: serviceText },
  {
    title: 'arrivals',
    cell: ({ design }) => (design.speed === 1 ? design.arrivals : `${design.arrivals} x${design.speed}`),
  },
];

/** Those that the rows' names do not tell; what a service time rests on is always told. */
export function designColumns({ rows }: PriResult): readonly Column[] {
  return DESIGN_COLUMNS.filter(({ title, cell }) => title === 'service' || new Set(rows.map(cell)).size < 2);
}

/** What a device sees. */
export const WAIT_COLUMNS: readonly Column[] = [
  { title: 'response p50', cell: ({ responseNs }) => formatNs(responseNs.p50) },
  { title: 'p99', cell: ({ responseNs }) => formatNs(responseNs.p99) },
  { title: 'done mean', cell: ({ doneNs }) => formatNs(doneNs.mean) },
  { title: 'p99', cell: ({ doneNs }) => formatNs(doneNs.p99) },
  { title: 'max', cell: ({ doneNs }) => formatNs(doneNs.max) },
  { title: 'device stalled', cell: ({ stallShare }) => formatShare(stallShare, 1) },
  { title: 'blocked', cell: ({ blockedShare }) => formatShare(blockedShare, 1) },
  { title: 'groups/s', cell: ({ groupsPerSecond }) => formatDecimal(groupsPerSecond) },
];

/** What the queue and the servers see. */
export const QUEUE_COLUMNS: readonly Column[] = [
  { title: 'in queue mean', cell: ({ queue }) => formatDecimal(queue.mean) },
  { title: 'p99', cell: ({ queue }) => formatCount(queue.p99) },
  { title: 'max', cell: ({ queue }) => formatCount(queue.max) },
  { title: 'lost requests', cell: ({ lostRequests, requests }) => formatShare(lostRequests, requests) },
  { title: 'overflows', cell: ({ overflows }) => formatCount(overflows) },
  { title: 'retries', cell: ({ retries }) => formatCount(retries) },
  { title: 'depth needed', cell: ({ depthNeeded }) => (depthNeeded === null ? '-' : formatCount(depthNeeded)) },
  { title: 'groups in host', cell: ({ host }) => formatDecimal(host.mean) },
  { title: 'servers busy', cell: ({ utilisation }) => formatShare(utilisation, 1) },
  { title: 'submissions', cell: ({ submissions }) => formatCount(submissions) },
  { title: 'not asked for', cell: ({ avoided }) => formatCount(avoided) },
  {
    title: 'prefetch used',
    cell: ({ prefetchUsed, prefetched }) => (prefetched === 0 ? '-' : formatShare(prefetchUsed, prefetched)),
  },
];

/** What the recording shows, in one sentence. */
export function priFacts({ recorded, profile }: PriResult): string {
  const answers =
    recorded.answered === 0
      ? 'no response seen'
      : `${formatCount(recorded.answered)} answered (${formatCount(recorded.refused)} refused) in ${formatNs(recorded.responseNs.p50)} at the median`;
  return (
    `${formatNumberOf(recorded.requests, 'page request')} in ${formatNumberOf(recorded.groups, 'group')} of ` +
    `${formatNumberOf(recorded.devices, 'device')} to ${recorded.unit === '' ? 'one unit' : recorded.unit}, ${answers}${odd(recorded)}; ` +
    `${formatDecimal(recorded.groupsPerSecond)} groups a second for ${formatNs(recorded.durationNs)}; cost profile ${profile}`
  );
}

function odd({ unanswered, partial, stopMarkers, orphans }: RecordedPri): string {
  const parts = [
    [unanswered, 'without response'],
    [partial, 'without their last request'],
    [stopMarkers, 'PASID stops'],
    [orphans, 'responses to nothing'],
  ] as const;
  return parts.flatMap(([count, what]) => (count > 0 ? [`, ${formatCount(count)} ${what}`] : [])).join('');
}

/** The sentence that answers the question: how long a device waits, and how deep the queue must be. */
export function priHeadline({ rows }: PriResult): string {
  const [first] = rows;
  const best = [...rows].sort((a, b) => a.doneNs.mean - b.doneNs.mean)[0];
  if (best === undefined || first === undefined) return 'Nothing was compared.';
  const parts = [
    `${rows.length > 1 ? `with ${first.name}, ` : ''}a device waits ${formatNs(first.doneNs.mean)} for a translation on average and stands still for ${formatShare(first.stallShare, 1)} of the time`,
  ];
  if (best !== first) parts.push(`it waits least with ${best.name}: ${formatNs(best.doneNs.mean)}`);
  const losing = rows.filter((row) => row.lostRequests > 0).length;
  const needed = rows.flatMap(({ depthNeeded }) => (depthNeeded === null ? [] : [depthNeeded]));
  if (losing > 0) parts.push(`the queue overflows in ${formatCount(losing)} of ${formatNumberOf(rows.length, 'row')}`);
  if (needed.length > 0)
    parts.push(
      `${formatNumberOf(Math.max(...needed), 'entry', 'entries')} of it suffice${losing > 0 ? ' in the others' : ''}`,
    );
  const text = parts.join('; ');
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

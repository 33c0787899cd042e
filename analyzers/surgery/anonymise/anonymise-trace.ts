import { IorrError } from '../../../traces/errors.ts';
import type { HealthReport } from '../../../traces/health.ts';
import { createRowCopier } from '../../../traces/row-copier.ts';
import { STREAM_ID, STREAM_NAMES } from '../../../traces/schema.ts';
import type { BytesColumn, StreamName } from '../../../traces/schema.ts';
import type { Segment } from '../../../traces/segment.ts';
import { decodeSgList } from '../../../traces/sg-list.ts';
import type { EventSink, Trace } from '../../../traces/trace.ts';
import { ABSENT } from '../../../traces/units.ts';
import type { Steps, Surgery } from '../surgery.ts';
import { COLUMN_RULES } from './column-rules.ts';
import { anonymousHeader, anonymousHealth, anonymousNotes } from './facts.ts';
import type { Keyed } from './keyed.ts';
import { renamedPids, renamedTexts } from './names.ts';
import { createCallRewrite } from './rewrite-calls.ts';
import { createRewrite } from './rewrite-events.ts';
import type { Survey } from './survey.ts';

/** What was changed. */
export interface AnonymiseReport {
  readonly events: number;
  readonly kept: number;
  /** What was changed, and how often. */
  readonly changed: readonly { readonly what: string; readonly count: number }[];
  /** Left out: what nobody knows how to change. */
  readonly dropped: readonly { readonly what: string; readonly count: number }[];
  /** Bytes of calls of which nobody knows what they are: as many zeros. */
  readonly emptied: readonly { readonly what: string; readonly count: number }[];
  /** Facts about the origin that are gone. */
  readonly removed: readonly string[];
  /** What stays as it was. */
  readonly unchanged: readonly string[];
  /** Address spaces that move by themselves. */
  readonly addressSpaces: number;
  /** What holds for counts of the result. */
  readonly counts: string;
}

const UNCHANGED = [
  'times, CPUs, order and sizes of events',
  'requester ids, domain ids, PASIDs, queue and group numbers',
  'sizes, alignments and permissions; addresses within each GiB',
  'results, flags and reasons',
];
const MOCK_IOVAS = "IOVAs of calls: the mock driver's apertures are where they are";
const COUNTS =
  'as in the original for caches that index by address bits below 30; others (by higher bits, or hashes of them) may count differently';

/** The anonymous trace, and what its summary says. */
export interface Anonymous extends Surgery<AnonymiseReport> {
  readonly notes: Trace['notes'];
  health(): HealthReport;
}

/** Throws LIMIT where addresses have no room, STREAM_MISSING for a trace with parts that are not known unless they may be dropped. */
export function anonymiseTrace(trace: Trace, survey: Survey, keyed: Keyed, dropUnknown: boolean): Anonymous {
  const unknown = [...survey.unknown].map(([what, count]) => ({ what, count }));
  if (unknown.length > 0 && !dropUnknown) {
    const list = unknown.map(({ what, count }) => `${what} (${count})`).join(', ');
    throw new IorrError('STREAM_MISSING', `nobody knows what to change in ${list}`, {
      hint: '--drop-unknown leaves these events out',
    });
  }
  survey.spaces.decide(keyed);
  survey.calls.user.decide(keyed);
  const pids = renamedPids(survey.pids, keyed);
  const { strings, changed } = renamedTexts(trace, survey, keyed, pids);
  const facts = anonymousHeader(trace.header);
  const { notes, removed } = anonymousNotes(trace.notes, pids);
  const fidelity = Object.fromEntries(
    Object.entries(facts.header.fidelity).filter(([name]) => COLUMN_RULES[name as StreamName] !== 'unknown'),
  );
  const { carried: _carried, ...header } = facts.header;
  const removedFacts = [...facts.removed, ...removed, 'names and places in health'];
  return {
    header: unknown.length === 0 ? facts.header : { ...header, fidelity },
    notes,
    health: () => anonymousHealth(trace.health),
    steps: (sink) =>
      anonymiseSteps(trace, survey, { strings, changed, pids, dropped: unknown, removed: removedFacts }, sink),
  };
}

interface Plan {
  readonly strings: readonly string[];
  readonly changed: number;
  readonly pids: ReadonlyMap<number, number>;
  readonly dropped: AnonymiseReport['dropped'];
  readonly removed: readonly string[];
}

function* anonymiseSteps(trace: Trace, survey: Survey, plan: Plan, sink: EventSink): Steps<AnonymiseReport> {
  const { pids, strings } = plan;
  const copyRow = createRowCopier({ strings }, sink);
  const rewrite = createRewrite(survey, sink);
  const { calls, spaces } = survey;
  const bytes = calls.mock ? 0 : spaces.bytesOf(ABSENT, ABSENT);
  const moves = { calls, bytes, physicalBytes: spaces.physicalBytes, pids, strings: trace.strings };
  const rewriteCall = createCallRewrite(moves, sink);
  const moved = new Int32Array(STREAM_NAMES.length);
  let kept = 0;
  let tasks = 0;
  for (const segment of trace.segments({ reuse: true })) {
    const rows = new Int32Array(STREAM_NAMES.length);
    for (let i = 0; i < segment.count; i++) {
      const id = segment.stream[i]!;
      const row = rows[id]!++;
      if (isUnknown(segment, id, row)) continue;
      const task = segment.task[i]!;
      const other = task > 0 ? pids.get(task)! : task;
      if (other !== task) tasks++;
      const to = sink.begin(id, segment.time[i]!, segment.cpu[i]!, other, segment.source[i]);
      copyRow(segment, id, row, to);
      if (id === STREAM_ID.ioctl) rewriteCall.ioctl(segment, row, to);
      else if (id === STREAM_ID.call) rewriteCall.call(segment, row, to);
      else rewrite(segment, id, row, to);
      moved[id]!++;
      kept++;
    }
    yield;
  }
  const changed = [
    { what: 'tasks', count: tasks },
    { what: 'texts', count: plan.changed },
  ];
  STREAM_NAMES.forEach((name, id) => {
    const rules = COLUMN_RULES[name];
    if (rules === 'unknown' || moved[id] === 0) return;
    const columns = Object.entries(rules).filter(
      ([, rule]) => rule === 'iova' || rule === 'phys' || rule === 'special',
    );
    if (columns.length === 0) return;
    changed.push({ what: `addresses in ${name} (${columns.map(([column]) => column).join(', ')})`, count: moved[id]! });
  });
  return {
    events: trace.eventCount,
    kept,
    changed: changed.filter(({ count }) => count > 0),
    emptied: [...calls.unknown].map(([what, count]) => ({ what, count })),
    dropped: plan.dropped,
    removed: plan.removed,
    unchanged: calls.mock ? [...UNCHANGED, MOCK_IOVAS] : UNCHANGED,
    addressSpaces: survey.spaces.count,
    counts: COUNTS,
  };
}

/** Is this a row that is left out? */
function isUnknown(segment: Segment, id: number, row: number): boolean {
  const name = STREAM_NAMES[id]!;
  const rules = COLUMN_RULES[name];
  if (rules === 'unknown') return true;
  const bytes =
    name === 'inv' ? segment.rows.inv.columns.more : name === 'prq' ? segment.rows.prq.columns.data : undefined;
  if (bytes !== undefined && hasBytes(bytes, row)) return true;
  if (name === 'dirty') {
    const { space, hwpt } = segment.rows.dirty.columns;
    return space[row] === 0 && hwpt[row] !== -1;
  }
  if (name !== 'map' && name !== 'unmap') return false;
  const { list } = segment.rows[name].columns;
  return hasBytes(list, row) && !isList(list, row);
}

function hasBytes({ offsets }: BytesColumn, row: number): boolean {
  return (offsets[row + 1] ?? 0) > (offsets[row] ?? 0);
}

function isList({ offsets, data }: BytesColumn, row: number): boolean {
  const bytes = data.subarray(offsets[row] ?? 0, offsets[row + 1] ?? 0);
  const { dma, phys } = decodeSgList(bytes);
  return dma.length + phys.length > 0;
}

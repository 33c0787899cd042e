import type { TraceHeader } from '../../../traces/header.ts';
import type { HealthReport } from '../../../traces/health.ts';
import type { Trace } from '../../../traces/trace.ts';

const IMPORT_NOTES: ReadonlySet<string> = new Set([
  'format',
  'lines',
  'folded',
  'blank',
  'skipped',
  'complete',
  'runs',
]);
/** Notes whose numbers are counts, times and shares. */
const NUMERIC_NOTES: ReadonlySet<string> = new Set(['join', 'attribution']);
const EVIDENCE = /^(commands|requests|accesses)$/;

/** The header without what could tell where the trace is from: the machine's description, and the kernel's build. */
export function anonymousHeader(header: TraceHeader): { header: TraceHeader; removed: string[] } {
  const { machine, host, sources, clock, ...rest } = header;
  const removed = machine === undefined ? [] : ['header machine'];
  const { kernel, ...others } = host;
  const release = kernel === undefined ? undefined : (/^\d{1,3}\.\d{1,3}(\.\d{1,5})?/.exec(kernel)?.[0] ?? undefined);
  if (release !== kernel) removed.push('build of the kernel in header host');
  if (clock.epochNs !== '0') removed.push('epoch of the clock');
  const named = sources.map((source) => {
    const producer = /^(Linux|QEMU)( \d+(\.\d+){1,2})?/.exec(source.producer)?.[0] ?? source.format;
    if (producer !== source.producer) removed.push(`producer of ${source.format}`);
    return { ...source, producer };
  });
  return {
    header: {
      ...rest,
      host: { ...others, ...(release === undefined ? {} : { kernel: release }) },
      sources: named,
      clock: { ...clock, epochNs: '0' },
    },
    removed,
  };
}

function numbersOnly(value: unknown): unknown {
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  if (typeof value === 'string') return EVIDENCE.test(value) ? value : undefined;
  if (Array.isArray(value)) return value.map(numbersOnly).filter((item) => item !== undefined);
  if (typeof value !== 'object' || value === null) return undefined;
  const entries = Object.entries(value).map(([name, item]) => [name, numbersOnly(item)] as const);
  return Object.fromEntries(entries.filter(([, item]) => item !== undefined));
}

/** Notes that hold counts alone; of importers also which kernel threads they knew, by their new ids. */
export function anonymousNotes(
  notes: Trace['notes'],
  pids: ReadonlyMap<number, number>,
): { notes: Trace['notes']; removed: string[] } {
  const kept: Record<string, unknown> = {};
  const removed: string[] = [];
  for (const [name, value] of Object.entries(notes)) {
    if (NUMERIC_NOTES.has(name)) kept[name] = numbersOnly(value);
    else if (name === 'import' && Array.isArray(value)) kept[name] = value.map((one) => importNote(one, pids));
    else removed.push(`note ${name.slice(0, 40)}`);
  }
  return { notes: kept, removed };
}

function importNote(note: unknown, pids: ReadonlyMap<number, number>): object {
  if (typeof note !== 'object' || note === null) return {};
  const fields = note as Record<string, unknown>;
  const workers = fields['answeringKernelWorkers'];
  const known = Object.entries(fields).filter(
    ([name, value]) =>
      IMPORT_NOTES.has(name) &&
      (typeof value !== 'string' || /^[a-z-]{1,32}$/.test(value)) &&
      typeof value !== 'object',
  );
  return {
    ...Object.fromEntries(known),
    ...(Array.isArray(workers)
      ? { answeringKernelWorkers: workers.flatMap((pid) => (typeof pid === 'number' ? (pids.get(pid) ?? []) : [])) }
      : {}),
  };
}

/** Counts by kind: names and places repeat texts of the sources. */
export function anonymousHealth(health: HealthReport): HealthReport {
  const { malformed, unknown, lost, truncated, ignored } = health;
  const counts = { malformed, unknown, lost, truncated, ignored };
  const entries = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => ({ kind: kind as keyof typeof counts, name: 'of the original', count, first: [] }));
  return { ...counts, entries };
}

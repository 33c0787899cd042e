import { IorrError } from '../errors.ts';
import type { Fidelity, TraceHeader, TraceHost, TraceSource, TraceSummary } from '../header.ts';
import { EMPTY_HEALTH } from '../header.ts';
import { STREAM_NAMES } from '../schema.ts';
import type { HealthEntry, HealthKind, HealthReport } from '../health.ts';

/** Headers and summaries come from other people: everything is taken field by field, what has the wrong type is left out. */

type Fields = Readonly<Record<string, unknown>>;

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function text(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise;
}

function natural(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

export function checkHeader(raw: Fields, file: string): TraceHeader {
  const clock = fields(raw['clock']);
  // what 64 bits of a source can say: up to 18446744073709551615
  const epoch = text(clock['epochNs'], '0');
  if (!/^-?\d{1,20}$/.test(epoch)) {
    throw new IorrError(
      'TRACE_DAMAGED',
      `clock epoch expected as a decimal number of ns, found ${JSON.stringify(epoch)}`,
      {
        place: { file },
      },
    );
  }
  const carried = natural(raw['carried']);
  const sources = Array.isArray(raw['sources']) ? raw['sources'].slice(0, 256) : [];
  return {
    formatVersion: natural(raw['formatVersion']) ?? 0,
    tool: text(raw['tool'], 'unknown'),
    toolVersion: text(raw['toolVersion'], ''),
    sources: sources.map((source): TraceSource => {
      const entry = fields(source);
      const named = { format: text(entry['format'], 'unknown'), producer: text(entry['producer'], 'unknown') };
      return entry['fidelity'] === undefined ? named : { ...named, fidelity: checkFidelity(entry['fidelity']) };
    }),
    host: checkHost(fields(raw['host'])),
    ...(raw['machine'] === undefined ? {} : { machine: fields(raw['machine']) }),
    clock: { epochNs: epoch, name: text(clock['name'], 'unknown'), resolutionNs: natural(clock['resolutionNs']) ?? 1 },
    fidelity: checkFidelity(raw['fidelity']),
    ...(carried === undefined ? {} : { carried }),
  };
}

function checkFidelity(raw: unknown): TraceHeader['fidelity'] {
  const fidelity: { -readonly [K in keyof TraceHeader['fidelity']]: Fidelity } = {};
  for (const name of STREAM_NAMES) {
    const seen = fields(raw)[name];
    if (seen === 'full' || seen === 'partial') fidelity[name] = seen;
  }
  return fidelity;
}

function checkHost(raw: Fields): TraceHost {
  const host: { -readonly [K in keyof TraceHost]: TraceHost[K] } = {};
  if (typeof raw['kernel'] === 'string') host.kernel = raw['kernel'];
  if (typeof raw['iommu'] === 'string') host.iommu = raw['iommu'];
  if (typeof raw['emulated'] === 'boolean') host.emulated = raw['emulated'];
  const cpus = natural(raw['cpus']);
  if (cpus !== undefined) host.cpus = cpus;
  const pageSize = natural(raw['pageSize']);
  if (pageSize !== undefined) host.pageSize = pageSize;
  const memlock = natural(raw['memlock']);
  if (memlock !== undefined) host.memlock = memlock;
  return host;
}

const HEALTH_KINDS: readonly HealthKind[] = ['malformed', 'unknown', 'lost', 'truncated', 'ignored'];

export function checkSummary(raw: unknown): TraceSummary {
  const summary = fields(raw);
  return { health: checkHealth(fields(summary['health'])), notes: fields(summary['notes']) };
}

function checkHealth(raw: Fields): HealthReport {
  const entries: HealthEntry[] = [];
  const list = Array.isArray(raw['entries']) ? raw['entries'].slice(0, 1100) : [];
  for (const item of list) {
    const entry = fields(item);
    const kind = HEALTH_KINDS.find((known) => known === entry['kind']);
    const count = natural(entry['count']);
    if (kind === undefined || count === undefined) continue;
    const first = Array.isArray(entry['first']) ? entry['first'].slice(0, 5).map((place) => text(place, '?')) : [];
    entries.push({ kind, name: text(entry['name'], '?'), count, first });
  }
  if (entries.length === 0) return EMPTY_HEALTH;
  const total = (kind: HealthKind): number =>
    entries.reduce((sum, entry) => (entry.kind === kind ? sum + entry.count : sum), 0);
  return {
    malformed: total('malformed'),
    unknown: total('unknown'),
    lost: total('lost'),
    truncated: total('truncated'),
    ignored: total('ignored'),
    entries,
  };
}

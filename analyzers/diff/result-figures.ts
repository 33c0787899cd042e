import type { MetricKind } from './diff-metric.ts';

/** A number of a result that is better the one way or the other. */
export interface ResultFigure {
  readonly name: string;
  readonly unit: string;
  readonly better: 'less' | 'more';
  readonly kind: MetricKind;
  readonly value: number;
}

type Plain = { readonly [name: string]: unknown };

interface FigureRule {
  /** Last names of its path: `commands`, or two: `exposure.pageSeconds`. A star stands for any name. */
  readonly path: string;
  readonly better: 'less' | 'more';
  readonly unit: string;
  /** What it is divided by, if the row, or what the row stands in, has that: the first one found. */
  readonly per?: readonly (readonly [path: string, name: string])[];
  readonly kind?: MetricKind;
}

const UNMAPS = ['unmaps', 'unmap'] as const;
const UNMAPPED_PAGES = ['exposure.unmappedPages', 'unmappedPage'] as const;
const LOOKUPS = ['lookups', 'lookup'] as const;
const IOTLB_LOOKUPS = ['iotlb.lookups', 'lookup'] as const;
const WORK = [UNMAPS, UNMAPPED_PAGES];
const MODELLED_TIMES = ['submitToWait', 'lockWait'];

const RULES: readonly FigureRule[] = [
  ...['commands', 'syncs', 'doorbells', 'exits', 'ioctls', 'commandsByType.*'].map(
    (path): FigureRule => ({ path, better: 'less', unit: 'commands', per: WORK }),
  ),
  { path: 'cpuNs', better: 'less', unit: 'ns', per: WORK },
  { path: 'stallNs', better: 'less', unit: 'ns', per: WORK },
  { path: 'misses', better: 'less', unit: 'misses', per: [LOOKUPS] },
  { path: 'walks', better: 'less', unit: 'walks', per: [IOTLB_LOOKUPS] },
  { path: 'walkReads', better: 'less', unit: 'reads', per: [IOTLB_LOOKUPS] },
  { path: 'faults', better: 'less', unit: 'faults', per: [IOTLB_LOOKUPS] },
  { path: 'exposure.pageSeconds', better: 'less', unit: 'page-seconds', per: [['unmappedPages', 'unmappedPage']] },
  ...['p50', 'p95', 'p99', 'max'].map(
    (path): FigureRule => ({ path: `exposure.ns.${path}`, better: 'less', unit: 'ns' }),
  ),
  { path: 'stale.translations', better: 'less', unit: 'translations', per: [IOTLB_LOOKUPS] },
  { path: 'stale.maxAgeNs', better: 'less', unit: 'ns' },
  ...['wasted', 'overWide', 'redundant'].map(
    (path): FigureRule => ({ path, better: 'less', unit: 'commands', per: WORK }),
  ),
  { path: 'findingsByKind.*', better: 'less', unit: 'findings' },
  { path: 'diverged', better: 'less', unit: 'divergences', per: [['checked', 'checked']] },
  ...MODELLED_TIMES.flatMap((name) =>
    ['p50', 'p99'].map((part): FigureRule => ({ path: `${name}.${part}`, better: 'less', unit: 'ns' })),
  ),
  { path: 'requests.*.calls', better: 'less', unit: 'calls' },
  { path: 'failed', better: 'less', unit: 'calls', per: [['calls', 'call']] },
  ...[
    'latencyNs.p50',
    'latencyNs.p99',
    'commands.*.ns.p50',
    'commands.*.ns.p99',
    'ioctls.*.ns.p50',
    'ioctls.*.ns.p99',
    'spans.*.ns.p50',
    'spans.*.ns.p99',
  ].map((path): FigureRule => ({ path, better: 'less', unit: 'ns', kind: 'time' })),
  { path: 'bytesPerEvent', better: 'less', unit: 'bytes' },
  { path: 'eventsPerSecond', better: 'more', unit: 'events/s', kind: 'time' },
];

/** Lists of examples, settings and series: no figures. */
const LEFT_OUT: ReadonlySet<string> = new Set(
  'parameters series divergences findings bins histogram sensitivity caches endedBy causes caveats header notes host clock options'.split(
    ' ',
  ),
);
const MOST_FIGURES = 5000;
const DEEPEST = 24;

function isPlain(value: unknown): value is Plain {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What a row of a list is called: `linux-strict`, with the way of its commands behind an @. */
function rowName(row: Plain): string | undefined {
  const text = (key: string): string | undefined => {
    const value = row[key];
    return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
  };
  const name = text('name') ?? text('design') ?? text('method');
  const path = text('path');
  return name === undefined ? undefined : path === undefined || path === 'native' ? name : `${name}@${path}`;
}

function matches(rule: FigureRule, path: readonly string[]): boolean {
  const wanted = rule.path.split('.');
  if (wanted.length > path.length) return false;
  return wanted.every((name, i) => name === '*' || name === path[path.length - wanted.length + i]);
}

function numberAt(from: Plain, path: string): number | undefined {
  let at: unknown = from;
  for (const step of path.split('.')) at = isPlain(at) && Object.hasOwn(at, step) ? at[step] : undefined;
  return typeof at === 'number' && at > 0 ? at : undefined;
}

/** All figures of a result, in its order; names are unique. Any JSON is an input. */
export function resultFigures(result: unknown): readonly ResultFigure[] {
  const figures = new Map<string, ResultFigure>();
  const leaf = (value: number, path: readonly string[], parents: readonly Plain[]): void => {
    const rule = RULES.find((one) => matches(one, path));
    if (rule === undefined || figures.size >= MOST_FIGURES) return;
    let name = path.join('.');
    let amount = value;
    const bases = rule.per ?? [];
    // the nearest row that has it: a design's own unmaps, not those of another
    const base = parents
      .flatMap((parent) => bases.map(([at, called]) => ({ by: numberAt(parent, at), called })))
      .find(({ by }) => by !== undefined);
    if (base?.by !== undefined) {
      name = `${name}/${base.called}`;
      amount = value / base.by;
    }
    if (figures.has(name)) return;
    figures.set(name, { name, unit: rule.unit, better: rule.better, kind: rule.kind ?? 'count', value: amount });
  };
  const walk = (value: unknown, path: readonly string[], parents: readonly Plain[]): void => {
    if (typeof value === 'number') leaf(value, path, parents);
    else if (path.length > DEEPEST) return;
    else if (Array.isArray(value)) {
      for (const row of value as unknown[]) {
        const name = isPlain(row) ? rowName(row) : undefined;
        if (name !== undefined) walk(row, [...path, name], parents);
      }
    } else if (isPlain(value)) {
      for (const [key, inner] of Object.entries(value)) {
        if (!LEFT_OUT.has(key)) walk(inner, [...path, key], [value, ...parents]);
      }
    }
  };
  walk(result, [], []);
  return [...figures.values()];
}

import type { DesignResult, RecordedResult } from '../../replay/results.ts';
import { formatCount, formatDecimal, formatNs, formatShare } from './format-units.ts';

export type MetricGroup = 'work' | 'time' | 'cache' | 'exposure';
type MetricUnit = 'count' | 'ns' | 'pageSeconds' | 'ratio' | 'share';

/** One figure of a design: the single list behind the tables of every output. */
export interface Metric {
  /** Path in the `--json` document, and the column of the CSV. */
  readonly key: string;
  /** No path: computed from others of the document, or 0 where what it counts in is null there. */
  readonly computed?: true;
  readonly title: string;
  readonly group: MetricGroup;
  readonly unit: MetricUnit;
  /** Whether less is better; `none` where it is a matter of fact. */
  readonly better: 'lower' | 'higher' | 'none';
  /** One sentence for the reader. */
  readonly means: string;
  /** `null`: unknown. A share is between 0 and 1. */
  value(design: DesignResult | RecordedResult): number | null;
}

function share(part: number | undefined, whole: number | undefined): number | null {
  return part === undefined || whole === undefined || whole === 0 ? null : part / whole;
}

export const METRICS: readonly Metric[] = [
  {
    key: 'unmaps',
    title: 'Unmaps',
    group: 'work',
    unit: 'count',
    better: 'none',
    means: 'Unmap calls that the trace asked for.',
    value: (d) => d.unmaps,
  },
  {
    key: 'commands',
    title: 'Commands',
    group: 'work',
    unit: 'count',
    better: 'lower',
    means: 'Invalidation commands put into the queue, without waits.',
    value: (d) => d.commands,
  },
  {
    key: 'commandsPerUnmap',
    computed: true,
    title: 'Commands per unmap',
    group: 'work',
    unit: 'ratio',
    better: 'lower',
    means: 'Invalidation commands for each unmap call.',
    value: (d) => (d.unmaps === 0 ? null : d.commands / d.unmaps),
  },
  {
    key: 'syncs',
    title: 'Syncs',
    group: 'work',
    unit: 'count',
    better: 'lower',
    means: 'Times that a CPU waited for the queue to drain.',
    value: (d) => d.syncs,
  },
  {
    key: 'doorbells',
    title: 'Doorbells',
    group: 'work',
    unit: 'count',
    better: 'lower',
    means: 'Writes of the queue tail.',
    value: (d) => d.doorbells,
  },
  {
    key: 'exits',
    title: 'Exits',
    group: 'work',
    unit: 'count',
    better: 'lower',
    means: 'Exits from the guest that the commands caused.',
    value: (d) => d.exits,
  },
  {
    key: 'ioctls',
    title: 'Ioctls',
    group: 'work',
    unit: 'count',
    better: 'lower',
    means: 'Calls into the host kernel that the commands caused.',
    value: (d) => d.ioctls,
  },
  {
    key: 'cpuNs',
    title: 'CPU time',
    group: 'work',
    unit: 'ns',
    better: 'lower',
    means: 'CPU time spent on invalidation, modelled from the cost profile.',
    value: (d) => d.cpuNs,
  },
  {
    key: 'stallNs',
    title: 'Device stall',
    group: 'work',
    unit: 'ns',
    better: 'lower',
    means: 'Time that devices waited, modelled from the cost profile.',
    value: (d) => d.stallNs,
  },
  {
    key: 'wasted',
    title: 'Wasted',
    group: 'work',
    unit: 'count',
    better: 'lower',
    means: 'Invalidations that dropped nothing.',
    value: (d) => d.wasted,
  },
  {
    key: 'lists.unissued',
    computed: true,
    title: 'Never issued',
    group: 'work',
    unit: 'count',
    better: 'lower',
    means:
      'Commands that a guest believes done and that never reached the hardware; 0 on paths without a host between.',
    value: (d) => ('time' in d ? (d.lists?.unissued ?? 0) : null),
  },
  {
    key: 'atc.commands',
    computed: true,
    title: 'Device-TLB commands',
    group: 'work',
    unit: 'count',
    better: 'lower',
    means: 'Commands to the caches of devices with ATS.',
    value: (d) => ('time' in d ? (d.atc?.commands ?? 0) : null),
  },
  {
    key: 'atc.timeouts',
    computed: true,
    title: 'Device timeouts',
    group: 'work',
    unit: 'count',
    better: 'lower',
    means: 'Device-TLB commands that a device left unanswered.',
    value: (d) => ('time' in d ? (d.atc?.timeouts ?? 0) : null),
  },
  {
    key: 'time.submitToWait.p50',
    title: 'Submit to wait P50',
    group: 'time',
    unit: 'ns',
    better: 'lower',
    means: 'Half of the submissions kept their CPU at most this long, from wanting the queue until it went on.',
    value: (d) => ('time' in d ? d.time.submitToWait.p50 : null),
  },
  {
    key: 'time.submitToWait.p99',
    title: 'Submit to wait P99',
    group: 'time',
    unit: 'ns',
    better: 'lower',
    means: '99 % of the submissions kept their CPU at most this long.',
    value: (d) => ('time' in d ? d.time.submitToWait.p99 : null),
  },
  {
    key: 'time.lockWait.p99',
    title: 'Lock wait P99',
    group: 'time',
    unit: 'ns',
    better: 'lower',
    means: '99 % of the submissions waited at most this long for the lock of the queue, or for a place in it.',
    value: (d) => ('time' in d ? d.time.lockWait.p99 : null),
  },
  {
    key: 'time.utilisation',
    computed: true,
    title: 'Queue utilisation',
    group: 'time',
    unit: 'share',
    better: 'lower',
    means: 'Share of the time in which the busiest queue was at work.',
    value: (d) => ('time' in d ? Math.max(0, ...d.time.queues.map((queue) => queue.utilisation)) : null),
  },
  {
    key: 'time.fullStalls',
    computed: true,
    title: 'Full queue',
    group: 'time',
    unit: 'count',
    better: 'lower',
    means: 'Submissions that found no room in the queue.',
    value: (d) => ('time' in d ? d.time.queues.reduce((sum, queue) => sum + queue.fullStalls, 0) : null),
  },
  {
    key: 'iotlb.lookups',
    title: 'Lookups',
    group: 'cache',
    unit: 'count',
    better: 'none',
    means: 'Translations asked of the IOTLB.',
    value: (d) => d.iotlb?.lookups ?? null,
  },
  {
    key: 'iotlb.hits',
    title: 'Hits',
    group: 'cache',
    unit: 'count',
    better: 'higher',
    means: 'Lookups answered by the IOTLB.',
    value: (d) => d.iotlb?.hits ?? null,
  },
  {
    key: 'iotlb.hitRate',
    title: 'Hit rate',
    group: 'cache',
    unit: 'share',
    better: 'higher',
    means: 'Hits per lookup.',
    value: (d) => share(d.iotlb?.hits, d.iotlb?.lookups),
  },
  {
    key: 'iotlb.misses',
    title: 'Misses',
    group: 'cache',
    unit: 'count',
    better: 'lower',
    means: 'Lookups that needed a page walk.',
    value: (d) => d.iotlb?.misses ?? null,
  },
  {
    key: 'iotlb.causes.compulsory',
    title: 'Compulsory misses',
    group: 'cache',
    unit: 'count',
    better: 'none',
    means: 'First use of a translation.',
    value: (d) => d.iotlb?.causes.compulsory ?? null,
  },
  {
    key: 'iotlb.causes.capacity',
    title: 'Capacity misses',
    group: 'cache',
    unit: 'count',
    better: 'lower',
    means: 'The entry had to leave because the cache was full.',
    value: (d) => d.iotlb?.causes.capacity ?? null,
  },
  {
    key: 'iotlb.causes.conflict',
    title: 'Conflict misses',
    group: 'cache',
    unit: 'count',
    better: 'lower',
    means: 'The entry had to leave because its set was full.',
    value: (d) => d.iotlb?.causes.conflict ?? null,
  },
  {
    key: 'iotlb.causes.invalidation',
    title: 'Invalidation misses',
    group: 'cache',
    unit: 'count',
    better: 'lower',
    means: 'A command had dropped the entry.',
    value: (d) => d.iotlb?.causes.invalidation ?? null,
  },
  {
    key: 'exposure.unmappedPages',
    title: 'Unmapped pages',
    group: 'exposure',
    unit: 'count',
    better: 'none',
    means: '4 KiB pages unmapped in all.',
    value: (d) => d.exposure?.unmappedPages ?? null,
  },
  {
    key: 'exposure.pages',
    title: 'Exposed pages',
    group: 'exposure',
    unit: 'count',
    // Fewer pages exposed for longer are no gain: page-seconds say which is better.
    better: 'none',
    means: '4 KiB pages unmapped while a translation of them was still cached.',
    value: (d) => d.exposure?.pages ?? null,
  },
  {
    key: 'exposure.pageSeconds',
    title: 'Page-seconds',
    group: 'exposure',
    unit: 'pageSeconds',
    better: 'lower',
    means: 'Sum over all exposed pages of how long each stayed reachable after its unmap.',
    value: (d) => d.exposure?.pageSeconds ?? null,
  },
  {
    key: 'exposure.ns.p50',
    title: 'Exposure P50',
    group: 'exposure',
    unit: 'ns',
    better: 'lower',
    means: 'Half of the exposed pages stayed reachable at most this long.',
    value: (d) => d.exposure?.ns.p50 ?? null,
  },
  {
    key: 'exposure.ns.p95',
    title: 'Exposure P95',
    group: 'exposure',
    unit: 'ns',
    better: 'lower',
    means: '95 % of the exposed pages stayed reachable at most this long.',
    value: (d) => d.exposure?.ns.p95 ?? null,
  },
  {
    key: 'exposure.ns.p99',
    title: 'Exposure P99',
    group: 'exposure',
    unit: 'ns',
    better: 'lower',
    means: '99 % of the exposed pages stayed reachable at most this long.',
    value: (d) => d.exposure?.ns.p99 ?? null,
  },
  {
    key: 'exposure.ns.max',
    title: 'Exposure max',
    group: 'exposure',
    unit: 'ns',
    better: 'lower',
    means: 'The longest that an unmapped page stayed reachable.',
    value: (d) => d.exposure?.ns.max ?? null,
  },
  {
    key: 'exposure.maxAtOnce',
    title: 'Most at once',
    group: 'exposure',
    unit: 'count',
    better: 'lower',
    means: 'Pages exposed at one instant at most.',
    value: (d) => d.exposure?.maxAtOnce ?? null,
  },
  {
    key: 'exposure.endedBy.command',
    title: 'Ended by command',
    group: 'exposure',
    unit: 'count',
    better: 'none',
    means: 'Exposures that an invalidation ended.',
    value: (d) => d.exposure?.endedBy.command ?? null,
  },
  {
    key: 'exposure.endedBy.replacement',
    title: 'Ended by replacement',
    group: 'exposure',
    unit: 'count',
    better: 'none',
    means: 'Exposures that ended because another translation took the entry.',
    value: (d) => d.exposure?.endedBy.replacement ?? null,
  },
  {
    key: 'exposure.endedBy.overflow',
    title: 'Ended by overflow',
    group: 'exposure',
    unit: 'count',
    better: 'none',
    means: 'Exposures that ended because the full cache was emptied.',
    value: (d) => d.exposure?.endedBy.overflow ?? null,
  },
  {
    key: 'exposure.endedBy.remap',
    title: 'Ended by remap',
    group: 'exposure',
    unit: 'count',
    better: 'none',
    means: 'Exposures that ended because the page was mapped again.',
    value: (d) => d.exposure?.endedBy.remap ?? null,
  },
  {
    key: 'exposure.endedBy.open',
    title: 'Never ended',
    group: 'exposure',
    unit: 'count',
    better: 'lower',
    means: 'Pages still exposed when the trace ended.',
    value: (d) => d.exposure?.endedBy.open ?? null,
  },
  {
    key: 'stale.translations',
    title: 'Stale translations',
    group: 'exposure',
    unit: 'count',
    better: 'lower',
    means: 'Accesses served from a translation whose page was unmapped.',
    value: (d) => d.stale?.translations ?? null,
  },
  {
    key: 'stale.maxAgeNs',
    title: 'Oldest stale',
    group: 'exposure',
    unit: 'ns',
    better: 'lower',
    means: 'Longest time from an unmap to a stale access.',
    value: (d) => d.stale?.maxAgeNs ?? null,
  },
];

const BY_KEY: ReadonlyMap<string, Metric> = new Map(METRICS.map((metric) => [metric.key, metric]));

/** The metrics of these keys, in this order. A key that is no metric is a mistake of the caller. */
export function metricsOf(...keys: readonly string[]): readonly Metric[] {
  return keys.map((key) => {
    const metric = BY_KEY.get(key);
    if (metric === undefined) throw new RangeError(`no metric ${key}`);
    return metric;
  });
}

/** What decides between designs: work, time and exposure, in this order. */
export const KEY_METRICS: readonly Metric[] = metricsOf(
  'commands',
  'syncs',
  'cpuNs',
  'iotlb.hitRate',
  'exposure.pages',
  'exposure.pageSeconds',
  'exposure.ns.p99',
  'stale.translations',
);

/** The value as people read it, with its unit; `unknown` for null. */
export function formatMetric(metric: Metric, value: number | null): string {
  switch (metric.unit) {
    case 'ratio':
      return formatDecimal(value);
    case 'count':
      return formatCount(value);
    case 'ns':
      return formatNs(value);
    case 'pageSeconds':
      return formatDecimal(value);
    case 'share':
      return formatShare(value, 1);
  }
}

/** The best value of a metric where one is better than another; null where most of the designs have it, or none differs. */
export function bestValue(metric: Metric, designs: readonly (DesignResult | RecordedResult)[]): number | null {
  if (metric.better === 'none') return null;
  const known = designs.map((design) => metric.value(design)).filter((value) => value !== null);
  if (known.length < 2 || new Set(known).size < 2) return null;
  const best = metric.better === 'lower' ? Math.min(...known) : Math.max(...known);
  return known.filter((value) => value === best).length * 2 > known.length ? null : best;
}

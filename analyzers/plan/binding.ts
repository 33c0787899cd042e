import type { QueueTime } from '../../replay/results.ts';
import type { Measurement } from './plan-metric.ts';

/** Something that has only so much to give. */
export interface Resource {
  readonly name: string;
  /** Part of it in use: 1 is all. */
  readonly use: number;
  readonly what: string;
}

/** What there is of queues, servers, walkers and links at a setting, the fullest first. */
export function resourcesOf(measured: Measurement): readonly Resource[] {
  const { design, cores, replay, pri, dirty, parameters } = measured;
  const found: Resource[] = [];
  const value = (name: string): number => parameters.find((one) => one.name === name)?.value ?? 0;
  if (cores !== undefined) {
    found.push({ name: 'command queue', use: cores.utilisation, what: 'time in which its hardware works' });
    found.push({ name: 'queue lock', use: cores.lockUtilisation, what: 'time in which a core holds it' });
  } else if (design !== undefined && design.time.queues.length > 0) {
    const { queues } = design.time;
    const most = (of: (queue: QueueTime) => number): number => Math.max(...queues.map(of));
    found.push({
      name: 'command queue',
      use: most((queue) => queue.utilisation),
      what: 'time in which its hardware works',
    });
    found.push({
      name: 'queue lock',
      use: most((queue) => queue.lockUtilisation),
      what: 'time in which a CPU holds it',
    });
  }
  const reads = design === undefined ? replay?.walkReads : design.walkReads;
  if (reads !== undefined && reads !== null && measured.durationNs > 0 && value('walk.read') > 0) {
    found.push({
      name: 'page walker',
      use: (reads * value('walk.read')) / measured.durationNs,
      what: 'time that one walker would read tables, one read after the other',
    });
  }
  if (pri !== undefined) {
    const { row } = pri;
    found.push({ name: 'page request queue', use: row.queue.max / row.design.depth, what: 'entries in use at most' });
    found.push({ name: 'page request servers', use: row.utilisation, what: 'time in which they work' });
    found.push({ name: 'device requests', use: row.blockedShare, what: 'time in which devices may not ask for more' });
  }
  if (dirty !== undefined) {
    const { migration } = dirty.threads;
    const seconds = migration.totalNs / 1e9;
    if (seconds > 0) {
      found.push({
        name: 'migration link',
        use: migration.sentBytes / (dirty.linkBytesPerSecond * seconds),
        what: 'of what it could carry in the time of the migration',
      });
    }
    found.push({ name: 'writers', use: migration.throttle / 100, what: 'time in which they are held back at most' });
  }
  return found.toSorted((a, b) => b.use - a.use);
}

/** The commonest cause of misses, and whether a larger IOTLB has fewer of them. */
export function missesText({ iotlb }: Measurement): string | null {
  if (iotlb === null || iotlb.misses === 0) return null;
  const { compulsory, capacity, conflict, invalidation } = iotlb.causes;
  const causes = [
    ['capacity', capacity, 'more entries have fewer of these, where invalidation does not take their place'],
    ['conflict', conflict, 'more ways have fewer'],
    ['compulsory', compulsory, 'no size has fewer'],
    ['invalidation', invalidation, 'no size has fewer'],
  ] as const;
  const total = compulsory + capacity + conflict + invalidation;
  if (total === 0) return null;
  const [name, count, remedy] = [...causes].sort((a, b) => b[1] - a[1])[0]!; // there are four
  return `${((count / total) * 100).toFixed(0)} % of the misses are ${name} misses: ${remedy}`;
}

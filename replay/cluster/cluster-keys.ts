/** Names of keys. All begin with `iorr:`; BullMQ's own are `iorr:sweep-ID:*`. */

export const PREFIX = 'iorr';
/** Sorted set of sweeps by when they were last heard of (ms of Redis's clock). */
export const SWEEPS_KEY = `${PREFIX}:sweeps`;

const SWEEP_ID = /^[0-9a-f]{12}$/;

/** True for what may be a sweep's id: it becomes part of names. */
export function isSweepId(text: string): boolean {
  return SWEEP_ID.test(text);
}

export function queueName(sweep: string): string {
  return `sweep-${sweep}`;
}

/** Keys of a queue that may come up again behind its end: a worker that was just told something of it. */
export function queueRemains(sweep: string): readonly string[] {
  return ['meta', 'events', 'stalled', 'stalled-check', 'marker'].map(
    (part) => `${PREFIX}:${queueName(sweep)}:${part}`,
  );
}

/** What a sweep says of itself; gone when its lease is over. */
export function entryKey(sweep: string): string {
  return `${PREFIX}:entry:${sweep}`;
}

/** Sorted set of the workers that serve a sweep, by when they were last heard of. */
export function workersKey(sweep: string): string {
  return `${PREFIX}:workers:${sweep}`;
}

export function workerKey(sweep: string, worker: string): string {
  return `${PREFIX}:worker:${sweep}:${worker}`;
}

/** Set of the sweeps that use a trace's blocks. `trace`: hash of its manifest. */
export function traceUsersKey(trace: string): string {
  return `${PREFIX}:trace:${trace}:sweeps`;
}

export function manifestKey(trace: string): string {
  return `${PREFIX}:trace:${trace}:manifest`;
}

/** `block`: hash of its content. */
export function blockKey(trace: string, block: string): string {
  return `${PREFIX}:trace:${trace}:block:${block}`;
}

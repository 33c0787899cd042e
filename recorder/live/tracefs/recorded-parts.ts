import { IorrError } from '../../../traces/errors.ts';
import type { Fidelity, TraceHeader } from '../../../traces/header.ts';
import { IGNORED_EVENTS } from '../../ftrace/events/ignored.ts';
import type { LiveOptions, LiveTarget } from '../live-source.ts';
import { tasksOfTree, threadsOf } from '../process-tree.ts';
import type { System } from '../system.ts';
import type { KernelEvent } from './event-selection.ts';
import { TraceInstance } from './instance.ts';

/** Streams that an event system fills, and whether it has all of them. */
const SEEN_BY: { readonly [system: string]: TraceHeader['fidelity'] } = {
  iommu: { map: 'full', unmap: 'full', attach: 'partial', fault: 'partial' },
  // qi_submit has every descriptor but the waits.
  intel_iommu: { inv: 'partial', flush: 'full', attach: 'partial', prq: 'full' },
  dma: { map: 'full', unmap: 'full' },
  syscalls: { ioctl: 'partial', call: 'partial' },
  raw_syscalls: { ioctl: 'partial', call: 'partial' },
};
const IGNORED: ReadonlySet<string> = new Set(IGNORED_EVENTS);
/** An event without a stream of its own is kept as it is. */
const OTHER: TraceHeader['fidelity'] = { event: 'full' };
/**
 * Event systems of IOMMUs and what stands on them. Drivers unmap, flush and report in interrupts and kernel threads, which run
 * on top of any process or of none: whoever is recorded, these are everybody's, unless the user wants the processes' alone.
 */
const OF_THE_STACK: ReadonlySet<string> = new Set(['iommu', 'intel_iommu', 'dma', 'swiotlb']);
/** Event systems whose events are always about the task that runs. */
const OF_OWN_TASK: ReadonlySet<string> = new Set(['syscalls', 'raw_syscalls', 'exceptions']);

/** Events that are recorded together, and of whom. */
export interface Part {
  readonly events: readonly KernelEvent[];
  readonly instance: TraceInstance;
  readonly target: LiveTarget;
}

/** True for an event of which only that of some processes is recorded. */
function isFiltered({ system }: KernelEvent, { filtered, processesOnly }: LiveOptions): boolean {
  return filtered && (processesOnly || !OF_THE_STACK.has(system));
}

function streamsOf({ system, name }: KernelEvent): TraceHeader['fidelity'] {
  return IGNORED.has(`${system}:${name}`) ? OTHER : (SEEN_BY[system] ?? OTHER);
}

/** What a recording of these events sees of each stream. */
export function fidelityOf(events: readonly KernelEvent[], options: LiveOptions): TraceHeader['fidelity'] {
  const seen: { [stream: string]: Fidelity } = {};
  for (const event of events) {
    for (const [stream, fidelity] of Object.entries(streamsOf(event))) {
      // What one event sees in part, no other makes whole.
      const part = isFiltered(event, options) || seen[stream] === 'partial';
      seen[stream] = part ? 'partial' : fidelity;
    }
  }
  return { ...seen, lost: 'full', mark: 'full' };
}

/** Tasks that run now of the processes, their threads and children. Throws `IorrError` RECORDING_FAILED. */
function tasksOf(system: System, pids: readonly number[]): readonly number[] {
  return pids.flatMap((pid) => {
    const tasks = tasksOfTree(system, pid);
    if (tasks.length > 0) return tasks;
    throw new IorrError('RECORDING_FAILED', `there is no process ${pid}`, { hint: 'name one that runs with --pid' });
  });
}

/**
 * Makes the instances that the events need. A filter by processes is a whole instance's, and follows their children
 * (Documentation/trace/ftrace.rst, set_event_pid): events of some processes are in one, those of everybody in another. Adds to
 * `parts` as they are made, so that they can be undone whatever fails. Throws `IorrError` RECORDING_FAILED.
 */
export function makeParts(
  system: System,
  tracefs: string,
  events: readonly KernelEvent[],
  options: LiveOptions,
  target: LiveTarget,
  parts: Part[],
): void {
  if (target.kind === 'processes') tasksOf(system, target.pids);
  const own = events.filter((event) => isFiltered(event, options));
  const others = events.filter((event) => !isFiltered(event, options));
  const add = (some: readonly KernelEvent[], whom: LiveTarget, name: string): void => {
    if (some.length > 0) parts.push({ events: some, instance: new TraceInstance(system, tracefs, name), target: whom });
  };
  add(own, target, '');
  add(others, { kind: 'everybody' }, own.length === 0 ? '' : 'stack');
}

export function setFilters(system: System, { instance, target, events }: Part): void {
  if (target.kind === 'processes') {
    instance.trySet('options/event-fork', '1');
    instance.addPids('set_event_pid', tasksOf(system, target.pids));
    return;
  }
  // Not set_event_notrace_pid: it would drop what interrupts unmap and flush for others while the recorder runs.
  const others = threadsOf(system, 'self').map((thread) => `common_pid != ${thread}`);
  for (const event of events.filter((one) => OF_OWN_TASK.has(one.system))) {
    instance.trySet(`events/${event.system}/${event.name}/filter`, others.join(' && '));
  }
}

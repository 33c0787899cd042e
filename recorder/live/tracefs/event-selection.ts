import { IorrError } from '../../../traces/errors.ts';
import { nearest } from '../../../traces/nearest.ts';
import { IGNORED_EVENTS } from '../../ftrace/events/ignored.ts';
import type { System } from '../system.ts';

/** An event that this kernel has. */
export interface KernelEvent {
  readonly system: string;
  readonly name: string;
}

/**
 * What is recorded unless events are asked for: all that a trace has streams for, and ioctls. Systems that a kernel lacks
 * are left out.
 */
const DEFAULT_EVENTS: readonly string[] = [
  'iommu',
  'intel_iommu',
  'dma',
  'syscalls:sys_enter_ioctl',
  'syscalls:sys_exit_ioctl',
];
const IGNORED: ReadonlySet<string> = new Set(IGNORED_EVENTS);

/** Names in a folder of events that are events or systems; files such as `enable` and `filter` are in between. */
const NO_EVENTS: ReadonlySet<string> = new Set(['enable', 'filter', 'header_page', 'header_event']);

function namesIn(system: System, folder: string): readonly string[] {
  return system.list(folder).filter((name) => !NO_EVENTS.has(name));
}

/** `system` and `name` of `system:name`, `system/name`, `system:*` and `system`. */
function split(pattern: string): { readonly system: string; readonly name: string | undefined } {
  const [system = '', name] = pattern.split(/[:/]/, 2);
  return { system, name: name === undefined || name === '' || name === '*' ? undefined : name };
}

function unknownEvent(system: System, tracefs: string, pattern: string): IorrError {
  const wanted = split(pattern);
  const systems = namesIn(system, `${tracefs}/events`);
  const here = systems.includes(wanted.system)
    ? namesIn(system, `${tracefs}/events/${wanted.system}`).map((name) => `${wanted.system}:${name}`)
    : systems;
  const close = nearest(pattern, here);
  const meant = close === undefined ? '' : `Did you mean ${close}? `;
  return new IorrError('USAGE', `this kernel has no event ${pattern}`, {
    hint: `${meant}All that it has: ls ${tracefs}/events${systems.includes(wanted.system) ? `/${wanted.system}` : ''}`,
  });
}

/** Events by patterns, each once, in order of name. Throws `IorrError` USAGE for a pattern that this kernel has nothing for. */
export function selectEvents(system: System, tracefs: string, patterns: readonly string[]): readonly KernelEvent[] {
  const found = new Map<string, KernelEvent>();
  const asked = patterns.flatMap((pattern) => pattern.split(',')).filter((pattern) => pattern !== '');
  for (const pattern of asked.length > 0 ? asked : DEFAULT_EVENTS) {
    const wanted = split(pattern);
    const names = namesIn(system, `${tracefs}/events/${wanted.system}`);
    const matching = wanted.name === undefined ? names : names.filter((name) => name === wanted.name);
    if (matching.length === 0 && asked.length > 0) throw unknownEvent(system, tracefs, pattern);
    for (const name of matching) {
      const full = `${wanted.system}:${name}`;
      if (asked.length === 0 && IGNORED.has(full)) continue;
      found.set(full, { system: wanted.system, name });
    }
  }
  return [...found.keys()].sort().map((full) => found.get(full) as KernelEvent);
}

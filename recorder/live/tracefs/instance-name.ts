import type { System } from '../system.ts';

/**
 * Names of instances tell whose they are, so that the next recorder can remove those whose owner was killed: the pid namespace,
 * the process id in it, and when that process started (ids are used again).
 */

export interface InstanceOwner {
  readonly namespace: string;
  readonly pid: number;
  /** Clock ticks since boot (field 22 of /proc/PID/stat). */
  readonly started: string;
}

// iorr-4026531836-1234-998877      iorr-4026531836-1234-998877-stack
const NAME = /^iorr-(\d{1,10})-(\d{1,10})-(\d{1,20})(?:-[a-z]+)?$/;

export function parseInstanceName(name: string): InstanceOwner | undefined {
  const match = NAME.exec(name);
  if (match === null) return undefined;
  const [, namespace = '', pid = '', started = ''] = match;
  return { namespace, pid: Number(pid), started };
}

/** `part` tells several of one owner apart; lower-case letters. */
export function formatInstanceName({ namespace, pid, started }: InstanceOwner, part = ''): string {
  return `iorr-${namespace}-${pid}-${started}${part === '' ? '' : `-${part}`}`;
}

/** When a process started; undefined if there is none. */
function startTime(system: System, pid: number): string | undefined {
  // 1234 (name, may hold anything) S 1 ...
  const stat = system.read(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

function namespaceOf(system: System): string {
  return /\d+/.exec(system.link('/proc/self/ns/pid') ?? '')?.[0] ?? '0';
}

export function ownerOf(system: System, pid: number): InstanceOwner {
  return { namespace: namespaceOf(system), pid, started: startTime(system, pid) ?? '0' };
}

/** Instances among `names` whose recorder is gone. Those of other pid namespaces can't be judged from here. */
export function leftBehind(system: System, names: readonly string[]): readonly string[] {
  const namespace = namespaceOf(system);
  return names.filter((name) => {
    const owner = parseInstanceName(name);
    return owner?.namespace === namespace && startTime(system, owner.pid) !== owner.started;
  });
}

import type { System } from './system.ts';

/** Threads of a process that runs; empty if there is none. */
export function threadsOf(system: System, pid: number | 'self'): readonly number[] {
  return system.list(`/proc/${pid}/task`).map(Number);
}

/** It runs: a process that ended stays visible until its parent asks how. */
export function isRunning(system: System, pid: number): boolean {
  // 1234 (name, may hold anything) S 1 ...
  const stat = system.read(`/proc/${pid}/stat`);
  return stat !== undefined && !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
}

/** A process, all that it started and that still run, and all their threads. */
export function tasksOfTree(system: System, root: number): readonly number[] {
  const tasks: number[] = [];
  const seen = new Set<number>();
  const processes = [root];
  for (let process = processes.pop(); process !== undefined; process = processes.pop()) {
    if (seen.has(process)) continue;
    seen.add(process);
    for (const thread of threadsOf(system, process)) {
      tasks.push(thread);
      const children = system.read(`/proc/${process}/task/${thread}/children`) ?? '';
      processes.push(
        ...children
          .split(' ')
          .filter((text) => text !== '')
          .map(Number),
      );
    }
  }
  return tasks;
}

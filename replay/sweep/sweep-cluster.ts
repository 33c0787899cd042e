import { closeSync, fstatSync, openSync } from 'node:fs';
import { descriptorSource } from '../../traces/file.ts';
import { distribute } from '../cluster/distribute.ts';
import type { Standing } from '../cluster/distribute.ts';
import type { RedisLink } from '../cluster/redis-link.ts';
import type { TaskRunner } from '../cluster/served-sweep.ts';
import { PointPool } from './point-pool.ts';
import type { SweepPasses, SweepRun } from './run-sweep.ts';
import type { SweepPoint } from './sweep-point.ts';
import { parseResults, parseTask, resultsText, sweepTasks } from './sweep-tasks.ts';

export interface ClusterSweepRun extends Omit<SweepRun, 'jobs'> {
  readonly link: RedisLink;
  /** One line for people. */
  readonly note: (text: string) => void;
}

/** Runs points like `runSweep`, but by the workers of a Redis: the same results. Throws `REDIS_FAILED`, and what a point throws. */
export async function runClusterSweep(run: ClusterSweepRun): Promise<SweepPasses> {
  const { file, points, signal, done, progress, link, note } = run;
  const tasks = sweepTasks(points);
  const open = new Map<string, readonly SweepPoint[]>(tasks.map((task) => [task.id, task.points]));
  const descriptor = openSync(file, 'r');
  try {
    await distribute({
      link,
      trace: descriptorSource(descriptor, file, fstatSync(descriptor).size),
      content: points[0]?.trace ?? '',
      tasks,
      signal,
      done: (id, text) => done(parseResults(text, open.get(id) ?? [])),
      progress: ({ done: count }: Standing) => progress(count / tasks.length),
      note,
    });
  } finally {
    closeSync(descriptor);
  }
  const shared = tasks.filter((task) => task.points.length > 1);
  return { passes: tasks.length, shared: shared.reduce((sum, task) => sum + task.points.length, 0) };
}

/** What a worker runs the tasks of one trace with. `threads`: tasks at a time. */
export function pointRunner(file: string, threads: number): TaskRunner {
  const pool = new PointPool(file, threads);
  return {
    run: async (text, signal, progress) => resultsText(await pool.run(parseTask(text), signal, progress)),
    close: () => pool.close(),
  };
}

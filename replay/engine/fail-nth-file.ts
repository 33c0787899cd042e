/**
 * A file that arms a task, as recordings name it (fs/proc/base.c: tid_base_stuff). A thread's own directory is that of a task by
 * its number, wherever it is found.
 *
 *     /proc/self/fail-nth              the caller's first thread
 *     /proc/thread-self/fail-nth       the caller
 *     /proc/124/fail-nth               task 124
 *     /proc/self/task/124/fail-nth     task 124
 */
const FILE = /^\/proc\/(self|thread-self|\d{1,10})(?:\/task\/(\d{1,10}))?\/fail-nth$/;

/** The task that a file arms when `tid` of process `pid` names it so; undefined for any other file. */
export function failNthTask(path: string, pid: number, tid: number): number | undefined {
  const match = FILE.exec(path);
  if (match === null) return undefined;
  const [, whose, task] = match;
  if (task !== undefined) return Number(task);
  if (whose === 'self') return pid;
  return whose === 'thread-self' ? tid : Number(whose);
}

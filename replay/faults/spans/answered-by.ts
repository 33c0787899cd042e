import type { Nanoseconds } from '../../../traces/units.ts';
import { RESPONSE } from '../page-response.ts';
import type { RequestGroup } from './page-request.ts';

/** Who answered a group, and how that is known. */
export interface AnsweredBy {
  readonly by: 'user' | 'kernel' | 'unknown';
  readonly cause: AnswerCause;
}

export const ANSWER_CAUSES = {
  response: 'user space wrote it, joined by cookie',
  process: 'user space: the response comes from a process with a fault queue; its write is not in the trace',
  teardown: 'the kernel answers what is outstanding: its device was detached, or its HWPT or queue destroyed',
  'no-handler': 'the kernel answers on receipt: no handler is attached to the device or PASID',
  failed: 'the kernel answers on receipt: the group could not be kept, or its handler failed',
  handler: "the kernel's own handler (shared virtual addressing): one of its threads answers",
  task: 'a thread of which the trace shows no system call: a handler of the kernel, or a process that was not recorded',
  unseen: 'the trace does not show who sent it',
} as const;

export type AnswerCause = keyof typeof ANSWER_CAUSES;

/** A system call that answers what is outstanding, while it runs. */
interface Teardown {
  readonly task: number;
  readonly from: Nanoseconds;
  readonly to: Nanoseconds;
}

/** What a trace shows of who may answer. */
export interface Answerers {
  readonly teardowns: readonly Teardown[];
  /** Processes and threads that have a fault queue. */
  readonly serving: ReadonlySet<number>;
  /** Threads that made system calls. */
  readonly callers: ReadonlySet<number>;
  /** Whether the trace has system calls. */
  readonly calls: boolean;
  /** Threads of the kernel: workers by their names, and what both takes requests and answers them with SUCCESS. */
  readonly kernel: ReadonlySet<number>;
}

export function answeredBy({ requests, delivery, answer }: RequestGroup, seen: Answerers): AnsweredBy | undefined {
  if (delivery?.response !== undefined) return { by: 'user', cause: 'response' };
  if (answer === undefined) return undefined;
  const { task, code, submitted } = answer;
  if (task < 0) return { by: 'unknown', cause: 'unseen' };
  if (code === RESPONSE.invalid && seen.teardowns.some((one) => during(one, task, submitted))) {
    return { by: 'kernel', cause: 'teardown' };
  }
  if (seen.kernel.has(task)) return { by: 'kernel', cause: 'handler' };
  if (requests.some((request) => request.task === task)) {
    return { by: 'kernel', cause: code === RESPONSE.failure ? 'failed' : 'no-handler' };
  }
  if (seen.serving.has(task)) return { by: 'user', cause: 'process' };
  if (seen.calls && seen.serving.size === 0 && !seen.callers.has(task)) return { by: 'kernel', cause: 'handler' };
  return { by: 'unknown', cause: 'task' };
}

function during({ task, from, to }: Teardown, by: number, time: Nanoseconds): boolean {
  return task === by && from <= time && time <= to;
}

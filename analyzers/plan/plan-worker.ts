import { workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { IorrError } from '../../traces/errors.ts';
import type { ErrorCode, ErrorPlace } from '../../traces/errors.ts';
import { openTrace } from '../../traces/file.ts';
import { parseGoal } from './goal.ts';
import { planTrace } from './plan.ts';
import type { PlanOptions } from './plan.ts';
import type { PlanResult, PlannedSetting } from './plan-result.ts';

/** What is asked of a thread that plans: plain data. */
export interface PlanOrder extends Omit<PlanOptions, 'goals' | 'told'> {
  readonly files: readonly string[];
  /** As they were typed. */
  readonly goals: readonly string[];
}

export type PlanMessage =
  | { readonly loaded: true }
  | { readonly told: PlannedSetting }
  | { readonly result: PlanResult }
  | {
      readonly failed: {
        /** Undefined: not one of ours. */
        readonly code: ErrorCode | undefined;
        readonly message: string;
        readonly hint: string;
        readonly place: ErrorPlace;
      };
    };

const { order, port } = workerData as { readonly order: PlanOrder; readonly port: MessagePort };

function tell(message: PlanMessage): void {
  port.postMessage(message);
}

function failure(error: unknown): PlanMessage {
  if (error instanceof IorrError) {
    const { code, message, hint, place } = error;
    return { failed: { code, message, hint, place } };
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { failed: { code: undefined, message, hint: '', place: {} } };
}

tell({ loaded: true });
const traces = order.files.map((file) => openTrace(file));
try {
  const goals = order.goals.map((text) => parseGoal(text));
  tell({ result: await planTrace(traces, { ...order, goals, told: (setting) => tell({ told: setting }) }) });
} catch (error) {
  tell(failure(error));
} finally {
  for (const trace of traces) trace.close();
  port.close();
}

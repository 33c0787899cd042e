import { workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { openTrace } from '../../traces/file.ts';
import { plainError } from '../../traces/plain-error.ts';
import type { PlainError } from '../../traces/plain-error.ts';
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
  | { readonly failed: PlainError };

const { order, port } = workerData as { readonly order: PlanOrder; readonly port: MessagePort };

function tell(message: PlanMessage): void {
  port.postMessage(message);
}

tell({ loaded: true });
const traces = order.files.map((file) => openTrace(file));
try {
  const goals = order.goals.map((text) => parseGoal(text));
  tell({ result: await planTrace(traces, { ...order, goals, told: (setting) => tell({ told: setting }) }) });
} catch (error) {
  tell({ failed: plainError(error) });
} finally {
  for (const trace of traces) trace.close();
  port.close();
}

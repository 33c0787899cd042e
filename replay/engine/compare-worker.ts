import type { MessagePort } from 'node:worker_threads';
import { IorrError } from '../../traces/errors.ts';
import type { ErrorCode } from '../../traces/errors.ts';
import type { Segment } from '../../traces/segment.ts';
import { CompareGroup } from './compare-group.ts';
import type { GroupRow, GroupSpec } from './compare-group.ts';

/** What a worker is told: a segment (its arrays are shared, not copied), or that there are no more. */
export type FeedMessage = { readonly segment: Segment } | { readonly end: true };
/** An error as plain data: classes don't cross between threads. */
export interface FeedFailure {
  readonly code: ErrorCode | undefined;
  readonly message: string;
  readonly hint: string;
}
/** What it answers: one segment is done, or the rows, or what went wrong. */
export type FeedReply =
  | { readonly done: true }
  | { readonly rows: readonly GroupRow[] }
  | { readonly failed: FeedFailure };

/** Runs one group in a piscina worker: takes segments from its port, acknowledges each, and answers with the rows. */
export function runGroup(task: { readonly port: MessagePort; readonly spec: GroupSpec }): Promise<void> {
  const { port, spec } = task;
  return new Promise((resolve) => {
    const group = new CompareGroup(spec);
    const reply = (message: FeedReply): void => port.postMessage(message);
    const close = (): void => {
      port.close();
      resolve();
    };
    port.on('message', (message: FeedMessage) => {
      try {
        if ('segment' in message) {
          group.segment(message.segment);
          reply({ done: true });
        } else {
          reply({ rows: group.finish() });
          close();
        }
      } catch (error) {
        const known = error instanceof IorrError;
        const message = known ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error);
        reply({ failed: { code: known ? error.code : undefined, message, hint: known ? error.hint : '' } });
        close();
      }
    });
    port.on('close', resolve);
  });
}

import type { MessagePort } from 'node:worker_threads';
import type { Segment } from '../../traces/segment.ts';
import { CompareGroup } from './compare-group.ts';
import type { GroupRow, GroupSpec } from './compare-group.ts';

/** What a worker is told: a segment (its arrays are shared, not copied), or that there are no more. */
export type FeedMessage = { readonly segment: Segment } | { readonly end: true };
/** What it answers: one segment is done, or the rows, or what went wrong. */
export type FeedReply = { readonly done: true } | { readonly rows: readonly GroupRow[] } | { readonly failed: unknown };

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
        reply({ failed: error });
        close();
      }
    });
    port.on('close', resolve);
  });
}

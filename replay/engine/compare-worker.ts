import type { MessagePort } from 'node:worker_threads';
import { plainError } from '../../traces/plain-error.ts';
import type { PlainError } from '../../traces/plain-error.ts';
import type { Segment } from '../../traces/segment.ts';
import { CompareGroup } from './compare-group.ts';
import { loadDesigns } from './design-modules.ts';
import type { GroupRow, GroupSpec } from './compare-group.ts';

/** What a worker is told: a segment (its arrays are shared, not copied), or that there are no more. */
export type FeedMessage = { readonly segment: Segment } | { readonly end: true };
/** What it answers: its code is there, one segment is done, or the rows, or what went wrong. */
export type FeedReply =
  | { readonly loaded: true }
  | { readonly done: true }
  | { readonly rows: readonly GroupRow[] }
  | { readonly failed: PlainError };

/** Runs one group in a piscina worker: takes segments from its port, acknowledges each, and answers with the rows. */
export async function runGroup(task: { readonly port: MessagePort; readonly spec: GroupSpec }): Promise<void> {
  const { port, spec } = task;
  const reply = (message: FeedReply): void => port.postMessage(message);
  reply({ loaded: true });
  // stdout is for results; what designs of the user's print goes to stderr
  if (spec.options.modules.length > 0) process.stdout.write = process.stderr.write.bind(process.stderr);
  let group: CompareGroup;
  try {
    group = new CompareGroup(spec, await loadDesigns(spec.options.modules));
  } catch (error) {
    reply({ failed: plainError(error) });
    port.close();
    return;
  }
  await new Promise<void>((resolve) => {
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
        reply({ failed: plainError(error) });
        close();
      }
    });
    port.on('close', resolve);
  });
}

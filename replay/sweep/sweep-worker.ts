import { parentPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { openTrace } from '../../traces/file.ts';
import type { Trace } from '../../traces/trace.ts';
import { decodedAsTrace } from './decoded-trace.ts';
import type { DecodedTrace } from './decoded-trace.ts';
import { planPasses } from './passes.ts';
import { runPass } from './run-pass.ts';
import type { SweepPoint, SweepResult } from './sweep-point.ts';

/** What every task of a worker reads: decoded columns that all workers share, or a file too large for that. */
export type SweepSource = DecodedTrace | { readonly file: string };

export interface PoolTask {
  readonly points: readonly SweepPoint[];
  /** One word in shared memory: not 0 when nobody wants the results any more. */
  readonly cancel: Int32Array;
  /** Takes how much is done, 0 to 1. */
  readonly port: MessagePort;
}

/** What is done is told no more often. */
const TELL_MS = 200;

/** The trace, opened once. */
let trace: Trace | undefined;

/** Runs points, in as few passes as they take. */
export async function runPoints({ points, cancel, port }: PoolTask): Promise<readonly SweepResult[]> {
  const source = workerData as SweepSource;
  trace ??= 'file' in source ? openTrace(source.file) : decodedAsTrace(source);
  const results = new Map<string, SweepResult>();
  let told = 0;
  let before = 0;
  const progress = (share: number): void => {
    if (Atomics.load(cancel, 0) !== 0) throw new Error('nobody wants the results any more');
    const now = performance.now();
    if (now - told < TELL_MS) return;
    told = now;
    port.postMessage((before + share) / points.length);
  };
  try {
    for (const pass of planPasses(points)) {
      for (const result of await runPass(pass, trace, (share) => progress(share * pass.points.length))) {
        results.set(result.id, result);
      }
      before += pass.points.length;
    }
  } finally {
    port.close();
  }
  return points.map(({ id }) => results.get(id)!);
}

parentPort?.postMessage('loaded');

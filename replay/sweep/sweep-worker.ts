import { parentPort, workerData } from 'node:worker_threads';
import { openTrace } from '../../traces/file.ts';
import type { Trace } from '../../traces/trace.ts';
import { decodedAsTrace } from './decoded-trace.ts';
import type { DecodedTrace } from './decoded-trace.ts';
import { planPasses } from './passes.ts';
import { runPass } from './run-pass.ts';
import type { SweepPoint, SweepResult } from './sweep-point.ts';

/** What every task of a worker reads: decoded columns that all workers share, or a file too large for that. */
export type SweepSource = DecodedTrace | { readonly file: string };

/** The trace, opened once. */
let trace: Trace | undefined;

/** Runs the points of one pass. */
export async function runPoints(points: readonly SweepPoint[]): Promise<readonly SweepResult[]> {
  const source = workerData as SweepSource;
  trace ??= 'file' in source ? openTrace(source.file) : decodedAsTrace(source);
  const results: SweepResult[] = [];
  for (const pass of planPasses(points)) results.push(...(await runPass(pass, trace)));
  return results;
}

parentPort?.postMessage('loaded');

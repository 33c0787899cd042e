import { openTrace } from '../../traces/file.ts';
import { decodeTrace, decodedAsTrace } from './decoded-trace.ts';
import { planPasses } from './passes.ts';
import type { SweepPass } from './passes.ts';
import { runPass } from './run-pass.ts';
import { MOST_DECODED, PointPool } from './point-pool.ts';
import type { SweepPoint, SweepResult } from './sweep-point.ts';

export interface SweepRun {
  readonly file: string;
  /** Those that have no result yet. */
  readonly points: readonly SweepPoint[];
  readonly jobs: number;
  readonly signal: AbortSignal;
  /** Told the results of each pass when it is done. */
  readonly done: (results: readonly SweepResult[]) => void;
  /** Told how much is done, 0 to 1. */
  readonly progress: (share: number) => void;
}

/** How the work was split. */
export interface SweepPasses {
  readonly passes: number;
  /** Points that shared a pass with others. */
  readonly shared: number;
}

/** Runs points, as many passes at a time as there are jobs. Returns early where it was aborted. */
export async function runSweep(run: SweepRun): Promise<SweepPasses> {
  // those with most points first: they take longest
  const passes = planPasses(run.points).toSorted((a, b) => b.points.length - a.points.length);
  const jobs = Math.min(run.jobs, passes.length);
  if (jobs > 1) await pooled(run, passes, jobs);
  else await inline(run, passes);
  const shared = passes.filter(({ points }) => points.length > 1);
  return { passes: passes.length, shared: shared.reduce((sum, { points }) => sum + points.length, 0) };
}

async function inline({ file, points, signal, done, progress }: SweepRun, passes: readonly SweepPass[]): Promise<void> {
  const opened = openTrace(file);
  try {
    const once = passes.length <= 1 || opened.eventCount > MOST_DECODED;
    const trace = once ? opened : decodedAsTrace(decodeTrace(opened));
    let finished = 0;
    for (const pass of passes) {
      if (signal.aborted) return;
      const share = pass.points.length / points.length;
      done(await runPass(pass, trace, (part) => progress(finished + part * share)));
      finished += share;
      progress(finished);
      // lets a signal through
      await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    opened.close();
  }
}

async function pooled(run: SweepRun, passes: readonly SweepPass[], jobs: number): Promise<void> {
  const { file, points, signal, done, progress } = run;
  const pool = new PointPool(file, jobs);
  /** Points done, by pass. */
  const shares = passes.map(() => 0);
  const tell = (): void => progress(shares.reduce((sum, share) => sum + share, 0) / points.length);
  try {
    await Promise.all(
      passes.map(async (pass, i) => {
        const own = pass.points.map(({ point }) => point);
        const results = await pool.run(own, signal, (share) => {
          shares[i] = share * own.length;
          tell();
        });
        done(results);
        shares[i] = own.length;
        tell();
      }),
    );
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await pool.close();
  }
}

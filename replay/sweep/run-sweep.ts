import { Piscina } from 'piscina';
import { openTrace } from '../../traces/file.ts';
import { decodeTrace, decodedAsTrace } from './decoded-trace.ts';
import { planPasses } from './passes.ts';
import type { SweepPass } from './passes.ts';
import { runPass } from './run-pass.ts';
import type { SweepPoint, SweepResult } from './sweep-point.ts';
import type { SweepSource } from './sweep-worker.ts';

/** Events of a trace that is held decoded; of larger ones each worker decodes the file for each pass. */
const MOST_DECODED = 8_000_000;

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
  const opened = openTrace(file);
  let source: SweepSource = { file };
  try {
    if (opened.eventCount <= MOST_DECODED) source = decodeTrace(opened);
  } finally {
    opened.close();
  }
  const pool = new Piscina({ filename: workerFile(), minThreads: jobs, maxThreads: jobs, workerData: source });
  let started = 0;
  const loaded = new Promise<void>((resolve) => {
    pool.on('message', () => {
      started++;
      if (started === jobs) resolve();
    });
  });
  const aborted = new Promise<undefined>((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  let finished = 0;
  const all = Promise.all(
    passes.map(async (pass) => {
      const results = (await pool.run(
        pass.points.map(({ point }) => point),
        { name: 'runPoints' },
      )) as readonly SweepResult[];
      if (signal.aborted) return;
      done(results);
      finished += pass.points.length;
      progress(finished / points.length);
    }),
  );
  all.catch(() => undefined);
  try {
    await Promise.race([all, aborted]);
  } finally {
    // Node 20 ends the whole process if a worker is terminated while it loads its modules
    await loaded;
    await pool.destroy();
  }
}

/** The built worker; when this module itself runs from its source, the one in `dist`. */
function workerFile(): string {
  const built = !import.meta.url.endsWith('.ts');
  return new URL(built ? './sweep-worker.js' : '../../dist/replay/sweep/sweep-worker.js', import.meta.url).href;
}

import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FuzzFinding, FuzzJob, FuzzMessage, FuzzReport } from './fuzz-protocol.ts';

/** Old space of a fuzzing process; what exceeds it crashes, and a crash is a finding. */
const HEAP_MIB = 384;

/** Bundles the sources of the fuzzing process into one file, so that what is tested is what is there. */
async function bundle(folder: string): Promise<string> {
  const { build } = await import('esbuild');
  const outfile = join(folder, 'fuzz-worker.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('./fuzz-worker.ts', import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: 'inline',
    // For packages that are CommonJS inside: they require Node's own modules.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    logLevel: 'error',
  });
  return outfile;
}

/** Runs one process to its end. A crash or a mutation that takes longer than `hangMs` becomes a finding. */
function runProcess(file: string, job: FuzzJob, hangMs: number): Promise<FuzzReport> {
  return new Promise((resolve) => {
    const child = fork(file, [], {
      execArgv: [`--max-old-space-size=${HEAP_MIB}`, '--enable-source-maps'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let number = job.from;
    let stderr = '';
    let report: FuzzReport | undefined;
    const broken = (problem: string): FuzzReport => {
      const finding: FuzzFinding = { number, mutation: 'unknown', problem };
      return {
        findings: [finding],
        files: number - job.from + 1,
        opened: 0,
        refused: {},
        events: 0,
        slowestMs: 0,
        largestAllocation: 0,
        largestTotal: 0,
        peakMemory: 0,
      };
    };
    let hung = false;
    const hang = (): void => {
      hung = true;
      child.kill('SIGKILL');
    };
    // Starting up makes the undamaged traces first.
    let watchdog = setTimeout(hang, hangMs + 30_000);
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr = (stderr + chunk.toString()).slice(-2000);
    });
    child.on('message', (message: FuzzMessage) => {
      clearTimeout(watchdog);
      watchdog = setTimeout(hang, hangMs);
      if (message.kind === 'begin') number = message.number;
      else report = message.report;
    });
    child.on('exit', (code, signal) => {
      clearTimeout(watchdog);
      if (report !== undefined) resolve(report);
      else resolve(broken(hung ? `took more than ${hangMs} ms` : `process ended with ${signal ?? code}: ${stderr}`));
    });
    child.send(job);
  });
}

function combine(a: FuzzReport, b: FuzzReport): FuzzReport {
  const refused: Record<string, number> = { ...a.refused };
  for (const [code, count] of Object.entries(b.refused)) refused[code] = (refused[code] ?? 0) + count;
  return {
    findings: [...a.findings, ...b.findings],
    files: a.files + b.files,
    opened: a.opened + b.opened,
    refused,
    events: a.events + b.events,
    slowestMs: Math.max(a.slowestMs, b.slowestMs),
    largestAllocation: Math.max(a.largestAllocation, b.largestAllocation),
    largestTotal: Math.max(a.largestTotal, b.largestTotal),
    peakMemory: Math.max(a.peakMemory, b.peakMemory),
  };
}

/** Runs a job in processes of `batch` mutations each, two at a time; a process that broke costs its batch's rest. */
export async function runFuzz(
  job: FuzzJob,
  options: { readonly hangMs: number; readonly batch: number },
): Promise<FuzzReport> {
  const folder = mkdtempSync(join(tmpdir(), 'iorr-fuzz-'));
  try {
    const file = await bundle(folder);
    const jobs: FuzzJob[] = [];
    for (let from = job.from; from < job.to; from += options.batch) {
      jobs.push({ ...job, from, to: Math.min(job.to, from + options.batch) });
    }
    const reports: FuzzReport[] = [];
    const lane = async (): Promise<void> => {
      for (let next = jobs.shift(); next !== undefined; next = jobs.shift()) {
        reports.push(await runProcess(file, next, options.hangMs));
      }
    };
    await Promise.all([lane(), lane()]);
    return reports.reduce(combine);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

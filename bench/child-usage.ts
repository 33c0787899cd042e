import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a process printed and used, all its threads together. */
export interface ChildUsage {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly wallSeconds: number;
  /** User and system time. */
  readonly cpuSeconds: number;
  /** Most resident memory that it ever had (ru_maxrss). */
  readonly peakBytes: number;
}

/** Preloaded into the process: tells at its end what it used. Threads don't: the process's figures hold theirs. */
const REPORTER = `
import { writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
if (isMainThread) process.on('exit', () => {
  writeFileSync(process.env.IORR_USAGE_FILE, JSON.stringify(process.resourceUsage()));
});`;

interface Usage {
  readonly userCPUTime: number;
  readonly systemCPUTime: number;
  readonly maxRSS: number;
}

/** Runs a script of Node to its end. */
export async function runWithUsage(script: string, args: readonly string[]): Promise<ChildUsage> {
  const folder = mkdtempSync(join(tmpdir(), 'iorr-usage-'));
  const file = join(folder, 'usage.json');
  const preload = `data:text/javascript,${encodeURIComponent(REPORTER)}`;
  const begun = performance.now();
  try {
    const child = spawn(process.execPath, ['--import', preload, script, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, IORR_USAGE_FILE: file },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
    const wallSeconds = (performance.now() - begun) / 1000;
    const usage = JSON.parse(readFileSync(file, 'utf8')) as Usage;
    const cpuSeconds = (usage.userCPUTime + usage.systemCPUTime) / 1e6;
    return { code, stdout, stderr, wallSeconds, cpuSeconds, peakBytes: usage.maxRSS * 1024 };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

import { existsSync, mkdirSync, mkdtempSync, openSync, closeSync, ftruncateSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { IorrError } from '../../traces/errors.ts';
import { fetchPackages } from './debian-packages.ts';
import { kernelFile, writeInitramfs } from './guest-image.ts';
import type { LabOptions } from './lab-options.ts';
import { hasProgram, runOrThrow, runProgram } from './programs.ts';
import { qemuArguments } from './qemu-command.ts';
import { runGuest } from './run-guest.ts';

/** One of iorr's own checks of the result. */
export interface LabCheck {
  readonly name: string;
  readonly status: number;
  readonly text: string;
}

export interface LabResult {
  /** Folder of `guest.iorr`, `qemu_trace.log`, `run.iorr` and what the guest said of itself. */
  readonly out: string;
  readonly kernel: string;
  readonly checks: readonly LabCheck[];
}

const IO_DISK_BYTES = 256 << 20;
const RESULT_DISK_BYTES = 512 << 20;

/** Programs by the Debian packages that have them. */
function neededPrograms(options: LabOptions): readonly (readonly [program: string, debian: string])[] {
  return [
    [options.machine.program, options.machine.programPackage],
    ['apt-get', 'apt'],
    ['dpkg-deb', 'dpkg'],
    ['xz', 'xz-utils'],
    ['tar', 'tar'],
    ['timeout', 'coreutils'],
  ];
}

/** What keeps the laboratory from running here, with the line that mends it; undefined if nothing does. */
export function labObstacle(options: LabOptions): IorrError | undefined {
  if (process.platform !== 'linux') {
    return new IorrError('RECORDING_FAILED', `the laboratory runs on Linux, this is ${process.platform}`);
  }
  const missing = neededPrograms(options).filter(([program]) => !hasProgram(program));
  if (missing.length === 0) return undefined;
  const packages = missing.map(([, debian]) => debian).join(' ');
  return new IorrError('RECORDING_FAILED', `not installed: ${missing.map(([program]) => program).join(', ')}`, {
    hint: `apt-get update && apt-get install --no-install-recommends ${packages}`,
  });
}

function makeDisk(path: string, bytes: number): string {
  const descriptor = openSync(path, 'w');
  ftruncateSync(descriptor, bytes);
  closeSync(descriptor);
  return path;
}

/** Runs the built iorr; its output is the result, whatever its exit code. */
async function iorr(project: string, args: readonly string[], signal: AbortSignal): Promise<LabCheck> {
  const run = [join(project, 'dist', 'cli.js'), ...args];
  const { status, stdout, stderr } = await runProgram(process.execPath, run, signal);
  return { name: `iorr ${args[0] ?? ''}`, status, text: stdout.toString() + stderr };
}

/**
 * Boots, records, brings the results out, joins and verifies them. `project` is the folder of iorr's package.json with its
 * `dist/` built. Whatever way it ends, no process and no scratch stays behind. Throws `IorrError`.
 */
export async function runLab(
  options: LabOptions,
  project: string,
  signal: AbortSignal,
  tell: (text: string) => void,
): Promise<LabResult> {
  const obstacle = labObstacle(options);
  if (obstacle !== undefined) throw obstacle;
  const { machine, mode, ats, cpus, seconds, limitSeconds } = options;
  const cache = join(project, 'node_modules', '.cache', 'iorr-lab');
  const packages = await fetchPackages(machine, options.suite, cache, signal, tell);
  const out = options.out ?? join('tmp', 'lab', `${machine.name}-${mode}${ats ? '-ats' : ''}`);
  mkdirSync(out, { recursive: true });
  // A laboratory that was killed could not tidy up.
  for (const name of readdirSync(out)) if (name.startsWith('.guest-')) rmSync(join(out, name), { recursive: true });
  const scratch = options.keep ? join(out, 'guest') : mkdtempSync(join(out, '.guest-'));
  mkdirSync(scratch, { recursive: true });
  try {
    const initramfs = join(scratch, 'initramfs');
    await writeInitramfs(initramfs, packages, project, { seconds, limitSeconds }, signal);
    const emulatorLog = join(out, 'qemu_trace.log');
    rmSync(emulatorLog, { force: true });
    const resultImage = makeDisk(join(scratch, 'result.img'), RESULT_DISK_BYTES);
    const args = qemuArguments({
      machine,
      mode,
      ats,
      cpus,
      kernel: kernelFile(packages),
      initramfs,
      blockImage: makeDisk(join(scratch, 'block.img'), IO_DISK_BYTES),
      nvmeImage: makeDisk(join(scratch, 'nvme.img'), IO_DISK_BYTES),
      resultImage,
      emulatorLog,
    });
    const begun = performance.now();
    const guest = { program: machine.program, args, consoleFile: join(scratch, 'console.txt'), limitSeconds };
    tell(`booting ${packages.kernelName} with ${machine.description}, ${mode}`);
    await runGuest(guest, signal, ({ name, text }) => {
      tell(`${((performance.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${name} ${text}`);
    });
    await runOrThrow('tar', ['-xf', resultImage, '-C', out], signal, 'was the disk full in the guest?');
    return { out, kernel: packages.kernelName, checks: await check(project, out, signal) };
  } finally {
    if (!options.keep) rmSync(scratch, { recursive: true, force: true });
  }
}

async function check(project: string, out: string, signal: AbortSignal): Promise<readonly LabCheck[]> {
  const joined = join(out, 'run.iorr');
  const parts = [join(out, 'guest.iorr'), join(out, 'qemu_trace.log')];
  const imported = await iorr(project, ['import', ...parts, '-o', joined], signal);
  if (imported.status !== 0 || !existsSync(joined)) return [imported];
  const checks = [imported];
  for (const kind of ['inv', 'dma']) {
    const done = await iorr(project, ['verify', joined, '--only', kind], signal);
    checks.push({ ...done, name: `${done.name} --only ${kind}` });
  }
  return checks;
}

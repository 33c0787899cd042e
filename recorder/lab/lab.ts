import { closeSync, existsSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { IorrError } from '../../traces/errors.ts';
import { fetchPackages } from './debian-packages.ts';
import { kernelFile, writeInitramfs } from './guest-image.ts';
import { BUILD_PROGRAMS, buildKernel, missingBuildPackages } from './kernel/build-kernel.ts';
import type { LabOptions } from './lab-options.ts';
import { COMPILER, compilePrograms } from './compile-programs.ts';
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
  /** Folder of `guest.iorr`, the emulator's log, what both were joined to, and what the guest said of itself. */
  readonly out: string;
  readonly kernel: string;
  readonly checks: readonly LabCheck[];
}

/** Where iorr is. */
export interface LabPlaces {
  /** Folder of its package.json, sources and node_modules. */
  readonly project: string;
  /** What was built from them. */
  readonly dist: string;
}

const IO_DISK_BYTES = 256 << 20;
const RESULT_DISK_BYTES = 512 << 20;

/** Programs by the Debian packages that have them. */
function neededPrograms({ machine, work }: LabOptions): readonly (readonly [program: string, debian: string])[] {
  return [
    [machine.program, machine.programPackage],
    ['apt-get', 'apt'],
    ['dpkg-deb', 'dpkg'],
    ['xz', 'xz-utils'],
    ['tar', 'tar'],
    ['timeout', 'coreutils'],
    ...(work.programs().length > 0 ? COMPILER : []),
    ...(work.ownKernel ? BUILD_PROGRAMS : []),
  ];
}

/** What keeps the laboratory from running here, with the line that mends it; undefined if nothing does. */
export function labObstacle(options: LabOptions): IorrError | undefined {
  if (process.platform !== 'linux') {
    return new IorrError('RECORDING_FAILED', `the laboratory runs on Linux, this is ${process.platform}`);
  }
  const missing = neededPrograms(options).filter(([program]) => !hasProgram(program));
  const headers = options.work.ownKernel ? missingBuildPackages() : [];
  if (missing.length + headers.length === 0) return undefined;
  const packages = [...new Set([...missing.map(([, debian]) => debian), ...headers])].join(' ');
  const what = [...missing.map(([program]) => program), ...headers].join(', ');
  return new IorrError('RECORDING_FAILED', `not installed: ${what}`, {
    hint: `apt-get update && apt-get install --no-install-recommends ${packages}`,
  });
}

function makeDisk(path: string, bytes: number): string {
  const descriptor = openSync(path, 'w');
  ftruncateSync(descriptor, bytes);
  closeSync(descriptor);
  return path;
}

/**
 * Boots, records, brings the results out and verifies them. Whatever way it ends, no process and no scratch stays behind.
 * Throws `IorrError`.
 */
export async function runLab(
  options: LabOptions,
  places: LabPlaces,
  signal: AbortSignal,
  tell: (text: string) => void,
): Promise<LabResult> {
  const obstacle = labObstacle(options);
  if (obstacle !== undefined) throw obstacle;
  const { work, machine, out } = options;
  const cache = join(places.project, 'node_modules', '.cache', 'iorr-lab');
  const packages = await fetchPackages(machine, options.suite, work.packages, cache, signal, tell);
  const built = work.ownKernel ? await buildKernel(options.kernelSuite, cache, signal, tell) : undefined;
  mkdirSync(out, { recursive: true });
  // A laboratory that was killed could not tidy up.
  for (const name of readdirSync(out)) if (name.startsWith('.guest-')) rmSync(join(out, name), { recursive: true });
  const scratch = options.keep ? join(out, 'guest') : mkdtempSync(join(out, '.guest-'));
  mkdirSync(scratch, { recursive: true });
  const kernelName = built?.name ?? packages.kernelName;
  try {
    const initramfs = join(scratch, 'initramfs');
    await writeInitramfs(
      initramfs,
      {
        root: packages.root,
        kernel: built === undefined ? packages.kernel : undefined,
        modules: work.modules,
        ...places,
        programs: await compilePrograms(work, built, places.project, scratch, signal),
        recordings: work.recordings(),
        headers: built?.include,
        init: (modules) => work.init(options.seconds, options.limitSeconds, modules),
      },
      signal,
    );
    const kernel = built?.image ?? kernelFile(packages.kernel);
    tell(`booting ${kernelName} with ${machine.description}, ${options.mode}`);
    const resultImage = await boot(options, kernel, initramfs, scratch, signal, tell);
    await runOrThrow('tar', ['-xf', resultImage, '-C', out], signal, 'was the disk full in the guest?');
    return { out, kernel: kernelName, checks: await check(places.dist, options, signal) };
  } finally {
    if (!options.keep) rmSync(scratch, { recursive: true, force: true });
  }
}

/** Runs the guest to its end; gives the disk that it left its results on. */
async function boot(
  options: LabOptions,
  kernel: string,
  initramfs: string,
  scratch: string,
  signal: AbortSignal,
  tell: (text: string) => void,
): Promise<string> {
  const { work, machine, limitSeconds } = options;
  const emulatorLog = work.emulatorLog ? join(options.out, 'qemu_trace.log') : undefined;
  if (emulatorLog !== undefined) rmSync(emulatorLog, { force: true });
  const resultImage = makeDisk(join(scratch, 'result.img'), RESULT_DISK_BYTES);
  const args = qemuArguments({
    machine,
    mode: options.mode,
    ats: options.ats,
    cpus: options.cpus,
    memoryMb: work.memoryMb,
    kernel,
    initramfs,
    blockImage: makeDisk(join(scratch, 'block.img'), IO_DISK_BYTES),
    nvmeImage: makeDisk(join(scratch, 'nvme.img'), IO_DISK_BYTES),
    resultImage,
    emulatorLog,
  });
  const begun = performance.now();
  const guest = { program: machine.program, args, consoleFile: join(scratch, 'console.txt'), limitSeconds };
  await runGuest(guest, signal, ({ name, text }) => {
    tell(`${((performance.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${name} ${text}`);
  });
  return resultImage;
}

/** Runs iorr's own commands on the result, up to the first that fails to write what the next one reads. */
async function check(dist: string, { work, out }: LabOptions, signal: AbortSignal): Promise<readonly LabCheck[]> {
  const checks: LabCheck[] = [];
  const inOut = (word: string): string => (/\.(iorr|log)$/.test(word) ? join(out, word) : word);
  for (const command of work.checks) {
    const inputs = command.filter((word) => word.endsWith('.iorr') && word !== command.at(-1));
    if (!inputs.every((name) => existsSync(join(out, name)))) break;
    // A trace of an earlier run is not this one's.
    if (command.at(-2) === '-o') rmSync(inOut(command.at(-1) ?? ''), { force: true });
    const args = [join(dist, 'cli.js'), ...command.map(inOut)];
    const { status, stdout, stderr } = await runProgram(process.execPath, args, signal);
    const name = ['iorr', command[0] ?? '', ...command.slice(command.indexOf('--only') >>> 0)].join(' ');
    checks.push({ name, status, text: stdout.toString() + stderr });
  }
  return checks;
}

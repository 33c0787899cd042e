import { createHash } from 'node:crypto';
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { renameSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { IorrError } from '../../../traces/errors.ts';
import { AptFolder } from '../apt-folder.ts';
import { runOrThrow } from '../programs.ts';
import { kernelConfig, missingOptions } from './kernel-config.ts';

/** A kernel that was built, with what programs for it are compiled against. */
export interface BuiltKernel {
  /** `linux-source-7.3 7.3.4-1~bpo13+1`. */
  readonly name: string;
  readonly image: string;
  /** Headers of its user-space interface, and the mock driver's `iommufd_test.h`. */
  readonly include: string;
}

/** Programs that build it, by the Debian packages that have them. */
export const BUILD_PROGRAMS: readonly (readonly [program: string, debian: string])[] = [
  ['make', 'make'],
  ['gcc', 'gcc'],
  ['flex', 'flex'],
  ['bison', 'bison'],
  ['bc', 'bc'],
  ['perl', 'perl'],
];
/** Headers that its build tools include. */
const BUILD_HEADERS: readonly (readonly [header: string, debian: string])[] = [
  ['/usr/include/libelf.h', 'libelf-dev'],
  ['/usr/include/stdio.h', 'libc6-dev'],
];

const SPACE = 4 << 30;
const HINT = 'its log is beside it: build.log; delete the folder to begin anew';

/** What is missing for a build, as Debian's packages. */
export function missingBuildPackages(): readonly string[] {
  return BUILD_HEADERS.filter(([header]) => !existsSync(header)).map(([, debian]) => debian);
}

function checkSpace(folder: string): void {
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize >= SPACE) return;
  const free = ((bavail * bsize) / 2 ** 30).toFixed(1);
  throw new IorrError('RECORDING_FAILED', `no space to build a kernel: ${free} GiB free in ${folder}, it takes 4`, {
    hint: 'what stays behind is 30 MB',
  });
}

/**
 * Builds the kernel that records calls from Debian's own source of a suite, once: the cache knows it by the source's version
 * and the configuration. Throws `IorrError` RECORDING_FAILED.
 */
export async function buildKernel(
  suite: string,
  cache: string,
  signal: AbortSignal,
  tell: (text: string) => void,
): Promise<BuiltKernel> {
  const kernels = join(cache, 'kernels');
  const known = newest(kernels, suite);
  if (known !== undefined) return known;
  mkdirSync(kernels, { recursive: true });
  const apt = await AptFolder.open(join(cache, `${suite}-source`), suite, 'amd64', signal);
  const source = await apt.behind('linux-source', 'linux-source-');
  const version = await apt.version(source);
  checkSpace(kernels);
  const part = join(kernels, `${suite}.part`);
  rmSync(part, { recursive: true, force: true });
  mkdirSync(part);
  tell(`fetching ${source} ${version} of Debian ${suite}`);
  const fetched = join(part, 'package');
  await apt.unpackOne(source, fetched);
  const archive = join(fetched, 'usr', 'src', `${source}.tar.xz`);
  await runOrThrow('tar', ['-xJf', archive, '-C', part], signal, 'delete it and try again');
  const built = await build(join(part, source), part, signal, tell);
  writeFileSync(join(built, 'name'), `${source} ${version}\n`);
  const place = join(kernels, `${suite}-${key()}`);
  rmSync(place, { recursive: true, force: true });
  renameSync(built, place);
  rmSync(part, { recursive: true, force: true });
  return describe(place);
}

/** Another configuration is another kernel; one that is there stays as it is, whatever the suite has by now. */
function key(): string {
  return createHash('sha256').update(kernelConfig()).digest('hex').slice(0, 12);
}

function newest(kernels: string, suite: string): BuiltKernel | undefined {
  const place = join(kernels, `${suite}-${key()}`);
  return existsSync(join(place, 'name')) ? describe(place) : undefined;
}

function describe(place: string): BuiltKernel {
  return {
    name: readFileSync(join(place, 'name'), 'utf8').trim(),
    image: join(place, 'bzImage'),
    include: join(place, 'include'),
  };
}

/** Gives a folder with what is kept. */
async function build(source: string, part: string, signal: AbortSignal, tell: (text: string) => void): Promise<string> {
  const objects = join(part, 'objects');
  const kept = join(part, 'kept');
  const fragment = join(part, 'fragment.config');
  mkdirSync(objects);
  mkdirSync(kept);
  writeFileSync(fragment, kernelConfig());
  const make = (...targets: readonly string[]): Promise<Buffer> => {
    const run = ['-n', '10', 'make', '-s', '-C', source, `O=${objects}`, ...targets];
    return runOrThrow('nice', run, signal, HINT);
  };
  await make(`KCONFIG_ALLCONFIG=${fragment}`, 'allnoconfig');
  const config = readFileSync(join(objects, '.config'), 'utf8');
  const missing = missingOptions(config);
  if (missing.length > 0) {
    throw new IorrError('RECORDING_FAILED', `this kernel's source has no ${missing.join(', ')}`, {
      hint: 'take a newer one: --kernel-suite',
    });
  }
  const begun = performance.now();
  const jobs = availableParallelism();
  tell(`building it on ${jobs} CPUs: some 7 minutes on two that are quiet, once`);
  await make(`-j${jobs}`, 'bzImage', 'headers');
  copyFileSync(join(objects, 'arch', 'x86', 'boot', 'bzImage'), join(kept, 'bzImage'));
  writeFileSync(join(kept, 'config'), config);
  const include = join(kept, 'include');
  cpSync(join(objects, 'usr', 'include'), include, { recursive: true });
  copyFileSync(join(source, 'drivers', 'iommu', 'iommufd', 'iommufd_test.h'), join(include, 'iommufd_test.h'));
  tell(`built in ${Math.round((performance.now() - begun) / 1000)} s`);
  return kept;
}

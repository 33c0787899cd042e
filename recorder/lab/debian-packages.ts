import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { IorrError } from '../../traces/errors.ts';
import { aptOptions, findDebianArchive, kernelPackageOf, sourceText } from './debian-archive.ts';
import type { LabMachine } from './lab-machine.ts';
import { runOrThrow } from './programs.ts';

/** What runs in the guest besides the kernel. Node of this suite is new enough for iorr. */
const USERLAND = ['nodejs', 'busybox-static'];
const HINT = 'check that apt-get update works on this machine';

/** Unpacked packages. */
export interface GuestPackages {
  /** Folder with `boot/vmlinuz-*` and `usr/lib/modules/*`. */
  readonly kernel: string;
  /** Root folder of the userland. */
  readonly root: string;
  /** Package name of the kernel, with its version. */
  readonly kernelName: string;
}

function machineSources(): readonly string[] {
  const folder = '/etc/apt/sources.list.d';
  const parts = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
  return ['/etc/apt/sources.list', ...parts].filter(existsSync).map((path) => readFileSync(path, 'utf8'));
}

function debFiles(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.deb'))
    .map((name) => join(folder, name));
}

/** Unpacks beside its place and moves it there when it is whole: a cut-off run leaves nothing that looks ready. */
async function unpack(debs: readonly string[], folder: string, signal: AbortSignal): Promise<void> {
  const part = `${folder}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(part, { recursive: true });
  for (const deb of debs) await runOrThrow('dpkg-deb', ['-x', deb, part], signal, 'delete it and try again');
  renameSync(part, folder);
}

/**
 * Gets kernel and userland of a suite through apt, into `cache`, where later runs find them. Nothing is installed. Throws
 * `IorrError` RECORDING_FAILED.
 */
export async function fetchPackages(
  machine: LabMachine,
  suite: string,
  cache: string,
  signal: AbortSignal,
  tell: (text: string) => void,
): Promise<GuestPackages> {
  const folder = join(cache, `${suite}-${machine.architecture}`);
  const root = join(folder, 'root');
  const ready = (existsSync(folder) ? readdirSync(folder) : []).find((name) => /^linux-image-(?!.*\.part$)/.test(name));
  if (ready !== undefined && existsSync(root)) return { kernel: join(folder, ready), root, kernelName: ready };

  const archive = findDebianArchive(machineSources());
  if (archive === undefined) {
    throw new IorrError('RECORDING_FAILED', "no Debian archive among this machine's apt sources", {
      hint: 'the laboratory takes kernel and Node of its guests from Debian: run it on Debian',
    });
  }
  const archives = join(folder, 'cache', 'archives');
  for (const path of [join(folder, 'state', 'lists', 'partial'), join(archives, 'partial')]) {
    mkdirSync(path, { recursive: true });
  }
  writeFileSync(join(folder, 'lab.sources'), sourceText(archive, suite));
  const options = aptOptions(folder, machine.architecture);
  tell(`fetching ${machine.kernelPackage} and ${USERLAND.join(', ')} of Debian ${suite} for ${machine.architecture}`);
  await runOrThrow('apt-get', [...options, '-q', 'update'], signal, HINT);
  const shown = await runOrThrow('apt-cache', [...options, 'show', machine.kernelPackage], signal, HINT);
  const kernelName = kernelPackageOf(shown.toString());
  if (kernelName === undefined) {
    throw new IorrError('RECORDING_FAILED', `${machine.kernelPackage} names no kernel package`, { hint: HINT });
  }
  await runOrThrow('apt-get', [...options, '-qy', '--download-only', 'install', ...USERLAND], signal, HINT);
  await unpack(debFiles(archives), root, signal);
  // Only this package, not what its installation would need: its files are all that is wanted.
  const kernelFolder = join(folder, 'kernel-package');
  mkdirSync(kernelFolder, { recursive: true });
  const download = ['-c', 'cd "$0" && exec apt-get "$@"', kernelFolder, ...options, '-q', 'download', kernelName];
  await runOrThrow('sh', download, signal, HINT);
  const kernel = join(folder, kernelName);
  await unpack(debFiles(kernelFolder), kernel, signal);
  for (const spent of [kernelFolder, archives]) rmSync(spent, { recursive: true, force: true });
  return { kernel, root, kernelName };
}

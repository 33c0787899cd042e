import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { AptFolder } from './apt-folder.ts';
import type { LabMachine } from './lab-machine.ts';

/** What every guest runs besides the kernel. Node of this suite is new enough for iorr. */
const USERLAND: readonly string[] = ['nodejs', 'busybox-static'];

/** Unpacked packages. */
export interface GuestPackages {
  /** Folder with `boot/vmlinuz-*` and `usr/lib/modules/*`. */
  readonly kernel: string;
  /** Root folder of the userland. */
  readonly root: string;
  /** Package name of the kernel, with its version. */
  readonly kernelName: string;
}

/** The folder of a userland: of the plain one `root`, of one with other programs a name made of theirs. */
function rootName(programs: readonly string[]): string {
  if (programs.length === 0) return 'root';
  return `root-${createHash('sha256').update(programs.join(' ')).digest('hex').slice(0, 8)}`;
}

/**
 * Gets kernel and userland of a suite through apt, into `cache`, where later runs find them. Nothing is installed. `programs`:
 * packages that the guest needs beside the usual ones. Throws `IorrError` RECORDING_FAILED.
 */
export async function fetchPackages(
  machine: LabMachine,
  suite: string,
  programs: readonly string[],
  cache: string,
  signal: AbortSignal,
  tell: (text: string) => void,
): Promise<GuestPackages> {
  const folder = join(cache, `${suite}-${machine.architecture}`);
  const root = join(folder, rootName(programs));
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const ready = names.find((name) => /^linux-image-(?!.*\.part$)/.test(name));
  if (ready !== undefined && existsSync(root)) return { kernel: join(folder, ready), root, kernelName: ready };

  const wanted = [...USERLAND, ...programs];
  tell(`fetching ${machine.kernelPackage} and ${wanted.join(', ')} of Debian ${suite} for ${machine.architecture}`);
  const apt = await AptFolder.open(folder, suite, machine.architecture, signal);
  if (!existsSync(root)) await apt.unpackWhole(wanted, root);
  const kernelName = ready ?? (await apt.behind(machine.kernelPackage, 'linux-image-'));
  const kernel = join(folder, kernelName);
  if (ready === undefined) await apt.unpackOne(kernelName, kernel);
  return { kernel, root, kernelName };
}

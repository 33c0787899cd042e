import {
  closeSync,
  existsSync,
  lstatSync,
  openSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { IorrError } from '../../traces/errors.ts';
import { cpioArchive } from './cpio.ts';
import type { CpioEntry } from './cpio.ts';
import { GUEST_HEADERS, GUEST_IORR, GUEST_MODULES, GUEST_PROGRAMS } from './guest-script.ts';
import { loadOrder, moduleDependencies, moduleName } from './kernel-modules.ts';
import { runOrThrow } from './programs.ts';

/** What a guest's file system is made of. */
export interface GuestParts {
  /** Root folder of the userland. */
  readonly root: string;
  /** Folder with `usr/lib/modules/*`; undefined where nothing is a module. */
  readonly kernel: string | undefined;
  readonly modules: readonly string[];
  /** Folder of iorr's package.json and node_modules, and of what was built from it. */
  readonly project: string;
  readonly dist: string;
  /** Programs by name, each a file; and the scripts that run them, by the names of the traces. */
  readonly programs: ReadonlyMap<string, string>;
  readonly recordings: ReadonlyMap<string, string>;
  /** Headers of the kernel's user-space interface; undefined where none are needed. */
  readonly headers: string | undefined;
  /** The first process, with the modules in the order in which they are loaded. */
  readonly init: (modules: readonly string[]) => string;
}

/** Parts of packages that nobody reads in the guest. */
const LEFT_OUT = /^(usr\/(share\/(?!nodejs)|include|lib\/[^/]+\/gconv)|etc\/|var\/)/;
/** Folders and links that packages expect of a merged /usr. */
const LINKS = ['bin', 'sbin', 'lib', 'lib64'];
const FOLDERS = ['dev', 'proc', 'sys', 'tmp', 'mnt', 'usr/bin', 'usr/sbin', 'usr/lib', 'usr/lib64'];

function* tree(folder: string, prefix: string): Generator<CpioEntry> {
  for (const name of readdirSync(folder).sort()) {
    const source = join(folder, name);
    const path = prefix === '' ? name : `${prefix}/${name}`;
    const status = lstatSync(source);
    if (LEFT_OUT.test(path)) continue;
    if (status.isSymbolicLink()) yield { kind: 'link', path, target: readlinkSync(source) };
    else if (status.isDirectory()) {
      yield { kind: 'folder', path };
      yield* tree(source, path);
    } else if (status.isFile()) {
      yield { kind: 'file', path, executable: (status.mode & 0o111) !== 0, content: readFileSync(source) };
    }
  }
}

/** Packages that the built tool needs at run time: its dependencies and theirs. */
function runtimePackages(project: string): readonly string[] {
  const found = new Set<string>();
  const visit = (folder: string): void => {
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
      readonly dependencies?: { readonly [name: string]: string };
    };
    for (const name of Object.keys(manifest.dependencies ?? {})) {
      const path = join('node_modules', name);
      if (found.has(path) || !existsSync(join(project, path))) continue;
      found.add(path);
      visit(join(project, path));
    }
  };
  visit(project);
  return [...found].sort();
}

function* iorrEntries({ project, dist }: GuestParts): Generator<CpioEntry> {
  const base = GUEST_IORR.slice(1);
  const manifest = readFileSync(join(project, 'package.json'));
  const folders = new Set<string>();
  function* parents(path: string): Generator<CpioEntry> {
    const parts = path.split('/');
    for (let length = 1; length <= parts.length; length++) {
      const folder = parts.slice(0, length).join('/');
      if (folders.has(folder)) continue;
      folders.add(folder);
      yield { kind: 'folder', path: folder };
    }
  }
  yield* parents(base);
  yield { kind: 'file', path: `${base}/package.json`, executable: false, content: manifest };
  yield* parents(`${base}/dist`);
  yield* tree(dist, `${base}/dist`);
  for (const part of runtimePackages(project)) {
    yield* parents(`${base}/${part}`);
    yield* tree(join(project, part), `${base}/${part}`);
  }
}

/** Every module of a kernel package: its file by its name. */
function moduleFiles(kernel: string): ReadonlyMap<string, string> {
  const base = ['usr/lib/modules', 'lib/modules'].map((path) => join(kernel, path)).find(existsSync);
  const files = new Map<string, string>();
  const visit = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) visit(path);
      else if (/\.ko(\.xz)?$/.test(entry.name)) files.set(moduleName(entry.name), path);
    }
  };
  if (base !== undefined) visit(base);
  return files;
}

/** Decompressed modules in the order in which they must be loaded. */
async function readModules(
  kernel: string,
  wanted: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = moduleFiles(kernel);
  const contents = new Map<string, Uint8Array>();
  // Reading is asynchronous, ordering is not: each round reads what the last one found missing.
  for (let missing: readonly string[] = wanted; missing.length > 0; ) {
    for (const name of missing) {
      const path = files.get(name);
      if (path === undefined || contents.has(name)) continue;
      const packed = path.endsWith('.xz');
      contents.set(
        name,
        packed ? await runOrThrow('xz', ['-dc', path], signal, 'apt-get install xz-utils') : readFileSync(path),
      );
    }
    const needed = [...contents.values()].flatMap(moduleDependencies);
    missing = [...new Set(needed)].filter((name) => files.has(name) && !contents.has(name));
  }
  const order = loadOrder(wanted, (name) => {
    const content = contents.get(name);
    return content === undefined ? undefined : moduleDependencies(content);
  });
  return new Map(order.map((name) => [name, contents.get(name) ?? new Uint8Array(0)]));
}

/**
 * bpftrace looks for the headers of a kernel that does not tell its types (BTF). Those for user space lack the kernel's own names of
 * numbers, which the formats of tracepoints use; the file that it includes first has room for them.
 */
const KERNEL_TYPES = `#include <linux/types.h>
${[8, 16, 32, 64].map((bits) => `typedef __u${bits} u${bits};\ntypedef __s${bits} s${bits};`).join('\n')}
typedef _Bool bool;
typedef __kernel_size_t size_t;
typedef __kernel_ssize_t ssize_t;
typedef __kernel_pid_t pid_t;
typedef __kernel_loff_t loff_t;
typedef __kernel_uid32_t uid_t;
typedef __kernel_gid32_t gid_t;
typedef unsigned short umode_t;
typedef unsigned int gfp_t;
typedef unsigned int dev_t;
typedef __u64 dma_addr_t;
typedef __u64 phys_addr_t;
typedef __u64 sector_t;
`;

function* headerEntries(headers: string): Generator<CpioEntry> {
  const folder = GUEST_HEADERS.slice(1);
  yield { kind: 'folder', path: folder };
  yield { kind: 'folder', path: `${folder}/include` };
  yield* tree(headers, `${folder}/include`);
  yield {
    kind: 'file',
    path: `${folder}/include/linux/kconfig.h`,
    executable: false,
    content: Buffer.from(KERNEL_TYPES),
  };
}

function* guestEntries(
  parts: GuestParts,
  modules: ReadonlyMap<string, Uint8Array>,
  init: string,
): Generator<CpioEntry> {
  const file = (path: string, content: Uint8Array): CpioEntry => ({ kind: 'file', path, executable: true, content });
  for (const path of ['usr', ...FOLDERS]) yield { kind: 'folder', path };
  for (const name of LINKS) yield { kind: 'link', path: name, target: `usr/${name}` };
  yield* tree(parts.root, '');
  yield* iorrEntries(parts);
  const folder = GUEST_MODULES.slice(1);
  yield { kind: 'folder', path: folder };
  for (const [name, content] of modules) yield file(`${folder}/${name}.ko`, content);
  const programs = GUEST_PROGRAMS.slice(1);
  yield { kind: 'folder', path: programs };
  for (const [name, path] of parts.programs) yield file(`${programs}/${name}`, readFileSync(path));
  for (const [name, script] of parts.recordings) yield file(`${programs}/record-${name}`, Buffer.from(script));
  if (parts.headers !== undefined) yield* headerEntries(parts.headers);
  yield file('init', Buffer.from(init));
}

/** The kernel's file in an unpacked package. Throws `IorrError` RECORDING_FAILED. */
export function kernelFile(kernel: string): string {
  const boot = join(kernel, 'boot');
  const name = existsSync(boot) ? readdirSync(boot).find((one) => one.startsWith('vmlinu')) : undefined;
  if (name !== undefined) return join(boot, name);
  throw new IorrError('RECORDING_FAILED', `no kernel in ${boot}`, { hint: `delete ${kernel}` });
}

/** Writes an initramfs that holds everything the guest needs: userland, modules, programs, the built iorr, its first process. */
export async function writeInitramfs(path: string, parts: GuestParts, signal: AbortSignal): Promise<void> {
  const modules =
    parts.kernel === undefined ? new Map<string, Uint8Array>() : await readModules(parts.kernel, parts.modules, signal);
  const init = parts.init([...modules.keys()]);
  const descriptor = openSync(path, 'w');
  try {
    for (const piece of cpioArchive(guestEntries(parts, modules, init))) {
      for (let at = 0; at < piece.length; ) at += writeSync(descriptor, piece, at);
    }
  } finally {
    closeSync(descriptor);
  }
}

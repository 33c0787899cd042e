import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { IorrError } from '../../traces/errors.ts';
import { aptOptions, findDebianArchive, packageBehind, sourceText } from './debian-archive.ts';
import { runOrThrow } from './programs.ts';

const HINT = 'check that apt-get update works on this machine';

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
 * apt at work in a folder of its own, on one suite and architecture, with the archive that this machine uses: it neither reads
 * nor changes what is installed. All throw `IorrError` RECORDING_FAILED.
 */
export class AptFolder {
  readonly #folder: string;
  readonly #options: readonly string[];
  readonly #signal: AbortSignal;

  private constructor(folder: string, options: readonly string[], signal: AbortSignal) {
    this.#folder = folder;
    this.#options = options;
    this.#signal = signal;
  }

  /** With the suite's newest lists. */
  static async open(folder: string, suite: string, architecture: string, signal: AbortSignal): Promise<AptFolder> {
    const archive = findDebianArchive(machineSources());
    if (archive === undefined) {
      throw new IorrError('RECORDING_FAILED', "no Debian archive among this machine's apt sources", {
        hint: 'the laboratory takes kernel and programs of its guests from Debian: run it on Debian',
      });
    }
    for (const path of [join(folder, 'state', 'lists', 'partial'), join(folder, 'cache', 'archives', 'partial')]) {
      mkdirSync(path, { recursive: true });
    }
    writeFileSync(join(folder, 'lab.sources'), sourceText(archive, suite));
    const options = aptOptions(folder, architecture);
    await runOrThrow('apt-get', [...options, '-q', 'update'], signal, HINT);
    return new AptFolder(folder, options, signal);
  }

  /** The package behind a meta package, by the start of its name. */
  async behind(metaPackage: string, prefix: string): Promise<string> {
    const shown = await runOrThrow('apt-cache', [...this.#options, 'show', metaPackage], this.#signal, HINT);
    const name = packageBehind(shown.toString(), prefix);
    if (name !== undefined) return name;
    throw new IorrError('RECORDING_FAILED', `${metaPackage} names no package ${prefix}*`, { hint: HINT });
  }

  /** Version that would be fetched. */
  async version(name: string): Promise<string> {
    const shown = await runOrThrow('apt-cache', [...this.#options, 'show', name], this.#signal, HINT);
    const version = /^Version: (\S+)$/m.exec(shown.toString())?.[1];
    if (version !== undefined) return version;
    throw new IorrError('RECORDING_FAILED', `${name} has no version`, { hint: HINT });
  }

  /** Unpacks packages and all that they need, as if nothing were installed. */
  async unpackWhole(names: readonly string[], into: string): Promise<void> {
    const archives = join(this.#folder, 'cache', 'archives');
    const install = ['-qy', '--download-only', 'install', ...names];
    await runOrThrow('apt-get', [...this.#options, ...install], this.#signal, HINT);
    await unpack(debFiles(archives), into, this.#signal);
    rmSync(archives, { recursive: true, force: true });
    mkdirSync(join(archives, 'partial'), { recursive: true });
  }

  /** Unpacks one package alone: its files are all that is wanted. */
  async unpackOne(name: string, into: string): Promise<void> {
    const folder = join(this.#folder, 'one-package');
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const download = ['-c', 'cd "$0" && exec apt-get "$@"', folder, ...this.#options, '-q', 'download', name];
    await runOrThrow('sh', download, this.#signal, HINT);
    await unpack(debFiles(folder), into, this.#signal);
    rmSync(folder, { recursive: true, force: true });
  }
}

import { accessSync, constants, readFileSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { cpus, machine, release } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { readKernelLog } from './machine/kernel-log.ts';

/** What this process may do with a path. */
export type Access = 'absent' | 'denied' | 'read' | 'write';

/** The machine that is to be recorded, as far as files tell. Everything that looks at it goes through here. */
export interface System {
  readonly platform: string;
  /** Effective user id. */
  readonly uid: number;
  /** `CapEff` of this process: the effective capabilities, one bit each (linux/capability.h). */
  readonly capabilities: bigint;
  readonly kernel: string;
  /** `x86_64`, `aarch64`, ... as the kernel names it. */
  readonly architecture: string;
  readonly cpus: number;
  /** Text of a file; undefined where it can't be read. */
  read(path: string): string | undefined;
  bytes(path: string): Uint8Array | undefined;
  /** Names in a folder, sorted; empty where it can't be read. */
  list(path: string): readonly string[];
  /** Last part of what a symbolic link points to. */
  link(path: string): string | undefined;
  access(path: string): Access;
  /** Path of a program that PATH has. */
  program(name: string): string | undefined;
  /** What the kernel's log tells of IOMMUs; undefined where it may not be read. */
  kernelLog(): readonly string[] | undefined;
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

function accessTo(path: string): Access {
  const may = (mode: number): boolean => attempt(() => (accessSync(path, mode), true)) === true;
  if (may(constants.R_OK | constants.W_OK)) return 'write';
  if (may(constants.R_OK)) return 'read';
  try {
    statSync(path);
    return 'denied';
  } catch (error) {
    // A folder above it that is closed to us hides whether it is there.
    return (error as { code?: unknown }).code === 'EACCES' ? 'denied' : 'absent';
  }
}

/** Path of a program: as it is if it has a slash, else from the folders of PATH. */
export function findProgram(name: string, path: string): string | undefined {
  const folders = name.includes('/') ? [''] : path.split(delimiter).map((folder) => (folder === '' ? '.' : folder));
  return folders
    .map((folder) => (folder === '' ? name : join(folder, name)))
    .find((candidate) => {
      const executable = attempt(() => (accessSync(candidate, constants.X_OK), true)) === true;
      return executable && attempt(() => statSync(candidate).isFile()) === true;
    });
}

/** The machine that this process runs on. */
export function thisSystem(): System {
  const status = attempt(() => readFileSync('/proc/self/status', 'latin1')) ?? '';
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return {
    platform: process.platform,
    uid: process.geteuid?.() ?? 0,
    capabilities: effective === undefined ? 0n : BigInt(`0x${effective}`),
    kernel: release(),
    architecture: machine(),
    cpus: cpus().length,
    read: (path) => attempt(() => readFileSync(path, 'utf8')),
    bytes: (path) => attempt(() => readFileSync(path)),
    list: (path) => (attempt(() => readdirSync(path)) ?? []).sort(),
    link: (path) => attempt(() => basename(readlinkSync(path))),
    access: accessTo,
    program: (name) => findProgram(name, process.env['PATH'] ?? ''),
    kernelLog: () => readKernelLog(),
  };
}

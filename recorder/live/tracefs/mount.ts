import { spawnSync } from 'node:child_process';
import type { System } from '../system.ts';

/** Where tracefs is mounted by custom (Documentation/trace/ftrace.rst). */
const TRACEFS = '/sys/kernel/tracing';

/** Where tracefs is mounted; undefined where it is not. */
export function findTracefs(mounts: string): string | undefined {
  // tracefs /sys/kernel/tracing tracefs rw,nosuid,nodev,noexec,relatime 0 0
  const folders = mounts.split('\n').flatMap((line) => {
    const [, folder, type] = line.split(' ');
    return type === 'tracefs' && folder !== undefined ? [folder.replaceAll('\\040', ' ')] : [];
  });
  return folders.find((folder) => folder === TRACEFS) ?? folders[0];
}

export function tracefsOf(system: System): string | undefined {
  return findTracefs(system.read('/proc/self/mounts') ?? '');
}

/** The kernel has tracefs, and a folder waits for it. */
export function canMount(system: System): boolean {
  return /^nodev\ttracefs$/m.test(system.read('/proc/filesystems') ?? '') && system.access(TRACEFS) !== 'absent';
}

export const MOUNT_COMMAND = `mount -t tracefs nodev ${TRACEFS}`;

/** Mounts it where it belongs, as root; undefined where that failed. */
export function mountTracefs(system: System): string | undefined {
  const [program = 'mount', ...args] = MOUNT_COMMAND.split(' ');
  spawnSync(program, args, { stdio: 'ignore' });
  return tracefsOf(system);
}

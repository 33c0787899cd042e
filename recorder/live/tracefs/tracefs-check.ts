import { limited, missing, ok } from '../check.ts';
import type { Check } from '../check.ts';
import { hasCapability, lockdown } from '../privileges.ts';
import type { System } from '../system.ts';
import { MOUNT_COMMAND, canMount, tracefsOf } from './mount.ts';

const UNPRIVILEGED = 'iorr record --source strace -- CMD sees the calls of your own programs without any privilege';

/** Whether tracefs can be used. */
export function checkTracefs(system: System): Check {
  const name = 'tracefs';
  if (lockdown(system) === 'confidentiality') {
    const step = 'boot without lockdown=confidentiality (Secure Boot may set it)';
    return missing(name, 'the kernel is locked down: no tracing', step, UNPRIVILEGED);
  }
  const folder = tracefsOf(system);
  if (folder === undefined) {
    if (!canMount(system)) {
      return missing(name, 'the kernel has no tracefs', 'a kernel with CONFIG_TRACING', UNPRIVILEGED);
    }
    if (hasCapability(system, 'sysAdmin')) {
      return limited(name, 'not mounted; record mounts it', `${MOUNT_COMMAND} (you are root)`, '');
    }
    return missing(name, 'not mounted', `root: ${MOUNT_COMMAND}`, UNPRIVILEGED);
  }
  switch (system.access(`${folder}/instances`)) {
    case 'write':
      return ok(name, folder);
    case 'absent':
      return missing(name, `${folder} has no instances`, 'Linux 3.10 or later, and a whole tracefs', UNPRIVILEGED);
    case 'read':
    case 'denied': {
      const grant = `mount -o remount,gid=GROUP,mode=0770 ${folder}, with GROUP one of yours`;
      return missing(name, `${folder} is not yours to use`, `root, or once as root: ${grant}`, UNPRIVILEGED);
    }
  }
}

/** The clock that all CPUs share and that user space can read as well. */
export function checkClock(system: System, folder: string | undefined): Check {
  const name = 'trace clock';
  const clocks = folder === undefined ? undefined : system.read(`${folder}/trace_clock`);
  if (clocks === undefined) return limited(name, 'not known yet', 'tracefs', '');
  if (/(?:^|[\s[])mono(?:[\s\]]|$)/.test(clocks)) return ok(name, 'mono');
  return limited(name, `no mono among ${clocks.trim()}`, 'Linux 3.17 or later', 'times are those of the clock "local"');
}

/** How large sub-buffers may be; large ones are read with fewer calls. */
export function checkBuffers(system: System, folder: string | undefined): Check {
  const name = 'trace buffers';
  const size = folder === undefined ? undefined : system.read(`${folder}/buffer_size_kb`);
  if (folder === undefined || size === undefined) return limited(name, 'not known yet', 'tracefs', '');
  const available = /^MemAvailable:\s+(\d+) kB/m.exec(system.read('/proc/meminfo') ?? '')?.[1];
  const memory = available === undefined ? '' : `, ${Math.round(Number(available) / 1024)} MiB of memory available`;
  if (system.access(`${folder}/buffer_subbuf_size_kb`) === 'absent') {
    const found = `sub-buffers of one page only${memory}`;
    return limited(name, found, 'Linux 6.8 or later for larger ones', '--buffer-size makes up for it');
  }
  return ok(name, `sub-buffers of any size${memory}`);
}

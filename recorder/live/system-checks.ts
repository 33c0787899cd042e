import { limited, ok } from './check.ts';
import type { Check } from './check.ts';
import { hasCapability, lockdown } from './privileges.ts';
import type { System } from './system.ts';

/** What the machine has to record, whatever records it. */

/** Inode of the first pid namespace (include/linux/proc_ns.h, PROC_PID_INIT_INO). */
const FIRST_PID_NAMESPACE = 'pid:[4026531836]';

export function checkPrivileges(system: System): Check {
  if (system.uid === 0 && hasCapability(system, 'sysAdmin')) return ok('privileges', 'root');
  const who = system.uid === 0 ? 'root without CAP_SYS_ADMIN' : `user ${system.uid}`;
  const instead = 'strace sees your own programs';
  return limited('privileges', who, 'root (sudo) for everything that the kernel itself records', instead);
}

export function checkLockdown(system: System): Check {
  const state = lockdown(system);
  if (state === undefined || state === 'none') return ok('lockdown', state ?? 'the kernel shows none');
  if (state === 'integrity') return ok('lockdown', 'integrity: recording is allowed');
  return limited('lockdown', state, 'boot without lockdown=confidentiality', 'strace');
}

/** The kernel counts processes by its own numbers; those that a container sees are others. */
export function checkPidNamespace(system: System): Check {
  const namespace = system.link('/proc/self/ns/pid');
  if (namespace === undefined || namespace === FIRST_PID_NAMESPACE) return ok('process ids', 'those of the kernel');
  const found = "those of a container, not the kernel's: tracefs can't follow -- CMD or --pid by them";
  return limited('process ids', found, "run in the host's pid namespace (docker run --pid=host)", '--all, or strace');
}

export function checkUnits(system: System): Check {
  const units = system.list('/sys/class/iommu');
  if (units.length > 0) return ok('IOMMU units', units.join(', '));
  const step = 'an IOMMU switched on in firmware and kernel (intel_iommu=on, amd_iommu=on; iommu.passthrough=0)';
  return limited('IOMMU units', 'none: no maps, no commands, no faults will come', step, 'iorr simulate makes traces');
}

export function checkIommufd(system: System): Check {
  const access = system.access('/dev/iommu');
  if (access === 'write') return ok('/dev/iommu', 'there, and yours to use');
  if (access !== 'absent') return ok('/dev/iommu', 'there; its calls can be recorded');
  const step = 'a kernel with CONFIG_IOMMUFD, and: modprobe iommufd';
  return limited('/dev/iommu', 'not there: no calls of IOMMUFD will come', step, '');
}

export function checkVfio(system: System): Check {
  const nodes = system.list('/dev/vfio').filter((name) => name !== 'vfio' && name !== 'devices');
  const cdevs = system.list('/dev/vfio/devices');
  if (nodes.length + cdevs.length > 0) return ok('/dev/vfio', [...nodes, ...cdevs].join(', '));
  if (system.access('/dev/vfio/vfio') !== 'absent') {
    const step = 'bind a device: driverctl set-override 0000:BB:DD.F vfio-pci, or by sysfs';
    return limited('/dev/vfio', 'no device is given to user space', step, '');
  }
  return limited('/dev/vfio', 'not there: no calls of VFIO will come', 'modprobe vfio-pci', '');
}

export function checkKernelLog(system: System): Check {
  if (system.access('/dev/kmsg') !== 'absent' && hasCapability(system, 'syslog')) {
    return ok('kernel log', '/dev/kmsg');
  }
  const restricted = (system.read('/proc/sys/kernel/dmesg_restrict') ?? '').trim() !== '0';
  const readable = system.access('/dev/kmsg') === 'read' || system.access('/dev/kmsg') === 'write';
  if (readable && !restricted) return ok('kernel log', '/dev/kmsg');
  const found = 'may not be read: faults of VT-d, SMMUv3 and virtio-iommu are reported there alone';
  return limited(
    'kernel log',
    found,
    'root, or as root: sysctl kernel.dmesg_restrict=0',
    'the header lacks a few facts',
  );
}

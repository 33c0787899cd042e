import type { System } from './system.ts';

/** Bits of a capability set (include/uapi/linux/capability.h). */
const CAPABILITY = { sysPtrace: 19, sysAdmin: 21, syslog: 34, perfmon: 38, bpf: 39 } as const;

export function hasCapability(system: System, name: keyof typeof CAPABILITY): boolean {
  return (system.capabilities & (1n << BigInt(CAPABILITY[name]))) !== 0n;
}

/** `none`, `integrity`, `confidentiality`; undefined where the kernel has no lockdown or does not show it. */
export function lockdown(system: System): string | undefined {
  // none [integrity] confidentiality
  return /\[(\w+)\]/.exec(system.read('/sys/kernel/security/lockdown') ?? '')?.[1];
}

import { spawnSync } from 'node:child_process';
import { limited, missing, ok } from './check.ts';
import type { Check } from './check.ts';
import { hasCapability, lockdown } from './privileges.ts';
import type { System } from './system.ts';

/** Programs that record for iorr, and what the kernel allows them. */

const PACKAGE: { readonly [program: string]: string } = { bpftrace: 'bpftrace', strace: 'strace', perf: 'linux-perf' };

function absent(program: string, instead: string): Check {
  const step = `root: apt-get install ${PACKAGE[program] ?? program} (Debian's name; other systems have their own)`;
  return missing(program, 'not in PATH', step, instead);
}

/** First line of what a program says of its version. */
export function versionOf(path: string): string {
  const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 5000 });
  return (stdout ?? '').split('\n', 1)[0]?.trim().slice(0, 80) || path;
}

export function checkBtf(system: System): Check {
  if (system.access('/sys/kernel/btf/vmlinux') !== 'absent') return ok('BTF', '/sys/kernel/btf/vmlinux');
  const step = 'a kernel with CONFIG_DEBUG_INFO_BTF';
  return limited('BTF', 'not there', step, 'bpf sees system calls without it, and no kernel functions');
}

export function checkBpftrace(system: System): Check {
  const instead = 'iorr record --source strace -- CMD, without the contents of structs';
  const path = system.program('bpftrace');
  if (path === undefined) return absent('bpftrace', instead);
  const locked = lockdown(system);
  if (locked === 'confidentiality') {
    return missing('bpftrace', 'the kernel is locked down: BPF may not read memory', 'boot without lockdown', instead);
  }
  const allowed =
    hasCapability(system, 'sysAdmin') || (hasCapability(system, 'bpf') && hasCapability(system, 'perfmon'));
  if (!allowed) return missing('bpftrace', `${versionOf(path)}, not allowed`, 'root', instead);
  return ok('bpftrace', versionOf(path));
}

export function checkStrace(system: System): Check {
  const instead = 'the importers read what any other tracer of calls recorded';
  const path = system.program('strace');
  if (path === undefined) return absent('strace', instead);
  const scope = Number(system.read('/proc/sys/kernel/yama/ptrace_scope') ?? '0');
  if (scope >= 3) {
    return missing('strace', 'kernel.yama.ptrace_scope is 3: nobody may trace', 'boot with another setting', instead);
  }
  if (scope > 0 && !hasCapability(system, 'sysPtrace')) {
    const step = `root: sysctl kernel.yama.ptrace_scope=0 (it is ${scope})`;
    const what = scope === 1 ? 'only commands that it starts itself' : 'only root may trace';
    if (scope === 1) return limited('strace', `${versionOf(path)}, ${what}`, step, '-- CMD instead of --pid');
    return missing('strace', what, step, instead);
  }
  return ok('strace', versionOf(path));
}

export function checkPerf(system: System): Check {
  const instead = 'iorr record --source strace -- CMD';
  const path = system.program('perf');
  if (path === undefined) return absent('perf', instead);
  const paranoid = Number(system.read('/proc/sys/kernel/perf_event_paranoid') ?? '2');
  if (paranoid > -1 && !hasCapability(system, 'perfmon')) {
    const step = `root: sysctl kernel.perf_event_paranoid=-1 (it is ${paranoid}), and tracefs that you may read`;
    return missing('perf', `${versionOf(path)}, no tracepoints`, step, instead);
  }
  return ok('perf', versionOf(path));
}

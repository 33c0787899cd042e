import { expect, test } from 'vitest';
import { SyscallNames, machineOf } from './syscall-names.ts';

test.each([
  ['x86_64', 0, 'read'],
  ['x86_64', 9, 'mmap'],
  ['x86_64', 16, 'ioctl'],
  ['x86_64', 257, 'openat'],
  ['x86_64', 334, 'rseq'],
  ['x86_64', 335, 'syscall_335'],
  ['x86_64', 435, 'clone3'],
  ['x86_64', 469, 'file_setattr'],
  ['x86_64', 470, 'syscall_470'],
  ['x86_64', -1, 'syscall'],
  ['aarch64', 29, 'ioctl'],
  ['aarch64', 56, 'openat'],
  ['aarch64', 222, 'mmap'],
  ['aarch64', 250, 'syscall_250'],
  ['aarch64', 260, 'wait4'],
  ['aarch64', 294, 'kexec_file_load'],
  ['aarch64', 424, 'pidfd_send_signal'],
  ['riscv64', 29, 'ioctl'],
  ['s390x', 54, 'syscall_54'],
])('%s %d is %s', (machine, number, name) => {
  expect(new SyscallNames(machineOf(machine)).of(number)).toBe(name);
});

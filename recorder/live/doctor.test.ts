import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { CLI } from '../../bench/robustness/kill-run.ts';
import { diagnose, doctorText } from './doctor.ts';
import { LIVE_SOURCES } from './live-sources.ts';
import { fakeSystem } from './testing/fake-system.ts';
import type { FakeMachine } from './testing/fake-system.ts';

const GOOD: FakeMachine = {
  files: {
    '/proc/self/mounts': 'proc /proc proc rw 0 0\ntracefs /sys/kernel/tracing tracefs rw 0 0\n',
    '/proc/filesystems': 'nodev\ttracefs\n\text4\n',
    '/proc/meminfo': 'MemTotal: 100 kB\nMemAvailable:    8388608 kB\n',
    '/sys/kernel/tracing/trace_clock': '[local] global mono\n',
    '/sys/kernel/tracing/buffer_size_kb': '7\n',
    '/sys/kernel/tracing/buffer_subbuf_size_kb': '4\n',
    '/sys/kernel/tracing/instances/x/trace': '',
    '/sys/kernel/tracing/events/iommu/map/format': '',
    '/sys/kernel/tracing/events/syscalls/sys_enter_ioctl/format': '',
    '/sys/kernel/btf/vmlinux': '',
    '/sys/class/iommu/dmar0/intel-iommu/cap': 'd2\n',
    '/dev/iommu': '',
    '/dev/kmsg': '',
    '/dev/vfio/vfio': '',
    '/dev/vfio/12': '',
  },
  links: { '/proc/self/ns/pid': 'pid:[4026531836]' },
};

function without(machine: FakeMachine, ...prefixes: readonly string[]): FakeMachine {
  const entries = Object.entries(machine.files ?? {});
  const files = Object.fromEntries(entries.filter(([path]) => !prefixes.some((prefix) => path.startsWith(prefix))));
  return { ...machine, files };
}

function withFile(machine: FakeMachine, path: string, text: string): FakeMachine {
  return { ...machine, files: { ...machine.files, [path]: text } };
}

function looked(machine: FakeMachine) {
  const result = diagnose(fakeSystem(machine), LIVE_SOURCES);
  const checks = [...result.system, ...result.tools, ...result.sources.flatMap((source) => source.checks)];
  const find = (name: string) => checks.find((check) => check.name === name);
  return { result, find, text: doctorText(result) };
}

describe('doctor', () => {
  test('on a machine that has all of it, record works', () => {
    const { result, find, text } = looked(GOOD);
    expect(result).toMatchObject({ recordWorks: true, defaultSource: 'tracefs' });
    expect(find('tracefs')).toMatchObject({ state: 'ok', found: '/sys/kernel/tracing' });
    expect(find('trace buffers')?.found).toContain('8192 MiB of memory');
    expect(find('events')?.found).toContain('none of intel_iommu, dma');
    expect(find('/dev/vfio')).toMatchObject({ state: 'ok', found: '12' });
    expect(text).toContain('iorr record works here: it takes tracefs');
  });

  test('without tracefs mounted, root can record and a user is told the command', () => {
    const bare = without(GOOD, '/proc/self/mounts');
    const unmounted = withFile(bare, '/proc/self/mounts', 'proc /proc proc rw 0 0\n');
    expect(looked(unmounted).find('tracefs')).toMatchObject({ state: 'limited' });
    expect(looked(unmounted).result.recordWorks).toBe(true);
    const user = looked({ ...unmounted, uid: 1000 });
    expect(user.result.recordWorks).toBe(false);
    expect(user.find('tracefs')?.needs).toContain('mount -t tracefs nodev /sys/kernel/tracing');
    expect(user.find('tracefs')?.instead).toContain('--source strace');
  });

  test('a kernel without tracefs, and one that is locked down, can not', () => {
    const none = looked(withFile(without(GOOD, '/proc/', '/sys/kernel/tracing'), '/proc/filesystems', 'nodev\tproc\n'));
    expect(none.find('tracefs')).toMatchObject({ state: 'missing', found: 'the kernel has no tracefs' });
    const locked = looked(withFile(GOOD, '/sys/kernel/security/lockdown', 'none integrity [confidentiality]\n'));
    expect(locked.result.recordWorks).toBe(false);
    expect(locked.find('tracefs')?.found).toContain('locked down');
    expect(
      looked(withFile(GOOD, '/sys/kernel/security/lockdown', 'none [integrity] confidentiality\n')).result,
    ).toMatchObject({ recordWorks: true });
  });

  test('a user who may not write into tracefs is told what root can grant, and what works without', () => {
    const { result, find, text } = looked({ ...GOOD, uid: 1000, readOnly: ['/sys/kernel/tracing/instances'] });
    expect(result.recordWorks).toBe(false);
    expect(find('tracefs')?.needs).toMatch(/root, or once as root: mount -o remount,gid=/);
    expect(find('privileges')).toMatchObject({ state: 'limited', found: 'user 1000' });
    expect(text).toContain('MISSING');
  });

  test('older kernels, containers, restricted tools and missing programs are named', () => {
    const old = without(
      GOOD,
      '/sys/kernel/tracing/buffer_subbuf_size_kb',
      '/sys/kernel/tracing/trace_clock',
      '/sys/kernel/btf',
    );
    const { find } = looked({
      ...withFile(old, '/sys/kernel/tracing/trace_clock', '[local] global\n'),
      links: { '/proc/self/ns/pid': 'pid:[4026532201]' },
    });
    expect(find('trace buffers')?.found).toContain('one page');
    expect(find('trace clock')?.instead).toContain('local');
    expect(find('process ids')?.found).toContain('container');
    expect(find('BTF')?.state).toBe('limited');
    expect(find('bpftrace')?.needs).toContain('apt-get install bpftrace');
    expect(find('perf')?.needs).toContain('apt-get install linux-perf');
  });

  test('every step that is named says what it needs; what is fine needs nothing', () => {
    for (const machine of [GOOD, { ...GOOD, uid: 1000 }, {}, { uid: 1000 }]) {
      const { result } = looked(machine);
      const checks = [...result.system, ...result.tools, ...result.sources.flatMap((source) => source.checks)];
      expect(checks.filter(({ state, needs }) => (state === 'ok') !== (needs === ''))).toEqual([]);
    }
  });

  test('the command looks at this machine, as text and as one document', () => {
    const text = spawnSync(process.execPath, [CLI, 'doctor'], { encoding: 'utf8' });
    const json = spawnSync(process.execPath, [CLI, 'doctor', '--json'], { encoding: 'utf8' });
    const document = JSON.parse(json.stdout) as { command: string; result: { recordWorks: boolean } };
    expect(document.command).toBe('doctor');
    expect(text.status).toBe(document.result.recordWorks ? 0 : 1);
    expect(json.status).toBe(text.status);
    expect(text.stdout).toMatch(/iorr record (works here|does not work here)/);
  });
});

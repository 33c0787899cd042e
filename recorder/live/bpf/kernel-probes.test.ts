import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { plainEvents } from '../../../traces/event.ts';
import { Health } from '../../../traces/health.ts';
import { MemoryTrace } from '../../../traces/memory-trace.ts';
import { DIALECT, INV_FORM } from '../../../traces/schema.ts';
import { testHeader } from '../../../traces/testing/test-header.ts';
import { KernelFunctions } from '../btf/kernel-functions.ts';
import { thisSystem } from '../system.ts';
import { EVERY_FUNCTION, fakeBtf } from '../testing/fake-btf.ts';
import { fakeSystem } from '../testing/fake-system.ts';
import { runLive, NO_LIVE_RECORDING } from '../testing/live-machine.ts';
import { BpftraceLines } from './bpftrace-lines.ts';
import { bpftraceProgram } from './bpftrace-program.ts';
import { KERNEL_PROBES, checkProbes, chooseProbes, probeLines } from './kernel-probes.ts';
import { FIRST_DOMAIN } from './probes/domain-numbers.ts';

const KPROBES = { '/sys/bus/event_source/devices/kprobe/type': '8\n' };
const every = new KernelFunctions(
  fakeSystem({ files: { ...KPROBES, '/sys/kernel/btf/vmlinux': fakeBtf(EVERY_FUNCTION) } }),
);

const folder = mkdtempSync(join(tmpdir(), 'iorr-probes-'));
afterAll(() => rmSync(folder, { recursive: true }));

const hasBpftrace = thisSystem().program('bpftrace') !== undefined && NO_LIVE_RECORDING === undefined;
if (!hasBpftrace) process.stderr.write('programs are not compiled here: no bpftrace, or no tracefs\n');

describe('probes of kernel functions', () => {
  test('each has a name, lines and streams of its own', () => {
    const tags = KERNEL_PROBES.flatMap(({ lines }) => lines.map(({ tag }) => tag));
    expect(new Set(tags).size).toBe(tags.length);
    expect(new Set(KERNEL_PROBES.map(({ name }) => name)).size).toBe(KERNEL_PROBES.length);
    for (const probe of KERNEL_PROBES) {
      expect(probe.sees.length).toBeGreaterThan(20);
      expect(Object.keys(probe.streams).length).toBeGreaterThan(0);
    }
  });

  test('a kernel that has all functions is probed at all of them', () => {
    const choice = chooseProbes(every);
    expect(choice.found.filter(({ lacking }) => lacking !== '')).toEqual([]);
    const functions = choice.found.flatMap((one) => one.functions);
    expect(functions.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(
      Object.keys(EVERY_FUNCTION.functions).toSorted((a, b) => (a < b ? -1 : 1)),
    );
    // Each argument is where this kernel has it, each field too.
    expect(choice.program).toContain('kprobe:arm_smmu_cmdq_issue_cmdlist');
    expect(choice.program).toMatch(/kprobe:arm_smmu_cmdq_issue_cmdlist \{[^}]*arg2[^}]*arg3/);
    expect(checkProbes(every).state).toBe('ok');
  });

  test('what is lacking is named: a function, a parameter of another kind, BTF, kprobes', () => {
    const { iommu_map_nosync: map = [], ...others } = EVERY_FUNCTION.functions;
    const probesOf = (functions: typeof EVERY_FUNCTION.functions, files = KPROBES) => {
      const vmlinux = fakeBtf({ ...EVERY_FUNCTION, functions });
      return new KernelFunctions(fakeSystem({ files: { ...files, '/sys/kernel/btf/vmlinux': vmlinux } }));
    };
    const without = chooseProbes(probesOf(others));
    expect(without.found[0]).toEqual({
      name: 'domains',
      functions: [],
      lacking: 'no function iommu_map_nosync, __iommu_map',
    });
    expect(without.program).not.toContain('tracepoint:iommu');
    const changed = map.map(([name, type]) => [name, name === 'iova' ? 'u64' : type] as const);
    expect(chooseProbes(probesOf({ ...others, iommu_map_nosync: changed })).found[0]?.lacking).toContain(
      'long unsigned int iova',
    );
    const older = chooseProbes(probesOf({ ...others, __iommu_map: map }));
    expect(older.found[0]?.functions).toContain('__iommu_map');
    const bare = new KernelFunctions(fakeSystem({ files: KPROBES }));
    expect(chooseProbes(bare).found.every(({ lacking }) => lacking.includes('BTF'))).toBe(true);
    const still = new KernelFunctions(fakeSystem({ files: { '/sys/kernel/btf/vmlinux': fakeBtf(EVERY_FUNCTION) } }));
    expect(chooseProbes(still).program).toBe('');
    expect(checkProbes(still)).toMatchObject({ state: 'limited', needs: expect.stringContaining('CONFIG_KPROBES') });
  });

  test.skipIf(!hasBpftrace)('bpftrace compiles the program of every probe', () => {
    const { program } = chooseProbes(every);
    const file = join(folder, 'every.bt');
    writeFileSync(
      file,
      bpftraceProgram({ pids: [1, 2], cpus: 2, types: 'all', btf: false, probes: program, probeNames: [] }),
    );
    // A dry run: that these functions are not in this kernel is no error.
    const { status, stdout } = runLive('bpftrace', ['-d', file]);
    expect(status).toBe(0);
    expect(stdout).toContain('kprobe:iopf_group_response');
    writeFileSync(file, 'kprobe:iopf_group_response { printf("%d", $nothing); }');
    expect(runLive('bpftrace', ['-d', file]).status).not.toBe(0);
  });

  const own = new KernelFunctions(thisSystem());
  const attachable = hasBpftrace && own.probes;
  if (!attachable) process.stderr.write('kernel functions are not probed here: the kernel has no kprobes\n');
  test.skipIf(!attachable)('this kernel takes the probes of all functions that it has', () => {
    const file = join(folder, 'own.bt');
    writeFileSync(file, `${chooseProbes(own).program}\nBEGIN { exit(); }\n`);
    expect(runLive('bpftrace', [file]).status).toBe(0);
  });
});

describe('lines of probes', () => {
  const read = (lines: readonly string[]) => {
    const trace = new MemoryTrace(testHeader());
    const health = new Health();
    const target = { sink: trace, health, source: 0, epoch: 0n };
    const reader = new BpftraceLines(
      target,
      () => undefined,
      () => undefined,
      probeLines(target),
    );
    for (const line of lines) reader.message(line);
    reader.end();
    const events = [...trace.segments()].flatMap((segment) => [...plainEvents(segment, trace.strings)]);
    return { events, malformed: health.report().malformed };
  };
  // "0000:01:00.0" as words.
  const DEVICE = '3a31303a30303030 302e3030';

  test('maps and unmaps have a number for their domain; a freed address is another domain', () => {
    const { events } = read([
      `KA 10 7 0 ffff0001 ${DEVICE}`,
      'KM 20 7 0 ffff0001 1000 80001000 2000 3',
      'KM 30 7 0 ffff0002 1000 80001000 2000 1',
      'KU 40 7 1 ffff0001 1000 2000 1000',
      'KF 50 7 1 ffff0001',
      'KM 60 7 0 ffff0001 0 0 1000 3',
      'KU 70 7 0 0 5000 1000 1000',
    ]);
    expect(events.map(({ stream }) => stream)).toEqual(['attach', 'map', 'map', 'unmap', 'map', 'unmap']);
    const numbers = events.map(({ fields }) => Number(fields['domain']) - FIRST_DOMAIN);
    expect(numbers).toEqual([0, 0, 1, 0, 2, -1 - FIRST_DOMAIN]);
    expect(events[0]?.fields).toMatchObject({ device: 0x100 });
    expect(events[1]).toMatchObject({ time: 0x20, task: 7, cpu: 0 });
    expect(events[1]?.fields).toMatchObject({ iova: 0x1000n, phys: 0x8000_1000n, size: 0x2000n, prot: 3 });
    expect(events[3]?.fields).toMatchObject({ iova: 0x1000n, size: 0x2000n, unmapped: 0x1000n });
  });

  test('commands are rows in their native words, with the name of their unit', () => {
    const { events } = read([
      // "dmar0"; iotlb_inv of a page.
      'KV 10 7 0 3072616d64 200f2 1000049 0 0',
      // "arm-smmu"
      'KS 20 7 0 756d6d732d6d7261 0 0 0 12 1000',
      'KD 30 7 0 2 3000000000001234 5678',
    ]);
    const units = events.map(({ fields }) => [fields['unit'], fields['dialect'], fields['form']]);
    expect(units).toEqual([
      ['dmar0', DIALECT.vtd, INV_FORM.words],
      ['arm-smmu', DIALECT.smmuv3, INV_FORM.words],
      ['ivhd2', DIALECT.amd, INV_FORM.words],
    ]);
    expect(events[0]?.fields).toMatchObject({ w0: 0x200f2n, w1: 0x100_0049n });
    expect(events[2]?.fields).toMatchObject({ w0: 0x3000_0000_0000_1234n, w1: 0x5678n });
  });

  test('page requests and responses have their device, PASID, group and rights', () => {
    const { events } = read([`KQ 10 7 0 ${DEVICE} 3 5 9 3 7000`, `KR 20 7 0 ${DEVICE} 0 5 9 1`]);
    expect(events[0]?.fields).toMatchObject({ rid: 0x100, pasid: 5, group: 9, access: 3 | 16, iova: 0x7000n });
    expect(events[1]?.fields).toMatchObject({ rid: 0x100, pasid: -1, group: 9, code: 1 });
  });

  test('lines with too few words, or too many, are counted', () => {
    expect(read(['KM 10 7 0 1 2', 'KF 10 7 0 1 2', 'KV 10 x 0 1 2 3 4 5', 'KF zz 7 0 1']).malformed).toBe(4);
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { thisSystem } from '../system.ts';
import { EVERY_FUNCTION, fakeBtf } from '../testing/fake-btf.ts';
import { fakeSystem } from '../testing/fake-system.ts';
import { Btf } from './btf.ts';
import { KernelFunctions } from './kernel-functions.ts';

const fake = fakeBtf(EVERY_FUNCTION);

describe("the kernel's own types", () => {
  test('functions have their parameters, structs the places of their fields, nested ones too', () => {
    const btf = Btf.parse(fake);
    expect(btf?.parameters('arm_smmu_cmdq_issue_cmdlist')).toEqual([
      { name: 'smmu', type: 'struct arm_smmu_device *' },
      { name: 'cmdq', type: 'struct arm_smmu_cmdq *' },
      { name: 'cmds', type: 'u64 *' },
      { name: 'n', type: 'int' },
      { name: 'sync', type: 'bool' },
    ]);
    expect(btf?.parameters('no_such_function')).toBeUndefined();
    expect(btf?.offset('device', 'kobj', 'name')).toBe(8);
    // type, then flags, pasid, grpid, perm.
    expect(btf?.offset('iopf_fault', 'fault', 'prm', 'addr')).toBe(5 * 8);
    expect(btf?.offset('iopf_group', 'fault_param')).toBe(6 * 8);
    expect(btf?.offset('device', 'no_field')).toBeUndefined();
    // A pointer is no part of the struct.
    expect(btf?.offset('iopf_group', 'fault_param', 'dev')).toBeUndefined();
  });

  test("a module's file goes on where the kernel's ends", () => {
    const base = Btf.parse(fake);
    // Its numbers begin anew: all that it refers to by them is the kernel's.
    const module = fakeBtf({ structs: {}, functions: { of_module: [] } });
    expect(base?.types).toBeGreaterThan(20);
    expect(Btf.parse(module, base)?.offset('device', 'kobj')).toBe(8);
  });

  test('damaged files are no BTF, and never throw', () => {
    fc.assert(
      fc.property(fc.nat(fake.length - 1), fc.nat(255), fc.nat(fake.length), (at, value, length) => {
        const bytes = Uint8Array.from(fake.subarray(0, length));
        if (at < length) bytes[at] = value;
        const btf = Btf.parse(bytes);
        for (const name of Object.keys(EVERY_FUNCTION.functions)) btf?.parameters(name);
        for (const name of Object.keys(EVERY_FUNCTION.structs)) btf?.offset(name, 'fault', 'prm', 'addr');
        expect(length < fake.length ? btf : undefined).toBeUndefined();
      }),
    );
  });

  const own = thisSystem().bytes('/sys/kernel/btf/vmlinux');
  test.skipIf(own === undefined)('the types of this kernel are read', () => {
    const btf = Btf.parse(own ?? new Uint8Array(0));
    expect(btf?.types).toBeGreaterThan(10_000);
    // fs/read_write.c
    expect(btf?.parameters('vfs_read')).toEqual([
      { name: 'file', type: 'struct file *' },
      { name: 'buf', type: 'char *' },
      { name: 'count', type: 'size_t' },
      { name: 'pos', type: 'loff_t *' },
    ]);
    expect(btf?.offset('task_struct', 'files')).toBeGreaterThan(0);
    expect(btf?.offset('file', 'f_inode')).toBeGreaterThan(0);
  });
  if (own === undefined) process.stderr.write('not tested here: this kernel has no BTF\n');
});

describe('functions of the kernel', () => {
  const files = {
    '/sys/kernel/btf/vmlinux': fake,
    '/sys/bus/event_source/devices/kprobe/type': '8\n',
    '/proc/kallsyms': 'ffffffff81d41730 T iommu_map_nosync\nffffffff81d41960 t iopf_group_response.cold\n',
  };

  test('a function that the compiler took apart is not there', () => {
    const kernel = new KernelFunctions(fakeSystem({ files }));
    expect(kernel.probes).toBe(true);
    expect(kernel.parameters('iommu_map_nosync', [])).toHaveLength(6);
    expect(kernel.parameters('iopf_group_response', [])).toBeUndefined();
    expect(kernel.offset([], 'device', 'kobj', 'name')).toBe(8);
  });

  test('without BTF or kprobes nothing is probed', () => {
    const kernel = new KernelFunctions(fakeSystem({ files: {} }));
    expect([kernel.probes, kernel.described]).toEqual([false, false]);
    expect(kernel.parameters('iommu_map_nosync', ['arm_smmu_v3'])).toBeUndefined();
  });
});

import { describe, expect, test } from 'vitest';
import { findLabMachine, LAB_MACHINES } from './lab-machines.ts';
import { kernelCommandLine, qemuArguments } from './qemu-command.ts';
import type { GuestSetup } from './qemu-command.ts';

function setup(name: string, more: Partial<GuestSetup> = {}): GuestSetup {
  const files = { kernel: 'k', initramfs: 'i', blockImage: 'b', nvmeImage: 'n', resultImage: 'r', emulatorLog: 'log' };
  return { machine: findLabMachine(name)!, mode: 'strict', ats: false, cpus: 2, memoryMb: 2048, ...files, ...more };
}

const devicesOf = (args: readonly string[]): readonly string[] => args.filter((_, i) => args[i - 1] === '-device');

describe("the emulator's command line", () => {
  test('VT-d: the IOMMU comes before the devices, which go through it; the result disk does not', () => {
    const args = qemuArguments(setup('vtd'));
    expect(devicesOf(args)).toEqual([
      'intel-iommu,intremap=on',
      'virtio-blk-pci,drive=block,serial=lab-block,disable-legacy=on,iommu_platform=on,bus=pcie.0,addr=3',
      'nvme,drive=nvme,serial=lab-nvme,bus=pcie.0,addr=4',
      'virtio-net-pci,netdev=left,mac=52:54:00:00:00:01,disable-legacy=on,iommu_platform=on,bus=pcie.0,addr=5',
      'e1000e,netdev=right,mac=52:54:00:00:00:02,bus=pcie.0,addr=6',
      'virtio-blk-pci,drive=result,serial=lab-result,bus=pcie.0,addr=0x1c',
    ]);
    expect(args.slice(args.indexOf('-trace'), args.indexOf('-trace') + 2)).toEqual(['-trace', 'vtd_*']);
    expect(args[args.indexOf('-smp') + 1]).toBe('2');
  });

  test('ATS: each device behind a root port of its own', () => {
    const devices = devicesOf(qemuArguments(setup('vtd', { ats: true })));
    expect(devices[0]).toBe('intel-iommu,intremap=on,device-iotlb=on');
    expect(devices.filter((device) => device.startsWith('pcie-root-port'))).toHaveLength(4);
    expect(devices.filter((device) => device.includes('ats=on'))).toHaveLength(2);
    expect(devices.filter((device) => /bus=port\d$/.test(device))).toHaveLength(4);
  });

  test.each(LAB_MACHINES.map(({ name }) => name))('%s: nothing outside is reached or shown', (name) => {
    const args = qemuArguments(setup(name));
    expect(args).toContain('-nodefaults');
    expect(args.filter((arg) => /\b(user|tap|bridge|socket)\b,/.test(arg))).toEqual([]);
    expect(args.filter((arg) => arg.startsWith('hubport'))).toHaveLength(2);
  });

  test('without a log the emulator traces nothing', () => {
    const args = qemuArguments(setup('vtd', { emulatorLog: undefined }));
    expect(args.filter((arg) => ['-trace', '-D'].includes(arg))).toEqual([]);
  });

  test('a comma in a path is no option', () => {
    expect(qemuArguments(setup('vtd', { blockImage: 'a,b.img' }))).toContain(
      'if=none,id=block,file=a,,b.img,format=raw,cache=unsafe',
    );
  });

  test('the kernel is told how to invalidate', () => {
    expect(kernelCommandLine(setup('vtd'))).toBe(
      'console=ttyS0 loglevel=4 panic=-1 intel_iommu=on iommu.strict=1 iommu.passthrough=0 no_timer_check',
    );
    expect(kernelCommandLine(setup('smmuv3', { mode: 'lazy' }))).toBe(
      'console=ttyAMA0 loglevel=4 panic=-1 iommu.strict=0 iommu.passthrough=0',
    );
  });
});

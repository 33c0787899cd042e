import { describe, expect, test } from 'vitest';
import { fakeSystem } from '../testing/fake-system.ts';
import { tellingLines } from './kernel-log.ts';
import { hostOf, readMachine } from './machine.ts';
import { parsePciCapabilities } from './pci-capabilities.ts';

/** A config space of 4 KiB with these extended capabilities, one after the other. */
function configSpace(...capabilities: readonly { id: number; words: readonly number[] }[]): Uint8Array {
  const config = new Uint8Array(4096);
  const view = new DataView(config.buffer);
  let at = 0x100;
  capabilities.forEach(({ id, words }, i) => {
    const next = i + 1 < capabilities.length ? at + 0x40 : 0;
    view.setUint32(at, (next << 20) | (1 << 16) | id, true);
    words.forEach((word, k) => view.setUint32(at + 4 + k * 4, word, true));
    at += 0x40;
  });
  return config;
}

const ATS = { id: 0x0f, words: [0x8000_0065] };
const PRI = { id: 0x13, words: [0x8000_0001, 64, 32] };
const PASID = { id: 0x1b, words: [0x0001_1406] };
const SRIOV = { id: 0x10, words: [0, 1, 0x0010_0010, 4, 0x0002_0080] };

describe('PCI capabilities', () => {
  test('ATS, PRI, PASID and SR-IOV are read from the extended config space', () => {
    expect(parsePciCapabilities(configSpace(ATS, PRI, PASID, SRIOV))).toEqual({
      ats: { enabled: true, queueDepth: 5, unitShift: 12, pageAlignedRequest: true, globalInvalidate: true },
      pri: { enabled: true, capacity: 64, allocation: 32, responsePasid: true },
      pasid: { enabled: true, width: 20, execute: true, privileged: true },
      sriov: { enabled: true, totalVfs: 16, vfs: 4, firstVfOffset: 128, vfStride: 2 },
    });
  });

  test('what a function lacks is null; a queue depth of 0 stands for 32', () => {
    const capabilities = parsePciCapabilities(configSpace({ id: 0x0f, words: [0] }));
    expect(capabilities).toMatchObject({
      ats: { enabled: false, queueDepth: 32 },
      pri: null,
      pasid: null,
      sriov: null,
    });
  });

  test('the 64 bytes that an unprivileged reader gets tell nothing', () => {
    expect(parsePciCapabilities(configSpace(ATS).subarray(0, 64))).toBeUndefined();
  });

  test('a list that goes around in a circle, or out of the config space, ends', () => {
    const circle = configSpace(ATS);
    new DataView(circle.buffer).setUint32(0x100, (0x100 << 20) | (1 << 16) | 0x0f, true);
    expect(parsePciCapabilities(circle)).toMatchObject({ ats: { queueDepth: 5 }, pri: null });
    const outside = configSpace({ id: 0x01, words: [] });
    new DataView(outside.buffer).setUint32(0x100, (0xffc << 20) | (1 << 16) | 0x01, true);
    new DataView(outside.buffer).setUint32(0xffc, (1 << 16) | 0x13, true);
    expect(parsePciCapabilities(outside)).toMatchObject({ pri: null });
  });

  test('a device that does not answer has none', () => {
    expect(parsePciCapabilities(new Uint8Array(4096).fill(0xff))).toMatchObject({ ats: null });
  });
});

const SYSTEM = fakeSystem({
  files: {
    '/proc/cpuinfo': 'processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu hypervisor vme\n',
    '/proc/cmdline': 'BOOT_IMAGE=/vmlinuz root=/dev/sda1 secret=1 intel_iommu=on,sm_on iommu.strict=1\n',
    '/proc/self/auxv': new Uint8Array(new BigUint64Array([6n, 4096n, 0n, 0n]).buffer),
    '/sys/class/iommu/dmar0/intel-iommu/cap': 'd2008c222f0686\n',
    '/sys/class/iommu/dmar0/intel-iommu/ecap': 'f00f5a\n',
    '/sys/class/iommu/dmar0/devices/0000:01:00.0/class': '0x020000\n',
    '/sys/kernel/iommu_groups/10/type': 'DMA-FQ\n',
    '/sys/kernel/iommu_groups/10/reserved_regions':
      '0x00000000fee00000 0x00000000feefffff msi\nnonsense\n0xffff 0x1ffff direct-relaxable\n',
    '/sys/kernel/iommu_groups/10/devices/0000:01:00.0/class': '0x020000\n',
    '/sys/kernel/iommu_groups/2/type': 'identity\n',
    '/sys/bus/pci/devices/0000:01:00.0/vendor': '0x8086\n',
    '/sys/bus/pci/devices/0000:01:00.0/device': '0x10d3\n',
    '/sys/bus/pci/devices/0000:01:00.0/class': '0x020000\n',
    '/sys/bus/pci/devices/0000:01:00.0/config': configSpace(ATS),
  },
  links: {
    '/sys/bus/pci/devices/0000:01:00.0/driver': '../../bus/pci/drivers/e1000e',
    '/sys/bus/pci/devices/0000:01:00.0/iommu_group': '../../kernel/iommu_groups/10',
    '/sys/bus/pci/devices/0000:01:00.0/iommu': '../../virtual/iommu/dmar0',
  },
});

describe('the machine', () => {
  test('its units with their registers, its groups with reserved regions, its devices are in the header', () => {
    const machine = readMachine(SYSTEM);
    expect(machine).toMatchObject({
      kernel: '6.12.1-test',
      cpu: 'Some CPU',
      pageSize: 4096,
      virtual: true,
      parameters: ['intel_iommu=on,sm_on', 'iommu.strict=1'],
      units: [{ name: 'dmar0', kind: 'vtd', registers: { cap: 'd2008c222f0686', ecap: 'f00f5a' }, devices: 1 }],
      groups: [
        { id: 2, type: 'identity', devices: [], reserved: [] },
        {
          id: 10,
          type: 'DMA-FQ',
          devices: ['0000:01:00.0'],
          reserved: [
            { start: '0x00000000fee00000', end: '0x00000000feefffff', type: 'msi' },
            { start: '0xffff', end: '0x1ffff', type: 'direct-relaxable' },
          ],
        },
      ],
      devices: [
        {
          address: '0000:01:00.0',
          id: '8086:10d3',
          driver: 'e1000e',
          group: 10,
          unit: 'dmar0',
          configBytes: 4096,
          capabilities: { ats: { enabled: true }, pasid: null },
          physicalFunction: null,
        },
      ],
    });
  });

  test('the header names kernel, page size, IOMMU and the limit of locked memory; an IOMMU in a virtual machine is emulated', () => {
    const limits = 'Limit                     Soft Limit           Hard Limit           Units     \n';
    const locked = 'Max locked memory         8388608              8388608              bytes     \n';
    expect(hostOf(readMachine(SYSTEM), limits + locked)).toEqual({
      kernel: '6.12.1-test',
      cpus: 4,
      pageSize: 4096,
      memlock: 8388608,
      iommu: 'vtd',
      emulated: true,
    });
  });

  test('a machine that shows nothing has nothing', () => {
    expect(readMachine(fakeSystem({}))).toMatchObject({
      cpu: null,
      pageSize: null,
      units: [],
      groups: [],
      devices: [],
    });
    expect(hostOf(readMachine(fakeSystem({})), 'Max locked memory  unlimited  unlimited  bytes\n')).toEqual({
      kernel: '6.12.1-test',
      cpus: 4,
    });
  });

  test("of the kernel's log only what tells of units is kept, each line once", () => {
    const records = [
      '6,100,1,-;DMAR: dmar0: reg_base_addr fed90000 ver 1:0 cap d2008c222f0686 ecap f00f5a\n SUBSYSTEM=x\n',
      '6,101,1,-;pci 0000:00:00.0: Adding to iommu group 0\n',
      '6,102,1,-;AMD-Vi: Extended features (0x29d3, 0x0): PreF PPR GT IA GA HE\n',
      '6,103,1,-;AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0000 address=0x0 flags=0x0009]\n',
      '6,104,1,-;AMD-Vi: Extended features (0x29d3, 0x0): PreF PPR GT IA GA HE\n',
      '6,105,1,-;random: crng init done\n',
    ];
    expect(tellingLines(records)).toEqual([
      'DMAR: dmar0: reg_base_addr fed90000 ver 1:0 cap d2008c222f0686 ecap f00f5a',
      'AMD-Vi: Extended features (0x29d3, 0x0): PreF PPR GT IA GA HE',
    ]);
  });
});

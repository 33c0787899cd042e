import { describe, expect, test } from 'vitest';
import { loadOrder, moduleDependencies, moduleName } from './kernel-modules.ts';

describe('kernel modules', () => {
  test('are named as insmod names them', () => {
    expect(moduleName('drivers/nvme/host/nvme-core.ko.xz')).toBe('nvme_core');
    expect(moduleName('ext4.ko')).toBe('ext4');
  });

  test('tell what they need', () => {
    const module = Buffer.from('\x7fELF..license=GPL\0depends=nvme-core,nvme-auth\0retpoline=Y\0');
    expect(moduleDependencies(module)).toEqual(['nvme_core', 'nvme_auth']);
    expect(moduleDependencies(Buffer.from('\0depends=\0'))).toEqual([]);
    expect(moduleDependencies(Buffer.from('no module'))).toEqual([]);
    expect(moduleDependencies(Buffer.from('\0depends=cut'))).toEqual(['cut']);
  });

  test('come after what they need, each once, in a circle too; what is built in is left out', () => {
    const needs: { readonly [name: string]: readonly string[] } = {
      ext4: ['jbd2', 'mbcache'],
      jbd2: ['crc'],
      mbcache: [],
      crc: [],
      left: ['right'],
      right: ['left'],
    };
    const order = loadOrder(['ext4', 'virtio_pci', 'jbd2', 'left'], (name) => needs[name]);
    expect(order).toEqual(['crc', 'jbd2', 'mbcache', 'ext4', 'right', 'left']);
  });
});

import { expect, test } from 'vitest';
import { kernelConfig, missingOptions } from './kernel-config.ts';

test('each option once, none a module', () => {
  const options = kernelConfig()
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  expect(options.filter((line) => !/^CONFIG_[A-Z0-9_]+=y$/.test(line))).toEqual([]);
  expect(new Set(options).size).toBe(options.length);
});

test('a kernel without what is recorded is known before it is built', () => {
  expect(missingOptions(kernelConfig())).toEqual([]);
  const without = kernelConfig().replace('CONFIG_IOMMUFD_TEST=y', '# CONFIG_IOMMUFD_TEST is not set');
  expect(missingOptions(without)).toEqual(['CONFIG_IOMMUFD_TEST']);
});

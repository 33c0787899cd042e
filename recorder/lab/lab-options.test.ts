import { describe, expect, test } from 'vitest';
import { LAB_MACHINES } from './lab-machines.ts';
import { LAB_HELP, readLabOptions } from './lab-options.ts';

describe('options of the laboratory', () => {
  test('VT-d, strict, a minute, if nothing is said', () => {
    expect(readLabOptions([])).toMatchObject({
      machine: { name: 'vtd' },
      mode: 'strict',
      ats: false,
      seconds: 60,
      cpus: 2,
      limitSeconds: 660,
      suite: 'trixie',
      out: undefined,
      keep: false,
    });
  });

  test('each can be chosen', () => {
    const args = ['--lazy', '--ats', '--seconds', '5', '--cpus', '1', '--limit', '90', '--out', 'there', '--keep'];
    expect(readLabOptions(args)).toMatchObject({
      mode: 'lazy',
      ats: true,
      seconds: 5,
      cpus: 1,
      limitSeconds: 90,
      out: 'there',
      keep: true,
    });
    for (const machine of LAB_MACHINES) expect(readLabOptions(['--iommu', machine.name])).toMatchObject({ machine });
  });

  test.each([
    [['--iommu', 'riscv'], /--iommu expects one of vtd\|smmuv3\|amd, got "riscv"/],
    [['--strict', '--lazy'], /exclude each other/],
    [['--iommu', 'smmuv3', '--ats'], /devices of smmuv3 have none/],
    [['--seconds', '0'], /--seconds expects a number from 1 to 3600, got "0"/],
    [['--cpus', '9'], /from 1 to 8/],
    [['--suite', '../etc'], /--suite expects a name/],
    [['--sceonds', '5'], /sceonds/],
    [['more'], /more/],
  ])('%j is refused', (args, message) => {
    expect(() => readLabOptions(args)).toThrow(message);
  });

  test('the help names every machine', () => {
    expect(readLabOptions(['--help'])).toBe('help');
    for (const { name, description } of LAB_MACHINES) expect(LAB_HELP).toMatch(new RegExp(`${name} +${description}`));
  });
});

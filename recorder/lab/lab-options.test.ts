import { describe, expect, test } from 'vitest';
import { LAB_MACHINES } from './lab-machines.ts';
import { LAB_WORKS } from './lab-works.ts';
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
      work: { name: 'io' },
      out: 'tmp/lab/vtd-strict',
      keep: false,
    });
  });

  test('a kernel of its own records IOMMUFD calls', () => {
    expect(readLabOptions(['--build-kernel'])).toMatchObject({
      work: { name: 'iommufd', ownKernel: true },
      kernelSuite: 'trixie-backports',
      out: 'tmp/lab/iommufd',
    });
    expect(readLabOptions(['--build-kernel', '--kernel-suite', 'sid'])).toMatchObject({ kernelSuite: 'sid' });
    for (const work of LAB_WORKS) expect(readLabOptions(['--work', work.name])).toMatchObject({ work });
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
    [['--work', 'games'], /--work expects one of io\|vfio\|iommufd, got "games"/],
    [['--work', 'vfio', '--iommu', 'amd'], /--work vfio runs on vtd alone/],
    [['--work', 'vfio', '--build-kernel'], /vfio runs on Debian's own kernel/],
    [['--build-kernel', '--kernel-suite', 'a b'], /--kernel-suite expects a name/],
    [['--seconds', '0'], /--seconds expects a number from 1 to 3600, got "0"/],
    [['--cpus', '9'], /from 1 to 8/],
    [['--suite', '../etc'], /--suite expects a name/],
    [['--sceonds', '5'], /sceonds/],
    [['more'], /more/],
  ])('%j is refused', (args, message) => {
    expect(() => readLabOptions(args)).toThrow(message);
  });

  test('the help names every machine and every work', () => {
    expect(readLabOptions(['--help'])).toBe('help');
    const members = [...LAB_MACHINES, ...LAB_WORKS];
    for (const { name, description } of members) {
      expect(LAB_HELP.split('\n')).toContain(`                       ${name.padEnd(8)} ${description}`);
    }
  });
});

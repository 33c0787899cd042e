import { describe, expect, test } from 'vitest';
import { fakeSystem } from '../testing/fake-system.ts';
import { formatInstanceName, leftBehind, ownerOf, parseInstanceName } from './instance-name.ts';

const stat = (pid: number, started: number): string =>
  `${pid} (a (strange) name) S 1 1 1 0 -1 4194304 100 0 0 0 1 1 0 0 20 0 1 0 ${started} 1000 100 18446744073709551615\n`;

const SYSTEM = fakeSystem({
  files: { '/proc/10/stat': stat(10, 500), '/proc/11/stat': stat(11, 700) },
  links: { '/proc/self/ns/pid': 'pid:[4026531836]' },
});

describe('names of trace instances', () => {
  test('tell the owner, whatever its name', () => {
    const owner = ownerOf(SYSTEM, 10);
    expect(owner).toEqual({ namespace: '4026531836', pid: 10, started: '500' });
    expect(formatInstanceName(owner)).toBe('iorr-4026531836-10-500');
    expect(parseInstanceName(formatInstanceName(owner))).toEqual(owner);
  });

  test('several of one owner are told apart by a last part', () => {
    const owner = { namespace: '4026531836', pid: 12, started: '99' };
    expect(formatInstanceName(owner, 'stack')).toBe('iorr-4026531836-12-99-stack');
    expect(parseInstanceName('iorr-4026531836-12-99-stack')).toEqual(owner);
  });

  test('only instances are left behind whose owner is gone, or whose number another process has now', () => {
    const names = [
      'iorr-4026531836-10-500',
      'iorr-4026531836-11-600',
      'iorr-4026531836-12-100',
      'iorr-4026532999-12-100',
      'iorr-12',
      'somebody',
    ];
    expect(leftBehind(SYSTEM, names)).toEqual(['iorr-4026531836-11-600', 'iorr-4026531836-12-100']);
  });
});

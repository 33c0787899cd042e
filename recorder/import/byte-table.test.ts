import { describe, expect, test } from 'vitest';
import { ascii } from './byte-cursor.ts';
import { ByteTable } from './byte-table.ts';
import { CountedNames, printable } from './counted-names.ts';
import { Health } from '../../traces/health.ts';

describe('byte strings as numbers', () => {
  test('thousands of names keep their numbers', () => {
    const table = new ByteTable();
    const names = Array.from({ length: 5000 }, (_, i) => ascii(`name_${i * 7919}`));
    names.forEach((name, i) => expect(table.add(name, 0, name.length)).toBe(i));
    names.forEach((name, i) => {
      expect(table.find(name, 0, name.length)).toBe(i);
      expect(table.add(name, 0, name.length)).toBe(i);
    });
    expect(table.find(ascii('name_'), 0, 5)).toBe(-1);
    expect(table.text(3)).toBe('name_23757');
    expect(table.text(5000)).toBe('');
  });

  test('a full table takes no more', () => {
    const table = new ByteTable(2);
    expect(['a', 'b', 'c', 'a'].map((name) => table.add(ascii(name), 0, 1))).toEqual([0, 1, -1, 0]);
    expect(table.size).toBe(2);
  });
});

describe('counts by name', () => {
  test('keep the first places and all counts', () => {
    const names = new CountedNames('unknown');
    for (let line = 1; line <= 9; line++)
      names.add(ascii(line === 4 ? 'other' : 'sys_enter'), 0, line === 4 ? 5 : 9, line);
    const health = new Health();
    names.report(health, 'trace.txt');
    expect(names.total).toBe(9);
    expect(health.report().entries).toEqual([
      {
        kind: 'unknown',
        name: 'sys_enter',
        count: 8,
        first: ['trace.txt:1', 'trace.txt:2', 'trace.txt:3', 'trace.txt:5', 'trace.txt:6'],
      },
      { kind: 'unknown', name: 'other', count: 1, first: ['trace.txt:4'] },
    ]);
  });

  test('hostile names neither fill memory nor reach a terminal', () => {
    const names = new CountedNames('unknown');
    for (let i = 0; i < 5000; i++) names.add(ascii(`n${i}`), 0, `n${i}`.length, i);
    const health = new Health();
    names.report(health, 'f');
    expect(health.report().unknown).toBe(5000);
    expect(health.report().entries.length).toBeLessThanOrEqual(1001);
    expect(printable('a\x1b[2Jb\u009bc')).toBe('a?[2Jb?c');
    expect(printable('a\u202eb\u200bc\u2066')).toBe('a?b?c?');
  });
});

import { describe, expect, test } from 'vitest';
import { parseEventFormat } from './event-format.ts';

const COMMON =
  '\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n' +
  '\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n';

function format(fields: string): string {
  return `name: sys_enter\nID: 324\nformat:\n${COMMON}${fields}\nprint fmt: "NR %ld", REC->id\n`;
}

function only(field: string, longBytes?: number) {
  const parsed = parseEventFormat(format(`\t${field}\n`), 's', longBytes);
  return parsed?.fields[0];
}

describe('the format of an event', () => {
  test('name, id, common fields, own fields, print format', () => {
    const parsed = parseEventFormat(format('\tfield:long id;\toffset:8;\tsize:8;\tsigned:1;\n'), 'raw_syscalls');
    const { system, name, id, common, fields, printFormat } = parsed!;
    expect({ system, name, id, common, fields, printFormat }).toEqual({
      system: 'raw_syscalls',
      name: 'sys_enter',
      id: 324,
      common: [
        {
          name: 'common_type',
          type: 'unsigned short',
          shape: 'value',
          offset: 0,
          size: 2,
          elementSize: 2,
          signed: false,
        },
        { name: 'common_pid', type: 'int', shape: 'value', offset: 4, size: 4, elementSize: 4, signed: true },
      ],
      fields: [{ name: 'id', type: 'long', shape: 'value', offset: 8, size: 8, elementSize: 8, signed: true }],
      printFormat: '"NR %ld", REC->id',
    });
  });

  test.each([
    ['field:unsigned long args[6];\toffset:16;\tsize:48;\tsigned:0;', 'args', 'unsigned long', 'array', 8],
    ['field:char comm[TASK_COMM_LEN];\toffset:8;\tsize:16;\tsigned:0;', 'comm', 'char', 'array', 1],
    ['field:char buf[];\toffset:16;\tsize:0;\tsigned:0;', 'buf', 'char', 'array', 1],
    ['field:__data_loc char[] iommu;\toffset:40;\tsize:4;\tsigned:0;', 'iommu', 'char', 'dataLoc', 1],
    ['field:__data_loc u64[] phys_addrs;\toffset:24;\tsize:4;\tsigned:0;', 'phys_addrs', 'u64', 'dataLoc', 8],
    [
      'field:__data_loc unsigned int[] lengths;\toffset:32;\tsize:4;\tsigned:0;',
      'lengths',
      'unsigned int',
      'dataLoc',
      4,
    ],
    ['field:__rel_loc char[] name;\toffset:8;\tsize:4;\tsigned:0;', 'name', 'char', 'relLoc', 1],
    [
      'field:enum dma_data_direction dir;\toffset:40;\tsize:4;\tsigned:0;',
      'dir',
      'enum dma_data_direction',
      'value',
      4,
    ],
    ['field:void * virt_addr;\toffset:16;\tsize:8;\tsigned:0;', 'virt_addr', 'void *', 'value', 8],
    ['field:const char *filename;\toffset:16;\tsize:8;\tsigned:0;', 'filename', 'const char *', 'value', 8],
  ])('%s', (line, name, type, shape, elementSize) => {
    expect(only(line)).toMatchObject({ name, type, shape, elementSize });
  });

  test('a long of a 32-bit kernel', () => {
    expect(only('field:__data_loc long[] x;\toffset:8;\tsize:4;\tsigned:1;', 4)).toMatchObject({ elementSize: 4 });
  });

  test.each(['', 'name: x\n', 'ID: 5\n', 'name: x\nID: 70000\n', 'name: x\nID: five\n'])('no format: %j', (text) =>
    expect(parseEventFormat(text, 's')).toBeUndefined(),
  );

  test.each([
    format('\tfield:long id;\toffset:70000;\tsize:8;\tsigned:1;\n'),
    format('\tfield:long;\toffset:8;\tsize:8;\tsigned:1;\n'),
    format('\tfield:long id;\toffset:8;\n'),
    format('\tfield:__data_loc char[] x;\toffset:8;\tsize:8;\tsigned:0;\n'),
  ])('a field that can not be leaves none: %j', (text) => {
    expect(parseEventFormat(text, 's')).toMatchObject({ name: 'sys_enter', id: 324, common: [], fields: [] });
  });
});

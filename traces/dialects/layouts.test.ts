import fc from 'fast-check';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { highWord, lowWord } from '../units.ts';
import { AMD_LAYOUTS, amdDialect } from './amd.ts';
import type { CommandDialect, DialectCommand } from './dialect.ts';
import type { Field } from './command-layout.ts';
import { DIALECTS } from './dialects.ts';
import { RISCV_LAYOUTS, riscvDialect } from './riscv.ts';
import { SMMUV3_LAYOUTS, smmuv3Dialect } from './smmuv3.ts';
import { VIRTIO_LAYOUTS, virtioDialect } from './virtio.ts';

const word = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });

function valueOf(field: Field): fc.Arbitrary<number | boolean | bigint> {
  switch (field.kind) {
    case 'flag':
      return fc.boolean();
    case 'address': {
      const low = BigInt(field.low + field.shift);
      return fc.bigInt({ min: 0n, max: (1n << BigInt(field.high - field.low + 1)) - 1n }).map((value) => value << low);
    }
    default: {
      const width = field.pieces.reduce((sum, [, high, low]) => sum + high - low + 1, 0);
      return fc.integer({ min: 0, max: 2 ** width - 1 });
    }
  }
}

const TABLES: readonly (readonly [
  CommandDialect,
  Readonly<Record<string, { readonly fixed: readonly bigint[]; readonly fields: Readonly<Record<string, Field>> }>>,
])[] = [
  [smmuv3Dialect, SMMUV3_LAYOUTS],
  [amdDialect, AMD_LAYOUTS],
  [riscvDialect, RISCV_LAYOUTS],
  [virtioDialect, VIRTIO_LAYOUTS],
];

describe.each(TABLES.map(([dialect, layouts]) => ({ name: dialect.name, dialect, layouts })))(
  '$name',
  ({ dialect, layouts }) => {
    test('what is encoded decodes to the same command, of every type', () => {
      for (const [type, { fields }] of Object.entries(layouts)) {
        const values = fc.record(Object.fromEntries(Object.entries(fields).map(([key, kind]) => [key, valueOf(kind)])));
        fc.assert(
          fc.property(values, (fieldValues) => {
            const command = { ...fieldValues, type, problems: [] } as DialectCommand;
            const words = dialect.encode(command);
            const { problems, ...decoded } = dialect.decode(words);
            expect(decoded).toEqual({ ...fieldValues, type });
            // fields can contradict each other, but no bit is reserved
            expect(problems.filter((problem) => problem.startsWith('reserved bits'))).toEqual([]);
            expect(dialect.typeNames[dialect.typeNumber(lowWord(words[0] ?? 0n), highWord(words[0] ?? 0n))]).toBe(type);
          }),
          { numRuns: 40 },
        );
      }
    });

    test('words without reserved bits encode to the same words, whatever they are', () => {
      const opcodes = Object.values(layouts).map(({ fixed }) => fixed[0] ?? 0n);
      fc.assert(
        fc.property(
          fc.array(word, { maxLength: 5 }),
          fc.constantFrom(...opcodes),
          fc.boolean(),
          (given, opcode, known) => {
            const words = [...given];
            if (known && words[0] !== undefined) words[0] = opcode | (words[0] & 0x00ff_ffff_ffff_fc00n);
            const command = dialect.decode(words);
            const text = dialect.disassemble(words);
            expect(text.startsWith(command.type)).toBe(true);
            expect(text).toContain(command.problems.join(', '));
            expect(text).not.toContain('\n');
            if (command.problems.some((problem) => problem.startsWith('reserved bits'))) return;
            const exact = Array.from({ length: dialect.words }, (_, i) => words[i] ?? 0n);
            expect(dialect.encode(command)).toEqual(exact);
          },
        ),
        { numRuns: 2000 },
      );
    });
  },
);

/** `0x400f2 0xffe31040  iotlb page did 4 addr 0xffe31000 mask 0 ih drain`: the words, then the line that they make. */
const LINE = /^((?:0x[0-9a-f]+ )+) (.*)$/;

describe('golden disassembly', () => {
  const folder = join(import.meta.dirname, 'fixtures');

  test('each dialect has a golden file, and each file a dialect', () => {
    expect(readdirSync(folder).sort()).toEqual(DIALECTS.map((dialect) => `${dialect.name}.txt`).sort());
  });

  test.each(DIALECTS.map((dialect) => [dialect.name, dialect] as const))('%s', (name, dialect) => {
    const lines = readFileSync(join(folder, `${name}.txt`), 'utf8')
      .split('\n')
      .filter((line) => line !== '');
    const types = new Set<string>();
    const actual = lines.map((line) => {
      const [, hexWords = '', text = ''] = LINE.exec(line) ?? [];
      const words = hexWords.trim().split(' ').map(BigInt);
      types.add(text.split(/[ ;]/, 1)[0] ?? '');
      return `${hexWords} ${dialect.disassemble(words)}`;
    });
    expect(actual).toEqual(lines);
    expect([...types].sort()).toEqual([...dialect.typeNames].sort());
  });
});

test('fields that do not fit are refused', () => {
  const va = smmuv3Dialect.decode([0x12n, 0x1000n]);
  expect(() => smmuv3Dialect.encode({ ...va, num: 32 } as never)).toThrow('num is 32, its 5 bits hold 0 to 31');
  expect(() => smmuv3Dialect.encode({ ...va, address: 1n } as never)).toThrow(
    'address 1 is no multiple of 4096 in range',
  );
  expect(() => smmuv3Dialect.encode({ ...va, address: undefined } as never)).toThrow('address undefined');
  expect(() => amdDialect.encode({ type: 'page', problems: [] } as never)).toThrow('amd has no command page');
});

test('undefined commands keep their words', () => {
  const words = [0x99n, 0x1234n];
  expect(smmuv3Dialect.encode(smmuv3Dialect.decode(words))).toEqual(words);
  expect(riscvDialect.decode([0x181n, 0n]).problems).toEqual(['undefined opcode 1 function 3']);
  expect(amdDialect.decode([0n, 0n]).problems).toEqual(['undefined command 0']);
  expect(virtioDialect.decode([]).problems).toEqual(['undefined request 0']);
});

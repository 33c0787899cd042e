import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Field } from '../command-layout.ts';
import type { CommandDialect } from '../dialect.ts';
import { AMD_FAULT_LAYOUTS, AMD_REQUEST_LAYOUTS, amdFaultRecords, amdRequestRecords } from './amd-records.ts';
import { RISCV_FAULT_LAYOUTS, RISCV_REQUEST_LAYOUTS, riscvFaultRecords, riscvRequestRecords } from './riscv-records.ts';
import {
  SMMUV3_EVENT_LAYOUTS,
  SMMUV3_REQUEST_LAYOUTS,
  smmuv3EventRecords,
  smmuv3RequestRecords,
} from './smmuv3-records.ts';
import { VTD_FAULT_LAYOUTS, VTD_REQUEST_LAYOUTS, vtdFaultRecords, vtdRequestRecords } from './vtd-records.ts';

type Layouts = Readonly<Record<string, { readonly fields: Readonly<Record<string, Field>> }>>;

/** Every kind of record with its layouts and its bytes. */
const TABLES: readonly (readonly [CommandDialect, Layouts, number])[] = [
  [vtdRequestRecords, VTD_REQUEST_LAYOUTS, 32],
  [vtdFaultRecords, VTD_FAULT_LAYOUTS, 16],
  [smmuv3RequestRecords, SMMUV3_REQUEST_LAYOUTS, 16],
  [smmuv3EventRecords, SMMUV3_EVENT_LAYOUTS, 32],
  [amdRequestRecords, AMD_REQUEST_LAYOUTS, 16],
  [amdFaultRecords, AMD_FAULT_LAYOUTS, 16],
  [riscvRequestRecords, RISCV_REQUEST_LAYOUTS, 16],
  [riscvFaultRecords, RISCV_FAULT_LAYOUTS, 32],
];

function valueOf(field: Field): fc.Arbitrary<number | boolean | bigint> {
  if (field.kind === 'flag') return fc.boolean();
  if (field.kind === 'address') {
    const low = BigInt(field.low + field.shift);
    return fc.bigInt({ min: 0n, max: (1n << BigInt(field.high - field.low + 1)) - 1n }).map((value) => value << low);
  }
  const width = field.pieces.reduce((sum, [, high, low]) => sum + high - low + 1, 0);
  return fc.integer({ min: 0, max: 2 ** width - 1 });
}

describe.each(TABLES.map(([records, layouts, bytes]) => ({ name: records.name, records, layouts, bytes })))(
  '$name',
  ({ records, layouts, bytes }) => {
    test('what is encoded decodes to the same record', () => {
      expect(records.words * 8).toBe(bytes);
      for (const [type, { fields }] of Object.entries(layouts)) {
        const values = fc.record(Object.fromEntries(Object.entries(fields).map(([key, kind]) => [key, valueOf(kind)])));
        fc.assert(
          fc.property(values, (given) => {
            const words = records.encode({ ...given, type, problems: [] });
            const { problems, ...decoded } = records.decode(words);
            expect(decoded).toEqual({ ...given, type });
            expect(problems.filter((problem) => problem.startsWith('reserved bits'))).toEqual([]);
          }),
        );
      }
    });

    test('words without reserved bits encode to the same words; any words are told in one line', () => {
      const word = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
      fc.assert(
        fc.property(fc.array(word, { maxLength: 5 }), (words) => {
          const record = records.decode(words);
          const text = records.disassemble(words);
          expect(text.startsWith(record.type)).toBe(true);
          expect(text).not.toContain('\n');
          if (record.problems.some((problem) => problem.startsWith('reserved bits'))) return;
          expect(records.encode(record)).toEqual(Array.from({ length: records.words }, (_, i) => words[i] ?? 0n));
        }),
      );
    });
  },
);

test('fields are where the specifications have them', () => {
  // VT-d: type 1, PASID present, rid 0x100, pasid 7; read, write, last, group 5, address 0x1006b3000
  expect(vtdRequestRecords.disassemble([0x0000_0007_0100_0101n, 0x1006b3000n | (5n << 3n) | 7n])).toBe(
    'page-request rid 0000:01:00.0 pasid 7 group 5 0x1006b3000 read write last',
  );
  expect(vtdFaultRecords.disassemble([0x7ffdb000n, (1n << 63n) | (5n << 32n) | 0x100n])).toBe(
    'fault rid 0000:01:00.0 0x7ffdb000 write reason 0x5',
  );
  expect(
    smmuv3EventRecords.disassemble([(8n << 32n) | (7n << 12n) | (1n << 11n) | 0x10n, (1n << 31n) | 0x42n, 0x1234n]),
  ).toBe('event F_TRANSLATION sid 0x8 ssid 7 0x1234 write stalled, tag 66');
  expect(smmuv3RequestRecords.disassemble([(1n << 63n) | (5n << 60n) | (7n << 32n) | 8n, 0x5000n | 3n])).toBe(
    'page-request sid 0x8 ssid 7 group 3 0x5000 read last',
  );
  // tag 0x203: group 3, last; PASID 0x10007 in two pieces; read, user, GN
  expect(
    amdRequestRecords.disassemble([
      (1n << 60n) | (0x144n << 48n) | (1n << 42n) | (0x203n << 32n) | (7n << 16n) | 8n,
      0x5000n,
    ]),
  ).toBe('page-request device 0000:00:01.0 pasid 65543 tag 3 0x5000 read user last');
  expect(amdFaultRecords.disassemble([(2n << 60n) | (0x20n << 48n) | (4n << 32n) | 8n, 0x7ffdb010n])).toBe(
    'io-page-fault device 0000:00:01.0 domain 4 0x7ffdb010 write not present',
  );
  expect(riscvRequestRecords.disassemble([(8n << 40n) | (1n << 32n) | (7n << 12n), 0x5000n | (3n << 3n) | 6n])).toBe(
    'page-request did 0x8 pid 7 group 3 0x5000 write last',
  );
  expect(riscvFaultRecords.disassemble([(8n << 40n) | (3n << 34n) | 15n, 0n, 0x1234n])).toBe(
    'fault did 0x8 cause 15 type 3 0x1234',
  );
});

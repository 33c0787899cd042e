import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DIALECT_NAMES } from '../schema.ts';
import { highWord, lowWord } from '../units.ts';
import { DIALECTS, dialectById } from './dialects.ts';
import {
  VTD_TYPE_NAMES,
  sizeCodeOrder,
  vtdAddressMask,
  vtdDomain,
  vtdGranularity,
  vtdPasid,
  vtdType,
} from './vtd-fields.ts';
import { vtdDialect } from './vtd.ts';
import type { VtdCommand } from './vtd.ts';

const word = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const pageAddress = fc.bigInt({ min: 0n, max: (1n << 52n) - 1n }).map((page) => page << 12n);
const int = (bits: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: 2 ** bits - 1 });
const bool = fc.boolean();
const problems = fc.constant<readonly string[]>([]);

function orderOf(size: boolean, address: bigint): number {
  if (!size) return 0;
  let order = 1;
  for (let at = 12n; at < 64n && (address >> at) & 1n; at++) order++;
  return order;
}

/** Every well-formed command of a type, built from fields. */
const COMMANDS: readonly fc.Arbitrary<VtdCommand>[] = [
  fc.record({
    type: fc.constant('context' as const),
    granularity: fc.integer({ min: 1, max: 3 }),
    domain: int(16),
    sid: int(16),
    functionMask: int(2),
    problems,
  }),
  fc.record({
    type: fc.constant('iotlb' as const),
    granularity: fc.integer({ min: 1, max: 3 }),
    domain: int(16),
    drainReads: bool,
    drainWrites: bool,
    address: pageAddress,
    mask: fc.integer({ min: 0, max: 52 }),
    leafOnly: bool,
    problems,
  }),
  fc
    .record({ sid: int(16), pfsid: int(16), queueDepth: int(5), size: bool, address: pageAddress, problems })
    .map((rest) => ({ type: 'devtlb' as const, ...rest, order: orderOf(rest.size, rest.address) })),
  fc.record({ type: fc.constant('iec' as const), indexed: bool, mask: int(5), index: int(16), problems }),
  fc.record({
    type: fc.constant('wait' as const),
    interrupt: bool,
    write: bool,
    fence: bool,
    pageRequestDrain: bool,
    status: int(32),
    statusAddress: word.map((value) => value & ~3n),
    problems,
  }),
  fc.record({
    type: fc.constant('pasid-iotlb' as const),
    granularity: fc.integer({ min: 2, max: 3 }),
    domain: int(16),
    pasid: int(20),
    address: pageAddress,
    mask: fc.integer({ min: 0, max: 52 }),
    leafOnly: bool,
    problems,
  }),
  fc.record({
    type: fc.constant('pasid-cache' as const),
    granularity: fc.constantFrom(0, 1, 3),
    domain: int(16),
    pasid: int(20),
    problems,
  }),
  fc
    .record({
      sid: int(16),
      pfsid: int(16),
      queueDepth: int(5),
      pasid: int(20),
      global: bool,
      size: bool,
      address: pageAddress,
      problems,
    })
    .map((rest) => ({ type: 'pasid-devtlb' as const, ...rest, order: orderOf(rest.size, rest.address) })),
  fc.record({
    type: fc.constant('page-response' as const),
    pasidPresent: bool,
    code: int(4),
    rid: int(16),
    pasid: int(20),
    group: int(9),
    problems,
  }),
];

describe('vtd dialect', () => {
  test('what is encoded decodes to the same command', () => {
    fc.assert(
      fc.property(fc.oneof(...COMMANDS), (command) => {
        expect(vtdDialect.decode(vtdDialect.encode(command))).toEqual(command);
      }),
      { numRuns: 2000 },
    );
  });

  test('words without problems encode to the same words, whatever they are', () => {
    fc.assert(
      fc.property(word, word, fc.integer({ min: 1, max: 10 }), (w0, w1, type) => {
        const words = [(w0 & ~0xe0fn) | BigInt(type), w1];
        const command = vtdDialect.decode(words);
        expect(command.type).toBe(VTD_TYPE_NAMES[type]);
        if (command.problems.length === 0) expect(vtdDialect.encode(command)).toEqual(words);
        expect(vtdDialect.disassemble(words)).toContain(command.problems.join(', '));
      }),
      { numRuns: 2000 },
    );
  });

  test('the fields for hot loops are those of the decoder', () => {
    fc.assert(
      fc.property(word, word, (w0, w1) => {
        const command = vtdDialect.decode([w0, w1]);
        expect(VTD_TYPE_NAMES[vtdType(lowWord(w0))]).toBe(command.type);
        if (command.type === 'iotlb' || command.type === 'pasid-iotlb') {
          expect(vtdGranularity(lowWord(w0))).toBe(command.granularity);
          expect(vtdDomain(lowWord(w0))).toBe(command.domain);
          expect(vtdAddressMask(lowWord(w1))).toBe(command.mask);
        }
        if (command.type === 'pasid-iotlb') expect(vtdPasid(highWord(w0))).toBe(command.pasid);
      }),
      { numRuns: 2000 },
    );
  });

  test('the size code counts ones from address bit 12', () => {
    const order = (w1: bigint): number => sizeCodeOrder((w1 & 1n) === 1n, lowWord(w1), highWord(w1));
    expect(order(0x1234_5000n)).toBe(0);
    expect(order(0x1234_4001n)).toBe(1);
    expect(order(0x1234_0001n | 0x1000n)).toBe(2);
    expect(order(0x4_000f_f001n)).toBe(9);
    expect(order(0x7fff_ffff_ffff_f001n)).toBe(52);
    expect(order(0xffff_ffff_ffff_f001n)).toBe(53);
    fc.assert(
      fc.property(pageAddress, (address) => {
        expect(order(address | 1n)).toBe(orderOf(true, address));
      }),
    );
  });

  test.each([
    [0x400f2n, 0xffe31040n, 'iotlb page did 4 addr 0xffe31000 mask 0 ih drain'],
    [0x400e2n, 0n, 'iotlb domain did 4 drain'],
    [0xd2n, 0n, 'iotlb global drain'],
    [0x52n, 0n, 'iotlb global drain-writes'],
    [0x2_0000_0025n, 0x1_0004_2c04n, 'wait status 0x2 at 0x100042c04'],
    [0x4n, 0n, 'iec global'],
    [0x16_0000_0014n, 0n, 'iec index 22 mask 0'],
    [0x0020_0004_0031n, 0n, 'context device did 4 sid 0000:00:04.0 fm 0'],
    [0x0100_0000_0003n, 0x7fff_ffff_ffff_f001n, 'devtlb sid 0000:01:00.0 addr 0x0 everything qdep 0'],
    [0x0100_0000_0003n, 0x4_0000_0001n | 0xf_f000n, 'devtlb sid 0000:01:00.0 addr 0x400000000 pages 512 qdep 0'],
    [0x7_0006_0036n, 0x1000_0042n, 'pasid-iotlb page did 6 pasid 7 addr 0x10000000 mask 2 ih'],
    [0x7_0006_0017n, 0n, 'pasid-cache pasid did 6 pasid 7'],
    [0x7_0100_1019n, 0x18n, 'page-response rid 0000:01:00.0 pasid 7 group 3 invalid'],
    [0x0fn, 0n, 'undefined 0xf 0x0; undefined type 15'],
    [0x202n, 0n, 'undefined 0x202 0x0; undefined type 18'],
    [0x400f2n, 0x3cn, 'iotlb page did 4 addr 0x0 mask 60 drain; mask 60 is more than any address space'],
    [
      0x1_0004_00c2n,
      0x80n,
      'iotlb ? drain; reserved bits 0x100000000 in word 0, reserved bits 0x80 in word 1, undefined granularity 0',
    ],
  ])('%x %x', (w0, w1, expected) => {
    expect(vtdDialect.disassemble([w0, w1])).toBe(expected);
  });

  test('words 3 and 4 of a 256-bit descriptor are reserved', () => {
    expect(vtdDialect.decode([0x400f2n, 0n, 0n, 0n]).problems).toEqual([]);
    expect(vtdDialect.decode([0x400f2n, 0n, 0n, 8n]).problems).toEqual(['reserved bits 0x8 in word 3']);
    expect(vtdDialect.decode([]).type).toBe('undefined');
  });

  test('a field that does not fit is refused', () => {
    const command = vtdDialect.decode([0x400f2n, 0xffe31040n]) as VtdCommand & { type: 'iotlb' };
    expect(() => vtdDialect.encode({ ...command, domain: 65536 })).toThrow(
      'domain is 65536, its 16 bits hold 0 to 65535',
    );
    expect(() => vtdDialect.encode({ ...command, address: 1n })).toThrow('not that of a 4 KiB page');
  });
});

describe('dialect registry', () => {
  test('names and numbers are those of the schema, and unique', () => {
    for (const dialect of DIALECTS) {
      expect(DIALECT_NAMES[dialect.id]).toBe(dialect.name);
      expect(dialectById(dialect.id)).toBe(dialect);
    }
    expect(new Set(DIALECTS.map((dialect) => dialect.name)).size).toBe(DIALECTS.length);
    expect(dialectById(99)).toBeUndefined();
  });
});

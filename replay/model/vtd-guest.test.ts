import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { vtdDialect } from '../../traces/dialects/vtd.ts';
import { highWord, joinWords, lowWord } from '../../traces/units.ts';
import { VTD_WHOLE, issueVtdRange, vtdBlockOf } from './vtd-guest.ts';
import type { VtdAttachment, VtdBlock } from './vtd-guest.ts';

const U64 = (1n << 64n) - 1n;

function blockOf(address: bigint, pages: bigint): VtdBlock {
  const block = { order: 0, low: 0, high: 0 };
  return vtdBlockOf(lowWord(address), highWord(address), lowWord(pages), highWord(pages), block);
}

interface Issued {
  readonly unit: number;
  readonly command: ReturnType<typeof vtdDialect.decode> | 'wait';
}

function issue(block: VtdBlock, attachments: readonly VtdAttachment[], leaf = false, maxMask = 18): Issued[] {
  const list: Issued[] = [];
  issueVtdRange(block, leaf, attachments, maxMask, {
    command: (unit, w0Lo, w0Hi, w1Lo, w1Hi) => {
      list.push({ unit, command: vtdDialect.decode([joinWords(w0Lo, w0Hi), joinWords(w1Lo, w1Hi)]) });
    },
    submit: (unit) => list.push({ unit, command: 'wait' }),
  });
  return list;
}

const plain = { unit: 0, device: 8, pasid: 0, domain: 5, deviceTlb: true };
const page = fc.bigInt(0n, (1n << 52n) - 1n).map((number) => number << 12n);
const count = fc.oneof(fc.bigInt(1n, 600n), fc.bigInt(1n, U64));

describe("a guest's VT-d ranges", () => {
  test('the smallest aligned block with both ends, or everything', () => {
    fc.assert(
      fc.property(page, count, (address, pages) => {
        const { order, low, high } = blockOf(address, pages);
        const last = (address + (pages << 12n) - 1n) & U64;
        const bits = (address ^ last).toString(2).length;
        expect(order).toBe(bits <= 12 ? 0 : Math.min(bits - 12, VTD_WHOLE));
        expect(joinWords(low, high)).toBe(
          order === VTD_WHOLE ? 0n : (address >> BigInt(12 + order)) << BigInt(12 + order),
        );
      }),
    );
  });

  test.each([
    [0n, U64, VTD_WHOLE, 0n],
    [0n, 0n, VTD_WHOLE, 0n],
    [0x5000n, 0n, 1, 0x4000n],
    [0x8000n, 0n, 4, 0n],
    [0x7000n, 2n, 4, 0n],
    [0x20_0000n, 512n, 9, 0x20_0000n],
    [0x3_0000_0000n, 1n << 20n, 20, 0x3_0000_0000n],
    [0x3_0000_0000n, 1n << 21n, 23, 0n],
  ] as const)('%s, %s pages', (address, pages, order, start) => {
    const block = blockOf(address, pages);
    expect([block.order, joinWords(block.low, block.high)]).toEqual([order, start]);
  });

  test('descriptors say the block: by mask for the IOTLB, by ones in the address for devices', () => {
    fc.assert(
      fc.property(page, count, fc.boolean(), fc.constantFrom(0, 9), (address, pages, leaf, pasid) => {
        const block = blockOf(address, pages);
        const start = joinWords(block.low, block.high);
        const [iotlb, device, wait] = issue(block, [{ ...plain, pasid }], leaf);
        expect(wait).toEqual({ unit: 0, command: 'wait' });
        expect(iotlb?.command).toMatchObject(
          block.order > 18
            ? { type: 'pasid-iotlb', granularity: 2, domain: 5, pasid, problems: [] }
            : {
                type: 'pasid-iotlb',
                granularity: 3,
                domain: 5,
                pasid,
                address: start,
                mask: block.order,
                leafOnly: leaf,
                problems: [],
              },
        );
        const size = block.order === 0 ? 0n : (1n << BigInt(block.order - 1)) - 1n;
        expect(device?.command).toMatchObject({
          type: pasid === 0 ? 'devtlb' : 'pasid-devtlb',
          sid: 8,
          address: start | (size << 12n),
          problems: [],
        });
      }),
    );
  });

  test('each domain and PASID of a unit once, each device with ATS once, no number that is not of an attachment', () => {
    const attachment = fc.record({
      unit: fc.nat(2),
      device: fc.nat(40),
      pasid: fc.nat(2),
      domain: fc.integer({ min: 2, max: 4 }),
      deviceTlb: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(attachment, { maxLength: 40 }), (attachments) => {
        const list = issue(blockOf(0x1000n, 1n), attachments);
        const seen = list.flatMap(({ unit, command }) => {
          if (command === 'wait') return [];
          if (command.type === 'pasid-iotlb') return [`${unit} ${command.domain} ${command.pasid}`];
          if (command.type === 'devtlb') return [`${unit} device ${command.sid} 0`];
          return command.type === 'pasid-devtlb' ? [`${unit} device ${command.sid} ${command.pasid}`] : ['other'];
        });
        const expected = new Set(attachments.map(({ unit, domain, pasid }) => `${unit} ${domain} ${pasid}`));
        // a device's TLB is named once for each domain that it goes through
        const devices = new Map<string, Set<number>>();
        for (const { unit, device, pasid, domain, deviceTlb } of attachments) {
          if (!deviceTlb) continue;
          const key = `${unit} device ${device} ${pasid}`;
          devices.set(key, (devices.get(key) ?? new Set()).add(domain));
        }
        expect(new Set(seen)).toEqual(new Set([...expected, ...devices.keys()]));
        const commands = [...devices.values()].reduce((sum, domains) => sum + domains.size, expected.size);
        expect(seen).toHaveLength(commands);
        // batches: 16 at most, of one unit, each with its wait; units are not mixed
        let run = 0;
        list.forEach(({ unit, command }, i) => {
          if (command === 'wait') {
            expect(run).toBeGreaterThan(0);
            expect(list[i - 1]?.unit).toBe(unit);
            run = 0;
          } else {
            run++;
            expect(run).toBeLessThanOrEqual(16);
          }
        });
        expect(run).toBe(0);
        const units = list.map(({ unit }) => unit).filter((unit, i, all) => unit !== all[i - 1]);
        expect(new Set(units).size).toBe(units.length);
      }),
    );
  });

  test('the IOTLB before the device TLB of an attachment, a newer unit first, known bits of the device kept', () => {
    const bits = { lo: 0x3_1000, hi: 0x20_0000 };
    const list = issue(blockOf(0x1000n, 1n), [
      { ...plain, deviceBits: bits },
      { ...plain, unit: 1, device: 9 },
      { ...plain, device: 10 },
    ]);
    expect(list.map(({ unit, command }) => (command === 'wait' ? `${unit} wait` : `${unit} ${command.type}`))).toEqual([
      '1 pasid-iotlb',
      '1 devtlb',
      '1 wait',
      '0 pasid-iotlb',
      '0 devtlb',
      '0 devtlb',
      '0 wait',
    ]);
    expect(
      list.flatMap(({ command }) => (command !== 'wait' && command.type === 'devtlb' ? [command] : [])),
    ).toMatchObject([
      { sid: 9, queueDepth: 0 },
      { sid: 8, queueDepth: 3 },
      { sid: 10, queueDepth: 0 },
    ]);
  });
});

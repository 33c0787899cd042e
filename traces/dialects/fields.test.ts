import fc from 'fast-check';
import { expect, test } from 'vitest';
import { highWord, lowWord } from '../units.ts';
import * as amd from './amd-fields.ts';
import { AMD_LAYOUTS, amdDialect } from './amd.ts';
import type { DialectCommand } from './dialect.ts';
import * as riscv from './riscv-fields.ts';
import { RISCV_LAYOUTS, riscvDialect } from './riscv.ts';
import * as smmu from './smmuv3-fields.ts';
import { SMMUV3_LAYOUTS, smmuv3Dialect } from './smmuv3.ts';
import * as virtio from './virtio-fields.ts';
import { VIRTIO_LAYOUTS, virtioDialect } from './virtio.ts';
import { sizeCodeOrder } from './vtd-fields.ts';

type Layouts = Readonly<Record<string, { readonly fixed: readonly bigint[] }>>;
/** Words as int32 halves: w0 low and high, w1 low and high, and so on. */
type Halves = readonly number[];

/** By field name: its reader, or what it means to the decoder. Readers of the same field of other commands come in the rows. */
type Readers = Readonly<Record<string, (halves: Halves, type: string) => unknown>>;

const word = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });

/** Random words with each type's opcode: every reader gives what the decoder gives. Returns how many kinds of fields were compared. */
function compare(
  dialect: { decode(words: readonly bigint[]): DialectCommand; readonly words: number },
  layouts: Layouts,
  opcode: bigint,
  readers: Readers,
): number {
  const seen = new Set<string>();
  for (const [type, { fixed }] of Object.entries(layouts)) {
    fc.assert(
      fc.property(fc.array(word, { minLength: dialect.words, maxLength: dialect.words }), (random) => {
        const words = random.map((value, i) => (i === 0 ? (value & ~opcode) | (fixed[0] ?? 0n) : value));
        const command = dialect.decode(words);
        const halves = words.flatMap((value) => [lowWord(value), highWord(value)]);
        expect(command.type).toBe(type);
        const names = Object.keys(readers).filter((name) => name in command);
        for (const name of names) seen.add(name);
        const read = Object.fromEntries(names.map((name) => [name, readers[name]?.(halves, type)]));
        expect(read).toEqual(Object.fromEntries(names.map((name) => [name, Reflect.get(command, name)])));
      }),
      { numRuns: 50 },
    );
  }
  expect([...seen].sort()).toEqual(Object.keys(readers).sort());
  return seen.size;
}

const [W0_LO, W0_HI, W1_LO, W1_HI] = [0, 1, 2, 3];
const at = (halves: Halves, index: number): number => halves[index] ?? 0;

test('smmuv3', () => {
  const fields = compare(smmuv3Dialect, SMMUV3_LAYOUTS, 0xffn, {
    ssv: (h) => smmu.smmuSsv(at(h, W0_LO)),
    ssid: (h) => smmu.smmuSsid(at(h, W0_LO)),
    sid: (h) => smmu.smmuSid(at(h, W0_HI)),
    vmid: (h) => smmu.smmuVmid(at(h, W0_HI)),
    asid: (h) => smmu.smmuAsid(at(h, W0_HI)),
    leaf: (h) => smmu.smmuLeaf(at(h, W1_LO)),
    ttl: (h) => smmu.smmuTtl(at(h, W1_LO)),
    tg: (h) => smmu.smmuTg(at(h, W1_LO)),
    num: (h) => smmu.smmuNum(at(h, W0_LO)),
    scale: (h) => smmu.smmuScale(at(h, W0_LO)),
    global: (h) => smmu.smmuAtcGlobal(at(h, W0_LO)),
    range: (h) => smmu.smmuSteRange(at(h, W1_LO)),
    signal: (h) => smmu.smmuSyncSignal(at(h, W0_LO)),
    group: (h) => smmu.smmuPriGroup(at(h, W1_LO)),
    tag: (h) => smmu.smmuStallTag(at(h, W1_LO)),
    response: (h, type) =>
      type === 'resume' ? smmu.smmuResumeResponse(at(h, W0_LO)) : smmu.smmuPriResponse(at(h, W1_LO)),
  });
  expect(fields).toBe(16);
});

test('smmuv3: kinds and ranges', () => {
  for (const [name, { fixed }] of Object.entries(SMMUV3_LAYOUTS)) {
    const opcode = Number(fixed[0]);
    expect([name, smmu.smmuIsTlbi(opcode)]).toEqual([name, /^tlbi-(?!s-|snh)/.test(name)]);
    expect([name, smmu.smmuIsTlbiRange(opcode)]).toEqual([name, /^tlbi-(nh|el2|el3|s2)-(va|vaa|ipa)$/.test(name)]);
  }
  const pages = (words: readonly [number, number]): number => smmu.smmuRangePages(words[0], words[1]);
  expect(pages([0x12, 0x1000])).toBe(1);
  // 513 pages are 1 + 1 x 2^9
  expect(pages([0x12, 0x1700])).toBe(1);
  expect(pages([0x90_0012, 0x1700])).toBe(512);
  expect(pages([0x1_f012, 0x1700])).toBe(32);
  expect(pages([0x10_1012, 0x1b00])).toBe(2 * 2 * 4);
  expect(pages([0x01f1_f012 | 0, 0x1f00])).toBe(32 * 2 ** 31 * 16);
  expect(smmu.smmuFirstPage(-0x1000, -1)).toBe(2 ** 52 - 1);
  expect(smmu.smmuAtcOrder(0x1034)).toBe(smmu.SMMUV3_ATC_ALL);
});

test('amd', () => {
  const fields = compare(amdDialect, AMD_LAYOUTS, 0xfn << 60n, {
    device: (h) => amd.amdDevice(at(h, W0_LO)),
    domain: (h) => amd.amdDomain(at(h, W0_HI)),
    pasid: (h, type) => {
      if (type === 'invalidate-iommu-pages') return amd.amdPagesPasid(at(h, W0_LO));
      return type === 'invalidate-iotlb-pages'
        ? amd.amdIotlbPasid(at(h, W0_LO), at(h, W0_HI))
        : amd.amdPasid(at(h, W0_HI));
    },
    queueDepth: (h) => amd.amdQueueDepth(at(h, W0_LO)),
    queueId: (h) => amd.amdQueueId(at(h, W0_HI)),
    size: (h) => amd.amdSize(at(h, W1_LO)),
    pde: (h) => amd.amdPde(at(h, W1_LO)),
    guest: (h) => amd.amdGuest(at(h, W1_LO)),
    store: (h) => amd.amdWaitStores(at(h, W0_LO)),
    interrupt: (h) => amd.amdWaitInterrupts(at(h, W0_LO)),
    flush: (h) => amd.amdWaitFlushes(at(h, W0_LO)),
    storeAddress: (h) => (BigInt(amd.amdStoreHigh(at(h, W0_HI))) << 32n) | BigInt((at(h, W0_LO) & ~7) >>> 0),
    tag: (h) => amd.amdPprTag(at(h, W1_HI)),
    status: (h) => amd.amdPprStatus(at(h, W1_HI)),
  });
  expect(fields).toBe(14);
  expect(amd.amdFirstPage(9, 0x000f_f001, 4)).toBe(0x40_0000);
  expect(amd.amdFirstPage(52, -0xfff, 0x7fff_ffff)).toBe(0);
});

test('riscv', () => {
  const fields = compare(riscvDialect, RISCV_LAYOUTS, 0x3ffn, {
    addressValid: (h) => riscv.riscvAddressValid(at(h, W0_LO)),
    pscidValid: (h) => riscv.riscvPscidValid(at(h, W0_HI)),
    pscid: (h) => riscv.riscvPscid(at(h, W0_LO)),
    guest: (h) => riscv.riscvGscidValid(at(h, W0_HI)),
    gscid: (h) => riscv.riscvGscid(at(h, W0_HI)),
    nonLeaf: (h) => riscv.riscvNonLeaf(at(h, W0_HI)),
    size: (h, type) => (type === 'ats-inval' ? riscv.riscvAtsSize(at(h, W1_LO)) : riscv.riscvSize(at(h, W1_LO))),
    global: (h) => riscv.riscvAtsGlobal(at(h, W1_LO)),
    deviceValid: (h) => riscv.riscvDeviceValid(at(h, W0_HI)),
    device: (h) => riscv.riscvDevice(at(h, W0_HI)),
    pid: (h) => riscv.riscvPid(at(h, W0_LO)),
    pidValid: (h) => riscv.riscvPidValid(at(h, W0_HI)),
    segmentValid: (h) => riscv.riscvSegmentValid(at(h, W0_HI)),
    segment: (h) => riscv.riscvSegment(at(h, W0_HI)),
    rid: (h) => riscv.riscvRid(at(h, W0_HI)),
    group: (h) => riscv.riscvGroup(at(h, W1_HI)),
    code: (h) => riscv.riscvResponse(at(h, W1_HI)),
  });
  expect(fields).toBe(17);
});

test('riscv: pages and size codes are those of the address', () => {
  fc.assert(
    fc.property(word, (w1) => {
      const lo = lowWord(w1);
      const hi = highWord(w1);
      const command = riscvDialect.decode([0x401n, w1]);
      if (command.type !== 'iotinval-vma') throw new Error(command.type);
      expect(BigInt(riscv.riscvPage(lo, hi))).toBe(command.address >> 12n);
      const order = sizeCodeOrder(command.size, lowWord(command.address), highWord(command.address));
      expect(riscv.riscvPageOrder(lo, hi)).toBe(order);
    }),
  );
  expect(riscv.riscvPageOrder(-1, -1)).toBe(53);
});

test('virtio', () => {
  const fields = compare(virtioDialect, VIRTIO_LAYOUTS, 0xffn, {
    flags: (h) => virtio.virtioFlags(at(h, W0_LO)),
    domain: (h) => virtio.virtioDomain(at(h, W0_HI)),
    endpoint: (h) => virtio.virtioEndpoint(at(h, W1_LO)),
  });
  expect(fields).toBe(3);
  expect(virtio.virtioPage(0x1fff, 1)).toBe(0x10_0001);
});

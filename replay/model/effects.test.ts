import { describe, expect, test } from 'vitest';
import { AMD_COMMAND } from '../../traces/dialects/amd-fields.ts';
import { RISCV_OPCODE } from '../../traces/dialects/riscv-fields.ts';
import { SMMUV3_OPCODE } from '../../traces/dialects/smmuv3-fields.ts';
import { VIRTIO_REQUEST } from '../../traces/dialects/virtio-fields.ts';
import { highWord, lowWord } from '../../traces/units.ts';
import type { Architecture } from '../hardware/profile.ts';
import { ENTRY_KIND } from './cache-entries.ts';
import { COMMAND_ERROR } from './command-error.ts';
import { ConfigurationCaches } from './configuration-caches.ts';
import { DeviceTlbs, NO_PASID } from './device-tlbs.ts';
import { EFFECTS } from './effects.ts';
import { entryMatch } from './entry-match.ts';
import { ExposureTotals } from './exposure.ts';
import { QUIRK } from './hardware-caches.ts';
import type { HardwareCaches } from './hardware-caches.ts';
import { PairIndex } from './requesters.ts';
import { fullyAssociative } from './set-associative-iotlb.ts';
import { TrackedCache } from './tracked-cache.ts';

/** What is cached, by name: each entry says its cache, domain, PASID, page, order and kind. */
interface Cached {
  readonly cache: 'iotlb' | 'walk' | 'stage2' | 'atc';
  readonly domain: number;
  readonly page: number;
  readonly order?: number;
  readonly pasid?: number;
  readonly kind?: keyof typeof ENTRY_KIND;
}

/** Every kind of cached object of three domains (guest 1, guest 2) and two devices, by which commands are told apart. */
const G1 = 1 << 16;
const OBJECTS: Readonly<Record<string, Cached>> = {
  page: { cache: 'iotlb', domain: 5, page: 0x100 },
  next: { cache: 'iotlb', domain: 5, page: 0x101 },
  far: { cache: 'iotlb', domain: 5, page: 0x5000 },
  block: { cache: 'iotlb', domain: 5, page: 0x200, order: 9 },
  other: { cache: 'iotlb', domain: 6, page: 0x100 },
  global: { cache: 'iotlb', domain: 6, page: 0x100, kind: 'global' },
  process: { cache: 'iotlb', domain: 5, page: 0x100, pasid: 7 },
  pointer: { cache: 'walk', domain: 5, page: 0x0, order: 9 },
  farPointer: { cache: 'walk', domain: 5, page: 0x5000, order: 9 },
  guestPage: { cache: 'iotlb', domain: G1 | 5, page: 0x100 },
  guestStage2: { cache: 'iotlb', domain: G1, page: 0x100, kind: 'stage2' },
  combined: { cache: 'iotlb', domain: G1 | 6, page: 0x100, kind: 'combined' },
  ipa: { cache: 'stage2', domain: G1, page: 0x100, kind: 'stage2' },
  farIpa: { cache: 'stage2', domain: G1, page: 0x900, kind: 'stage2' },
  device: { cache: 'atc', domain: 5, page: 0x100 },
  deviceNext: { cache: 'atc', domain: 5, page: 0x101 },
  deviceProcess: { cache: 'atc', domain: 5, page: 0x100, pasid: 7 },
};
/** Requesters whose configuration is cached: device 0x40 without and with PASID 7, device 0x48; two entries for each device. */
const REQUESTERS = [
  [0x40, -1, 5],
  [0x40, 7, 5],
  [0x48, -1, 6],
] as const;

class Unit {
  readonly caches: HardwareCaches;
  readonly #slots = new Map<string, readonly [TrackedCache, number]>();
  readonly #configuration: ConfigurationCaches;

  constructor(quirks = 0) {
    const kind = Int32Array.of(1);
    const watch = { clock: new Float64Array(1), kind };
    const cache = (name: string): TrackedCache =>
      new TrackedCache(name, watch, new ExposureTotals(), fullyAssociative(64));
    const devices = new DeviceTlbs(watch, fullyAssociative(16), () => undefined);
    devices.enable(0x40);
    const parts = { iotlb: cache('iotlb'), walk: cache('walk'), stage2: cache('stage2'), atc: devices.of(0x40)! };
    const requesters = new PairIndex('requesters');
    const domains = new Int32Array(64);
    this.#configuration = new ConfigurationCaches(requesters, kind, () => domains, 0, 0, true);
    for (const [rid, pasid, domain] of REQUESTERS) {
      const requester = requesters.of(rid, pasid);
      domains[requester] = domain;
      this.#configuration.use(requester);
      this.#configuration.settle(requester);
    }
    let tag = 0;
    for (const [name, one] of Object.entries(OBJECTS)) {
      const into = parts[one.cache];
      const pasid = one.pasid ?? (one.cache === 'atc' ? NO_PASID : -1);
      const slot = into.fill(tag++, one.domain, pasid, one.order ?? 0, one.page, 0, 0, 0);
      if (one.kind !== undefined) into.entries.setKind(slot, ENTRY_KIND[one.kind]);
      this.#slots.set(name, [into, slot]);
    }
    this.caches = {
      iotlb: parts.iotlb,
      walkCaches: parts.walk,
      stage2: parts.stage2,
      configuration: this.#configuration,
      deviceTlbs: devices,
      match: entryMatch(),
      maxMask: 18,
      quirks,
      hasCombined: () => true,
      knows: (domain) => domain === 5 || domain === 6,
      dropRequester: () => 0,
    };
  }

  /** Names of translations and pointers that are gone. */
  gone(): string[] {
    return [...this.#slots].filter(([, [cache, slot]]) => cache.entries.live[slot] === 0).map(([name]) => name);
  }

  /** Requesters, by their place in `REQUESTERS`, that have to read configuration again. */
  reread(): number[] {
    return REQUESTERS.map((_, i) => i).filter((i) => this.#configuration.ready[i] === 0);
  }
}

function apply(unit: Unit, architecture: Architecture, w0: bigint, w1 = 0n, w2 = 0n): number {
  const words = [w0, w1, w2].flatMap((word) => [lowWord(word), highWord(word)]);
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = words;
  return EFFECTS[architecture].apply(unit.caches, a, b, c, d, e, f);
}

type Row = readonly [
  what: string,
  words: readonly [bigint, bigint?, bigint?],
  gone: readonly string[],
  reread?: readonly number[],
];
const ALL_OF_5 = ['page', 'next', 'far', 'block', 'process'];
const IOTLB = Object.keys(OBJECTS).filter((name) => OBJECTS[name]?.cache === 'iotlb');
const HOST = Object.keys(OBJECTS).filter((name) => OBJECTS[name]?.cache !== 'atc');

/** Checks a table of commands: just what each names is gone, and the count says how much that is. */
function drops(architecture: Architecture, rows: readonly Row[], quirks = 0): void {
  for (const [what, [w0, w1, w2], gone, reread = []] of rows) {
    test(`drops: ${what}`, () => {
      const unit = new Unit(quirks);
      const count = apply(unit, architecture, w0, w1, w2);
      expect(unit.gone().toSorted()).toEqual([...gone].toSorted());
      expect(unit.reread()).toEqual(reread);
      if (reread.length === 0) expect(count).toBe(gone.length);
      else expect(count).toBeGreaterThan(0);
    });
  }
}

function refuses(
  architecture: Architecture,
  rows: readonly (readonly [string, readonly [bigint, bigint?, bigint?], number])[],
): void {
  for (const [what, [w0, w1, w2], error] of rows) {
    test(`refused: ${what}`, () => {
      const unit = new Unit();
      expect(apply(unit, architecture, w0, w1, w2)).toBe(error);
      expect(unit.gone()).toEqual([]);
      expect(unit.reread()).toEqual([]);
    });
  }
}

const { undefinedType, undefinedGranularity, reservedBits, maskTooLarge, noSuchDomain, badRange } = COMMAND_ERROR;

describe('VT-d', () => {
  const iotlb = (granularity: number, domain = 0): bigint => BigInt(0xc2 | (granularity << 4) | (domain << 16));
  const pasidIotlb = (granularity: number, domain: number, pasid: number): bigint =>
    BigInt(6 | (granularity << 4) | (domain << 16)) | (BigInt(pasid) << 32n);
  drops('vtd', [
    ['iotlb global', [iotlb(1)], HOST],
    ['iotlb domain', [iotlb(2, 5)], [...ALL_OF_5, 'pointer', 'farPointer']],
    ['iotlb page, only leaves', [iotlb(3, 5), 0x10_0040n], ['page', 'process']],
    ['iotlb page and its tables', [iotlb(3, 5), 0x10_0000n], ['page', 'process', 'pointer']],
    ['iotlb two pages', [iotlb(3, 5), 0x10_0041n], ['page', 'next', 'process']],
    ['iotlb 2^9 pages over a block', [iotlb(3, 5), 0x20_0049n], ['block']],
    ['iotlb page in a block', [iotlb(3, 5), 0x21_0040n], ['block']],
    ['iotlb of a domain that holds nothing', [iotlb(2, 9)], []],
    ['pasid-iotlb of a PASID', [pasidIotlb(2, 5, 7)], [...ALL_OF_5, 'pointer', 'farPointer']],
    ['pasid-iotlb of another PASID', [pasidIotlb(2, 5, 8)], ['page', 'next', 'far', 'block', 'pointer', 'farPointer']],
    ['pasid-iotlb page', [pasidIotlb(3, 5, 8), 0x10_0040n], ['page']],
    ['context global', [0x11n], [], [0, 1, 2]],
    ['context domain', [0x6_0021n], [], [2]],
    ['context device', [0x40_0000_0031n], [], [0, 1]],
    ['context device with function mask', [(3n << 48n) | 0x47_0000_0031n], [], [0, 1]],
    ['pasid-cache of a domain', [0x5_0007n], [], [0, 1]],
    ['pasid-cache of a PASID', [(7n << 32n) | 0x5_0017n], [], [1]],
    ['pasid-cache global', [0x37n], [], [0, 1, 2]],
    ['device TLB page: with and without PASID', [0x40_0000_0003n, 0x10_0000n], ['device', 'deviceProcess']],
    ['device TLB of all', [0x40_0000_0003n, 0x7fff_ffff_ffff_f001n], ['device', 'deviceNext', 'deviceProcess']],
    ['device TLB of another device', [0x48_0000_0003n, 0x7fff_ffff_ffff_f001n], []],
    ['PASID device TLB page', [(7n << 32n) | 0x40_0008n, 0x10_0000n], ['deviceProcess']],
    ['PASID device TLB of every PASID', [(7n << 32n) | 0x40_0008n, 0x10_0001n], ['device', 'deviceProcess']],
    ['interrupt entries', [4n], []],
    ['wait', [0x2_0000_0025n], []],
  ]);
  refuses('vtd', [
    ['undefined type', [0xfn], undefinedType],
    ['undefined granularity', [iotlb(0, 5)], undefinedGranularity],
    ['undefined granularity of a PASID', [pasidIotlb(1, 5, 0)], undefinedGranularity],
    ['more pages than the unit takes', [iotlb(3, 5), 19n], maskTooLarge],
    ['reserved bits of the first word', [iotlb(1) | (1n << 40n)], reservedBits],
    ['reserved bits of the second word', [iotlb(3, 5), 0x10_0080n], reservedBits],
  ]);
});

describe('SMMUv3', () => {
  const { tlbiNhAll, tlbiNhAsid, tlbiNhVa, tlbiNhVaa, tlbiS12Vmall, tlbiS2Ipa, tlbiNsnhAll } = SMMUV3_OPCODE;
  const tlbi = (op: number, vmid = 0, asid = 0, num = 0, scale = 0): bigint =>
    BigInt(op | (num << 12) | (scale << 20)) | (BigInt(vmid) << 32n) | (BigInt(asid) << 48n);
  const of = (op: number, sid: number, ssid = 0): bigint => BigInt(op) | (BigInt(ssid) << 12n) | (BigInt(sid) << 32n);
  /** Leaf, 4 KiB granule. */
  const RANGE = 0x401n;
  drops('smmuv3', [
    ['NH_VA, one page', [tlbi(tlbiNhVa, 0, 5), 0x10_0001n], ['page', 'process', 'global']],
    ['NH_VA with its tables', [tlbi(tlbiNhVa, 0, 5), 0x10_0000n], ['page', 'process', 'global', 'pointer']],
    ['NH_VA, a range', [tlbi(tlbiNhVa, 0, 5, 1), 0x10_0000n | RANGE], ['page', 'next', 'process', 'global']],
    ['NH_VA, a range that is not aligned', [tlbi(tlbiNhVa, 0, 5, 2), 0x10_1000n | RANGE], ['next']],
    ['NH_VA, a range of 16 KiB granules', [tlbi(tlbiNhVa, 0, 5), 0x10_0801n], ['page', 'next', 'process', 'global']],
    ['NH_VA, a range by scale', [tlbi(tlbiNhVa, 0, 5, 0, 15), RANGE], [...ALL_OF_5, 'global']],
    ['NH_VA of a guest', [tlbi(tlbiNhVa, 1, 6), 0x10_0001n], ['combined']],
    ['NH_VAA: every ASID', [tlbi(tlbiNhVaa), 0x10_0001n], ['page', 'process', 'other', 'global']],
    ['NH_ASID: not what is global', [tlbi(tlbiNhAsid, 0, 6)], ['other']],
    ['NH_ASID', [tlbi(tlbiNhAsid, 0, 5)], [...ALL_OF_5, 'pointer', 'farPointer']],
    ['NH_ALL: not the second stage', [tlbi(tlbiNhAll, 1)], ['guestPage', 'combined']],
    ['S12_VMALL', [tlbi(tlbiS12Vmall, 1)], ['guestPage', 'guestStage2', 'combined', 'ipa', 'farIpa']],
    ['S2_IPA: not what is combined', [tlbi(tlbiS2Ipa, 1), 0x10_0001n], ['guestStage2', 'ipa']],
    ['NSNH_ALL', [tlbi(tlbiNsnhAll)], HOST],
    ['CFGI_STE: the CDs too', [of(SMMUV3_OPCODE.cfgiSte, 0x40)], [], [0, 1]],
    ['CFGI_STE, leaf', [of(SMMUV3_OPCODE.cfgiSte, 0x48), 1n], [], [2]],
    ['CFGI_STE_RANGE', [of(SMMUV3_OPCODE.cfgiSteRange, 0x48), 2n], [], [2]],
    ['CFGI_ALL', [of(SMMUV3_OPCODE.cfgiSteRange, 0), 31n], [], [0, 1, 2]],
    ['CFGI_CD', [of(SMMUV3_OPCODE.cfgiCd, 0x40, 7)], [], [1]],
    ['CFGI_CD of requests without SSID', [of(SMMUV3_OPCODE.cfgiCd, 0x40)], [], [0]],
    ['CFGI_CD_ALL', [of(SMMUV3_OPCODE.cfgiCdAll, 0x40)], [], [0, 1]],
    ['ATC_INV', [of(SMMUV3_OPCODE.atcInv, 0x40), 0x10_0000n], ['device', 'deviceProcess']],
    ['ATC_INV of an SSID', [of(SMMUV3_OPCODE.atcInv, 0x40, 7) | 0x800n, 0x10_0000n], ['deviceProcess']],
    [
      'ATC_INV of every SSID',
      [of(SMMUV3_OPCODE.atcInv, 0x40, 7) | 0xa00n, 52n],
      ['device', 'deviceNext', 'deviceProcess'],
    ],
    ['PREFETCH', [of(SMMUV3_OPCODE.prefetchConfig, 0x40)], []],
    ['PRI_RESP', [of(SMMUV3_OPCODE.priResp, 0x40)], []],
    ['RESUME', [of(SMMUV3_OPCODE.resume, 0x40)], []],
    ['SYNC', [0x1046n], []],
  ]);
  refuses('smmuv3', [
    ['opcode 0', [0n], undefinedType],
    ['a command of EL3', [0x18n], undefinedType],
    ['a command of the secure queue', [0x60n], undefinedType],
    ['ATC_INV of more than everything', [of(SMMUV3_OPCODE.atcInv, 0x40), 53n], maskTooLarge],
    ['SYNC with a reserved signal', [0x3046n], reservedBits],
    ['a range beyond the addresses', [tlbi(tlbiNhVa, 0, 5, 31, 31), 0xffff_ffff_ffff_f401n], badRange],
  ]);
});

describe('AMD', () => {
  const d1 = (code: number, low = 0): bigint => (BigInt(code) << 60n) | (BigInt(low) << 32n);
  const pages = d1(AMD_COMMAND.pages, 5);
  const iotlbPages = d1(AMD_COMMAND.iotlbPages);
  const EVERYTHING = 0x7fff_ffff_ffff_f001n;
  drops('amd', [
    ['pages: one', [pages, 0x10_0000n], ['page', 'process']],
    ['pages: one and its tables', [pages, 0x10_0002n], ['page', 'process', 'pointer']],
    ['pages: two', [pages, 0x10_0001n], ['page', 'next', 'process']],
    ['pages: 2 MiB', [pages, 0x2f_f001n], ['block']],
    ['pages: the whole domain', [pages, EVERYTHING], ALL_OF_5],
    ['pages: the whole domain and its tables', [pages, EVERYTHING | 2n], [...ALL_OF_5, 'pointer', 'farPointer']],
    ['pages of a PASID', [pages | 7n, 0x10_0004n], ['page', 'process']],
    ['pages of another PASID', [pages | 8n, 0x10_0004n], ['page']],
    ['device table entry', [d1(AMD_COMMAND.devtabEntry) | 0x40n], [], [0, 1]],
    ['IOTLB pages', [iotlbPages | 0x40n, 0x10_0000n], ['device', 'deviceProcess']],
    ['IOTLB pages of a PASID', [iotlbPages | d1(0, 7 << 16) | 0x40n, 0x10_0004n], ['deviceProcess']],
    ['IOTLB pages: all', [iotlbPages | 0x40n, EVERYTHING], ['device', 'deviceNext', 'deviceProcess']],
    ['interrupt table', [d1(AMD_COMMAND.interruptTable) | 0x40n], []],
    ['completion wait', [d1(AMD_COMMAND.completionWait) | 0x1000_0001n, 5n], []],
    ['all', [d1(AMD_COMMAND.all)], HOST, [0, 1, 2]],
  ]);
  refuses('amd', [
    ['code 0', [0n], undefinedType],
    ['code 9', [d1(9)], undefinedType],
    ['reserved bits of pages', [pages, 0x10_0010n], reservedBits],
    ['reserved bits of a device table entry', [d1(AMD_COMMAND.devtabEntry) | 0x1_0040n], reservedBits],
    ['reserved bits of all', [d1(AMD_COMMAND.all), 1n], reservedBits],
  ]);
  describe('of QEMU', () => {
    drops(
      'amd',
      [['pages: the whole domain, whatever the address', [pages, 0x10_0000n], ALL_OF_5]],
      QUIRK.amdWholeDomain,
    );
  });
});

describe('RISC-V', () => {
  const { iotinval, iofence, iodir, ats } = RISCV_OPCODE;
  const AV = 0x400n;
  const PSCV = 1n << 32n;
  const GV = 2n << 32n;
  const vma = (pscid: number, gscid = 0): bigint => BigInt(iotinval) | (BigInt(pscid) << 12n) | (BigInt(gscid) << 44n);
  const gvma = BigInt(iotinval | 0x80);
  const address = (page: number): bigint => BigInt(page) << 10n;
  drops('riscv', [
    ['VMA of a PSCID', [vma(5) | PSCV], [...ALL_OF_5, 'pointer', 'farPointer']],
    ['VMA of an address', [vma(5) | PSCV | AV, address(0x100)], ['page', 'process', 'global', 'pointer']],
    [
      'VMA of a size code',
      [vma(5) | PSCV | AV, address(0x100) | 0x200n],
      ['page', 'next', 'process', 'global', 'pointer'],
    ],
    ['VMA of the host', [vma(0)], [...ALL_OF_5, 'other', 'global', 'pointer', 'farPointer']],
    ['VMA of a guest', [vma(0, 1) | GV], ['guestPage', 'combined']],
    ['VMA of a guest PSCID', [vma(6, 1) | GV | PSCV], ['combined']],
    ['GVMA of all', [gvma], ['guestStage2', 'combined', 'ipa', 'farIpa']],
    ['GVMA of a guest', [gvma | GV | (1n << 44n)], ['guestStage2', 'combined', 'ipa', 'farIpa']],
    [
      'GVMA of an address: all that is combined',
      [gvma | GV | (1n << 44n) | AV, address(0x100)],
      ['guestStage2', 'combined', 'ipa'],
    ],
    ['GVMA of another guest', [gvma | GV | (2n << 44n)], []],
    ['IODIR.INVAL_DDT', [BigInt(iodir)], [], [0, 1, 2]],
    ['IODIR.INVAL_DDT of a device', [BigInt(iodir) | GV | (0x48n << 40n)], [], [2]],
    ['IODIR.INVAL_PDT', [BigInt(iodir | 0x80) | GV | (0x40n << 40n) | (7n << 12n)], [], [1]],
    ['IOFENCE.C', [BigInt(iofence)], []],
    ['ATS.INVAL', [BigInt(ats) | (0x40n << 40n), 0x10_0000n], ['device', 'deviceProcess']],
    ['ATS.INVAL of a PASID', [BigInt(ats) | PSCV | (7n << 12n) | (0x40n << 40n), 0x10_0000n], ['deviceProcess']],
    ['ATS.PRGR', [BigInt(ats | 0x80) | (0x40n << 40n)], []],
  ]);
  refuses('riscv', [
    ['opcode 0', [0n], undefinedType],
    ['an undefined function', [BigInt(iotinval | 0x100)], undefinedType],
    ['GVMA with PSCID', [gvma | PSCV], reservedBits],
    ['INVAL_PDT without device', [BigInt(iodir | 0x80)], reservedBits],
  ]);
});

describe('virtio', () => {
  const request = (type: number, domain: number): bigint => BigInt(type) | (BigInt(domain) << 32n);
  const { attach, detach, map, unmap, probe } = VIRTIO_REQUEST;
  drops('virtio', [
    ['MAP', [request(map, 5), 0x70_0000n, 0x70_0fffn], []],
    ['UNMAP', [request(unmap, 5), 0x10_0000n, 0x10_0fffn], ['page', 'process', 'pointer']],
    ['UNMAP of a range that is not aligned', [request(unmap, 5), 0x10_1000n, 0x10_3fffn], ['next', 'pointer']],
    ['UNMAP of everything', [request(unmap, 5), 0n, 0xffff_ffff_ffff_ffffn], [...ALL_OF_5, 'pointer', 'farPointer']],
    ['ATTACH', [request(attach, 6), 0x40n], [], [0, 1]],
    ['DETACH', [request(detach, 6), 0x48n], [], [2]],
    ['PROBE', [request(probe, 0), 0x40n], []],
  ]);
  refuses('virtio', [
    ['an unknown request', [9n], undefinedType],
    ['UNMAP in a domain that nothing is attached to', [request(unmap, 99), 0n, 0xfffn], noSuchDomain],
    ['UNMAP of less than nothing', [request(unmap, 5), 0x2000n, 0xfffn], badRange],
  ]);
});

test('errors have the names of their architectures', () => {
  const names = (architecture: Architecture): readonly string[] => {
    const { errorName } = EFFECTS[architecture];
    return [...new Set([undefinedType, reservedBits, noSuchDomain].map(errorName))];
  };
  expect(names('vtd')).toEqual(['IQE']);
  expect(names('smmuv3')).toEqual(['CERROR_ILL']);
  expect(names('amd')).toEqual(['ILLEGAL_COMMAND_ERROR']);
  expect(names('riscv')).toEqual(['cmd_ill']);
  expect(names('virtio')).toEqual(['VIRTIO_IOMMU_S_UNSUPP', 'VIRTIO_IOMMU_S_INVAL', 'VIRTIO_IOMMU_S_NOENT']);
});

test('every named object stands alone', () => {
  expect(new Set(Object.values(OBJECTS).map((one) => JSON.stringify(one))).size).toBe(Object.keys(OBJECTS).length);
  expect(IOTLB.length).toBe(10);
});

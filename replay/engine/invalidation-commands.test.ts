import { describe, expect, test } from 'vitest';
import { smmuv3Dialect } from '../../traces/dialects/smmuv3.ts';
import { vtdDialect } from '../../traces/dialects/vtd.ts';
import { DIALECT } from '../../traces/schema.ts';
import { joinWords } from '../../traces/units.ts';
import type { VtdAttachment } from '../model/vtd-guest.ts';
import { writeInvalidation } from './invalidation-commands.ts';
import type { HostNumbers } from './invalidation-commands.ts';

const PARENT = {};
const DEVICE = {};
const NESTED = {};
const ALL = 0xffff_ffff_ffff_ffffn;
const use = (device: number, pasid: number, deviceTlb: boolean): VtdAttachment => ({
  unit: 4,
  device,
  pasid,
  domain: 7,
  deviceTlb,
});

function numbers(attachments: readonly VtdAttachment[]): HostNumbers {
  return {
    vmidOf: (parent) => (parent === PARENT ? 3 : 99),
    sidOf: (device) => (device === DEVICE ? 0x2000_0001 : 99),
    unitOf: (iommu) => (iommu === 'smmu0' ? 5 : 99),
    attachmentsOf: (domain) => (domain === NESTED ? attachments : []),
  };
}

function vtdEntry(address: bigint, pages: bigint, flags = 0): Uint8Array {
  const entry = new Uint8Array(24);
  const view = new DataView(entry.buffer);
  view.setBigUint64(0, address, true);
  view.setBigUint64(8, pages, true);
  view.setUint32(16, flags, true);
  return entry;
}

function written(entries: readonly Uint8Array[], type: number, viommu: boolean, attachments: readonly VtdAttachment[]) {
  const rows: { dialect: number; unit: number; words: bigint[] }[] = [];
  const guest = viommu
    ? { parent: PARENT, iommu: 'smmu0', deviceOf: (virtual: bigint) => (virtual === 9n ? DEVICE : undefined) }
    : undefined;
  writeInvalidation(
    NESTED,
    { type, guest, entries, maxAddressMask: 18 },
    numbers(attachments),
    (dialect, unit, w0Lo, w0Hi, w1Lo, w1Hi) => {
      rows.push({ dialect, unit, words: [joinWords(w0Lo, w0Hi), joinWords(w1Lo, w1Hi)] });
    },
  );
  return rows;
}

const vtd = (entries: readonly Uint8Array[], attachments: readonly VtdAttachment[]): unknown[] =>
  written(entries, 0, false, attachments).map(({ unit, words }) => ({ unit, ...vtdDialect.decode(words) }));

describe('commands of HWPT_INVALIDATE', () => {
  test('VT-d: the smallest aligned block, for the IOTLB and every device TLB, and a wait after each entry', () => {
    const block = { type: 'pasid-iotlb', granularity: 3, domain: 7, pasid: 0, unit: 4, problems: [] };
    const wait = { type: 'wait', write: true, status: 2, unit: 4, problems: [] };
    expect(vtd([vtdEntry(0x5000n, 1n), vtdEntry(0x7000n, 2n, 1)], [use(1, 0, true), use(2, 0, false)])).toMatchObject([
      { ...block, address: 0x5000n, mask: 0, leafOnly: false },
      { type: 'devtlb', sid: 1, unit: 4, problems: [] },
      wait,
      { ...block, address: 0n, mask: 4, leafOnly: true },
      { type: 'devtlb', sid: 1, unit: 4, problems: [] },
      wait,
    ]);
  });

  test('VT-d: all pages; a table behind a PASID; a table that nothing goes through', () => {
    expect(vtd([vtdEntry(0n, ALL)], [use(1, 5, true)])).toMatchObject([
      { type: 'pasid-iotlb', granularity: 2, pasid: 5 },
      { type: 'pasid-devtlb', sid: 1, pasid: 5 },
      { type: 'wait' },
    ]);
    expect(vtd([vtdEntry(0n, ALL)], [])).toEqual([]);
  });

  test("SMMUv3: the guest's commands in the host's numbers, and a SYNC", () => {
    const entry = (w0: bigint, w1: bigint, bytes = 16): Uint8Array => {
      const view = new DataView(new ArrayBuffer(16));
      view.setBigUint64(0, w0, true);
      view.setBigUint64(8, w1, true);
      return new Uint8Array(view.buffer).subarray(0, bytes);
    };
    const rows = written([entry(0x30n, 5n), entry(0x40n | (9n << 32n), 0x5000n), entry(0x11n, 0n, 8)], 1, true, []);
    expect(rows.map(({ dialect, unit }) => [dialect, unit])).toEqual(rows.map(() => [DIALECT.smmuv3, 5]));
    expect(rows.map(({ words }) => smmuv3Dialect.decode(words))).toMatchObject([
      { type: 'tlbi-nh-all', vmid: 3, problems: [] },
      { type: 'atc-inv', sid: 0x2000_0001, address: 0x5000n, problems: [] },
      { type: 'tlbi-nh-asid', vmid: 3, asid: 0, problems: [] },
      { type: 'sync', signal: 2, problems: [] },
    ]);
  });

  test('the mock driver has no commands', () => {
    const entry = new Uint8Array(16);
    expect(written([entry], 0xdead_beef, false, [use(1, 0, true)])).toEqual([]);
    expect(written([entry], 0xdead_beef, true, [])).toEqual([]);
  });
});

import { describe, expect, test } from 'vitest';
import { vtdDialect } from '../../traces/dialects/vtd.ts';
import { DIALECT, INV_FORM } from '../../traces/schema.ts';
import { invalidationCommands } from './invalidation-commands.ts';

function vtdEntry(address: bigint, pages: bigint, flags = 0): Uint8Array {
  const entry = new Uint8Array(24);
  const view = new DataView(entry.buffer);
  view.setBigUint64(0, address, true);
  view.setBigUint64(8, pages, true);
  view.setUint32(16, flags, true);
  return entry;
}

const decoded = (...entries: readonly Uint8Array[]): unknown[] =>
  invalidationCommands({ type: 0, viommu: false, entries }, 7).map(({ words }) => vtdDialect.decode(words));

describe('commands of HWPT_INVALIDATE', () => {
  test('VT-d: the smallest aligned block that covers the range', () => {
    expect(decoded(vtdEntry(0x5000n, 1n), vtdEntry(0x7000n, 2n, 1))).toMatchObject([
      { type: 'pasid-iotlb', granularity: 3, domain: 7, address: 0x5000n, mask: 0, leafOnly: false },
      { type: 'pasid-iotlb', granularity: 3, domain: 7, address: 0n, mask: 4, leafOnly: true },
    ]);
  });

  test('VT-d: all pages', () => {
    expect(decoded(vtdEntry(0n, 0xffff_ffff_ffff_ffffn))).toMatchObject([{ type: 'pasid-iotlb', granularity: 2 }]);
  });

  test("SMMUv3: the guest's own commands; the mock driver has none", () => {
    const entry = Uint8Array.from({ length: 16 }, (_, i) => i);
    const words = [0x0706050403020100n, 0x0f0e0d0c0b0a0908n];
    expect(invalidationCommands({ type: 1, viommu: true, entries: [entry] }, 1)).toEqual([
      { dialect: DIALECT.smmuv3, form: INV_FORM.words, words },
    ]);
    expect(invalidationCommands({ type: 0xdead_beef, viommu: false, entries: [entry] }, 1)).toEqual([]);
  });
});

import { describe, expect, test } from 'vitest';
import { smmuv3Dialect } from '../../traces/dialects/smmuv3.ts';
import { vtdDialect } from '../../traces/dialects/vtd.ts';
import { plainEvents } from '../../traces/event.ts';
import { DERIVED_DEVICE, DIALECT, INV_FORM } from '../../traces/schema.ts';
import type { UserMemory } from '../../traces/user-memory.ts';
import { ERRNO } from '../model/iommufd/errno.ts';
import { compareTrace } from './compare.ts';
import { costProfile } from '../costs/cost-profiles.ts';
import { hardwareProfile } from '../hardware/profiles.ts';
import { callsHeader, deriveIntents } from './derived-trace.ts';
import { RecordedCalls } from './testing/recorded-calls.ts';
import { replayTrace } from './replay.ts';
import { analyzeSafety } from './safety.ts';
import type { SafetyResult } from './safety.ts';
import { verifyIoctl } from './verify-ioctl.ts';

const DATA = 0x10_0000;
const MEMORY = 0x20_0000;
const HW_INFO = { vtd: 1, smmuv3: 2 } as const;
/** Registers of the model's SMMUv3, and of its VT-d unit. */
const SMMU_INFO = [0, 0, 0x080d_169b, 0x0e73_9a90, 0, 0x414, 0, 0x75, 0, 2];
const VTD_INFO = [0, 0, 0x222f_0606, 0x81d2_008c, 0x24f0_0f4f, 0x1_ed9a];
const ALL = 0xffff_ffff;
/** vSTE: valid, stage 1, one table of context descriptors; EATS. */
const stage1 = (table: number, ats: boolean): number[] => [0xb | (table << 12), 0, ats ? 0x1000_0000 : 0, 0];
const BYPASS = [0x9, 0, 0, 0];

/** SMMUv3 commands as four words. */
const TLBI = {
  va: (asid: number, page: number): number[] => [0x12, asid << 16, (page << 12) | 1, 0],
  asid: (asid: number): number[] => [0x11, asid << 16, 0, 0],
  all: [0x30, 0, 0, 0],
};
const atc = (sid: number, page: number, order = 0): number[] => [0x40, sid, (page << 12) | order, 0];
const dropDescriptor = (sid: number): number[] => [0x05, sid, 1, 0];

/** A VMM with a guest behind a nesting parent: ids are those that the kernel gives. */
class Vmm {
  readonly calls = new RecordedCalls();
  readonly #iommu: 'vtd' | 'smmuv3';
  #id = 0;
  #fd = 4;
  #parent = 0;
  #viommu = 0;
  #ioas = 0;
  readonly #fds = new Map<number, { readonly fd: number; readonly path: string }>();

  constructor(iommu: 'vtd' | 'smmuv3') {
    this.#iommu = iommu;
    this.calls.open();
  }

  #next(): number {
    return ++this.#id;
  }

  /** The next device is another guest's. */
  newGuest(): this {
    this.#parent = 0;
    return this;
  }

  /** Binds a device; a guest's first makes the parent, and on SMMUv3 the vIOMMU. Returns its id. */
  device(ats = true): number {
    const { calls } = this;
    const file = { fd: this.#fd++, path: `/dev/vfio/devices/vfio${this.#fd}` };
    calls.call('openat', { path: file.path, fd: -1, ret: file.fd });
    const id = this.#next();
    this.#fds.set(id, file);
    calls.ioctl({ file, request: 0x3b76, before: [24, 0, 3, 0, 0, 0], after: [24, 0, 3, id, 0, 0] });
    const info = this.#iommu === 'vtd' ? VTD_INFO : SMMU_INFO;
    const bytes = info.length * 4;
    const head = [40, 0, id, bytes, DATA, 0];
    calls.ioctl({
      request: 0x3b8a,
      before: [...head, 0, 0, 0, 0],
      after: [...head, HW_INFO[this.#iommu], 0, ats ? 1 : 9, 0],
      memory: [memory(info, true)],
    });
    if (this.#parent > 0) return id;
    const ioas = this.#next();
    this.#ioas = ioas;
    calls.ioctl({ request: 0x3b81, before: [12, 0, 0], after: [12, 0, ioas] });
    this.#parent = this.#next();
    const alloc = [48, 1, id, ioas];
    calls.ioctl({
      request: 0x3b89,
      before: [...alloc, 0, 0, 0, 0, 0, 0, 0, 0],
      after: [...alloc, this.#parent, 0, 0, 0, 0, 0, 0, 0],
    });
    if (this.#iommu === 'vtd') return id;
    this.#viommu = this.#next();
    const viommu = [40, 0, 1, id, this.#parent];
    calls.ioctl({
      request: 0x3b90,
      before: [...viommu, 0, 0, 0, 0, 0],
      after: [...viommu, this.#viommu, 0, 0, 0, 0],
    });
    return id;
  }

  vdevice(device: number, virtual: number): void {
    const id = this.#next();
    const head = [24, this.#viommu, device];
    this.calls.ioctl({ request: 0x3b91, before: [...head, 0, virtual, 0], after: [...head, id, virtual, 0] });
  }

  /** A nested HWPT with the guest's table. Returns its id. */
  nested(device: number, data: readonly number[]): number {
    const id = this.#next();
    const [type, pt] = this.#iommu === 'vtd' ? [1, this.#parent] : [2, this.#viommu];
    const struct = (out: number): number[] => [48, 0, device, pt, out, 0, type, data.length * 4, DATA, 0, 0, 0];
    this.calls.ioctl({ request: 0x3b89, before: struct(0), after: struct(id), memory: [memory(data, false)] });
    return id;
  }

  attach(device: number, hwpt: number): this {
    const file = this.#fds.get(device);
    if (file === undefined) throw new Error(`no device ${device}`);
    this.calls.ioctl({ file, request: 0x3b77, before: [16, 0, hwpt, 0] });
    return this;
  }

  detach(device: number): this {
    const file = this.#fds.get(device);
    if (file === undefined) throw new Error(`no device ${device}`);
    this.calls.ioctl({ file, request: 0x3b78, before: [12, 0, 0] });
    return this;
  }

  /** IOAS_MAP at a fixed address, and IOAS_UNMAP, on the only IOAS. */
  map(iova: number, bytes: number): void {
    this.calls.ioctl({ request: 0x3b85, before: [40, 7, this.#ioas, 0, MEMORY, 0, bytes, 0, iova, 0] });
  }

  unmap(iova: number, bytes: number): void {
    this.calls.ioctl({ request: 0x3b86, before: [24, this.#ioas, iova, 0, bytes, 0] });
  }

  /** HWPT_INVALIDATE. Returns the event of the call. */
  invalidate(entries: readonly (readonly number[])[], hwpt = this.#viommu, done = entries.length, errno = 0): number {
    const [type, bytes] = this.#iommu === 'vtd' ? [0, 24] : [1, 16];
    const struct = (count: number): number[] => [32, hwpt, DATA, 0, type, bytes, count, 0];
    const words = entries.flat();
    this.calls.ioctl({
      request: 0x3b8d,
      before: struct(entries.length),
      after: struct(done),
      errno,
      memory: [memory(words, false)],
    });
    return this.calls.trace.eventCount - 1;
  }
}

function memory(words: readonly number[], written: boolean): UserMemory {
  const bytes = new Uint8Array(Int32Array.from(words).buffer);
  return {
    field: 'data_uptr',
    addressLo: DATA,
    addressHi: 0,
    lengthLo: bytes.length,
    lengthHi: 0,
    before: written ? new Uint8Array(bytes.length) : bytes,
    after: bytes,
  };
}

/** One guest with a device of virtual stream id 8 behind stage 1. */
function guest(ats = true): { readonly vmm: Vmm; readonly device: number; readonly hwpt: number } {
  const vmm = new Vmm('smmuv3');
  const device = vmm.device();
  vmm.vdevice(device, 8);
  const hwpt = vmm.nested(device, stage1(5, ats));
  vmm.attach(device, hwpt);
  return { vmm, device, hwpt };
}

function agreed({ calls }: Vmm): void {
  const part = verifyIoctl(calls.trace);
  expect(part?.divergences).toEqual([]);
  expect(part?.counts.checked).toBeGreaterThan(3);
}

function safetyOf({ calls }: Vmm): SafetyResult {
  return analyzeSafety(calls.trace);
}

/** Commands of the derived trace, decoded. */
function commands({ calls }: Vmm): { unit: unknown; type: string; [field: string]: unknown }[] {
  const derived = deriveIntents(calls.trace);
  if (derived === undefined) throw new Error('nothing derived');
  return [...derived.segments()].flatMap((segment) =>
    [...plainEvents(segment, derived.strings)].flatMap(({ stream, fields }) => {
      if (stream !== 'inv') return [];
      const { dialect, form, unit, w0, w1 } = fields;
      expect(form).toBe(INV_FORM.words);
      const known = dialect === DIALECT.smmuv3 ? smmuv3Dialect : vtdDialect;
      return [{ unit, ...known.decode([w0 as bigint, w1 as bigint]) }];
    }),
  );
}

const missing = (vmm: Vmm): { event: number; what: string }[] =>
  safetyOf(vmm).findings.map(({ kind, event, what, unmap }) => {
    expect([kind, unmap]).toEqual(['missing', -1]);
    return { event, what };
  });

describe('invalidations of an SMMUv3 guest', () => {
  test('are commands of the host in the derived trace, and the recording agrees with the model', () => {
    const { vmm } = guest();
    vmm.invalidate([TLBI.va(3, 0x77), TLBI.all, atc(8, 0x77), dropDescriptor(8)]);
    agreed(vmm);
    const sid = DERIVED_DEVICE;
    const found = commands(vmm);
    expect(found).toMatchObject([
      { type: 'tlbi-nh-va', vmid: 1, asid: 3, address: 0x7_7000n },
      { type: 'tlbi-nh-all', vmid: 1 },
      { type: 'atc-inv', sid },
      { type: 'cfgi-cd', sid },
      { type: 'sync' },
    ]);
    expect(new Set(found.map(({ unit }) => unit))).toEqual(new Set(['smmu0']));
    expect(callsHeader(vmm.calls.trace).host.iommu).toBe('smmuv3');
  });

  test('a refused command ends a list: its index is reported, only whole batches before it were issued', () => {
    const { vmm } = guest();
    const list = Array.from({ length: 100 }, () => TLBI.asid(1));
    vmm.invalidate([...list.slice(0, 99), [0x46, 0, 0, 0]], undefined, 99, ERRNO.EIO);
    vmm.invalidate([TLBI.asid(1), atc(9, 0)], undefined, 1, ERRNO.EIO);
    agreed(vmm);
    const types = commands(vmm).map(({ type }) => type);
    expect(types).toEqual([...Array.from({ length: 63 }, () => 'tlbi-nh-asid'), 'sync']);
  });

  test('a second guest has another VMID, and no stream of the first', () => {
    const { vmm } = guest();
    const device = vmm.newGuest().device();
    vmm.vdevice(device, 9);
    vmm.attach(device, vmm.nested(device, stage1(5, true)));
    vmm.invalidate([atc(8, 0)], undefined, 0, ERRNO.EIO);
    vmm.invalidate([[0x12, (3 << 16) | 1, 0x1000, 0], atc(9, 1)]);
    agreed(vmm);
    expect(commands(vmm)).toMatchObject([
      { type: 'tlbi-nh-va', vmid: 2, asid: 3 },
      { type: 'atc-inv', sid: DERIVED_DEVICE + 1 },
      { type: 'sync' },
    ]);
    expect(missing(vmm)).toEqual([]);
  });

  test('where all is refused nothing is derived', () => {
    const { vmm } = guest();
    vmm.invalidate([atc(0, 0)], undefined, 0, ERRNO.EIO);
    agreed(vmm);
    expect(deriveIntents(vmm.calls.trace)).toBeUndefined();
  });

  test('replay and comparison take them', async () => {
    const { vmm } = guest();
    vmm.map(0x1000_0000, 0x4000);
    vmm.invalidate([TLBI.va(3, 0x77), atc(8, 0x77)]);
    vmm.unmap(0x1000_0000, 0x4000);
    agreed(vmm);
    const { trace } = vmm.calls;
    expect(replayTrace(trace)).toMatchObject({ hardware: 'arm-smmuv3-generic', commands: 2, syncs: 1 });
    const result = await compareTrace(trace, {
      designs: ['linux-strict'],
      hardware: hardwareProfile('auto', callsHeader(trace)),
      profile: costProfile('auto', trace.header),
    });
    expect(result?.recorded).toMatchObject({ commands: 2, syncs: 1 });
    // the kernel's own: the guest's second stage by address, what combines it with the first, and the device's TLB
    expect(result?.designs[0]).toMatchObject({
      unmaps: 1,
      commandsByType: { 'tlbi-s2-ipa': 4, 'tlbi-nh-all': 1, 'atc-inv': 1 },
    });
    // and no finding, since its commands are in no call
    expect(missing(vmm)).toEqual([]);
  });
});

describe("a guest's ATC commands", () => {
  test('nothing is missing where each page is named to the device', () => {
    const { vmm } = guest();
    vmm.invalidate([TLBI.va(3, 0x76), TLBI.va(3, 0x77), atc(8, 0x76, 1)]);
    vmm.invalidate([TLBI.asid(3)]);
    vmm.invalidate([atc(8, 0, 52)]);
    agreed(vmm);
    const result = safetyOf(vmm);
    expect(result.findings).toEqual([]);
    expect(result).toMatchObject({ commands: { iotlb: 3, deviceTlb: 2, waits: 3 }, unflushed: null });
    expect(result.deviceTlbPerIotlb).toBeCloseTo(2 / 3);
  });

  test('what is not named is missing, at the event of the call that dropped it from the IOTLB', () => {
    const { vmm } = guest();
    vmm.invalidate([TLBI.va(3, 0x76), atc(8, 0x76)]);
    const forgotten = vmm.invalidate([TLBI.va(3, 0x80), TLBI.va(3, 0x81)]);
    // it comes first: the device may have asked again
    vmm.invalidate([atc(8, 0x90), TLBI.va(3, 0x90), atc(8, 0x81)]);
    const found = missing(vmm);
    expect(found.map(({ event }) => event)).toEqual([forgotten, forgotten + 1]);
    expect(found[0]?.what).toContain('pages 0x80 to 0x80');
    expect(found[0]?.what).toContain('ASID 3');
    expect(safetyOf(vmm).findingsByKind).toEqual({ stale: 0, missing: 2, late: 0, redundant: 0 });
  });

  test('of very many ranges the first are judged, and the rest counted', () => {
    const { vmm } = guest();
    for (let call = 0; call < 17; call++) {
      vmm.invalidate(Array.from({ length: 4096 }, (_, i) => TLBI.va(3, 2 * (call * 4096 + i))));
    }
    const result = safetyOf(vmm);
    expect(result.findingsByKind['missing']).toBe(65536);
    expect(result.findings).toHaveLength(100);
    expect(result.caveats.join()).toContain('4096 ranges of guests were given up');
  });

  test('a device without ATS has nothing to be told', () => {
    const { vmm } = guest(false);
    vmm.invalidate([TLBI.va(3, 0x80), TLBI.asid(3), TLBI.all]);
    expect(missing(vmm)).toEqual([]);
  });

  test('neither has one in bypass, or one that is gone; until it goes it does', () => {
    const { vmm, device } = guest();
    vmm.attach(device, vmm.nested(device, BYPASS));
    vmm.invalidate([TLBI.va(3, 0x80)]);
    expect(missing(vmm)).toEqual([]);
    const second = guest();
    const call = second.vmm.invalidate([TLBI.va(3, 0x80)]);
    second.vmm.detach(second.device).attach(second.device, second.hwpt);
    second.vmm.invalidate([atc(8, 0, 52)]);
    expect(missing(second.vmm).map(({ event }) => event)).toEqual([call]);
  });

  test('each device on the same table must be told; of devices with tables of their own one', () => {
    const two = (tables: 'one' | 'two', ats = true): { vmm: Vmm; call: number } => {
      const { vmm, hwpt } = guest();
      const device = vmm.device();
      vmm.vdevice(device, 9);
      vmm.attach(device, tables === 'one' ? hwpt : vmm.nested(device, stage1(6, ats)));
      return { vmm, call: vmm.invalidate([TLBI.va(3, 0x80), atc(8, 0x80), TLBI.va(4, 0x90)]) };
    };
    const shared = two('one');
    const found = missing(shared.vmm);
    expect(found.map(({ event }) => event)).toEqual([shared.call, shared.call, shared.call]);
    expect(found.filter(({ what }) => what.includes('2000:00:00.1'))).toHaveLength(2);
    const apart = two('two');
    expect(missing(apart.vmm)).toMatchObject([
      { event: apart.call, what: expect.stringContaining('no device') as string },
    ]);
    const mixed = two('two', false);
    expect(missing(mixed.vmm)).toEqual([]);
    expect(safetyOf(mixed.vmm).caveats.join()).toContain('2 IOTLB invalidations are of guests');
  });

  test('the flush of an address space that the device has left owes nothing, that of one in use does', () => {
    const { vmm } = guest();
    vmm.invalidate([dropDescriptor(8), atc(8, 0, 52), TLBI.asid(3)]);
    expect(missing(vmm)).toEqual([]);
    const call = vmm.invalidate([TLBI.asid(4)]);
    expect(missing(vmm)).toMatchObject([{ event: call, what: expect.stringContaining('all pages') as string }]);
    const used = guest();
    used.vmm.invalidate([dropDescriptor(8), atc(8, 0, 52)]);
    used.vmm.invalidate([TLBI.va(3, 1), atc(8, 1), TLBI.asid(3)]);
    expect(missing(used.vmm)).toHaveLength(1);
  });
});

describe('invalidations of a VT-d guest', () => {
  const table = [0, 0, 0x1000, 0, 48, 0];

  test('reach the device TLBs of all that goes through the table: nothing is missing', () => {
    const vmm = new Vmm('vtd');
    const first = vmm.device();
    const second = vmm.device();
    const hwpt = vmm.nested(first, table);
    vmm.attach(first, hwpt);
    vmm.attach(second, hwpt);
    vmm.invalidate([[0x5000, 0, 1, 0, 1, 0]], hwpt);
    vmm.detach(first);
    vmm.invalidate(
      [
        [0, 0, ALL, ALL, 0, 0],
        [0x5001, 0, 1, 0, 0, 0],
        [0, 0, ALL, ALL, 0, 0],
      ],
      hwpt,
      1,
      ERRNO.EINVAL,
    );
    agreed(vmm);
    expect(commands(vmm)).toMatchObject([
      { unit: 'vtd0', type: 'pasid-iotlb', granularity: 3, domain: 1, pasid: 0, address: 0x5000n, leafOnly: true },
      { type: 'devtlb', sid: 0 },
      { type: 'devtlb', sid: 1 },
      { type: 'wait' },
      { type: 'pasid-iotlb', granularity: 2, domain: 1 },
      { type: 'devtlb', sid: 1 },
      { type: 'wait' },
    ]);
    expect(safetyOf(vmm)).toMatchObject({ findings: [], commands: { iotlb: 2, deviceTlb: 3, waits: 2 } });
  });
});

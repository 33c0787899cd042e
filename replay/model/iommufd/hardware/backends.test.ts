import { describe, expect, test } from 'vitest';
import { Device, NO_PASID } from '../device.ts';
import { ERRNO } from '../errno.ts';
import { HWPT_FLAG } from '../hwpt.ts';
import { BUFFER, SimulatedCalls } from '../simulated-calls.ts';
import { StructView } from '../struct-view.ts';
import { UNKNOWN_HARDWARE } from '../vfio/hardware.ts';
import { HARDWARE, asRecorded } from './backends.ts';
import type { HardwareSpec } from './hardware-backend.ts';
import type { ReservedRegion } from './reserved-regions.ts';

type Values = Parameters<HardwareSpec['create']>[0];

const U64_MAX = (1n << 64n) - 1n;

function spec(name: string): HardwareSpec {
  const found = HARDWARE.find((member) => member.name === name);
  if (found === undefined) throw new Error(`no back-end ${name}`);
  return found;
}

/** A context with two IOASes and a bound device behind such hardware. */
function setUp(name: string, values?: Values, regions: readonly ReservedRegion[] = []) {
  const hardware = spec(name).create(values);
  const calls = new SimulatedCalls(hardware.backend);
  const device = calls.context.objects.add(new Device(calls.context, hardware.device(regions)));
  const ioas = calls.call(0x3b81, 0, 0).struct.u32(8);
  const hwpt = (flags: number, parent = ioas, type = 0, bytes: Uint8Array = new Uint8Array(0)): number => {
    if (bytes.length > 0) calls.process.memory.poke(BUFFER, bytes);
    const at = bytes.length > 0 ? BUFFER : 0;
    const { ret, struct } = calls.call(0x3b89, flags, device.id, parent, 0, 0, type, bytes.length, at, 0, 0, 0);
    return ret === 0 ? struct.u32(16) : ret;
  };
  return { calls, device, ioas, hwpt };
}

/** GET_HW_INFO: type, capabilities, PASID bits and the payload. */
function info({ calls, device }: ReturnType<typeof setUp>) {
  const { ret, struct } = calls.call(0x3b8a, 0, device.id, 64, BUFFER, 0, 0, 0, 0, 0);
  const payload = new StructView(calls.process.memory.recall(BUFFER, struct.u32(12)) ?? new Uint8Array(0));
  return { ret, type: struct.u32(24), pasidBits: struct.bytes[28], capabilities: struct.u64(32), payload };
}

/** IOAS_IOVA_RANGES. */
function ranges({ calls, ioas }: ReturnType<typeof setUp>): bigint[][] {
  const { struct } = calls.call(0x3b84, ioas, 32, 0, BUFFER, 0, 0, 0);
  const found = new StructView(calls.process.memory.recall(BUFFER, struct.u32(8) * 16) ?? new Uint8Array(0));
  return Array.from({ length: struct.u32(8) }, (_, i) => [found.u64(i * 16), found.u64(i * 16 + 8)]);
}

describe('hardware back-ends', () => {
  test('names are unique and parameters are explained', () => {
    expect(new Set(HARDWARE.map(({ name }) => name)).size).toBe(HARDWARE.length);
    for (const { parameters } of HARDWARE)
      for (const { what } of Object.values(parameters)) expect(what.length).toBeGreaterThan(10);
  });

  test.each(HARDWARE.filter(({ name }) => name !== 'mock'))(
    '$name: a device can be bound, attached and mapped',
    ({ name }) => {
      const made = setUp(name);
      const { calls, device, ioas } = made;
      expect(info(made).ret).toBe(0);
      const hwpt = device.change(NO_PASID, ioas, 'attach');
      expect(hwpt).toBeGreaterThan(0);
      expect(calls.call(0x3b85, 6, ioas, 0, BUFFER, 0, 4096, 0, 0, 0).ret).toBe(0);
      expect(device.detach()).toBe(0);
      expect(calls.context.objects.get(hwpt)).toBeUndefined();
      device.unbind();
      calls.process.closeAll();
      expect(calls.context.objects.count).toBe(0);
    },
  );

  test.each(HARDWARE)(
    '$name: an unknown parameter or one of another type is refused',
    ({ name, parameters, create }) => {
      if (Object.keys(parameters).length === 0) expect(create().backend.name.replace(' ', '-')).toBe(name);
      else {
        expect(() => create({ nothing: 1 })).toThrow(RangeError);
        expect(() => create({ [Object.keys(parameters)[0] ?? '']: 'text' as never })).toThrow(RangeError);
      }
    },
  );

  test('as recorded answers by the recording', () => {
    const usable = [{ start: 0x1000n, last: 0xffff_ffffn }];
    const { backend, device } = asRecorded({ ...UNKNOWN_HARDWARE, usable, capabilities: 9, pasidBits: 4 });
    expect(backend.name).toBe('as recorded');
    expect(device()).toMatchObject({ dirtyTracking: true, pasidBits: 4, capabilities: 8 });
  });
});

/** Units of the machines on which VFIO programs were recorded: what those saw is expected here. */
const LEGACY_VTD = { cap: 0x80d2_008c_222f_0606n, ecap: 0xf00fcan, errata772415: true, deviceAts: false };
const FIRST_STAGE_VTD = { cap: 0x81d2_008c_222f_0606n, ecap: 0x8d9a_20f0_0f4en, errata772415: true };
const EMULATED_AMD = { efr: 0x29d3n, deviceAts: false };

describe('what recorded machines answered', () => {
  test.each([
    [
      'vtd',
      LEGACY_VTD,
      [
        [0n, 0xfedf_ffffn],
        [0xfef0_0000n, 0xffff_ffff_ffffn],
      ],
    ],
    [
      'vtd',
      FIRST_STAGE_VTD,
      [
        [0n, 0xfedf_ffffn],
        [0xfef0_0000n, 0x7fff_ffff_ffffn],
      ],
    ],
    [
      'amd',
      EMULATED_AMD,
      [
        [0n, 0xfedf_ffffn],
        [0xfef0_0000n, 0xfc_ffff_ffffn],
        [0x100_0000_0000n, U64_MAX],
      ],
    ],
  ] as const)('%s: ranges', (name, values, expected) => {
    const made = setUp(name, values);
    expect(made.device.change(NO_PASID, made.ioas, 'attach')).toBeGreaterThan(0);
    expect(ranges(made)).toEqual(expected);
  });

  test('VT-d in legacy mode: no dirty bits, no nesting, no page requests', () => {
    const made = setUp('vtd', LEGACY_VTD);
    const { type, capabilities, payload } = info(made);
    expect({ type, capabilities, flags: payload.u32(0) }).toEqual({ type: 1, capabilities: 8n, flags: 1 });
    expect([payload.u64(8), payload.u64(16)]).toEqual([LEGACY_VTD.cap, LEGACY_VTD.ecap]);
    expect(made.hwpt(HWPT_FLAG.dirty)).toBe(-ERRNO.EOPNOTSUPP);
    expect(made.hwpt(HWPT_FLAG.nestParent)).toBe(-ERRNO.EOPNOTSUPP);
    const queue = made.calls.call(0x3b8e, 0, 0, 0).struct.u32(8);
    const { calls, device, ioas } = made;
    const flags = HWPT_FLAG.fault;
    const { ret, struct } = calls.call(0x3b89, flags, device.id, ioas, 0, 0, 0, 0, 0, 0, queue, 0);
    expect(ret).toBe(0);
    expect(made.device.change(NO_PASID, struct.u32(16), 'attach')).toBe(-ERRNO.ENODEV);
  });

  test('VT-d with a first stage: PASIDs of 20 bits', () => {
    expect(info(setUp('vtd', FIRST_STAGE_VTD))).toMatchObject({ type: 1, pasidBits: 20, capabilities: 0n });
  });

  test('AMD: type 4, features, no ATS', () => {
    const { type, capabilities, payload } = info(setUp('amd', EMULATED_AMD));
    expect({ type, capabilities, efr: payload.u64(0) }).toEqual({ type: 4, capabilities: 8n, efr: 0x29d3n });
  });
});

describe('flags of HWPT_ALLOC', () => {
  const { nestParent, dirty, pasid } = HWPT_FLAG;
  const all = [0, nestParent, dirty, nestParent | dirty, pasid, pasid | nestParent, pasid | dirty, 11];

  /** Stage of the table that comes out, or 0 for EOPNOTSUPP. */
  const stages = (name: string, values?: Values): number[] =>
    all.map((flags) => {
      const { calls, hwpt } = setUp(name, values);
      const id = hwpt(flags);
      if (id < 0) expect(id).toBe(-ERRNO.EOPNOTSUPP);
      return calls.context.objects.find(id, 'hwptPaging')?.domain.stage ?? 0;
    });

  test.each([
    ['vtd', undefined, [1, 2, 2, 2, 1, 2, 2, 2]],
    ['vtd', { scalable: false }, [2, 0, 0, 0, 2, 0, 0, 0]],
    ['amd', undefined, [2, 2, 2, 2, 1, 0, 0, 0]],
    ['amd', { guestTablesAtBoot: true }, [1, 2, 2, 2, 1, 0, 0, 0]],
    ['amd', { deviceAts: false }, [2, 2, 2, 2, 0, 0, 0, 0]],
    ['smmuv3', undefined, [1, 2, 1, 0, 1, 0, 1, 0]],
    ['smmuv3', { idr0: 0x080d_1699n }, [2, 0, 0, 0, 0, 0, 0, 0]],
  ] as const)('%s %o', (name, values, expected) => {
    expect(stages(name, values)).toEqual(expected);
  });
});

describe('nesting', () => {
  const vtdData = (width: number, flags = 0): Uint8Array => {
    const view = new StructView(new Uint8Array(24));
    view.setU64(0, BigInt(flags));
    view.setU32(16, width);
    return view.bytes;
  };

  test('VT-d looks at the data only when a device is attached', () => {
    const { device, hwpt } = setUp('vtd');
    const parent = hwpt(HWPT_FLAG.nestParent);
    expect(hwpt(0, hwpt(0), 1, vtdData(48))).toBe(-ERRNO.EINVAL);
    expect(hwpt(0, parent, 2, vtdData(48))).toBe(-ERRNO.EOPNOTSUPP);
    expect(hwpt(0, parent, 1, new Uint8Array(16))).toBe(-ERRNO.EINVAL);
    expect(device.change(NO_PASID, hwpt(0, parent, 1, vtdData(39)), 'attach')).toBe(-ERRNO.EINVAL);
    expect(device.change(NO_PASID, hwpt(0, parent, 1, vtdData(57)), 'attach')).toBe(-ERRNO.EINVAL);
    expect(device.change(NO_PASID, hwpt(0, parent, 1, vtdData(48, 1)), 'attach')).toBe(-ERRNO.EINVAL);
    expect(device.change(NO_PASID, hwpt(0, parent, 1, vtdData(48)), 'attach')).toBeGreaterThan(0);
  });

  test.each([
    [0x1000n, 1n, 0, 0, 0, 1],
    [0x1000n, 1n, 2, 0, -ERRNO.EOPNOTSUPP, 0],
    [0x1001n, 1n, 0, 0, -ERRNO.EINVAL, 0],
    [0n, U64_MAX, 0, 0, 0, 1],
    [0x1000n, U64_MAX, 0, 0, -ERRNO.EINVAL, 0],
    [0x1000n, 1n, 0, 7, -ERRNO.EINVAL, 0],
  ])('VT-d invalidation of %s pages %s flags %s type %s: %s', (address, pages, flags, type, expected, done) => {
    const { calls, hwpt } = setUp('vtd');
    const nested = hwpt(0, hwpt(HWPT_FLAG.nestParent), 1, vtdData(48));
    const entry = new StructView(new Uint8Array(24));
    entry.setU64(0, address);
    entry.setU64(8, pages);
    entry.setU32(16, flags);
    calls.process.memory.poke(BUFFER, entry.bytes);
    const { ret, struct } = calls.call(0x3b8d, nested, BUFFER, 0, type, 24, 1, 0);
    expect([ret, struct.u32(24)]).toEqual([expected, done]);
  });

  /** A vSTE: valid, with this Config. */
  const ste = (config: number, word1 = 0n): Uint8Array => {
    const view = new StructView(new Uint8Array(16));
    view.setU64(0, BigInt(1 | (config << 1)));
    view.setU64(8, word1);
    return view.bytes;
  };

  test('SMMUv3 nests by a vIOMMU; stage 1 needs a vDEVICE', () => {
    const { calls, device, hwpt } = setUp('smmuv3');
    const parent = hwpt(HWPT_FLAG.nestParent);
    expect(hwpt(0, parent, 2, ste(5))).toBe(-ERRNO.EOPNOTSUPP);
    const viommu = calls.call(0x3b90, 0, 1, device.id, parent, 0, 0, 0, 0, 0).struct.u32(20);
    expect(hwpt(0, viommu, 2, ste(6))).toBe(-ERRNO.EIO);
    expect(hwpt(0, viommu, 2, ste(5, 2n << 28n))).toBe(-ERRNO.EIO);
    expect(hwpt(0, viommu, 2, ste(5, 1n << 40n))).toBe(-ERRNO.EIO);
    expect(device.change(NO_PASID, hwpt(0, viommu, 2, ste(4)), 'attach')).toBeGreaterThan(0);
    expect(device.change(NO_PASID, hwpt(0, viommu, 2, ste(5)), 'replace')).toBe(-ERRNO.ENOENT);
    expect(calls.call(0x3b91, viommu, device.id, 0, 9, 0).ret).toBe(0);
    expect(device.change(NO_PASID, hwpt(0, viommu, 2, ste(5)), 'replace')).toBeGreaterThan(0);
    // TLBI_NH_ALL, CFGI_CD of stream 9 and of stream 8, which no vDEVICE has.
    const commands = new StructView(new Uint8Array(48));
    commands.setU32(0, 0x10);
    commands.setU32(16, 0x05);
    commands.setU32(20, 9);
    commands.setU32(32, 0x05);
    commands.setU32(36, 8);
    calls.process.memory.poke(BUFFER, commands.bytes);
    const { ret, struct } = calls.call(0x3b8d, viommu, BUFFER, 0, 1, 16, 3, 0);
    expect([ret, struct.u32(24)]).toEqual([-ERRNO.EIO, 2]);
    expect(calls.call(0x3b8d, viommu, 0, 0, 1, 16, 0, 0).ret).toBe(-ERRNO.EINVAL);
    // No buffer for so many, of whatever type; the count stays.
    const many = calls.call(0x3b8d, viommu, BUFFER, 0, 7, 16, 1 << 19, 0);
    expect([many.ret, many.struct.u32(24)]).toEqual([-ERRNO.ENOMEM, 1 << 19]);
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SMMUV3_OPCODE, smmuOpcode, smmuSid, smmuVmid } from '../../traces/dialects/smmuv3-fields.ts';
import { vtdDialect } from '../../traces/dialects/vtd.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { DERIVED_DEVICE, DIALECT } from '../../traces/schema.ts';
import { joinWords } from '../../traces/units.ts';
import { Device, NO_PASID } from '../model/iommufd/device.ts';
import { ERRNO } from '../model/iommufd/errno.ts';
import { HARDWARE } from '../model/iommufd/hardware/backends.ts';
import { HWPT_FLAG } from '../model/iommufd/hwpt.ts';
import { BUFFER, SimulatedCalls } from '../model/iommufd/simulated-calls.ts';
import { IntentWriter } from './ioctl-intents.ts';
import { testHeader } from '../../traces/testing/test-header.ts';

/** Random lists of HWPT_INVALIDATE through the whole model, to what the derived trace holds of them. */

const VIRTUAL = [3, 9] as const;

function setUp(name: 'vtd' | 'smmuv3') {
  const trace = new MemoryTrace(testHeader());
  const hardware = HARDWARE.find((member) => member.name === name)?.create();
  if (hardware === undefined) throw new Error(`no ${name}`);
  const calls = new SimulatedCalls(hardware.backend);
  calls.machine.intents = new IntentWriter(trace, DIALECT[name]);
  const ioas = calls.call(0x3b81, 0, 0).struct.u32(8);
  const devices = VIRTUAL.map(() => calls.context.objects.add(new Device(calls.context, hardware.device())));
  const hwpt = (device: Device, flags: number, pt: number, type: number, data: readonly number[]): number => {
    put(calls, data);
    const at = data.length > 0 ? BUFFER : 0;
    return calls.call(0x3b89, flags, device.id, pt, 0, 0, type, data.length * 4, at, 0, 0, 0).struct.u32(16);
  };
  return { trace, calls, ioas, devices, hwpt };
}

function put(calls: SimulatedCalls, words: readonly number[]): void {
  calls.process.memory.poke(BUFFER, new Uint8Array(Int32Array.from(words).buffer));
}

interface Row {
  readonly dialect: number;
  readonly words: readonly [number, number, number, number];
}

function rows(trace: MemoryTrace): Row[] {
  const list: Row[] = [];
  for (const segment of trace.segments()) {
    const { columns, count } = segment.rows.inv;
    for (let i = 0; i < count; i++) {
      const word = (name: 'w0Lo' | 'w0Hi' | 'w1Lo' | 'w1Hi'): number => columns[name][i] ?? 0;
      list.push({ dialect: columns.dialect[i] ?? -1, words: [word('w0Lo'), word('w0Hi'), word('w1Lo'), word('w1Hi')] });
    }
  }
  return list;
}

const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

describe('lists of HWPT_INVALIDATE', () => {
  test('SMMUv3: what is issued is of the guest alone, and stops with the batch before the first refusal', () => {
    const opcode = fc.constantFrom(0x05, 0x06, 0x10, 0x11, 0x12, 0x13, 0x30, 0x40);
    const bad = fc.constantFrom(0x03, 0x04, 0x20, 0x22, 0x28, 0x2a, 0x41, 0x44, 0x46, 0xff);
    const sid = fc.oneof({ weight: 60, arbitrary: fc.constantFrom(...VIRTUAL) }, { weight: 1, arbitrary: word });
    const command = fc.tuple(
      fc.oneof({ weight: 200, arbitrary: opcode }, { weight: 1, arbitrary: bad }),
      sid,
      word,
      word,
    );
    const length = fc.constantFrom(8, 12, 16, 24);
    fc.assert(
      fc.property(fc.array(command, { minLength: 1, maxLength: 200 }), length, (list, bytes) => {
        const { trace, calls, ioas, devices, hwpt } = setUp('smmuv3');
        const [first, second] = devices;
        if (first === undefined || second === undefined) throw new Error('no devices');
        const parent = hwpt(first, HWPT_FLAG.nestParent, ioas, 0, []);
        const viommu = calls.call(0x3b90, 0, 1, first.id, parent, 0, 0, 0, 0, 0).struct.u32(20);
        devices.forEach((device, i) => calls.call(0x3b91, viommu, device.id, 0, VIRTUAL[i] ?? 0, 0));
        const nested = hwpt(first, 0, viommu, 2, [0xb, 0, 0x1000_0000, 0]);
        expect(first.change(NO_PASID, nested, 'attach')).toBe(nested);
        put(
          calls,
          list.flatMap((entry) => [...entry, 0, 0].slice(0, bytes / 4)),
        );
        const { ret, struct } = calls.call(0x3b8d, viommu, BUFFER, 0, 1, bytes, list.length, 0);
        const refused = list.findIndex(
          ([op, id]) =>
            ![0x05, 0x06, 0x10, 0x11, 0x12, 0x13, 0x30, 0x40].includes(op) ||
            ([0x05, 0x06, 0x40].includes(op) && id !== VIRTUAL[0] && id !== VIRTUAL[1]),
        );
        expect([ret, struct.u32(24)]).toEqual(refused < 0 ? [0, list.length] : [-ERRNO.EIO, refused]);
        const issued = refused < 0 ? list.length : refused - (refused % 63);
        const found = rows(trace);
        const commands = found.filter(({ words: [w0Lo] }) => smmuOpcode(w0Lo) !== SMMUV3_OPCODE.sync);
        expect(commands).toHaveLength(issued);
        expect(found).toHaveLength(issued + Math.ceil(issued / 63));
        commands.forEach(({ dialect, words: [w0Lo, w0Hi, w1Lo, w1Hi] }, i) => {
          const [op = 0, id = 0, third = 0, fourth = 0] = list[i] ?? [];
          expect(dialect).toBe(DIALECT.smmuv3);
          if ([0x05, 0x06, 0x40].includes(op)) expect(smmuSid(w0Hi)).toBe(DERIVED_DEVICE + deviceNumber(id));
          else expect(smmuVmid(w0Hi)).toBe(1);
          expect(smmuOpcode(w0Lo)).toBe(op === 0x30 ? 0x10 : op);
          if (op !== 0x30) expect([w1Lo, w1Hi]).toEqual([bytes > 8 ? third : 0, bytes > 12 ? fourth : 0]);
        });
      }),
      { numRuns: 60 },
    );
  });

  test('VT-d: each entry becomes descriptors in the host’s numbers and a wait, up to the first refusal', () => {
    const entry = fc.record({
      page: fc.nat(0xf_ffff),
      pages: fc.integer({ min: 1, max: 5000 }),
      leaf: fc.boolean(),
      bad: fc.oneof({ weight: 20, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constantFrom(1, 2, 3) }),
    });
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 40 }), fc.nat(2), (list, attached) => {
        const { trace, calls, ioas, devices, hwpt } = setUp('vtd');
        const [first] = devices;
        if (first === undefined) throw new Error('no device');
        const parent = hwpt(first, HWPT_FLAG.nestParent, ioas, 0, []);
        const nested = hwpt(first, 0, parent, 1, [0, 0, 0x1000, 0, 48, 0]);
        for (const device of devices.slice(0, attached)) expect(device.change(NO_PASID, nested, 'attach')).toBe(nested);
        put(
          calls,
          list.flatMap(({ page, pages, leaf, bad }) => [
            (page << 12) | (bad === 1 ? 1 : 0),
            0,
            pages,
            0,
            (leaf ? 1 : 0) | (bad === 2 ? 2 : 0),
            bad === 3 ? 1 : 0,
          ]),
        );
        const { ret, struct } = calls.call(0x3b8d, nested, BUFFER, 0, 0, 24, list.length, 0);
        const refused = list.findIndex(({ bad }) => bad !== 0);
        const done = refused < 0 ? list.length : refused;
        expect(struct.u32(24)).toBe(done);
        expect(ret).toBe(refused < 0 ? 0 : list[refused]?.bad === 1 ? -ERRNO.EINVAL : -ERRNO.EOPNOTSUPP);
        const found = rows(trace).map(({ words: [w0Lo, w0Hi, w1Lo, w1Hi] }) =>
          vtdDialect.decode([joinWords(w0Lo, w0Hi), joinWords(w1Lo, w1Hi)]),
        );
        const each = attached === 0 ? [] : ['pasid-iotlb', ...Array.from({ length: attached }, () => 'devtlb'), 'wait'];
        expect(found.map(({ type }) => type)).toEqual(Array.from({ length: done }, () => each).flat());
        found.forEach((command, i) => {
          const { page = 0, pages = 0, leaf } = list[Math.floor(i / each.length)] ?? {};
          expect(command.problems).toEqual([]);
          if (command.type !== 'pasid-iotlb') return;
          expect(command.domain).toBe(1);
          // no block of 2^18 pages holds it: all of the PASID
          if (command.granularity === 2) {
            expect(Math.floor(page / 2 ** 18)).not.toBe(Math.floor((page + pages - 1) / 2 ** 18));
            return;
          }
          expect(command.leafOnly).toBe(leaf);
          const from = Number(command.address >> 12n);
          expect(from).toBeLessThanOrEqual(page);
          expect(from + 2 ** command.mask).toBeGreaterThanOrEqual(page + pages);
        });
      }),
      { numRuns: 100 },
    );
  });
});

/** Devices are numbered as the trace meets them: the attached one first, others by the first command that names them. */
function deviceNumber(virtual: number): number {
  return virtual === VIRTUAL[0] ? 0 : 1;
}

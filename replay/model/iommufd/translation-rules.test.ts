import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Backend } from './backend.ts';
import { Device, DeviceGroup } from './device.ts';
import { ERRNO } from './errno.ts';
import { HARDWARE } from './hardware/backends.ts';
import { HWPT_FLAG } from './hwpt.ts';
import { mockDevice } from './mock/mock-backend.ts';
import { PasidDevice } from './pasid-device.ts';
import { BUFFER, SimulatedCalls } from './simulated-calls.ts';
import { openUacce } from './sva.ts';
import { objectTrees } from './object-tree.ts';
import { exit } from './system-calls.ts';
import { simulatedProcess } from './testing/simulated-process.ts';
import { TranslationGroup } from './translation-group.ts';
import { BLOCKED, IDENTITY, TranslationLog, hitless, observed, visibleSteps } from './translation-state.ts';
import type { Translation } from './translation-state.ts';

/**
 * The ten rules for IOMMU drivers of the 2023 Linux Plumbers talk on IOMMUFD, by number, on what devices see over time: for the
 * kernel's own changes (`TranslationGroup`) and for those that user space asks for (attach, replace, detach), with every driver.
 */

const paging = (domain: number, stage: 1 | 2 = 1): Translation => ({ kind: stage === 1 ? 'stage1' : 'stage2', domain });
const anyPaging = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.constantFrom(1 as const, 2 as const));
const anyDomain = fc.oneof(
  fc.constantFrom(BLOCKED, IDENTITY),
  anyPaging.map(([domain, stage]) => paging(domain, stage)),
);
/** A change, and the device whose driver refuses it, if any. */
const anyChange = fc.record({
  pasid: fc.integer({ min: 0, max: 3 }),
  to: anyDomain,
  refuses: fc.option(fc.nat(2), { nil: undefined }),
});

const PASID_BITS = 4;
const DEVICES = 3;

const REAL = HARDWARE.filter(({ name }) => name !== 'as-recorded');

describe.each(REAL)('rules of drivers, the kernel’s changes: $name', ({ create }) => {
  const { entries } = create();
  const group = (start: Translation = IDENTITY) => new TranslationGroup(entries, DEVICES, start, PASID_BITS);
  const refusalOf = (refuses: number | undefined) => (device: number) => (device === refuses ? -ERRNO.ENOMEM : 0);
  const now = (of: TranslationGroup) =>
    Array.from({ length: DEVICES }, (_, device) => [0, 1, 2, 3].map((pasid) => of.seen(device, pasid).at(-1)));

  test('1: blocked and identity never fail', () => {
    fc.assert(
      fc.property(fc.array(anyChange), fc.constantFrom(BLOCKED, IDENTITY), (changes, to) => {
        const devices = group();
        for (const { pasid, to: next, refuses } of changes) devices.change(pasid, next, refusalOf(refuses));
        expect(devices.change(0, to, () => -ERRNO.ENOMEM)).toBe(0);
        expect(devices.now()).toEqual(to);
        for (const pasid of [1, 2, 3]) expect(devices.change(pasid, BLOCKED, () => -ERRNO.ENOMEM)).toBe(0);
      }),
    );
  });

  test('3: a failed change leaves every device with what it had', () => {
    fc.assert(
      fc.property(fc.array(anyChange, { minLength: 1 }), (changes) => {
        const devices = group();
        for (const { pasid, to, refuses } of changes) {
          const before = now(devices);
          const steps = devices.seen(0, pasid).length;
          if (devices.change(pasid, to, refusalOf(refuses)) === 0) continue;
          expect(now(devices)).toEqual(before);
          // The device that refused, here the first, saw nothing at all.
          if (refuses === 0) expect(devices.seen(0, pasid)).toHaveLength(steps);
        }
      }),
    );
  });

  test('4: identity -> DMA -> identity is hitless for addresses that are mapped 1:1', () => {
    fc.assert(
      fc.property(fc.array(anyPaging, { minLength: 1 }), (domains) => {
        const devices = group();
        for (const [domain, stage] of domains) {
          expect(devices.change(0, paging(domain, stage))).toBe(0);
          expect(devices.change(0, IDENTITY)).toBe(0);
        }
        for (const { kind } of devices.seen(0)) expect(kind).not.toBe('blocked');
        expect(devices.seen(0)).toHaveLength(1 + 2 * domains.length);
      }),
    );
  });

  test('5: between paging and blocked there is no identity, even on failure', () => {
    const change = anyChange.filter(({ to }) => to.kind !== 'identity');
    fc.assert(
      fc.property(fc.array(change), (changes) => {
        const devices = group(paging(9));
        devices.claim();
        for (const { pasid, to, refuses } of changes) devices.change(pasid, to, refusalOf(refuses));
        devices.release();
        for (const pasid of [0, 1, 2, 3])
          for (let device = 0; device < DEVICES; device++)
            for (const { kind } of devices.seen(device, pasid)) expect(kind).not.toBe('identity');
        expect(devices.now()).toEqual(paging(9));
      }),
    );
  });

  test('6, 7: PASIDs have domains of their own, and keep them while the RID changes', () => {
    fc.assert(
      fc.property(fc.array(anyChange, { minLength: 4 }), (changes) => {
        const devices = group();
        expect(devices.change(1, paging(1))).toBe(0);
        const before = devices.seen(0, 1).length;
        for (const { to } of changes) {
          const ret = devices.change(0, to);
          expect(ret).toBe(entries.ridBesidePasids(to) ? 0 : -ERRNO.EBUSY);
          expect(devices.now(1)).toEqual(paging(1));
        }
        expect(devices.seen(0, 1)).toHaveLength(before);
        for (const to of [BLOCKED, IDENTITY, paging(2)]) expect(devices.change(0, to)).toBe(0);
        expect(devices.change(2 ** PASID_BITS, paging(1))).toBe(-ERRNO.EINVAL);
      }),
    );
  });

  test('8: the kernel has page tables of processes on PASIDs only', () => {
    expect(group().change(0, { kind: 'sva', domain: 1 })).toBe(-ERRNO.EINVAL);
    const devices = group();
    expect(devices.change(1, { kind: 'sva', domain: 1 })).toBe(0);
    expect(devices.now(1).kind).toBe('sva');
  });

  test('10: a change between domains is hitless where one store can do it, else blocked is between', () => {
    fc.assert(
      fc.property(anyDomain, anyDomain, fc.nat(2), (from, to, pasid) => {
        const steps = visibleSteps(entries, from, to, pasid);
        if (from.kind === to.kind && from.domain === to.domain) expect(steps).toEqual([]);
        else expect(steps.at(-1)).toEqual(to);
        for (const step of steps.slice(0, -1)) expect(step).toEqual(BLOCKED);
        if (from.kind !== 'blocked') expect(hitless(entries, from, to, pasid)).toBe(steps.length < 2);
      }),
    );
  });
});

describe('what the formats of entries allow', () => {
  const can = (name: string, from: Translation, to: Translation, pasid = 0, values?: { [name: string]: boolean }) => {
    const found = HARDWARE.find((member) => member.name === name);
    return found === undefined ? undefined : hitless(found.create(values).entries, from, to, pasid);
  };

  test('VT-d: second stages replace each other at once, first stages do not', () => {
    expect(can('vtd', paging(1, 2), paging(2, 2))).toBe(true);
    expect(can('vtd', paging(1, 1), paging(2, 2))).toBe(true);
    expect(can('vtd', paging(1, 1), paging(2, 1))).toBe(false);
  });

  test('AMD: tables of one kind replace each other at once, PASIDs always', () => {
    expect(can('amd', paging(1, 2), paging(2, 2))).toBe(true);
    expect(can('amd', paging(1, 1), paging(2, 1))).toBe(true);
    expect(can('amd', paging(1, 1), paging(2, 1), 5)).toBe(true);
  });

  test('SMMUv3: stages replace each other at once, tables of one stage do not', () => {
    expect(can('smmuv3', paging(1, 1), paging(2, 2))).toBe(true);
    expect(can('smmuv3', paging(1, 2), paging(2, 2))).toBe(false);
    expect(can('smmuv3', paging(1, 1), paging(2, 1))).toBe(false);
    expect(can('smmuv3', paging(1, 1), paging(2, 1), 5)).toBe(false);
  });
});

/** A device behind a driver that can be told to refuse, two IOASes that map the same, HWPTs on both. */
function setUp(name: string) {
  const hardware = REAL.find((member) => member.name === name)?.create();
  if (hardware === undefined) throw new Error(`no back-end ${name}`);
  const log = new TranslationLog(hardware.entries);
  const driver = { refuses: false, log };
  const backend: Backend = {
    ...hardware.backend,
    attach: (...args) => (driver.refuses ? -ERRNO.ENOMEM : hardware.backend.attach(...args)),
  };
  const calls = new SimulatedCalls(observed(backend, log));
  const group = new DeviceGroup();
  const mock = name === 'mock' ? mockDevice(4) : undefined;
  const traits = mock?.traits ?? hardware.device();
  const device = calls.context.objects.add(new Device(calls.context, traits, group, mock?.data));
  const ioases = [0, 1].map(() => calls.call(0x3b81, 0, 0).struct.u32(8));
  for (const ioas of ioases) calls.call(0x3b85, 7, ioas, 0, BUFFER, 0, 8192, 0, 0x200_0000, 0);
  const hwpts = ioases.flatMap((ioas) =>
    [0, HWPT_FLAG.pasid, HWPT_FLAG.nestParent, HWPT_FLAG.dirty].map((flags) => {
      const { ret, struct } = calls.call(0x3b89, flags, device.id, ioas, 0, 0, 0, 0, 0, 0, 0, 0);
      return ret === 0 ? struct.u32(16) : 0;
    }),
  );
  const [first = 0] = ioases;
  return { calls, device, driver, log, group, traits, first, targets: [...ioases, ...hwpts.filter((id) => id > 0)] };
}

describe.each(REAL)('rules of drivers, what user space asks for: $name', ({ name }) => {
  const anyCall = fc.record({
    what: fc.constantFrom('attach' as const, 'replace' as const, 'detach' as const),
    pasid: fc.constantFrom(0, 0, 1, 2),
    target: fc.nat(20),
    refuses: fc.boolean(),
  });
  const PASIDS = [0, 1, 2];

  test('1, 3, 5, 7: detaching never fails, a refusal changes nothing, no PASID touches another, identity is never seen', () => {
    let changed = 0;
    let failed = 0;
    fc.assert(
      fc.property(fc.array(anyCall, { minLength: 20, maxLength: 60, size: 'max' }), (sequence) => {
        const { calls, device, driver, log, targets } = setUp(name);
        const { objects } = calls.context;
        const books = () =>
          JSON.stringify([...objects.values()].map(({ id, type, users }) => [id, type, users, device.attached(0)?.id]));
        const holes = () => targets.map((id) => objects.find(id, 'ioas')?.reserved.holes());
        for (const { what, pasid, target, refuses } of sequence) {
          const before = { books: books(), holes: holes(), seen: PASIDS.map((each) => [...log.seen(device, each)]) };
          driver.refuses = refuses;
          const ret =
            what === 'detach'
              ? device.detach(pasid)
              : device.change(pasid, targets[target % targets.length] ?? 0, what);
          driver.refuses = false;
          if (what === 'detach') {
            expect(ret).toBe(0);
            expect(log.now(device, pasid)).toEqual(BLOCKED);
          } else if (ret < 0) {
            failed++;
            expect({ books: books(), holes: holes(), seen: PASIDS.map((each) => log.seen(device, each)) }).toEqual(
              before,
            );
          } else {
            changed++;
            expect(log.now(device, pasid)).toEqual(log.translationOf(device.attached(pasid)));
          }
          for (const other of PASIDS) if (other !== pasid) expect(log.seen(device, other)).toEqual(before.seen[other]);
          for (const each of PASIDS) for (const { kind } of log.seen(device, each)) expect(kind).not.toBe('identity');
        }
        // Books balance: with the device and the file gone, so is everything that they held.
        const backing = calls.process.memory.find(BUFFER)?.backing;
        for (const pasid of PASIDS) device.detach(pasid);
        device.unbind();
        calls.process.closeAll();
        expect(objects.count).toBe(0);
        expect(backing?.pinners.size).toBe(0);
      }),
      { numRuns: 40 },
    );
    expect(changed).toBeGreaterThan(100);
    expect(failed).toBeGreaterThan(100);
  });

  test('2: what is mapped before the attach is as what is mapped after it', () => {
    const pages = fc.uniqueArray(fc.nat(60), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(pages, fc.boolean(), (numbers, byHwpt) => {
        const [early, late] = [true, false].map((before) => {
          const { calls, device, log, first, targets } = setUp(name);
          const attach = () =>
            expect(device.change(0, byHwpt ? (targets[2] ?? 0) : first, 'attach')).toBeGreaterThan(0);
          if (!before) attach();
          const results = numbers.map(
            (n) => calls.call(0x3b85, 7, first, 0, BUFFER + n * 8192, 0, 4096, 0, 0x300_0000 + n * 4096, 0).ret,
          );
          if (before) attach();
          const areas = [...(calls.context.objects.find(first, 'ioas')?.areas.values() ?? [])];
          return {
            results,
            seen: log.seen(device).map(({ kind }) => kind),
            areas: areas.map(({ start, last, startByte, prot }) => [start, last, startByte, prot]),
            pinned: areas.map((area) => area.pages.pinned(area.firstPage)),
          };
        });
        expect(early).toEqual(late);
        expect(early?.pinned).toEqual(Array(numbers.length + 1).fill(true));
      }),
      { numRuns: 30 },
    );
  });

  test('10: a replace shows the device the new domain at once where the entry can, else blocked between', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { minLength: 2, maxLength: 12 }), (order) => {
        const { device, log, targets } = setUp(name);
        const entries = REAL.find((member) => member.name === name)?.create().entries;
        expect(device.change(0, targets[0] ?? 0, 'attach')).toBeGreaterThan(0);
        for (const target of order) {
          const from = log.now(device);
          const length = log.seen(device).length;
          if (device.change(0, targets[target % targets.length] ?? 0, 'replace') < 0) continue;
          const to = log.translationOf(device.attached());
          if (entries !== undefined) expect(log.seen(device).slice(length)).toEqual(visibleSteps(entries, from, to, 0));
        }
      }),
      { numRuns: 40 },
    );
  });

  test('6: several PASID-granular devices on one RID', () => {
    const step = fc.record({ part: fc.nat(3), target: fc.nat(20), detach: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const { calls, device, driver, log, group, traits, targets } = setUp(name);
        const parts = [1, 2, 3, 4].map((pasid) =>
          PasidDevice.on(calls.context, traits, group, pasid, device.driverData),
        );
        const expected = new Map<number, number>();
        for (const { part, target, detach } of steps) {
          const each = parts[part];
          if (each === undefined) throw new Error('the device has PASIDs');
          if (detach) {
            expect(each.detach()).toBe(0);
            expected.delete(part);
          } else {
            const ret = each.attach(targets[target % targets.length] ?? 0);
            if (ret > 0) expected.set(part, ret);
          }
          for (const [i, other] of parts.entries()) {
            expect(other?.attached?.id).toBe(expected.get(i));
            const { kind } = log.now(device, i + 1);
            expect(kind === 'blocked').toBe(!expected.has(i));
          }
          expect(log.seen(device)).toEqual([BLOCKED]);
        }
        driver.refuses = true;
        for (const each of parts) each?.unbind();
        expect(group.attachments.size).toBe(0);
        expect(PasidDevice.on(calls.context, traits, group, 0)).toBeUndefined();
        expect(PasidDevice.on(calls.context, traits, group, 2 ** traits.pasidBits)).toBeUndefined();
      }),
      { numRuns: 40 },
    );
  });

  test('6, 8, 9: domains of IOMMUFD and page tables of processes share the PASIDs of a device', () => {
    const step = fc.record({
      what: fc.constantFrom('bind', 'bind', 'unbind', 'exit', 'attach', 'attach', 'replace', 'detach'),
      process: fc.integer({ min: 11, max: 13 }),
      pasid: fc.integer({ min: 1, max: 3 }),
      target: fc.nat(20),
      refuses: fc.boolean(),
    });
    const met = { bound: 0, taken: 0, inTheWay: 0, attached: 0 };
    const RUNS = 60;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50, size: 'max' }), (chosen) => {
        const { calls, device, driver, log, targets } = setUp(name);
        // Whatever comes then, it begins with each of the meetings: PASID 1 is a process's when a domain comes, 2 a domain's.
        const calm = { process: 11, pasid: 1, target: 0, refuses: false };
        const everyTarget = (pasid: number) =>
          targets.map((_, target) => ({ ...calm, what: 'attach' as const, pasid, target }));
        const steps = [
          { ...calm, what: 'bind' as const },
          ...everyTarget(1),
          ...everyTarget(2),
          { ...calm, what: 'bind' as const, process: 12 },
          ...chosen,
        ];
        const { sva } = calls.machine;
        const counts = new Map<number, number>();
        const pasids = new Map<number, number>();
        const gone = new Set<number>();
        for (const { what, process, pasid, target, refuses } of steps) {
          const before = [1, 2, 3].map((each) => log.seen(device, each).length);
          const attached = [1, 2, 3].map((each) => device.attached(each));
          const count = counts.get(process) ?? 0;
          driver.refuses = refuses && what !== 'detach';
          let ret = 0;
          if (what === 'bind' && !gone.has(process)) {
            ret = sva.bind(device, process);
            if (ret > 0) {
              expect(ret).toBe(pasids.get(process) ?? ret);
              pasids.set(process, ret);
              counts.set(process, count + 1);
              met.bound++;
              expect(attached[ret - 1]).toBeUndefined();
              expect(log.now(device, ret).kind).toBe('sva');
            } else if (ret === -ERRNO.EBUSY) met.taken++;
          } else if (what === 'unbind') {
            expect(sva.unbind(device, process)).toBe(count > 0);
            counts.set(process, Math.max(0, count - 1));
            if (count === 1) expect(log.now(device, pasids.get(process))).toEqual(BLOCKED);
          } else if (what === 'exit') {
            sva.exit(process);
            gone.add(process);
            if (count > 0) expect(log.now(device, pasids.get(process))).toEqual(BLOCKED);
          } else if (what === 'detach') ret = device.detach(pasid);
          else if (what !== 'bind') {
            ret = device.change(
              pasid,
              targets[target % targets.length] ?? 0,
              what === 'replace' ? 'replace' : 'attach',
            );
            if (ret > 0) met.attached++;
            const owner = device.group.sva.get(pasid);
            if (owner !== undefined) {
              expect(ret).toBeLessThan(0);
              if (ret === -ERRNO.EBUSY) met.inTheWay++;
            }
          }
          driver.refuses = false;
          if (ret < 0) expect([1, 2, 3].map((each) => log.seen(device, each).length)).toEqual(before);
          for (const each of [1, 2, 3]) {
            const owner = device.group.sva.get(each);
            expect(owner === undefined || device.attached(each) === undefined).toBe(true);
            expect(log.now(device, each).kind === 'sva').toBe(owner !== undefined && !gone.has(owner.process));
          }
          const facts = objectTrees(calls.machine)[0]?.objects.find(({ id }) => id === device.id)?.facts ?? {};
          for (const [each, owner] of device.group.sva)
            expect(facts[`pasid ${each}`]).toBe(`sva of process ${owner.process}`);
          expect(log.seen(device)).toEqual([BLOCKED]);
        }
      }),
      { numRuns: RUNS },
    );
    for (const count of Object.values(met)) expect(count).toBeGreaterThanOrEqual(RUNS);
  });

  test('9: the end of a process, or of its file, gives the PASID back', () => {
    const { calls, device, log, traits } = setUp(name);
    const { machine } = calls;
    const [first, second] = [21, 22].map((pid) => simulatedProcess(machine, pid));
    for (const [i, process] of [first, second].entries()) {
      const file = openUacce(machine.sva, device, 21 + i);
      if (typeof file === 'number' || process === undefined) throw new Error('the device has PASIDs');
      process.fds.set(0, file);
      file.refs++;
      expect(log.now(device, i + 1).kind).toBe('sva');
    }
    first?.close(0);
    expect(log.now(device, 1)).toEqual(BLOCKED);
    expect(device.group.sva.has(1)).toBe(false);
    exit(machine, 22);
    expect(log.seen(device, 2).map(({ kind }) => kind)).toEqual(['blocked', 'sva', 'blocked']);
    expect(device.group.sva.size).toBe(0);
    // The first process still lives, and its PASID with it.
    expect(machine.sva.bind(device, 23)).toBe(2);
    expect(machine.sva.bind(device, 21)).toBe(1);
    const narrow = new Device(calls.context, { ...traits, pasidBits: 1 });
    expect(machine.sva.bind(narrow, 23)).toBe(-ERRNO.EOVERFLOW);
    expect(machine.sva.bind(narrow, 24)).toBe(-ERRNO.ENOSPC);
    expect(machine.sva.bind(new Device(calls.context, { ...traits, pasidBits: 0 }), 25)).toBe(-ERRNO.ENOSPC);
  });
});

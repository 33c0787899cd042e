import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DialectCommand } from '../../traces/dialects/dialect.ts';
import { dialectById } from '../../traces/dialects/dialects.ts';
import { FAULT_FLAG } from './device-fault.ts';
import type { DeviceFault } from './device-fault.ts';
import { IopfQueue } from './iopf-queue.ts';
import type { FaultGroup } from './iopf-queue.ts';
import { PageRequestUnit } from './page-request-unit.ts';
import { RESPONSE, pageResponse, readPageResponse } from './page-response.ts';
import { amdPpr } from './queues/amd-ppr.ts';
import type { PageRequestQueue, QueueHost } from './queues/page-request-queue.ts';
import { PAGE_REQUEST_QUEUES, pageRequestQueue, queueOfIommu } from './queues/page-request-queues.ts';
import { riscvPq } from './queues/riscv-pq.ts';
import { smmuv3Priq } from './queues/smmuv3-priq.ts';
import { smmuv3Stall } from './queues/smmuv3-stall.ts';
import { vtdPrq } from './queues/vtd-prq.ts';
import { highWord, lowWord } from '../../traces/units.ts';

const HOST: QueueHost = { addressBits: 48, knows: (rid) => rid < 0x100, maxPasids: () => 16 };
const RID = 8;
const PASID = 7;

interface Request {
  readonly group: number;
  readonly page: bigint;
  readonly last: boolean;
}

/** The fields of a valid write request, in each queue's own record. */
const RECORDS = new Map<PageRequestQueue, (request: Request) => { readonly [name: string]: unknown }>([
  [
    vtdPrq,
    ({ group, page, last }: Request) => ({
      type: 'page-request',
      pasidPresent: true,
      privatePresent: false,
      rid: RID,
      pasid: PASID,
      execute: false,
      privileged: false,
      read: false,
      write: true,
      last,
      group,
      address: page,
      private0: 0n,
      private1: 0n,
    }),
  ],
  [
    smmuv3Stall,
    ({ group, page }: Request) => ({
      type: 'event',
      id: 0x10,
      ssv: true,
      ssid: PASID,
      sid: RID,
      tag: group,
      stall: true,
      privileged: false,
      instruction: false,
      read: false,
      stage2: false,
      class: 2,
      tableRead: false,
      address: page + 4n,
      fetch: 0n,
    }),
  ],
  [
    smmuv3Priq,
    ({ group, page, last }: Request) => ({
      type: 'page-request',
      sid: RID,
      ssid: PASID,
      ssv: true,
      privileged: false,
      execute: false,
      read: false,
      write: true,
      last,
      group,
      address: page,
    }),
  ],
  [
    amdPpr,
    ({ group, page, last }: Request) => ({
      type: 'page-request',
      device: RID,
      pasid: PASID,
      tag: group,
      last,
      execute: false,
      read: false,
      write: true,
      user: true,
      reservedBit: false,
      guest: true,
      address: page,
    }),
  ],
  [
    riscvPq,
    ({ group, page, last }: Request) => ({
      type: 'page-request',
      device: RID,
      pid: PASID,
      pidValid: true,
      privileged: false,
      execute: false,
      read: false,
      write: true,
      last,
      group,
      address: page,
    }),
  ],
]);

function record(queue: PageRequestQueue, request: Request, other: object = {}): readonly bigint[] {
  const fields = RECORDS.get(queue)?.(request);
  return queue.records.encode({ problems: [], ...fields, ...other } as unknown as DialectCommand);
}

const ONE: Request = { group: 3, page: 0x5000n, last: true };

describe('the registry', () => {
  test('every queue has a name of its own, and a record that its driver reports', () => {
    expect(new Set(PAGE_REQUEST_QUEUES.map(({ name }) => name)).size).toBe(PAGE_REQUEST_QUEUES.length);
    for (const queue of PAGE_REQUEST_QUEUES) {
      expect(pageRequestQueue(queue.name)).toBe(queue);
      expect(queue.timing.entries).toBeGreaterThan(queue.timing.spare);
      const taken = queue.take(record(queue, ONE), HOST);
      expect(taken.kind).toBe(queue.timing.denies ? 'answer' : 'report');
      if (taken.kind !== 'report') continue;
      expect(taken.rid).toBe(RID);
      expect(taken.fault).toMatchObject({ pasid: PASID, grpid: 3, perm: 2 });
      expect(taken.fault.flags & (FAULT_FLAG.last | FAULT_FLAG.pasidValid)).toBe(3);
    }
    expect(['vtd', 'smmuv3', 'amd', 'riscv', undefined].map((iommu) => queueOfIommu(iommu).name)).toEqual([
      'vtd-prq',
      'smmuv3-stall',
      'amd-ppr',
      'riscv-pq',
      'vtd-prq',
    ]);
    expect(() => pageRequestQueue('prq')).toThrow(/unknown queue/);
  });

  test('responses are commands of the same unit, and say what they mean', () => {
    const fault: DeviceFault = { flags: 7, pasid: PASID, grpid: 3, perm: 2, addr: 0n };
    for (const queue of PAGE_REQUEST_QUEUES) {
      for (const code of Object.values(RESPONSE)) {
        const words = queue.respond(RID, fault, code);
        const { type, problems } = dialectById(queue.dialect)!.decode(words);
        expect(problems).toEqual([]);
        if (queue === smmuv3Stall) expect(type).toBe('resume');
        const [w0 = 0n, w1 = 0n] = words;
        const read = pageResponse();
        const is = readPageResponse(read, queue.dialect, lowWord(w0), highWord(w0), lowWord(w1), highWord(w1));
        if (is) expect(read).toEqual({ rid: RID, pasid: PASID, group: 3, code });
        else expect(queue).toBe(smmuv3Stall);
      }
    }
  });
});

describe('tests of Linux, in their order', () => {
  const last = (queue: PageRequestQueue, other: object): unknown => {
    const taken = queue.take(record(queue, ONE, other), HOST);
    return taken.kind === 'report' || taken.kind === 'event' ? taken.kind : `${taken.kind}: ${taken.why}`;
  };

  test('VT-d: refused requests are answered only if they are the last', () => {
    const stop = { read: false, write: false };
    expect(last(vtdPrq, { address: 1n << 50n, privileged: true })).toBe('answer: address is not canonical');
    expect(last(vtdPrq, { privileged: true, ...stop })).toBe('nothing: stop marker');
    expect(last(vtdPrq, { privileged: true, execute: true, read: true })).toBe('answer: privileged');
    expect(last(vtdPrq, { execute: true, read: true, rid: 0x200 })).toBe('answer: execute with read');
    expect(last(vtdPrq, { ...stop, rid: 0x200 })).toBe('nothing: stop marker');
    expect(last(vtdPrq, { rid: 0x200 })).toBe('answer: unknown requester');
    expect(last(vtdPrq, { rid: 0x200, last: false })).toBe('nothing: unknown requester');
    // the high half of the address space is canonical
    expect(last(vtdPrq, { address: 0xffff_8000_0000_0000n })).toBe('report');
    expect(vtdPrq.take(record(vtdPrq, ONE, { pasidPresent: false }), HOST)).toMatchObject({ fault: { flags: 2 } });
  });

  test('AMD: what is malformed fails at once, also where it is not the last', () => {
    expect(last(amdPpr, { last: false, guest: false })).toBe('answer: without PASID');
    expect(last(amdPpr, { last: false, reservedBit: true })).toBe('answer: malformed');
    expect(last(amdPpr, { last: false, pasid: 0 })).toBe('answer: PASID out of range');
    expect(last(amdPpr, { last: false, pasid: 16 })).toBe('answer: PASID out of range');
    expect(last(amdPpr, { device: 0x200, guest: false })).toBe('nothing: unknown device');
    expect(amdPpr.take([2n << 60n, 0n], HOST)).toEqual({ kind: 'nothing', why: 'unknown type' });
    expect(amdPpr.take(record(amdPpr, ONE, { user: false, read: true }), HOST)).toMatchObject({ fault: { perm: 11 } });
  });

  test('SMMUv3: only some events are looked at; page requests are denied', () => {
    expect(last(smmuv3Stall, { id: 0x02 })).toBe('nothing: logged');
    expect(last(smmuv3Stall, { sid: 0x200 })).toBe('nothing: unknown stream');
    expect(last(smmuv3Stall, { stall: false })).toBe('nothing: not stalled: logged');
    expect(smmuv3Stall.take(record(smmuv3Stall, ONE, { read: true, instruction: true }), HOST)).toMatchObject({
      fault: { perm: 5, addr: 0x5004n },
    });
    expect(last(smmuv3Priq, { last: false })).toBe('nothing: logged');
    expect(last(smmuv3Priq, {})).toMatch(/^answer/);
  });

  test('SMMUv3: what is not stalled goes to the guest with its own stream, unless it is of the second stage', () => {
    const host: QueueHost = { ...HOST, virtualStream: (sid) => (sid === RID ? 0x21 : undefined) };
    const faults = new IopfQueue({ handler: () => undefined, respond: () => undefined });
    const unit = new PageRequestUnit(smmuv3Stall, host, 4, faults);
    const plain = record(smmuv3Stall, ONE, { stall: false });
    for (const words of [plain, record(smmuv3Stall, ONE, { stall: false, stage2: true })]) unit.receive(words, true);
    unit.receive(record(smmuv3Stall, ONE, { stall: false, sid: 9 }), true);
    unit.drain();
    expect(unit.events).toEqual([record(smmuv3Stall, ONE, { stall: false, sid: 0x21 })]);
    expect(unit.commands).toEqual([]);
  });

  test('RISC-V: stop markers ask for nothing', () => {
    expect(last(riscvPq, { write: false })).toBe('nothing: stop marker');
    expect(last(riscvPq, { device: 0x200 })).toBe('answer: unknown device');
  });
});

describe('the common layer', () => {
  const fault = (grpid: number, flags: number, pasid = PASID, addr = 0n): DeviceFault => ({
    flags,
    pasid,
    grpid,
    perm: 2,
    addr,
  });
  function layer(
    options: { readonly attached?: boolean; readonly takes?: boolean; readonly allocates?: () => boolean } = {},
  ) {
    const answers: (readonly [number, number, number])[] = [];
    const groups: FaultGroup[] = [];
    const queue = new IopfQueue({
      handler: (_rid, pasid) =>
        options.attached === false || pasid === 9
          ? undefined
          : (group) => {
              groups.push(group);
              return options.takes !== false;
            },
      respond: (rid, { grpid }, code) => answers.push([rid, grpid, code]),
      ...(options.allocates === undefined ? {} : { allocates: options.allocates }),
    });
    return { queue, answers, groups };
  }

  test('partial requests wait for the last of their index, whatever their PASID, and come in order', () => {
    const { queue, groups, answers } = layer();
    queue.report(1, fault(3, 1, 7, 0x1000n));
    queue.report(1, fault(4, 1, 7, 0x2000n));
    queue.report(1, fault(3, 1, 8, 0x3000n));
    queue.report(2, fault(3, 1, 7, 0x4000n));
    expect([queue.partial, queue.outstanding]).toEqual([4, 0]);
    queue.report(1, fault(3, 3, 7, 0x5000n));
    expect(groups[0]?.faults.map(({ addr }) => addr)).toEqual([0x1000n, 0x3000n, 0x5000n]);
    expect([queue.partial, queue.outstanding, answers]).toEqual([2, 1, []]);
    expect(queue.respond(groups[0]!, RESPONSE.success)).toBe(true);
    expect(queue.respond(groups[0]!, RESPONSE.success)).toBe(false);
    expect(answers).toEqual([[1, 3, RESPONSE.success]]);
  });

  test('without handler every request is answered INVALID, the last or not', () => {
    const { queue, answers } = layer({ attached: false });
    expect([queue.report(1, fault(3, 1)), queue.report(1, fault(3, 3))]).toEqual([false, false]);
    expect(answers).toEqual([
      [1, 3, RESPONSE.invalid],
      [1, 3, RESPONSE.invalid],
    ]);
    expect([queue.partial, queue.outstanding]).toEqual([0, 0]);
  });

  test('what fails is answered FAILURE and dropped with its partial requests', () => {
    const refusing = layer({ takes: false });
    refusing.queue.report(1, fault(3, 1));
    refusing.queue.report(1, fault(3, 3));
    expect([refusing.answers, refusing.queue.partial, refusing.queue.outstanding]).toEqual([
      [[1, 3, RESPONSE.failure]],
      0,
      0,
    ]);
    const empty = layer({ allocates: () => false });
    empty.queue.report(1, fault(3, 1));
    empty.queue.report(1, fault(3, 3));
    expect([empty.answers, empty.groups]).toEqual([[[1, 3, RESPONSE.failure]], []]);
  });

  test('a removed device has its groups answered INVALID; an overflow drops partial ones without a word', () => {
    const { queue, answers } = layer();
    queue.report(1, fault(3, 3));
    queue.report(2, fault(3, 3));
    queue.report(1, fault(4, 1));
    queue.report(2, fault(4, 1));
    queue.removeDevice(1);
    expect([answers, queue.partial, queue.outstanding]).toEqual([[[1, 3, RESPONSE.invalid]], 1, 1]);
    expect([queue.discardPartial(), queue.partial, answers.length]).toEqual([1, 0, 1]);
  });

  test('the nested domain of a device takes what no PASID does, where there is a user table', () => {
    const groups: FaultGroup[] = [];
    const queue = new IopfQueue({
      handler: () => undefined,
      nestedHandler: () => (group) => groups.push(group) > 0,
      respond: () => undefined,
    });
    expect(queue.report(1, fault(3, 3))).toBe(true);
    // a request without PASID has no such way
    expect(queue.report(1, fault(3, 2))).toBe(false);
    expect(groups).toHaveLength(1);
  });
});

describe('one unit, whatever comes', () => {
  const groups = fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 40 });

  test.each(PAGE_REQUEST_QUEUES.map((queue) => ({ name: queue.name, queue })))(
    '$name: each group is answered once, or lost as the architecture loses it',
    ({ queue }) => {
      fc.assert(
        fc.property(
          groups,
          fc.integer({ min: 2, max: 12 }),
          fc.integer({ min: 1, max: 9 }),
          (sizes, entries, every) => {
            const handled: FaultGroup[] = [];
            const faults: IopfQueue = new IopfQueue({
              handler: () => (group) => handled.push(group) > 0,
              respond: (rid, fault, code) => unit.respond(rid, fault, code),
            });
            const unit: PageRequestUnit = new PageRequestUnit(queue, HOST, entries, faults);
            let asked = 0;
            let received = 0;
            sizes.forEach((size, index) => {
              // a stall is a group of its own
              const count = queue === smmuv3Stall ? 1 : size;
              for (let i = 0; i < count; i++) {
                const request = { group: index % 512, page: BigInt(asked) << 12n, last: i === count - 1 };
                unit.receive(record(queue, request), request.last);
                received++;
                expect(unit.waiting).toBeLessThanOrEqual(entries - queue.timing.spare);
                if (received % every === 0) unit.drain();
              }
              asked++;
            });
            unit.drain();
            for (const group of handled) faults.respond(group, RESPONSE.success);
            expect(unit.commands.length + unit.hardwareAnswers + unit.unanswered).toBe(asked);
            if (queue.timing.full === 'hold') expect(unit.lost).toBe(0);
            if (queue.timing.lost === 'success') expect(unit.unanswered).toBe(0);
            else expect(unit.hardwareAnswers).toBe(0);
            if (unit.lost === 0) expect(faults.partial).toBe(0);
            expect([unit.overflowing, faults.outstanding]).toEqual([false, 0]);
          },
        ),
        { numRuns: 60 },
      );
    },
  );

  test('VT-d: partial groups of an overflow are dropped; AMD keeps them for a later group of their index', () => {
    for (const [queue, pages] of [
      [vtdPrq, 1],
      [amdPpr, 3],
    ] as const) {
      const handled: FaultGroup[] = [];
      const faults = new IopfQueue({ handler: () => (group) => handled.push(group) > 0, respond: () => undefined });
      const unit = new PageRequestUnit(queue, HOST, 3, faults);
      for (const last of [false, false, true]) unit.receive(record(queue, { ...ONE, last }), last);
      expect([unit.lost, unit.overflowing]).toEqual([1, true]);
      unit.drain();
      unit.receive(record(queue, ONE), true);
      unit.drain();
      expect(handled.map((group) => group.faults.length)).toEqual([pages]);
    }
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SMMUV3_OPCODE, smmuOpcode, smmuSid, smmuVmid } from '../../traces/dialects/smmuv3-fields.ts';
import { SMMUV3_GUEST_BATCH, issueSmmuv3, issuedBeforeRefusal, rewriteSmmuv3 } from './smmuv3-guest.ts';
import type { Smmuv3Guest } from './smmuv3-guest.ts';

/** Commands that the host takes (Linux 7.2): with a VMID, and with a stream id. */
const BY_VMID = [0x10, 0x11, 0x12, 0x13, 0x30];
const BY_STREAM = [0x05, 0x06, 0x40];

const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const command = fc.tuple(fc.nat(255), word, word, word, word);
const taken = fc.tuple(fc.constantFrom(...BY_VMID, ...BY_STREAM), word, word, word, word);
const VMID = 0x1234;
/** Virtual ids 0 to 7 are devices. */
const GUEST: Smmuv3Guest = { vmid: VMID, sidOf: (virtual) => (virtual < 8 ? 0x100 + virtual : -1) };
/** Every id is a device. */
const OPEN: Smmuv3Guest = { vmid: VMID, sidOf: (virtual) => virtual };

function words([opcode, w0Lo, w0Hi, w1Lo, w1Hi]: readonly number[]): Int32Array {
  return Int32Array.of(((w0Lo ?? 0) & ~0xff) | (opcode ?? 0), w0Hi ?? 0, w1Lo ?? 0, w1Hi ?? 0);
}

/** What is issued, in order; -1: a SYNC. */
function issued(list: Int32Array, count: number, guest: Smmuv3Guest): { done: number; opcodes: number[] } {
  const opcodes: number[] = [];
  const done = issueSmmuv3(list, count, guest, 0, {
    command: (_unit, w0Lo) => opcodes.push(smmuOpcode(w0Lo)),
    submit: () => opcodes.push(-1),
  });
  return { done, opcodes };
}

describe("a guest's SMMUv3 commands", () => {
  test('what the host takes and refuses, by opcode', () => {
    for (let opcode = 0; opcode < 256; opcode++) {
      const list = words([opcode, 0, 3, 0, 0]);
      expect(rewriteSmmuv3(list, 0, GUEST)).toBe([...BY_VMID, ...BY_STREAM].includes(opcode));
    }
  });

  test('no other VMID and no other stream is ever named, and a refused command is left as it was', () => {
    fc.assert(
      fc.property(command, (given) => {
        const list = words(given);
        const before = [...list];
        if (!rewriteSmmuv3(list, 0, GUEST)) {
          const virtual = (before[1] ?? 0) >>> 0;
          expect(BY_VMID.includes(given[0])).toBe(false);
          expect(BY_STREAM.includes(given[0]) && virtual < 8).toBe(false);
          expect([...list]).toEqual(before);
          return;
        }
        const [w0Lo = 0, w0Hi = 0, w1Lo, w1Hi] = list;
        expect(smmuOpcode(w0Lo)).not.toBe(SMMUV3_OPCODE.tlbiNsnhAll);
        if (BY_STREAM.includes(given[0])) expect(smmuSid(w0Hi)).toBe(0x100 + ((before[1] ?? 0) >>> 0));
        else expect(smmuVmid(w0Hi)).toBe(VMID);
        if (given[0] === SMMUV3_OPCODE.tlbiNsnhAll) expect([w0Lo, w0Hi, w1Lo, w1Hi]).toEqual([0x10, VMID, 0, 0]);
        else {
          expect([w0Lo, w1Lo, w1Hi]).toEqual([before[0], before[2], before[3]]);
          if (!BY_STREAM.includes(given[0])) expect(w0Hi >>> 16).toBe((before[1] ?? 0) >>> 16);
        }
      }),
    );
  });

  test('a command that was rewritten stays as it is', () => {
    fc.assert(
      fc.property(taken, (given) => {
        const list = words(given);
        expect(rewriteSmmuv3(list, 0, OPEN)).toBe(true);
        const once = [...list];
        expect(rewriteSmmuv3(list, 0, OPEN)).toBe(true);
        expect([...list]).toEqual(once);
      }),
    );
  });

  test('lists: batches of 63 with a SYNC each, nothing of the batch of a refused command', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.option(fc.nat(299)), (count, at) => {
        const list = new Int32Array(4 * count);
        for (let i = 0; i < count; i++) list[4 * i] = SMMUV3_OPCODE.tlbiNhAsid;
        const refused = at !== null && at < count ? at : count;
        if (refused < count) list[4 * refused] = SMMUV3_OPCODE.sync;
        const { done, opcodes } = issued(list, count, GUEST);
        expect(done).toBe(refused);
        const commands = refused === count ? count : issuedBeforeRefusal(done);
        expect(opcodes.filter((opcode) => opcode >= 0)).toHaveLength(commands);
        expect(opcodes.filter((opcode) => opcode < 0)).toHaveLength(Math.ceil(commands / SMMUV3_GUEST_BATCH));
        expect(opcodes.at(-1)).toBe(commands === 0 ? undefined : -1);
        let run = 0;
        for (const opcode of opcodes) {
          run = opcode < 0 ? 0 : run + 1;
          expect(run).toBeLessThanOrEqual(SMMUV3_GUEST_BATCH);
        }
      }),
    );
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PageExchange, allocateExchange } from './page-exchange.ts';

describe('sub-buffers in shared memory', () => {
  test('any order of filling, taking and giving back: each slot is whose it is, none is lost, the order is that of filling', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 400 }), (steps) => {
        const memory = allocateExchange(16, 5 * 16);
        const [reader, decoder] = [new PageExchange(memory), new PageExchange(memory)];
        const held: number[] = [];
        let filled = 0;
        let taken = 0;
        const take = (slot: number): void => {
          expect(decoder.bytes[slot * 16]).toBe(taken & 0xff);
          held.push(slot);
          taken++;
        };
        for (const step of steps) {
          if (step === 0) decoder.takeFull(take);
          else if (step === 1) {
            const slot = held.shift();
            if (slot !== undefined) decoder.putFree(slot);
          } else {
            const slot = reader.takeFree();
            expect(slot === -1).toBe(filled - taken + held.length === 5);
            if (slot < 0) continue;
            if (step === 2) reader.putFreeAgain(slot);
            else {
              reader.bytes[slot * 16] = filled & 0xff;
              reader.putFull(slot, 0);
              filled++;
            }
          }
        }
        decoder.takeFull(take);
        expect(taken).toBe(filled);
        expect(new Set(held).size).toBe(held.length);
      }),
    );
  });

  test('the horizon, the end and a failure are seen from the other side', () => {
    const memory = allocateExchange(16, 64);
    const [reader, decoder] = [new PageExchange(memory), new PageExchange(memory)];
    reader.publishHorizon(1n << 60n);
    expect(decoder.readHorizon()).toBe(1n << 60n);
    expect(reader.rest(0)).toBe(false);
    decoder.stop();
    expect(reader.rest(0)).toBe(true);
    expect(decoder.done).toBe(false);
    reader.setDone(true);
    decoder.awaitDone(1000);
    expect([decoder.done, decoder.failed]).toEqual([true, true]);
  });
});

import { describe, expect, test } from 'vitest';
import { WaitCheck } from './wait-check.ts';

const BASE = 0x100042000;

function wait(check: WaitCheck, address: number, w0Lo = 0x25, w0Hi = 2): string {
  return check.wait(w0Lo, w0Hi, address | 0, Math.floor(address / 0x100000000));
}

describe('wait check', () => {
  test('the status address follows from the place in the queue, which has 256 entries', () => {
    const check = new WaitCheck();
    check.command();
    expect(wait(check, BASE + 4)).toBe('learned');
    for (let i = 1; i < 400; i++) {
      check.command();
      expect(wait(check, BASE + 4 * ((2 * i + 1) % 256))).toBe('agreed');
    }
  });

  test('one wrong address is one difference; a command that was lost shifts the rest once', () => {
    const check = new WaitCheck();
    check.command();
    wait(check, BASE + 4);
    check.command();
    expect(wait(check, BASE + 0x800)).toBe('address');
    expect(check.expectedAddress).toBe(BASE + 12);
    check.command();
    expect(wait(check, BASE + 20)).toBe('agreed');
    // the command in front of this one is not in the trace
    expect(wait(check, BASE + 28)).toBe('address');
    check.command();
    expect(wait(check, BASE + 36)).toBe('agreed');
  });

  test('other waits: wrong word, page-request drain, a queue set up anew', () => {
    const check = new WaitCheck();
    wait(check, BASE);
    expect(wait(check, BASE + 4, 0x25, 3)).toBe('word');
    expect(wait(check, BASE + 8, 0xa5)).toBe('drain');
    expect(wait(check, BASE + 12)).toBe('agreed');
    check.reset();
    expect(wait(check, 0x5000)).toBe('learned');
  });
});

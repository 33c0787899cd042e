import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Fingerprints } from './commands.ts';
import { matchCommands } from './match-commands.ts';

interface Command {
  readonly word: number;
  readonly at: number;
}

function log(commands: readonly Command[]): Fingerprints {
  return {
    key: Int32Array.from(commands, ({ word }) => word),
    check: Int32Array.from(commands, ({ word }) => word * 31),
    time: Float64Array.from(commands, ({ at }) => at),
  };
}

/** Commands at uneven intervals whose words come from a small set, as the addresses of a busy driver do. */
function run(n: number, words: number, seed: number): { guest: Command[]; host: Command[] } {
  let state = seed | 1;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 0) / 0x100000000;
  };
  const guest: Command[] = [];
  const host: Command[] = [];
  let at = 1e9;
  for (let i = 0; i < n; i++) {
    at += 20_000 + Math.floor(random() ** 3 * 4_000_000);
    const word = Math.floor(random() * words);
    guest.push({ word, at });
    host.push({ word, at: at + 7_654_321_000 + 2000 + Math.floor(random() * 10_000) });
  }
  return { guest, host };
}

/** How many of the matches join command i of one log to command i of the other. */
function correct(
  match: ReturnType<typeof matchCommands>,
  guestFrom: readonly number[],
  hostFrom: readonly number[],
): number {
  let right = 0;
  match!.hostOf.forEach((j, i) => {
    if (j >= 0 && guestFrom[i] === hostFrom[j]) right++;
  });
  return right;
}

describe('matchCommands', () => {
  test('whole logs match one by one', () => {
    const { guest, host } = run(5000, 40, 7);
    const match = matchCommands(log(guest), log(host))!;
    expect(match.matched).toBe(5000);
    expect([...match.hostOf]).toEqual(guest.map((_, i) => i));
  });

  test('late starts, early ends and holes on both sides cost only what is missing', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 4, max: 60 }),
        fc.array(fc.tuple(fc.nat(3999), fc.integer({ min: 1, max: 300 })), { maxLength: 3 }),
        fc.array(fc.tuple(fc.nat(3999), fc.integer({ min: 1, max: 300 })), { maxLength: 3 }),
        (seed, words, guestHoles, hostHoles) => {
          const { guest, host } = run(4000, words, seed);
          const outside = (holes: readonly (readonly [number, number])[]): number[] =>
            guest.map((_, i) => i).filter((i) => !holes.some(([from, length]) => i >= from && i < from + length));
          const guestFrom = outside(guestHoles);
          const hostFrom = outside(hostHoles);
          const match = matchCommands(log(guestFrom.map((i) => guest[i]!)), log(hostFrom.map((i) => host[i]!)))!;
          const inBoth = guestFrom.filter((i) => hostFrom.includes(i)).length;
          // Words of a small set may join a pair wrongly at the edge of a hole.
          const edges = 8 * (guestHoles.length + hostHoles.length);
          expect(correct(match, guestFrom, hostFrom)).toBeGreaterThanOrEqual(inBoth - 2 * edges);
          expect(match.matched - correct(match, guestFrom, hostFrom)).toBeLessThanOrEqual(edges);
        },
      ),
      { numRuns: 30 },
    );
  });

  test('the same words over and over are told apart by time', () => {
    const { guest, host } = run(600, 1, 3);
    const match = matchCommands(log(guest.slice(250)), log(host))!;
    expect(match.matched).toBe(350);
    expect(match.hostOf[0]).toBe(250);
    expect(match.host).toEqual({ before: 250, between: 0, after: 0 });
  });

  test('a coarse clock at boot still matches in order', () => {
    const { guest, host } = run(300, 200, 11);
    const early = guest.map((command, i) => (i < 3 ? { ...command, at: 8_000_000 } : command));
    const match = matchCommands(log(early), log(host))!;
    expect(match.matched).toBe(300);
  });

  test('a clock that is set in between is followed', () => {
    const { guest, host } = run(2000, 50, 5);
    const set = host.map((command, i) => (i < 900 ? command : { ...command, at: command.at + 3_600_000_000_000 }));
    expect(matchCommands(log(guest), log(set))!.matched).toBeGreaterThanOrEqual(1990);
  });

  test('logs without a common command', () => {
    const { guest, host } = run(100, 5, 5);
    expect(matchCommands(log(guest), log(host.map(({ at }) => ({ word: 77, at }))))).toBeNull();
    expect(matchCommands(log([]), log(host))).toBeNull();
  });
});

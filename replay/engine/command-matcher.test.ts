import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CommandMatcher } from './command-matcher.ts';
import type { CommandWords } from './command-matcher.ts';

const words = (n: number): CommandWords => [0xf2, 0, n, 0, 0, 0, 0, 0];

/** What a matcher says, as one letter a verdict: a agreed, d altered, x extra, m missing, u unjudged. */
function run(
  steps: readonly (readonly ['e' | 'r', number, CommandWords] | readonly ['h', number, CommandWords])[],
): string {
  let said = '';
  const matcher = new CommandMatcher({
    agreed: () => (said += 'a'),
    altered: () => (said += 'd'),
    extra: () => (said += 'x'),
    missing: () => (said += 'm'),
    unjudged: () => (said += 'u'),
  });
  steps.forEach(([side, submitter, command], i) => {
    if (side === 'r') matcher.record(submitter, i, command);
    else matcher.expect(submitter, i, command, side === 'h');
  });
  matcher.finish();
  return said;
}

describe('command matcher', () => {
  test('either side may come first, submitter by submitter', () => {
    expect(
      run([
        ['e', 1, words(1)],
        ['r', 2, words(2)],
        ['r', 1, words(1)],
        ['e', 2, words(2)],
      ]),
    ).toBe('aa');
  });

  test('one altered command is one difference', () => {
    expect(
      run([
        ['e', 1, words(1)],
        ['r', 1, words(9)],
        ['e', 1, words(2)],
        ['r', 1, words(2)],
      ]),
    ).toBe('da');
  });

  test('a missing command is one difference, and the next ones agree', () => {
    expect(
      run([
        ['e', 1, words(1)],
        ['e', 1, words(2)],
        ['r', 1, words(2)],
        ['e', 1, words(3)],
        ['r', 1, words(3)],
      ]),
    ).toBe('maa');
  });

  test('a command too many is one difference, whether the right one is known before or after it', () => {
    expect(
      run([
        ['e', 1, words(1)],
        ['r', 1, words(7)],
        ['r', 1, words(1)],
        ['e', 1, words(2)],
        ['r', 1, words(2)],
      ]),
    ).toBe('daa');
    expect(
      run([
        ['r', 1, words(7)],
        ['r', 1, words(1)],
        ['e', 1, words(1)],
      ]),
    ).toBe('xa');
    expect(run([['r', 1, words(7)]])).toBe('x');
  });

  test('words 2 and 3 count too', () => {
    expect(
      run([
        ['e', 1, words(1)],
        ['r', 1, [0xf2, 0, 1, 0, 0, 0, 0, 1]],
      ]),
    ).toBe('d');
  });

  test('a hint that may be either is not judged, all else is', () => {
    expect(
      run([
        ['h', 1, words(0x40)],
        ['r', 1, words(0)],
      ]),
    ).toBe('u');
    expect(
      run([
        ['h', 1, words(0x40)],
        ['r', 1, words(0x40)],
      ]),
    ).toBe('a');
    expect(
      run([
        ['h', 1, words(0x40)],
        ['r', 1, words(1)],
      ]),
    ).toBe('d');
  });

  test('k altered commands out of n are exactly k differences', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), (altered, submitters) => {
        const steps = altered.flatMap((change, i) => {
          const submitter = i % submitters;
          return [['e', submitter, words(i)] as const, ['r', submitter, words(change ? i + 1_000_000 : i)] as const];
        });
        const said = run(steps);
        const count = altered.filter(Boolean).length;
        expect(said.replaceAll('a', '')).toBe('d'.repeat(count));
        expect(said.length).toBe(altered.length);
      }),
    );
  });
});

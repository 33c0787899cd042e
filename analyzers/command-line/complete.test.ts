import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CommandSpec } from '../../traces/command.ts';
import { completeArgument, completeCommand } from './complete.ts';

const SPEC: CommandSpec = {
  name: 'sample',
  summary: '',
  args: ['NAME', 'FILE'],
  argValues: [['one', 'other']],
  options: [
    { flags: '-o, --output <file>', description: 'where to' },
    { flags: '--format <name>', description: 'how', choices: ['text', 'table'] },
    { flags: '--streams <names>', description: 'which', values: ['map', 'unmap', 'dma'], list: true, orFile: true },
    { flags: '--set <name=value>', description: 'a knob', values: ['sets=', 'ways='], list: true, repeatable: true },
    { flags: '--seed <number>', description: 'of chance' },
    { flags: '--strict', description: 'a long text '.repeat(20) },
  ],
  examples: [],
  run: async () => 0,
};

/** Words of the candidates, `:files` behind them. */
function words(...typed: readonly string[]): readonly string[] {
  const { candidates, files } = completeArgument(typed, SPEC);
  return [...candidates.map(({ word }) => word), ...(files ? [':files'] : [])];
}

describe('completion', () => {
  test.each([
    [[''], ['one', 'other']],
    [['oth'], ['other']],
    [['one', ''], [':files']],
    [['--seed', '3', 'one', ''], [':files']],
    [
      ['--strict', ''],
      ['one', 'other'],
    ],
    [
      ['--format', ''],
      ['text', 'table'],
    ],
    [['--format=ta'], ['--format=table']],
    [['--format', 'text', '--for'], []],
    [
      ['--set', 'sets=1', '--se'],
      ['--set', '--seed'],
    ],
    [
      ['--set', 'sets=1,'],
      ['sets=1,sets=', 'sets=1,ways='],
    ],
    [
      ['--streams', ''],
      ['map', 'unmap', 'dma', ':files'],
    ],
    [
      ['--streams', 'map,'],
      ['map,unmap', 'map,dma'],
    ],
    [['--seed', ''], []],
    [['-o', ''], [':files']],
    [['--output=x'], [':files']],
    [['one', 'file', '--', '--format', ''], [':files']],
  ])('%j becomes %j', (typed, expected) => {
    expect(words(...typed)).toEqual(expected);
  });

  test('what every command has is there, and long descriptions are cut', () => {
    expect(words('--')).toEqual(expect.arrayContaining(['--quiet', '--verbose', '--config', '--help']));
    for (const { about } of completeArgument(['--'], SPEC).candidates) expect(about.length).toBeLessThanOrEqual(70);
  });

  test('the first word is a command, or an option of the program', () => {
    const of = (word: string): readonly string[] =>
      completeCommand(word, ['replay', 'report']).candidates.map((one) => one.word);
    expect(of('re')).toEqual(['replay', 'report']);
    expect(of('repl')).toEqual(['replay']);
    expect(of('--v')).toEqual(['--version']);
  });

  test('a candidate always goes on from what stands there', () => {
    const word = fc.constantFrom(
      '',
      '-',
      '--',
      '--set',
      '--set=',
      'sets=1,',
      'map,un',
      'one',
      '--format=t',
      '--streams=map,',
      ',',
      '=',
    );
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 5 }), (typed) => {
        const last = typed.at(-1) ?? '';
        for (const { word: candidate } of completeArgument(typed, SPEC).candidates)
          expect(candidate.startsWith(last)).toBe(true);
        expect(completeArgument(typed, SPEC)).toEqual(completeArgument([...typed], SPEC));
      }),
    );
  });
});

import { describe, expect, test } from 'vitest';
import { GENERAL_OPTIONS } from '../analyzers/command-line/general-options.ts';
import { optionGroup } from '../analyzers/command-line/option-groups.ts';
import { optionNames } from '../analyzers/command-line/option-names.ts';
import type { Typed } from '../analyzers/command-line/program.ts';
import { effectiveSettings } from '../analyzers/command-line/settings.ts';
import { COMMANDS } from '../cli.ts';
import type { CommandSpec } from '../traces/command.ts';
import { nearest } from '../traces/nearest.ts';
import { invocations } from './example-words.ts';
import { parseCommand } from './parse-command.ts';

const specs = await Promise.all(COMMANDS.map(({ load }) => load()));

function settingsOf(spec: CommandSpec, typed: Typed): void {
  const none = { path: '', sections: new Map() };
  effectiveSettings(spec.name, [...spec.options, ...GENERAL_OPTIONS], typed.given, {}, none);
}

describe('the table of commands', () => {
  test('names each command once, as the command names itself', () => {
    expect(specs.map(({ name }) => name)).toEqual(COMMANDS.map(({ name }) => name));
    expect(new Set(COMMANDS.map(({ name }) => name)).size).toBe(COMMANDS.length);
  });

  test.each(specs.map((spec) => [spec.name, spec] as const))('%s', async (name, spec) => {
    const options = [...spec.options, ...GENERAL_OPTIONS];
    const names = options.map(optionNames);
    expect(spec.summary).not.toBe('');
    expect(new Set(names.map(({ long }) => long)).size).toBe(names.length);

    // every option stands under a heading of the help, and closed lists are of different words
    expect(names.filter(({ long }) => optionGroup(name, long) === undefined).map(({ long }) => long)).toEqual([]);
    for (const { choices, values } of options) {
      const words = choices ?? values ?? [];
      expect(new Set(words).size).toBe(words.length);
    }
    // what takes no value has no words
    for (const option of options) {
      if (optionNames(option).value === undefined) expect(option.choices ?? option.values).toBeUndefined();
    }

    // three examples, each of which parses, with words that the options take
    expect(spec.examples.length).toBeGreaterThanOrEqual(3);
    for (const { command, does } of spec.examples) {
      expect(does).not.toBe('');
      const found = invocations(command);
      expect(found.length).toBeGreaterThan(0);
      for (const [first, ...words] of found) {
        const target = specs.find((one) => one.name === first);
        if (target === undefined) throw new Error(`${command}: no command ${first ?? ''}`);
        settingsOf(target, await parseCommand(target, words));
      }
    }
    expect(spec.examples.some(({ command }) => command.includes(`iorr ${name}`))).toBe(true);
  });

  test.each(specs.map((spec) => [spec.name, spec] as const))(
    '%s: a mistyped option gets the nearest',
    async (_, spec) => {
      const names = [...spec.options, ...GENERAL_OPTIONS].map((option) => optionNames(option).long);
      for (const long of names) {
        const wrong = `${long.slice(0, -2)}${long.at(-1) ?? ''}${long.at(-2) ?? ''}`;
        if (names.includes(wrong)) continue;
        await expect(parseCommand(spec, [wrong])).rejects.toThrow(new RegExp(`Did you mean .*${long}\\b`));
      }
    },
  );

  test('a mistyped word of a closed list gets the nearest, in every command', () => {
    const closed = specs.flatMap((spec) =>
      spec.options.flatMap((option) =>
        option.choices === undefined ? [] : [{ spec, option, choices: option.choices }],
      ),
    );
    expect(closed.length).toBeGreaterThan(10);
    for (const { spec, option, choices } of closed) {
      const { long, key } = optionNames(option);
      for (const word of choices) {
        const wrong = `${word}x`;
        const message = `${long} ${wrong}: one of ${choices.join(', ')} expected`;
        const hint = `did you mean '${nearest(wrong, choices) ?? ''}'?`;
        expect(() => settingsOf(spec, { args: [], given: { [key]: wrong } })).toThrow(
          expect.objectContaining({ code: 'USAGE', message, hint }),
        );
      }
    }
  });
});

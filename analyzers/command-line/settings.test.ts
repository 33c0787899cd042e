import { describe, expect, test } from 'vitest';
import type { CommandOption } from '../../traces/command.ts';
import { configPath, parseConfig } from './config-file.ts';
import type { ConfigFile } from './config-file.ts';
import { effectiveSettings, optionValues } from './settings.ts';

const OPTIONS: readonly CommandOption[] = [
  { flags: '--hardware <name>', description: '', default: 'auto' },
  { flags: '--access <model>', description: '', choices: ['ring', 'uniform'] },
  { flags: '--set <name=value>', description: '', repeatable: true },
  { flags: '--strict', description: '' },
  { flags: '--no-replay', description: '' },
  { flags: '--fail-on <expr>', description: '' },
  { flags: '-o, --output <file>', description: '' },
];
const COMMANDS = ['compare', 'replay'];
const EMPTY: ConfigFile = { path: 'none', sections: new Map() };

const parse = (value: object): ConfigFile => parseConfig(JSON.stringify(value, null, 1), 'c.json', COMMANDS);

/** `hardware` -> `vtd (environment: IORR_HARDWARE)`. */
function shown(
  given: { readonly [key: string]: unknown },
  env: { readonly [name: string]: string },
  file: ConfigFile = EMPTY,
): { readonly [name: string]: string } {
  const settings = effectiveSettings('compare', OPTIONS, given, env, file);
  return Object.fromEntries(
    settings.map(({ name, value, origin, place }) => [name, `${JSON.stringify(value)} (${origin}: ${place})`]),
  );
}

describe('settings', () => {
  test('a flag wins over the environment, that over the file, that over the default', () => {
    const file = parse({ compare: { hardware: 'from-file' } });
    const env = { IORR_HARDWARE: 'from-env' };
    expect(shown({ hardware: 'flag' }, env, file)['hardware']).toBe('"flag" (flag: --hardware)');
    expect(shown({}, env, file)['hardware']).toBe('"from-env" (environment: IORR_HARDWARE)');
    expect(shown({}, { IORR_HARDWARE: '' }, file)['hardware']).toBe('"from-file" (file: c.json:3)');
    expect(shown({}, {}, EMPTY)['hardware']).toBe('"auto" (default: )');
  });

  test('the section of a command wins over that for all; another command has its own', () => {
    const both = { all: { hardware: 'a', strict: true }, compare: { hardware: 'b' }, replay: { hardware: 'c' } };
    expect(shown({}, {}, parse(both))).toMatchObject({
      hardware: '"b" (file: c.json:7)',
      strict: 'true (file: c.json:4)',
    });
  });

  test('an option for one command under all is none of another', () => {
    expect(shown({}, {}, parse({ all: { seed: 3 } }))).not.toHaveProperty('seed');
  });

  test('a list replaces a list: nothing is added up over files and flags', () => {
    const file = parse({ compare: { set: ['sets=1', 'ways=2'] } });
    expect(shown({}, {}, file)['set']).toContain('["sets=1","ways=2"]');
    expect(shown({ set: ['sets=4'] }, {}, file)['set']).toBe('["sets=4"] (flag: --set)');
    expect(shown({}, { IORR_SET: 'sets=8' }, file)['set']).toBe('["sets=8"] (environment: IORR_SET)');
    expect(shown({}, {}, parse({ compare: { set: 'sets=9' } }))['set']).toContain('["sets=9"]');
  });

  test('switches are 1 and 0, true and false; one that is on by itself can be switched off', () => {
    const values = (env: { readonly [name: string]: string }, file?: ConfigFile): object =>
      optionValues(effectiveSettings('compare', OPTIONS, {}, env, file ?? EMPTY), OPTIONS);
    expect(values({})).toEqual({ hardware: 'auto', replay: true });
    expect(values({ IORR_STRICT: '1', IORR_REPLAY: '0' })).toEqual({ hardware: 'auto', strict: true, replay: false });
    const file = parse({ compare: { strict: true, replay: false } });
    expect(values({}, file)).toEqual({ hardware: 'auto', strict: true, replay: false });
    // what a file switches on, the environment of one run switches off
    expect(values({ IORR_STRICT: 'no', IORR_REPLAY: 'yes' }, file)).toEqual({ hardware: 'auto', replay: true });
  });

  test('numbers of a file are as if they were typed', () => {
    expect(shown({}, {}, parse({ compare: { hardware: 12.5 } }))['hardware']).toBe('"12.5" (file: c.json:3)');
  });

  test.each([
    ['{\n "compare": {\n  "hardwear": "x"\n }\n}', 3, 'compare has no option "hardwear"', 'did you mean "hardware"?'],
    [
      '{\n "compare": {\n  "output": "x"\n }\n}',
      3,
      '"output" is for the command line alone: no file says what is written',
      undefined,
    ],
    [
      '{\n "compare": {\n  "access": "rnig"\n }\n}',
      3,
      '"access": rnig: one of ring, uniform expected',
      "did you mean 'ring'?",
    ],
    ['{\n "compare": {\n  "strict": "yes"\n }\n}', 3, '"strict": true or false expected', undefined],
    ['{\n "compare": {\n  "hardware": [1]\n }\n}', 3, '"hardware": a text or a number expected', undefined],
    ['{\n "compare": {\n  "set": [{}]\n }\n}', 3, '"set": a text, or a list of texts expected', undefined],
    ['{\n "comprae": {}\n}', 2, 'there is no command "comprae"', 'did you mean "compare"?'],
    ['{\n "compare": []\n}', 2, 'an object with options of "compare" expected', undefined],
    ['\n[]', 2, 'an object with settings by command expected', undefined],
  ])('%j is refused with file and line', (text, line, message, hint) => {
    expect(() => effectiveSettings('compare', OPTIONS, {}, {}, parseConfig(text, 'c.json', COMMANDS))).toThrow(
      expect.objectContaining({
        code: 'USAGE',
        message,
        place: { file: 'c.json', line },
        ...(hint === undefined ? {} : { hint }),
      }),
    );
  });

  test.each([
    [{ IORR_STRICT: 'maybe' }, 'IORR_STRICT=maybe: 1 or 0 expected'],
    [{ IORR_ACCESS: 'rnig' }, 'IORR_ACCESS=rnig: one of ring, uniform expected'],
  ])('%j is refused by its name', (env, message) => {
    expect(() => effectiveSettings('compare', OPTIONS, {}, env, EMPTY)).toThrow(expect.objectContaining({ message }));
  });

  test('no variable says what is written', () => {
    expect(shown({}, { IORR_OUTPUT: 'over-this.iorr' })).not.toHaveProperty('output');
  });
});

describe('the settings file', () => {
  test('is the one that is named, else the user’s own: nothing of the current folder', () => {
    const at = (given: string | undefined, env: { readonly [name: string]: string }): object => configPath(given, env);
    expect(at('x.json', { IORR_CONFIG: 'y.json' })).toEqual({ path: 'x.json', named: true });
    expect(at(undefined, { IORR_CONFIG: 'y.json' })).toEqual({ path: 'y.json', named: true });
    expect(at(undefined, { XDG_CONFIG_HOME: '/xdg' })).toEqual({ path: '/xdg/iorr/config.json', named: false });
    expect(at(undefined, { XDG_CONFIG_HOME: 'here' })).toEqual({
      path: expect.stringMatching(/^\/.*\.config\/iorr\/config\.json$/),
      named: false,
    });
  });
});

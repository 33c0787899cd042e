import type { CommandOption } from '../../traces/command.ts';
import { IorrError } from '../../traces/errors.ts';
import type { ErrorPlace } from '../../traces/errors.ts';
import { nearest } from '../../traces/nearest.ts';
import { ALL_COMMANDS } from './config-file.ts';
import type { ConfigFile } from './config-file.ts';
import type { Located } from './located-json.ts';
import { optionNames } from './option-names.ts';

export type SettingValue = string | number | boolean | readonly string[];
export type Origin = 'flag' | 'environment' | 'file' | 'default';

/** An option of a command, with the value that holds and where that comes from. */
export interface Setting {
  /** Long name without dashes: `hardware`. */
  readonly name: string;
  readonly key: string;
  readonly value: SettingValue;
  readonly origin: Origin;
  /** `IORR_HARDWARE`, or file and line. */
  readonly place: string;
}

/** What only a command line says: files that are written, and where settings are read from. */
const NOT_SETTABLE = new Set(['output', 'html', 'markdown-to', 'config', 'help']);

/** Settings whose values are nobody else's business: the key of what was anonymised, a password in an address. */
const SECRETS = new Set(['key', 'redis']);

/** A value as it may be shown to others. */
export function shownValue({ name, value }: Setting): string {
  if (SECRETS.has(name)) return '(set)';
  return Array.isArray(value) ? value.join(' ') : String(value);
}

export function isSettable(option: CommandOption): boolean {
  return !NOT_SETTABLE.has(optionNames(option).setting);
}

export function variableOf(setting: string): string {
  return `IORR_${setting.toUpperCase().replaceAll('-', '_')}`;
}

/** The value of each option of a command: flag, else environment, else file, else default. Throws `USAGE` for values that can't be. */
export function effectiveSettings(
  command: string,
  options: readonly CommandOption[],
  given: { readonly [key: string]: unknown },
  env: { readonly [name: string]: string | undefined },
  file: ConfigFile,
): readonly Setting[] {
  const own = sectionOf(file, command, options);
  const all = file.sections.get(ALL_COMMANDS);
  return options.flatMap((option): readonly Setting[] => {
    const { setting: name, key, long, negated } = optionNames(option);
    const base = { name, key };
    const flag = given[key];
    if (flag !== undefined) {
      const value = flag as SettingValue;
      checkChoice(option, value, long, {});
      return [{ ...base, value, origin: 'flag', place: long }];
    }
    const variable = variableOf(name);
    // an empty variable is as if it were not there
    const text = env[variable] ?? '';
    if (text !== '' && isSettable(option)) {
      return [{ ...base, value: fromText(option, text, variable), origin: 'environment', place: variable }];
    }
    const located = own?.get(name) ?? all?.get(name);
    if (located !== undefined) {
      const value = fromFile(option, located, file.path);
      return [{ ...base, value, origin: 'file', place: `${file.path}:${located.line}` }];
    }
    const usual = negated ? true : option.default;
    return usual === undefined ? [] : [{ ...base, value: usual, origin: 'default', place: '' }];
  });
}

/** As commands take them: what was switched off is absent, but for an option that is on by itself. */
export function optionValues(settings: readonly Setting[], options: readonly CommandOption[]): Record<string, unknown> {
  const onByItself = new Set(options.map((option) => optionNames(option)).flatMap((o) => (o.negated ? [o.key] : [])));
  const values: Record<string, unknown> = {};
  for (const { key, value } of settings) if (value !== false || onByItself.has(key)) values[key] = value;
  return values;
}

/** The file's section for the command, its names checked. */
function sectionOf(
  file: ConfigFile,
  command: string,
  options: readonly CommandOption[],
): ReadonlyMap<string, Located> | undefined {
  const section = file.sections.get(command);
  for (const [name, { line }] of section ?? []) checkName(name, command, options, { file: file.path, line });
  return section;
}

/** Throws `USAGE` for a name that the options do not have, or that no file may set. */
export function checkName(name: string, command: string, options: readonly CommandOption[], place: ErrorPlace): void {
  const option = options.find((one) => optionNames(one).setting === name);
  if (option !== undefined && isSettable(option)) return;
  const known = options.filter(isSettable).map((one) => optionNames(one).setting);
  const near = nearest(name, known);
  const message =
    option === undefined
      ? `${command === ALL_COMMANDS ? 'no command' : command} has no option ${JSON.stringify(name)}`
      : `${JSON.stringify(name)} is for the command line alone: no file says what is written`;
  throw new IorrError('USAGE', message, {
    place,
    hint: option === undefined && near !== undefined ? `did you mean "${near}"?` : `there are ${known.join(', ')}`,
  });
}

const SWITCH: { readonly [word: string]: boolean } = {
  1: true,
  true: true,
  yes: true,
  0: false,
  false: false,
  no: false,
};

/** Of an environment variable. */
function fromText(option: CommandOption, text: string, variable: string): SettingValue {
  const { value } = optionNames(option);
  if (value === undefined) {
    const on = SWITCH[text.toLowerCase()];
    if (on !== undefined) return on;
    throw new IorrError('USAGE', `${variable}=${text}: 1 or 0 expected`);
  }
  checkChoice(option, text, `${variable}=`, {});
  return option.repeatable === true ? [text] : text;
}

function fromFile(option: CommandOption, { value, line }: Located, file: string): SettingValue {
  const { setting, value: takes } = optionNames(option);
  const place = { file, line };
  const wrong = (expected: string): IorrError =>
    new IorrError('USAGE', `"${setting}": ${expected} expected`, { place });
  if (takes === undefined) {
    if (typeof value === 'boolean') return value;
    throw wrong('true or false');
  }
  if (option.repeatable === true) {
    const items = Array.isArray(value) ? (value as readonly Located[]).map((item) => item.value) : [value];
    return items.map((item) => {
      if (typeof item === 'string' || typeof item === 'number') return String(item);
      throw wrong('a text, or a list of texts');
    });
  }
  if (typeof value !== 'string' && typeof value !== 'number') throw wrong('a text or a number');
  const text = String(value);
  checkChoice(option, text, `"${setting}": `, place);
  return text;
}

function checkChoice(option: CommandOption, value: SettingValue, what: string, place: ErrorPlace): void {
  const { choices } = option;
  if (choices === undefined || option.repeatable === true || choices.includes(String(value))) return;
  const near = nearest(String(value), choices);
  const between = /[=\s]$/.test(what) ? '' : ' ';
  throw new IorrError('USAGE', `${what}${between}${String(value)}: one of ${choices.join(', ')} expected`, {
    place,
    ...(near === undefined ? {} : { hint: `did you mean '${near}'?` }),
  });
}

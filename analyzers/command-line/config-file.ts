import { homedir } from 'node:os';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { IorrError } from '../../traces/errors.ts';
import { nearest } from '../../traces/nearest.ts';
import { readSmallFile } from '../profile-option.ts';
import { parseLocated } from './located-json.ts';
import type { Located } from './located-json.ts';

/** Settings of this name are for all commands that have the option. */
export const ALL_COMMANDS = 'all';
const MOST_BYTES = 1 << 20;

/** A config file: for each command, or for `all`, values of options by their long names. */
export interface ConfigFile {
  readonly path: string;
  readonly sections: ReadonlyMap<string, ReadonlyMap<string, Located>>;
}

/** Where settings are read from: `--config`, else `IORR_CONFIG`, else the user's own file. */
export interface ConfigPath {
  readonly path: string;
  /** It was named, so it must be there. */
  readonly named: boolean;
}

type Environment = { readonly [name: string]: string | undefined };

/**
 * Nothing is read from the current folder: what lies beside somebody's capture must not decide how it is replayed, or name a design
 * of their own, which is code.
 */
export function configPath(given: string | undefined, env: Environment): ConfigPath {
  const named = given ?? env['IORR_CONFIG'] ?? '';
  if (named !== '') return { path: named, named: true };
  const base = env['XDG_CONFIG_HOME'] ?? '';
  // an XDG path that is relative counts as none (XDG Base Directory Specification)
  return { path: join(base.startsWith('/') ? base : join(homedir(), '.config'), 'iorr', 'config.json'), named: false };
}

/** The file's sections, or none where the user's own file is not there. Throws with file and line. */
export function readConfig({ path, named }: ConfigPath, commands: readonly string[]): ConfigFile {
  if (!named && !existsSync(path)) return { path, sections: new Map() };
  return parseConfig(readSmallFile(path, MOST_BYTES), path, commands);
}

export function parseConfig(text: string, path: string, commands: readonly string[]): ConfigFile {
  const whole = parseLocated(text, path);
  const sections = new Map<string, ReadonlyMap<string, Located>>();
  for (const [name, section] of objectOf(whole, path, 'settings by command')) {
    const known = [ALL_COMMANDS, ...commands];
    if (!known.includes(name)) {
      const near = nearest(name, known);
      throw new IorrError('USAGE', `there is no command ${JSON.stringify(name)}`, {
        place: { file: path, line: section.line },
        hint: near === undefined ? `there are ${known.join(', ')}` : `did you mean "${near}"?`,
      });
    }
    sections.set(name, objectOf(section, path, `options of ${JSON.stringify(name)}`));
  }
  return { path, sections };
}

function objectOf(located: Located, file: string, what: string): ReadonlyMap<string, Located> {
  if (located.value instanceof Map) return located.value;
  throw new IorrError('USAGE', `an object with ${what} expected`, {
    place: { file, line: located.line },
    hint: '{"compare": {"hardware": "vtd-64x4", "seed": 7}}',
  });
}

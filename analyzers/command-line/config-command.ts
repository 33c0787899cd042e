import type { CommandEntry, CommandInvocation, CommandSpec } from '../../traces/command.ts';
import { makeEnvelope } from '../../traces/envelope.ts';
import { IorrError } from '../../traces/errors.ts';
import { EMPTY_HEALTH } from '../../traces/header.ts';
import { nearest } from '../../traces/nearest.ts';
import { toJson } from '../../traces/plain-json.ts';
import { toolVersion } from '../../traces/tool.ts';
import { printable } from '../report/escape.ts';
import { layOut } from '../report/plain-table.ts';
import { ALL_COMMANDS, configPath, readConfig } from './config-file.ts';
import type { ConfigFile } from './config-file.ts';
import { GENERAL_OPTIONS } from './general-options.ts';
import { optionNames } from './option-names.ts';
import { checkName, effectiveSettings, isSettable, shownValue, variableOf } from './settings.ts';
import type { Setting } from './settings.ts';

/** Variables that are no options: where settings are, a password that no command line should hold, and the long tests. */
const OTHER_VARIABLES = new Set(['IORR_CONFIG', 'IORR_REDIS_PASSWORD', 'IORR_FULL']);

/** What `iorr config` answers. */
export interface ConfigResult {
  /** The file of settings, whether it is there or not. */
  readonly file: string;
  readonly found: boolean;
  readonly settings: readonly {
    readonly command: string;
    readonly name: string;
    readonly value: string;
    readonly origin: Setting['origin'];
    /** `IORR_HARDWARE`, or file and line. */
    readonly place: string;
  }[];
  /** Variables `IORR_*` that no option of any command is called after. */
  readonly unusedVariables: readonly string[];
}

/** `iorr config`: of the commands of this table. */
export function configCommand(commands: readonly CommandEntry[]): CommandSpec {
  const names = commands.map(({ name }) => name);
  return {
    name: 'config',
    summary: 'says which settings hold for a command, and which flag, variable, file or default each comes from',
    args: ['[COMMAND]'],
    argValues: [names],
    options: [
      { flags: '--print', description: 'each setting of each command, defaults as well; without it, what is set' },
      { flags: '--json', description: 'one JSON document on stdout' },
    ],
    examples: [
      { command: 'iorr config', does: 'what the settings file and the environment change, and is it right?' },
      { command: 'iorr config --print compare', does: 'every option of compare, its value, and where that comes from' },
      { command: 'IORR_HARDWARE=vtd-64x4 iorr config replay', does: 'what a variable does' },
      { command: 'iorr config --config ./lab.json --print --json', does: 'another file, for a script' },
    ],
    async run({ args, options, io }: CommandInvocation): Promise<number> {
      const [wanted] = args;
      if (args.length > 1) throw new IorrError('USAGE', `one command expected, found ${args.length}`);
      if (wanted !== undefined && !names.includes(wanted)) {
        const near = nearest(wanted, names);
        throw new IorrError('USAGE', `there is no command ${JSON.stringify(wanted)}`, {
          hint: near === undefined ? `there are ${names.join(', ')}` : `did you mean ${near}?`,
        });
      }
      const path = configPath(typeof options['config'] === 'string' ? options['config'] : undefined, process.env);
      const file = readConfig(path, names);
      const specs = await Promise.all(commands.map(({ load }) => load()));
      checkAll(file, specs);
      const settings = specs
        .filter(({ name }) => wanted === undefined || name === wanted)
        .flatMap((spec) =>
          effectiveSettings(spec.name, [...spec.options, ...GENERAL_OPTIONS], {}, process.env, file)
            .filter(({ origin }) => options['print'] === true || origin !== 'default')
            .map((setting) => {
              const { name, origin, place } = setting;
              return { command: spec.name, name, value: shownValue(setting), origin, place };
            }),
        );
      const result: ConfigResult = {
        file: path.path,
        found: file.sections.size > 0,
        settings,
        unusedVariables: unusedVariables(specs),
      };
      if (options['json'] === true) {
        const parts = { version: toolVersion(), input: [], options: {}, health: EMPTY_HEALTH, result };
        io.out(toJson(makeEnvelope('config', parts)));
      } else io.out(configText(result));
      return 0;
    },
  };
}

/** All sections, also of commands that were not asked about: a mistake shows before it matters. */
function checkAll(file: ConfigFile, specs: readonly CommandSpec[]): void {
  const everything = specs.flatMap(({ options }) => options);
  for (const [section, values] of file.sections) {
    const spec = specs.find(({ name }) => name === section);
    const options = [...(spec?.options ?? everything), ...GENERAL_OPTIONS];
    for (const [name, { line }] of values) checkName(name, section, options, { file: file.path, line });
    if (section === ALL_COMMANDS) continue;
    effectiveSettings(section, options, {}, {}, file);
  }
}

function unusedVariables(specs: readonly CommandSpec[]): readonly string[] {
  const options = [...specs.flatMap((spec) => spec.options), ...GENERAL_OPTIONS].filter(isSettable);
  const known = new Set(options.map((option) => variableOf(optionNames(option).setting)));
  return Object.keys(process.env)
    .filter((name) => name.startsWith('IORR_') && !known.has(name) && !OTHER_VARIABLES.has(name))
    .sort();
}

function configText({ file, found, settings, unusedVariables: unused }: ConfigResult): string {
  const rows = settings.map(({ command, name, value, origin, place }) => [
    command,
    `--${name}`,
    printable(value),
    printable(origin === 'default' ? 'default' : `${origin}: ${place}`),
  ]);
  const table = layOut({ head: ['command', 'option', 'value', 'from'], rows, left: 4 });
  const lines = [
    `settings file: ${printable(file)}${found ? '' : ' (not there, or empty)'}`,
    ...(rows.length === 0 ? ['nothing is set; --print shows the defaults'] : ['', table]),
    ...unused.map((name) => `${printable(name)} names no option of any command`),
  ];
  return `${lines.join('\n')}\n`;
}

import { IorrError } from '../../traces/errors.ts';
import { nearest } from '../../traces/nearest.ts';

/** A number that a workload takes: `--set devices=8`. Integers unless `fraction`. */
export interface NumberParameter {
  readonly kind: 'number';
  readonly name: string;
  /** Of the value; none where it counts what the name says. */
  readonly unit?: string;
  readonly about: string;
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly fraction?: boolean;
}

/** One word of a few: `--set commands=none`. */
export interface ChoiceParameter {
  readonly kind: 'choice';
  readonly name: string;
  readonly about: string;
  readonly default: string;
  readonly choices: readonly string[];
}

/** Of every workload that can write the commands of its unmaps. */
export const COMMANDS: ChoiceParameter = {
  kind: 'choice',
  name: 'commands',
  about: 'invalidations recorded with the unmaps',
  default: 'strict',
  choices: ['strict', 'none'],
};

export type Parameter = NumberParameter | ChoiceParameter;

/** The values of a workload's parameters: what was set, else the defaults. All are within their ranges. */
export class ParameterValues {
  readonly #values: ReadonlyMap<string, number | string>;

  constructor(values: ReadonlyMap<string, number | string>) {
    this.#values = values;
  }

  number(name: string): number {
    const value = this.#values.get(name);
    if (typeof value !== 'number') throw new TypeError(`no number parameter ${name}`);
    return value;
  }

  choice(name: string): string {
    const value = this.#values.get(name);
    if (typeof value !== 'string') throw new TypeError(`no choice parameter ${name}`);
    return value;
  }

  /** As plain data, in the order of the workload's list. */
  toObject(): { readonly [name: string]: number | string } {
    return Object.fromEntries(this.#values);
  }
}

const MULTIPLES: { readonly [suffix: string]: number } = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
};

/** `100`, `1.5`, `1e8`, `20M`, `64Ki`: digits, optional fraction, optional exponent, optional multiple. */
const NUMBER = /^(\d+(?:\.\d+)?(?:e\d+)?)(|k|M|G|Ki|Mi|Gi)$/;

/**
 * Reads `k=v` settings against the parameters of a workload. Throws `IorrError` USAGE for a setting that is no `k=v`, has an
 * unknown name, or a value outside its range. Of a name that is set twice the last counts.
 */
export function readSettings(
  owner: string,
  parameters: readonly Parameter[],
  settings: readonly string[],
): ParameterValues {
  const values = new Map<string, number | string>(parameters.map((p) => [p.name, p.default]));
  for (const setting of settings) {
    const cut = setting.indexOf('=');
    if (cut <= 0) {
      throw new IorrError('USAGE', `--set expects NAME=VALUE, got "${setting}"`, {
        hint: `For example: --set ${example(parameters)}`,
      });
    }
    const name = setting.slice(0, cut);
    const parameter = parameters.find((p) => p.name === name);
    if (parameter === undefined) {
      const names = parameters.map((p) => p.name);
      const near = nearest(name, names);
      throw new IorrError('USAGE', `${owner} has no parameter "${name}"; it has ${names.join(', ')}`, {
        hint: near === undefined ? 'iorr simulate --list' : `did you mean '${near}'?`,
      });
    }
    values.set(name, readValue(owner, parameter, setting.slice(cut + 1)));
  }
  return new ParameterValues(values);
}

function readValue(owner: string, parameter: Parameter, text: string): number | string {
  if (parameter.kind === 'choice') {
    if (parameter.choices.includes(text)) return text;
    throw new IorrError(
      'USAGE',
      `${owner}: ${parameter.name} expects ${parameter.choices.join(' or ')}, got "${text}"`,
    );
  }
  const match = NUMBER.exec(text);
  const [, digits = '', suffix = ''] = match ?? [];
  const value = match === null ? Number.NaN : Number(digits) * (MULTIPLES[suffix] ?? Number.NaN);
  const whole = parameter.fraction === true || Number.isInteger(value);
  if (whole && value >= parameter.min && value <= parameter.max) return value;
  throw new IorrError(
    'USAGE',
    `${owner}: ${parameter.name} expects ${parameter.fraction === true ? 'a number' : 'an integer'} from ${parameter.min} to ${parameter.max}, got "${text}"`,
    { hint: 'Multiples may be written as k, M, G, Ki, Mi or Gi: events=20M' },
  );
}

function example(parameters: readonly Parameter[]): string {
  const [first] = parameters;
  return first === undefined ? 'name=value' : `${first.name}=${first.default}`;
}

/** One line per parameter, for help texts: name, range, default and what it is. */
export function describeParameters(parameters: readonly Parameter[]): string[] {
  const width = Math.max(0, ...parameters.map((p) => p.name.length));
  return parameters.map((p) => {
    const range = p.kind === 'choice' ? p.choices.join(' | ') : `${p.min} to ${p.max}`;
    const unit = p.kind === 'number' && p.unit !== undefined ? `${p.unit} ` : '';
    return `${p.name.padEnd(width)}  ${unit}${p.about} (${range}; default ${p.default})`;
  });
}

import { IorrError } from '../traces/errors.ts';
import { nearest } from '../traces/nearest.ts';
import type { DesignParameter } from './designs/design.ts';
import { DIRTY_PARAMETERS } from './dirty/dirty-parameters.ts';
import { SERVICE_PARAMETERS } from './faults/service/service-parameters.ts';
import { COST_PROFILES } from './costs/cost-profiles.ts';
import type { CostProfile } from './costs/cost-profile.ts';
import type { HardwareProfile } from './hardware/profile.ts';
import { HARDWARE, withSettings } from './hardware/profiles.ts';
import type { ProfileParameter, Standing } from './results.ts';

/** A parameter of a profile file: where it was fitted or measured, on how many and how surely. */
export interface FileParameter extends ProfileParameter {
  /** Its uncertainty, in the same unit. */
  readonly interval?: readonly [least: number, most: number] | undefined;
  /** Samples behind it. */
  readonly n?: number | undefined;
}

/** What a profile file holds: hardware, costs, or both, each as changes to a built-in profile. */
export interface ProfileFile {
  readonly name: string;
  readonly summary: string;
  readonly hardware: HardwareProfile | undefined;
  readonly costs: CostProfile | undefined;
}

/** What goes into a profile file. */
export interface ProfileDraft {
  readonly name: string;
  readonly summary: string;
  /** `base`: name of a built-in profile that has what is not listed. */
  readonly hardware?: { readonly base: string; readonly parameters: readonly FileParameter[] } | undefined;
  readonly costs?: { readonly base: string; readonly parameters: readonly FileParameter[] } | undefined;
  /** Parameters of `compare --dirty`; goes with `costs`. */
  readonly dirty?: readonly FileParameter[] | undefined;
  /** Parameters of `compare --pri`; goes with `costs`. */
  readonly faults?: readonly FileParameter[] | undefined;
  /** Figures that no model takes yet. */
  readonly measurements?: readonly FileParameter[] | undefined;
}

const FORMAT = 'iorr-profile';
const VERSION = 1;
/** More than any real profile needs. */
export const MOST_PROFILE_BYTES: number = 1 << 20;
const MOST_PARAMETERS = 1000;
const MOST_TEXT = 500;
const LARGEST = 1e12;
const STANDINGS: readonly Standing[] = ['measured', 'published', 'fitted', 'assumed'];

/** The file's text: JSON, keys in a fixed order. */
export function profileText(draft: ProfileDraft): string {
  return `${JSON.stringify({ format: FORMAT, version: VERSION, ...draft }, null, 2)}\n`;
}

/** Reads a profile file. Throws `FORMAT_UNKNOWN` for what is none, `USAGE` for names, units or values that can't be. */
export function parseProfile(text: string, file: string): ProfileFile {
  if (text.length > MOST_PROFILE_BYTES) throw refusal(file, `more than ${MOST_PROFILE_BYTES} bytes`);
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw refusal(file, `no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const root = objectOf(document, file, 'the file');
  if (root['format'] !== FORMAT) throw refusal(file, `"format": "${FORMAT}" expected`);
  if (root['version'] !== VERSION) {
    throw refusal(file, `version ${JSON.stringify(root['version'])?.slice(0, 20)}, this iorr reads ${VERSION}`);
  }
  const name = textOf(root['name'], file, 'name');
  const summary = textOf(root['summary'], file, 'summary');
  const parts = { name, summary, file };
  for (const { section } of COMMAND_PARTS) {
    if (root[section] !== undefined && root['costs'] === undefined)
      throw refusal(file, `${section}: costs expected beside it`);
  }
  if (root['measurements'] !== undefined) parametersOf(root['measurements'], file, 'measurements');
  return {
    name,
    summary,
    hardware: root['hardware'] === undefined ? undefined : hardwareOf(root['hardware'], parts),
    costs: root['costs'] === undefined ? undefined : costsOf(root['costs'], root, parts),
  };
}

interface Parts {
  readonly name: string;
  readonly summary: string;
  readonly file: string;
}

function hardwareOf(value: unknown, { name, summary, file }: Parts): HardwareProfile {
  const { base, parameters } = sectionOf(value, file, 'hardware', HARDWARE);
  for (const parameter of parameters) {
    const known = knownIn(base, parameter, file);
    if (parameter.unit !== known.unit) throw wrongUnit(file, parameter, known.unit);
  }
  // checks the ranges
  const changed = withSettings(
    base,
    parameters.map((parameter) => `${parameter.name}=${parameter.value}`),
  );
  return { ...changed, name, summary, parameters: replaced(base.parameters, parameters) };
}

function costsOf(
  value: unknown,
  root: { readonly [name: string]: unknown },
  { name, summary, file }: Parts,
): CostProfile {
  const { base, parameters } = sectionOf(value, file, 'costs', COST_PROFILES);
  for (const parameter of parameters) {
    const known = knownIn(base, parameter, file);
    if (parameter.unit !== known.unit) throw wrongUnit(file, parameter, known.unit);
    checkRange(parameter, 0, LARGEST, file);
  }
  const own = { name, summary, parameters: replaced(base.parameters, parameters) };
  const commands = COMMAND_PARTS.flatMap((part) =>
    root[part.section] === undefined ? [] : [[part.section, commandPart(root[part.section], part, file)] as const],
  );
  return { ...own, ...Object.fromEntries(commands) };
}

/** Parameters of one command, which cost profiles need not have. */
interface CommandPart {
  readonly section: 'dirty' | 'faults';
  readonly name: string;
  readonly parameters: readonly DesignParameter[];
}

const COMMAND_PARTS: readonly CommandPart[] = [
  { section: 'dirty', name: 'compare --dirty', parameters: DIRTY_PARAMETERS },
  { section: 'faults', name: 'compare --pri', parameters: SERVICE_PARAMETERS },
];

function commandPart(value: unknown, part: CommandPart, file: string): readonly FileParameter[] {
  const parameters = parametersOf(value, file, part.section);
  for (const parameter of parameters) {
    const { unit } = knownIn(part, parameter, file);
    if (parameter.unit !== unit) throw wrongUnit(file, parameter, unit);
    const [least, most] = part.parameters.find(({ name }) => name === parameter.name)?.range ?? [0, LARGEST];
    checkRange(parameter, least, most, file);
  }
  return parameters;
}

function checkRange({ name, value }: FileParameter, least: number, most: number, file: string): void {
  if (value >= least && value <= most) return;
  throw new IorrError('USAGE', `${name} is ${value}; ${least} to ${most} expected`, { place: { file } });
}

/** Those of the base; what the file has in its place. */
function replaced(base: readonly ProfileParameter[], own: readonly FileParameter[]): readonly ProfileParameter[] {
  const byName = new Map(own.map((parameter) => [parameter.name, parameter]));
  return base.map((parameter) => byName.get(parameter.name) ?? parameter);
}

interface Base {
  readonly name: string;
  readonly parameters: readonly ProfileParameter[];
}

function sectionOf<T extends Base>(
  value: unknown,
  file: string,
  what: string,
  known: readonly T[],
): { readonly base: T; readonly parameters: readonly FileParameter[] } {
  const section = objectOf(value, file, what);
  const wanted = textOf(section['base'], file, `${what}.base`);
  const base = known.find(({ name }) => name === wanted);
  if (base === undefined) {
    throw new IorrError('USAGE', `${what}.base is '${wanted}'; known: ${known.map(({ name }) => name).join(', ')}`, {
      place: { file },
    });
  }
  return { base, parameters: parametersOf(section['parameters'], file, `${what}.parameters`) };
}

function knownIn(base: Base, { name }: FileParameter, file: string): ProfileParameter {
  const found = base.parameters.find((parameter) => parameter.name === name);
  if (found !== undefined) return found;
  const names = base.parameters.map((parameter) => parameter.name);
  const near = nearest(name, names);
  throw new IorrError('USAGE', `${base.name} has no parameter '${name}'`, {
    place: { file },
    hint: near === undefined ? `it has ${names.join(', ')}` : `did you mean '${near}'?`,
  });
}

function wrongUnit(file: string, { name, unit }: FileParameter, expected: string): IorrError {
  return new IorrError('USAGE', `${name} is in '${expected}', the file says '${unit}'`, { place: { file } });
}

function parametersOf(value: unknown, file: string, where: string): readonly FileParameter[] {
  if (!Array.isArray(value)) throw refusal(file, `${where}: a list expected`);
  if (value.length > MOST_PARAMETERS) throw refusal(file, `${where}: more than ${MOST_PARAMETERS} parameters`);
  const names = new Set<string>();
  return value.map((item, index) => {
    const parameter = parameterOf(item, file, `${where}[${index}]`);
    if (names.has(parameter.name)) throw refusal(file, `${where}: ${parameter.name} is there twice`);
    names.add(parameter.name);
    return parameter;
  });
}

function parameterOf(value: unknown, file: string, where: string): FileParameter {
  const object = objectOf(value, file, where);
  const standing = STANDINGS.find((known) => known === object['standing']);
  if (standing === undefined) throw refusal(file, `${where}.standing: one of ${STANDINGS.join(', ')} expected`);
  const { interval, n } = object;
  return {
    name: textOf(object['name'], file, `${where}.name`),
    value: numberOf(object['value'], file, `${where}.value`),
    unit: textOf(object['unit'], file, `${where}.unit`),
    source: textOf(object['source'], file, `${where}.source`),
    standing,
    ...(interval === undefined || interval === null
      ? {}
      : { interval: intervalOf(interval, file, `${where}.interval`) }),
    ...(n === undefined ? {} : { n: numberOf(n, file, `${where}.n`) }),
  };
}

function intervalOf(value: unknown, file: string, where: string): readonly [number, number] {
  if (!Array.isArray(value) || value.length !== 2) throw refusal(file, `${where}: two numbers expected`);
  const least = numberOf(value[0], file, where);
  const most = numberOf(value[1], file, where);
  if (least > most) throw refusal(file, `${where}: the first number is the smaller one`);
  return [least, most];
}

function objectOf(value: unknown, file: string, where: string): { readonly [key: string]: unknown } {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as { readonly [key: string]: unknown };
  }
  throw refusal(file, `${where}: an object expected`);
}

function textOf(value: unknown, file: string, where: string): string {
  if (typeof value === 'string' && value !== '' && value.length <= MOST_TEXT) return value;
  throw refusal(file, `${where}: a text of 1 to ${MOST_TEXT} characters expected`);
}

function numberOf(value: unknown, file: string, where: string): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw refusal(file, `${where}: a number expected`);
}

function refusal(file: string, what: string): IorrError {
  return new IorrError('FORMAT_UNKNOWN', what, {
    place: { file },
    hint: 'docs/calibrate.md describes profile files; `iorr calibrate` writes them',
  });
}

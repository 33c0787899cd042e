import { IorrError } from '../../traces/errors.ts';
import type { CostProfile } from '../costs/cost-profile.ts';
import { isCounted } from '../costs/parameter-units.ts';
import type { DesignParameter } from '../designs/design.ts';
import { DESIGNS } from '../designs/designs.ts';
import { PATHS } from '../paths/paths.ts';
import { nearest } from '../../traces/nearest.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { withSettings } from '../hardware/profiles.ts';
import type { ProfileParameter } from '../results.ts';

/** What a comparison runs with after `--set`. */
export interface CompareSettings {
  readonly hardware: HardwareProfile;
  readonly profile: CostProfile;
  /** Values of parameters of designs and paths that were set. */
  readonly parameters: ReadonlyMap<string, number>;
}

/** Ranges by the end of a parameter's name; what is not listed takes 0 to 2^31 - 1. */
const RANGES: { readonly [ending: string]: readonly [number, number] } = {
  size: [2, 1 << 20],
  timeout: [1, 600_000],
  hz: [1, 10_000],
  entries: [0, 1 << 20],
  reads: [1, 1 << 16],
  queues: [1, 1024],
};

/**
 * Applies `name=value` settings (several with commas) to whoever has the name: the cost profile, one of the designs or paths,
 * or the hardware. Throws `USAGE` for a name that none has, a value out of range, or no number.
 */
export function applySettings(
  settings: readonly string[],
  hardware: HardwareProfile,
  profile: CostProfile,
  /** Designs and paths. */
  parts: readonly { readonly parameters: readonly DesignParameter[] }[],
): CompareSettings {
  const named = parts.flatMap((part) => part.parameters);
  const others: string[] = [];
  const parameters = new Map<string, number>();
  let costs = profile.parameters;
  for (const setting of settings.flatMap((text) => text.split(','))) {
    const [key = '', text = ''] = setting.split('=', 2);
    const name = key.trim();
    const namedOne = named.find((parameter) => parameter.name === name);
    if (name === 'kernel') parameters.set(name, kernelIn(setting, text));
    else if (costs.some((parameter) => parameter.name === name)) {
      costs = costs.map((parameter): ProfileParameter => {
        if (parameter.name !== name) return parameter;
        const value = numberIn(setting, text, parameter, RANGES[name.slice(name.lastIndexOf('.') + 1)] ?? [0, 1e12]);
        return { ...parameter, value, source: 'set by the user', standing: 'assumed' };
      });
    } else if (namedOne !== undefined) {
      const ending = name.slice(name.lastIndexOf('.') + 1);
      parameters.set(name, numberIn(setting, text, namedOne, namedOne.range ?? RANGES[ending] ?? [0, 0x7fff_ffff]));
    } else {
      refuseAbsentPart(setting, name);
      const known = ['kernel', ...[...costs, ...named].map((parameter) => parameter.name)];
      const near = nearest(name, known);
      const hardwareHas = hardware.parameters.some((parameter) => parameter.name.endsWith(name));
      if (near !== undefined && !hardwareHas) {
        throw new IorrError('USAGE', `--set ${setting}: nothing is called '${name}'`, {
          hint: `did you mean '${near}'?`,
        });
      }
      const family = known.filter((one) => one.startsWith(`${name.split('.', 1)[0]}.`) && name.includes('.'));
      if (family.length > 0 && !hardwareHas) {
        throw new IorrError('USAGE', `--set ${setting}: nothing is called '${name}'`, { hint: family.join(', ') });
      }
      others.push(setting);
    }
  }
  return { hardware: withSettings(hardware, others), profile: { ...profile, parameters: costs }, parameters };
}

/** A knob of a design or path that is not compared sets nothing: better said than taken for one of the hardware. */
function refuseAbsentPart(setting: string, name: string): void {
  const has = ({ parameters }: { readonly parameters: readonly ProfileParameter[] }): boolean =>
    parameters.some((parameter) => parameter.name === name);
  const design = DESIGNS.find(has);
  const path = PATHS.find(has);
  const absent = design === undefined ? path && `--paths ${path.name}` : `--designs ${design.name}`;
  if (absent === undefined) return;
  throw new IorrError('USAGE', `--set ${setting}: nothing that is compared has '${name}'`, {
    hint: `compare what has it: ${absent}`,
  });
}

/** `6.12` as 612, as in `DesignContext.kernel`. */
function kernelIn(setting: string, text: string): number {
  // 6.12 or 6.12.107
  const [, major = '', minor = ''] = /^(\d{1,2})\.(\d{1,2})(?:\.\d+)?$/.exec(text.trim()) ?? [];
  if (major !== '') return Number(major) * 100 + Number(minor);
  throw new IorrError('USAGE', `--set ${setting}: kernel takes a Linux version`, { hint: '--set kernel=6.12' });
}

function numberIn(
  setting: string,
  text: string,
  { name, unit, value: usual }: ProfileParameter,
  [low, high]: readonly [number, number],
): number {
  const value = Number(text);
  const whole = isCounted(unit);
  const fits = text.trim() !== '' && Number.isFinite(value) && value >= low && value <= high;
  if (fits && (!whole || Number.isInteger(value))) return value;
  throw new IorrError(
    'USAGE',
    `--set ${setting}: ${name} takes a ${whole ? 'whole ' : ''}number from ${low} to ${high}${/^\d/.test(unit) ? '' : ` (${unit})`}`,
    {
      hint: `for example --set ${name}=${usual}`,
    },
  );
}

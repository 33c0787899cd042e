import { ATC_PARAMETERS } from '../../replay/atc/atc-parameters.ts';
import { COST_PROFILES } from '../../replay/costs/cost-profiles.ts';
import { DESIGNS } from '../../replay/designs/designs.ts';
import { DIRTY_PARAMETERS } from '../../replay/dirty/dirty-parameters.ts';
import { SERVICE_PARAMETERS } from '../../replay/faults/service/service-parameters.ts';
import { HARDWARE } from '../../replay/hardware/profiles.ts';
import { PATHS } from '../../replay/paths/paths.ts';
import type { ProfileParameter } from '../../replay/results.ts';
import { markdownTable } from './page-parts.ts';

interface ParameterGroup {
  readonly title: string;
  /** What they are parameters of, and how they are chosen. */
  readonly about: string;
  readonly parameters: readonly ProfileParameter[];
}

/** Each once, by its name: paths and designs share some. */
function once(parameters: readonly ProfileParameter[]): readonly ProfileParameter[] {
  return [...new Map(parameters.map((parameter) => [parameter.name, parameter])).values()];
}

const GROUPS: readonly ParameterGroup[] = [
  ...COST_PROFILES.map(({ name, summary, parameters }) => ({
    title: `Costs: ${name}`,
    about: `\`--profile ${name}\`: ${summary}.`,
    parameters,
  })),
  {
    title: 'Paths',
    about: 'Of [paths](paths.md) to the hardware; on top of a cost profile.',
    parameters: once(PATHS.flatMap(({ parameters }) => parameters)),
  },
  {
    title: 'Designs',
    about: 'Of [invalidation designs](designs.md).',
    parameters: once(DESIGNS.flatMap(({ parameters }) => parameters)),
  },
  {
    title: "Devices' caches",
    about: 'How devices with ATS answer invalidations, beside `queue.device-tlb` of the cost profile.',
    parameters: ATC_PARAMETERS,
  },
  {
    title: 'Dirty tracking',
    about: 'Of `iorr compare --dirty` ([methods](dirty-methods.md)) and of estimates of harvests.',
    parameters: DIRTY_PARAMETERS,
  },
  {
    title: 'Page requests',
    about:
      'Of `iorr compare --pri` ([page requests](page-requests.md)); the first ones are shared with dirty tracking.',
    parameters: SERVICE_PARAMETERS,
  },
  ...HARDWARE.map(({ name, summary, parameters }) => ({
    title: `Hardware: ${name}`,
    about: `\`--hardware ${name}\`: ${summary}.`,
    parameters,
  })),
];

/** Every parameter that a figure may rest on, by where it is given. */
export function parameterTables(): string {
  const all = GROUPS.flatMap(({ parameters }) => parameters);
  const count = (standing: string): number => all.filter((parameter) => parameter.standing === standing).length;
  const total = ['measured', 'published', 'fitted', 'assumed'].map((standing) => `${count(standing)} ${standing}`);
  const tables = GROUPS.map(({ title, about, parameters }) => {
    const rows = parameters.map(({ name, value, unit, standing, source }) => [
      `\`${name}\``,
      String(value),
      unit,
      standing,
      source,
    ]);
    return `## ${title}\n\n${about}\n\n${markdownTable(['parameter', 'value', 'unit', 'standing', 'source'], rows)}`;
  });
  return `${all.length} values: ${total.join(', ')}.\n\n${tables.join('\n')}`;
}

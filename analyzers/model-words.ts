import { COST_NAMES } from '../replay/costs/cost-profile.ts';
import { COST_PROFILES } from '../replay/costs/cost-profiles.ts';
import { ATC_PARAMETERS } from '../replay/atc/atc-parameters.ts';
import { DESIGNS } from '../replay/designs/designs.ts';
import { HARDWARE } from '../replay/hardware/profiles.ts';
import { PATHS } from '../replay/paths/paths.ts';

/** Words of options that many commands have, for completion. */

export const HARDWARE_WORDS: readonly string[] = ['auto', ...HARDWARE.map(({ name }) => name)];
export const PROFILE_WORDS: readonly string[] = ['auto', ...COST_PROFILES.map(({ name }) => name)];
export const DESIGN_WORDS: readonly string[] = DESIGNS.map(({ name }) => name);
export const PATH_WORDS: readonly string[] = PATHS.map(({ name }) => name);

const named = (names: readonly string[]): readonly string[] => [...new Set(names)].sort().map((name) => `${name}=`);
const HARDWARE_NAMES = HARDWARE.flatMap(({ parameters }) => parameters.map(({ name }) => name));

/** What `--set` changes where commands are those of the recording. */
export const HARDWARE_KNOBS: readonly string[] = named(HARDWARE_NAMES);
/** What `--set` changes where designs are compared. */
export const COMPARE_KNOBS: readonly string[] = named([
  'kernel',
  ...HARDWARE_NAMES,
  ...COST_NAMES,
  ...[...DESIGNS, ...PATHS, { parameters: ATC_PARAMETERS }].flatMap(({ parameters }) =>
    parameters.map(({ name }) => name),
  ),
]);

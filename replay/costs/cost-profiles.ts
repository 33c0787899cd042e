import { IorrError } from '../../traces/errors.ts';
import type { TraceHeader } from '../../traces/header.ts';
import { nearest } from '../../traces/nearest.ts';
import type { CostProfile } from './cost-profile.ts';
import { armServer } from './arm-server.ts';
import { genericServer } from './generic-server.ts';
import { qemuTcg } from './qemu-tcg.ts';

/** Every cost profile, by the name that `--profile` takes. */
export const COST_PROFILES: readonly CostProfile[] = [genericServer, armServer, qemuTcg];

/**
 * The cost profile of a name; `auto` takes the emulator's where the trace's times are an emulator's, so that modelled and
 * recorded times can be compared. Throws `USAGE` for an unknown name.
 */
export function costProfile(name: string, header: TraceHeader): CostProfile {
  if (name === 'auto') return header.host.emulated === true ? qemuTcg : genericServer;
  const found = COST_PROFILES.find((profile) => profile.name === name);
  if (found !== undefined) return found;
  const names = ['auto', ...COST_PROFILES.map((profile) => profile.name)];
  const near = nearest(name, names);
  throw new IorrError('USAGE', `unknown cost profile '${name}'; known: ${names.join(', ')}`, {
    hint: near === undefined ? 'iorr compare --help lists them' : `did you mean '${near}'?`,
  });
}

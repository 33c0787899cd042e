import type { Trace } from '../../traces/trace.ts';
import { derivationCaveats, deriveIntents } from '../engine/derived-trace.ts';
import { sourceNames } from '../tenants/tenant-names.ts';
import type { SourceNames } from '../tenants/tenant-names.ts';
import { TenantTrace } from '../tenants/tenant-trace.ts';
import type { ResolvedPoint } from './resolve-point.ts';

/** What a trace has names of: the same for any number of tenants. */
const KNOWN = new WeakMap<Trace, SourceNames>();

/** A recording as so many tenants play it as a point has. A trace of calls is played as what the calls map. */
export function clonedTrace(
  recording: Trace,
  { tenants, point }: ResolvedPoint,
): { readonly trace: Trace; readonly caveats: readonly string[] } {
  const { clones, driver, seed } = point.question;
  const derived = deriveIntents(recording, driver);
  const source = derived ?? recording;
  const names = KNOWN.get(source) ?? sourceNames(source);
  KNOWN.set(source, names);
  return {
    trace: new TenantTrace([source], { ...clones, tenants, seed }, [names]),
    caveats: derived === undefined ? [] : derivationCaveats(derived),
  };
}

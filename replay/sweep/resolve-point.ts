import { IorrError } from '../../traces/errors.ts';
import { ATC_PARAMETERS } from '../atc/atc-parameters.ts';
import { DESIGNS, designTrouble, namedDesign } from '../designs/designs.ts';
import { applySettings } from '../engine/compare-settings.ts';
import type { CompareSettings } from '../engine/compare-settings.ts';
import { findPath } from '../paths/paths.ts';
import { MOST_TENANTS } from '../tenants/tenant-names.ts';
import { SWEPT } from './sweep-point.ts';
import type { SweepPoint } from './sweep-point.ts';

/** A point with its settings applied. */
export interface ResolvedPoint extends CompareSettings {
  readonly point: SweepPoint;
  /** Name of a design, maybe with `@value`; undefined: the recorded commands are replayed. */
  readonly design: string | undefined;
  readonly path: string;
  readonly cores: number | undefined;
  /** Clones of the trace; 1: the trace itself. */
  readonly tenants: number;
}

const SPECIAL: ReadonlySet<string> = new Set(Object.values(SWEPT));

/** Throws `USAGE` for a value that its parameter does not take, or a name that nothing has. */
export function resolvePoint(point: SweepPoint): ResolvedPoint {
  const { question, values } = point;
  const design = values[SWEPT.design];
  const path = values[SWEPT.path] ?? 'native';
  const cores = values[SWEPT.cores];
  const tenants = Number(values[SWEPT.tenants] ?? 1);
  if (!(Number.isInteger(tenants) && tenants >= 1 && tenants <= MOST_TENANTS)) {
    throw new IorrError('USAGE', `tenants=${values[SWEPT.tenants]}: whole numbers from 1 to ${MOST_TENANTS} expected`, {
      hint: 'for example --tenants 1,2,4..64',
    });
  }
  if (design === undefined && (cores !== undefined || values[SWEPT.path] !== undefined)) {
    throw new IorrError('USAGE', 'paths and cores are of designs: the recorded commands have their own', {
      hint: 'add --designs linux-strict,linux-lazy',
    });
  }
  const named = design === undefined ? undefined : namedDesign(String(design), DESIGNS);
  if (design !== undefined && named === undefined) {
    const [message, hint] = designTrouble(String(design), DESIGNS);
    throw new IorrError('USAGE', message, { hint });
  }
  const own = Object.entries(values)
    .filter(([name]) => !SPECIAL.has(name))
    .map(([name, value]) => `${name}=${value}`);
  const parts = named === undefined ? [] : [named.design, findPath(String(path)), { parameters: ATC_PARAMETERS }];
  const settings = applySettings([...question.settings, ...own], question.hardware, question.profile, parts);
  return {
    ...settings,
    point,
    design: design === undefined ? undefined : String(design),
    path: String(path),
    cores: cores === undefined ? undefined : Number(cores),
    tenants,
  };
}

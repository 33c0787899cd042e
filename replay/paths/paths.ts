import { IorrError } from '../../traces/errors.ts';
import { nearest } from '../../traces/nearest.ts';
import type { ProfileParameter } from '../results.ts';
import { directQueue } from './direct-queue.ts';
import { ioctlMany, ioctlOne } from './invalidate-ioctl.ts';
import { kvmShared } from './kvm-shared.ts';
import { native } from './native.ts';
import { nonMediatedMsi } from './non-mediated-msi.ts';
import type { Path } from './path.ts';
import { shadow } from './shadow.ts';
import { trapped } from './trapped.ts';
import { tsmMediated } from './tsm-mediated.ts';
import { virtio } from './virtio.ts';

/** Every path, by file. A new one is its file and a line here. */
export const PATHS: readonly Path[] = [
  native,
  trapped,
  ioctlOne,
  ioctlMany,
  directQueue,
  shadow,
  virtio,
  kvmShared,
  tsmMediated,
  nonMediatedMsi,
];

/** The path of a name. Throws `USAGE` for one that there is not. */
export function findPath(name: string): Path {
  const path = PATHS.find((one) => one.name === name);
  if (path !== undefined) return path;
  const names = PATHS.map((one) => one.name);
  const near = nearest(name, names);
  throw new IorrError('USAGE', `unknown path '${name}'; known: ${names.join(', ')}`, {
    hint: near === undefined ? 'iorr compare --help lists them' : `did you mean '${near}'?`,
  });
}

/** The value of a path's parameter: the one given, else the path's own. */
export function pathParameter(path: Path, given: ReadonlyMap<string, number>): (name: string) => number {
  return (name) => {
    const value = given.get(name) ?? path.parameters.find((parameter) => parameter.name === name)?.value;
    if (value === undefined) throw new RangeError(`path ${path.name} has no parameter ${name}`);
    return value;
  };
}

/** The parameters that rows on these paths rest on, each once, with the values that were given. */
export function pathParameterTable(
  names: readonly string[],
  given: ReadonlyMap<string, number>,
): readonly ProfileParameter[] {
  const seen = new Map<string, ProfileParameter>();
  for (const path of names.map(findPath)) {
    for (const parameter of path.parameters) {
      const value = given.get(parameter.name);
      const set = { ...parameter, source: 'set by the user', standing: 'assumed' } as const;
      seen.set(parameter.name, value === undefined ? parameter : { ...set, value });
    }
  }
  return [...seen.values()];
}

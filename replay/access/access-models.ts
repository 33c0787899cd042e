import { IorrError } from '../../traces/errors.ts';
import { nearest } from '../../traces/nearest.ts';
import type { AccessModelFactory } from './access-model.ts';
import { none } from './none.ts';
import { ring } from './ring.ts';
import { touchOnce } from './touch-once.ts';
import { uniform } from './uniform.ts';

/** Every access model, by the name that `--access` takes. */
export const ACCESS_MODELS: readonly AccessModelFactory[] = [none, ring, touchOnce, uniform];

/** The model of a name. Throws `USAGE` for an unknown one. */
export function accessModel(name: string): AccessModelFactory {
  const found = ACCESS_MODELS.find((model) => model.name === name);
  if (found !== undefined) return found;
  const names = ACCESS_MODELS.map((model) => model.name);
  const near = nearest(name, names);
  throw new IorrError('USAGE', `unknown access model '${name}'; known: ${names.join(', ')}`, {
    hint: near === undefined ? 'iorr compare --help lists them' : `did you mean '${near}'?`,
  });
}

import { IorrError } from '../traces/errors.ts';
import { nearest } from '../traces/nearest.ts';
import type { BenchSuite } from './suite.ts';
import { counting } from './suites/counting.ts';
import { decode } from './suites/decode.ts';
import { encode } from './suites/encode.ts';
import { harvest } from './suites/harvest.ts';
import { importing } from './suites/importing.ts';
import { ioctls } from './suites/ioctls.ts';
import { replay } from './suites/replay.ts';
import { sweep } from './suites/sweep.ts';

/** Every suite, in the order in which they run. */
export const SUITES: readonly BenchSuite[] = [encode, decode, importing, replay, counting, sweep, ioctls, harvest];

/** The suites of a comma-separated list; all where it is undefined. Throws `IorrError` USAGE for an unknown name. */
export function chooseSuites(list: string | undefined): readonly BenchSuite[] {
  if (list === undefined) return SUITES;
  return list.split(',').map((name) => {
    const suite = SUITES.find((one) => one.name === name.trim());
    if (suite !== undefined) return suite;
    const names = SUITES.map((one) => one.name);
    const near = nearest(name.trim(), names);
    throw new IorrError('USAGE', `no benchmark suite "${name}"; there are ${names.join(', ')}`, {
      hint: near === undefined ? 'iorr bench --suite encode,decode' : `did you mean '${near}'?`,
    });
  });
}

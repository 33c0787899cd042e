import { bitPacked } from './bit-packed.ts';
import type { IntCodec } from './codec.ts';
import { constant } from './constant.ts';
import { deltaPlanes } from './delta-planes.ts';
import { deltaVarint } from './delta-varint.ts';
import { dictionary } from './dictionary.ts';
import { pageSplit } from './page-split.ts';
import { runs } from './runs.ts';

/** Every codec of integer columns, in order of id. */
export const INT_CODECS: readonly IntCodec[] = [
  constant,
  deltaVarint,
  deltaPlanes,
  dictionary,
  runs,
  bitPacked,
  pageSplit,
];

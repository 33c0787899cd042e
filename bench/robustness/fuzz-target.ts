import type { Random } from '../../traces/random.ts';
import type { Mutation } from './mutate-trace.ts';

/** What became of one damaged input. */
export interface FuzzOutcome {
  /** Code of the `IorrError` with which it was refused. */
  readonly refused: string | undefined;
  readonly events: number;
}

/** What is fed with damaged input. */
export interface FuzzTarget {
  /** One damaged input, by the random state alone. */
  make(random: Random): Mutation;
  /** Takes one in whole. Throws (or rejects) for everything that must not happen. */
  take(bytes: Uint8Array, random: Random): FuzzOutcome | Promise<FuzzOutcome>;
}

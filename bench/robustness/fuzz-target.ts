import type { Random } from '../../traces/random.ts';
import type { Mutation } from './mutate-trace.ts';

/** What is fed with damaged input. */
export interface FuzzTarget {
  /** One damaged input, by the random state alone. */
  make(random: Random): Mutation;
  /**
   * Takes one in whole. Returns the code of the `IorrError` with which it was refused, if so, and the events that came out.
   * Throws for everything that must not happen.
   */
  take(bytes: Uint8Array, random: Random): { readonly refused: string | undefined; readonly events: number };
}

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

/** Where whole inputs lie. */
export interface FuzzPlaces {
  /** The repository. */
  readonly root: string;
  /** A folder of captures, to damage them beside the fixtures. */
  readonly captures?: string | undefined;
}

/** A target under its name. */
export interface FuzzKind {
  readonly name: string;
  /** How often it comes, against the others: less for what takes long. */
  readonly weight: number;
  /** Called once in a process, before the first damaged input. */
  create(places: FuzzPlaces): FuzzTarget;
}

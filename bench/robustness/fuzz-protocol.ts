import type { FuzzPlaces } from './fuzz-target.ts';

/** What a fuzzing worker is told when it starts. */
export interface FuzzSetup extends FuzzPlaces {
  readonly seed: number;
  /** Targets by name; all if undefined. */
  readonly only: readonly string[] | undefined;
  /** One int32: the number of the case that is at work, plus 1; 0 between cases. */
  readonly board: SharedArrayBuffer;
}

export type FuzzRequest =
  /** Cases `from` to `to - 1`. */
  | { readonly kind: 'run'; readonly from: number; readonly to: number }
  /** The damaged input of one case. */
  | { readonly kind: 'make'; readonly number: number }
  /** These bytes in the place of a case's own. */
  | { readonly kind: 'try'; readonly number: number; readonly bytes: Uint8Array };

export type FuzzReply =
  | { readonly kind: 'finding'; readonly finding: FuzzFinding }
  | { readonly kind: 'ran'; readonly tallies: readonly FuzzTally[] }
  | { readonly kind: 'made'; readonly target: string; readonly mutation: string; readonly bytes: Uint8Array }
  | { readonly kind: 'tried'; readonly problem: string | undefined };

/** What went wrong with one damaged input. */
export interface FuzzFinding {
  readonly number: number;
  readonly target: string;
  readonly mutation: string;
  readonly problem: string;
  readonly bytes: Uint8Array;
}

/** What became of the inputs of one target. */
export interface FuzzTally {
  readonly target: string;
  readonly files: number;
  /** Files that were read, though damaged. */
  readonly opened: number;
  /** Files refused with an `IorrError`, by code. */
  readonly refused: { readonly [code: string]: number };
  readonly events: number;
  readonly slowestMs: number;
  /** Largest single allocation that our code asked for, in bytes; and the most for one file in all, freed again or not. */
  readonly largestAllocation: number;
  readonly largestTotal: number;
}

export interface FuzzReport {
  readonly findings: readonly FuzzFinding[];
  readonly files: number;
  readonly tallies: readonly FuzzTally[];
  /** Cases that took too long once and not when tried again: the machine was busy. */
  readonly retried: number;
  /** Most memory that the process ever held, in bytes. */
  readonly peakMemory: number;
}

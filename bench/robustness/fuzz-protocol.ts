/** What a fuzzing process is told, once. */
export interface FuzzJob {
  readonly kind: 'trace' | 'log' | 'replay' | 'compressed';
  readonly seed: number;
  /** Mutations `from` to `to - 1`: number i is made by seed + i alone, so that each can be made again. */
  readonly from: number;
  readonly to: number;
  /** For `compressed`: where whole files are. */
  readonly folder?: string;
  /** Lines of real logs to damage beside the generated ones. */
  readonly logs?: readonly (readonly string[])[];
}

/** What went wrong with one mutation. */
export interface FuzzFinding {
  readonly number: number;
  readonly mutation: string;
  readonly problem: string;
}

/** Sent before each mutation (`number`), and once at the end (`done`). */
export type FuzzMessage =
  | { readonly kind: 'begin'; readonly number: number }
  | { readonly kind: 'done'; readonly report: FuzzReport };

export interface FuzzReport {
  readonly findings: readonly FuzzFinding[];
  readonly files: number;
  /** Files that opened, though damaged. */
  readonly opened: number;
  /** Files refused with an `IorrError`, by code. */
  readonly refused: { readonly [code: string]: number };
  readonly events: number;
  readonly slowestMs: number;
  /** Largest single allocation that our code asked for, in bytes; and the most for one file in all. */
  readonly largestAllocation: number;
  readonly largestTotal: number;
  /** Most memory that the process ever held, in bytes. */
  readonly peakMemory: number;
}

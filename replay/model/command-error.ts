import type { CommandErrorCount } from '../results.ts';

/**
 * Why a unit refuses a command, as negative results of `applyCommand`. The hardware would stop its queue there and raise the
 * architecture's error; here the command is counted and drops nothing.
 */
export const COMMAND_ERROR = {
  undefinedType: -1,
  undefinedGranularity: -2,
  reservedBits: -3,
  maskTooLarge: -4,
  noSuchDomain: -5,
  badRange: -6,
} as const;

/** What was wrong, by negated error. */
const WHAT = [
  '',
  'undefined command',
  'undefined granularity',
  'reserved bits set',
  'size beyond what the unit takes',
  'no such domain',
  'range not allowed',
] as const;

/** Errors of one unit by kind. */
export class CommandErrors {
  readonly #counts = new Float64Array(WHAT.length);
  readonly #name: (error: number) => string;
  total = 0;

  /** `name` gives the architecture's name of a `COMMAND_ERROR`. */
  constructor(name: (error: number) => string) {
    this.#name = name;
  }

  add(error: number): void {
    this.#counts[-error]!++;
    this.total++;
  }

  report(): readonly CommandErrorCount[] {
    const report: CommandErrorCount[] = [];
    this.#counts.forEach((count, index) => {
      if (count > 0) report.push({ error: this.#name(-index), what: WHAT[index] ?? '', count });
    });
    return report;
  }
}

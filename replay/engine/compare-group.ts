import type { Segment } from '../../traces/segment.ts';
import { accessModel } from '../access/access-models.ts';
import type { DesignFactory } from '../designs/design.ts';
import type { DesignResult, RecordedResult } from '../results.ts';
import { DesignRun } from './design-run.ts';
import type { RunFacts, RunOptions } from './design-run.ts';
import { RecordedRun } from './recorded-run.ts';

/** Name that stands for the trace's own commands among the designs of a group. */
export const RECORDED = 'recorded';

/** One row that was asked for: a design on a path, or `RECORDED`. */
export interface RowSpec {
  readonly design: string;
  readonly path: string;
}

/** What one worker does: some of the rows of a comparison. Plain data. */
export interface GroupSpec {
  readonly rows: readonly RowSpec[];
  readonly options: RunOptions;
}

/** A row of a design, or that of the recording. */
export type GroupRow =
  | { readonly result: DesignResult; readonly facts: RunFacts }
  | { readonly recorded: RecordedResult };

/** Several rows over the same segments, one after the other. */
export class CompareGroup {
  readonly #runs: readonly (DesignRun | RecordedRun)[];

  /** `designs`: the built-in ones and those of the options' modules. */
  constructor(spec: GroupSpec, designs: readonly DesignFactory[]) {
    const { hardware, access, seed } = spec.options;
    const accesses = access === 'recorded' ? undefined : { factory: accessModel(access), seed };
    this.#runs = spec.rows.map(({ design, path }) =>
      design === RECORDED ? new RecordedRun(hardware, accesses) : new DesignRun(design, path, spec.options, designs),
    );
  }

  segment(segment: Segment): void {
    for (const run of this.#runs) run.segment(segment);
  }

  /** Rows in the order of the spec's. */
  finish(): readonly GroupRow[] {
    return this.#runs.map((run) => (run instanceof RecordedRun ? { recorded: run.finish() } : run.finish()));
  }
}

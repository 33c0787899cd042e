import type { HealthReport } from '../traces/health.ts';
import type { Trace } from '../traces/trace.ts';
import type { Nanoseconds } from '../traces/units.ts';

/** What an analysis made of a trace: plain data, and the same for people. */
export interface AnalysisOutcome {
  readonly result: unknown;
  readonly text: string;
  /** The same as one page that opens anywhere; a state at a time has none. */
  readonly html?: (page: AnalysisPage) => string;
}

/** What a page says beside the result. */
export interface AnalysisPage {
  readonly file: string;
  readonly version: string;
  readonly health: HealthReport;
}

/** What is asked of an analysis beside the trace. */
export interface AnalysisQuestion {
  /** The trace's name. */
  readonly file: string;
  /** State at this time instead of, or beside, the whole: ns since the trace's epoch. */
  readonly at: Nanoseconds | undefined;
  /** Name of a hardware profile, or `auto`. */
  readonly hardware: string;
  /** Parameters of it, as `name=value`. */
  readonly settings: readonly string[];
  /** Driver by whose rules ioctls are carried out, where one was named. */
  readonly driver?: string;
  /** Share of the pages to look at, of analyses that can. */
  readonly sample?: number;
}

/** One question about a trace, asked as `iorr analyze NAME F`. */
export interface Analysis {
  readonly name: string;
  /** One line for the help. */
  readonly summary: string;
  /** Short names for `--fail-on`, each with the path of its number in the result. Any path can be written out, too. */
  readonly gates?: { readonly [name: string]: string };
  /** It can look at a share of the pages. */
  readonly samples?: true;
  /** Throws `IorrError` STREAM_MISSING where the trace can't answer. */
  run(trace: Trace, question: AnalysisQuestion): AnalysisOutcome | Promise<AnalysisOutcome>;
}

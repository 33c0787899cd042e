/** What a trace means: analyses, differences, traces made from traces, and results as text, JSON, Markdown, CSV and HTML. */
export { ANALYSES } from './analyses.ts';
export type { Analysis, AnalysisOutcome, AnalysisPage, AnalysisQuestion } from './analysis.ts';
export { diffTraces } from './diff/diff-traces.ts';
export type { DiffTracesOptions, TraceComparison } from './diff/diff-traces.ts';
export { diffGate, parseDiffCondition } from './diff/diff-gate.ts';
export type { DiffCondition } from './diff/diff-gate.ts';
export type { DiffGate, DiffMetricResult, DiffResult, Verdict } from './diff/diff-result.ts';
export { parseFilter } from './event-filter.ts';
export type { EventFilter } from './event-filter.ts';
export { filterTrace } from './surgery/filter-trace.ts';
export type { FilterReport } from './surgery/filter-trace.ts';
export { cutWindow } from './surgery/cut-window.ts';
export type { CutReport } from './surgery/cut-window.ts';
export { runSteps } from './surgery/surgery.ts';
export type { Steps, Surgery } from './surgery/surgery.ts';
export * from './report/index.ts';

/** How fast it is: the suites of `iorr bench`, and what measures a case against itself. */
export { SUITES, chooseSuites } from './suites.ts';
export type { BenchCase, BenchSuite, PreparedCases } from './suite.ts';
export { measure } from './measure.ts';
export type { BenchFigure } from './measure.ts';
export type { BenchResult } from './bench-command.ts';

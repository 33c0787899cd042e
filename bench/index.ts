export * from './bench-command.ts';
export * from './log-text.ts';
export * from './measure.ts';
export * from './simulated-trace.ts';
export * from './suite.ts';
export * from './suites.ts';

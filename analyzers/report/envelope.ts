import type { CompareResult, ReplayResult, VerifyResult } from '../../replay/results.ts';
import type { Envelope } from '../../traces/envelope.ts';

/** The documents that have more forms than JSON; told apart by `command`. */
export type CompareReport = Envelope<'compare', CompareResult>;
export type ReplayReport = Envelope<'replay', ReplayResult>;
export type VerifyReport = Envelope<'verify', VerifyResult>;
export type Report = CompareReport | ReplayReport | VerifyReport;

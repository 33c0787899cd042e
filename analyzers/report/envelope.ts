import type { CompareResult, ReplayResult, VerifyResult } from '../../replay/results.ts';
import type { Envelope } from '../../traces/envelope.ts';

/** The documents that have more forms than JSON; told apart by `command`. */
export type CompareReport = Envelope<'compare', CompareResult>;
export type ReplayReport = Envelope<'replay', ReplayResult>;
export type VerifyReport = Envelope<'verify', VerifyResult>;
/** The inputs by name, for a title. */
export function filesOf({ input }: { readonly input: readonly { readonly file: string }[] }): string {
  return input.map(({ file }) => file).join(', ');
}
export type Report = CompareReport | ReplayReport | VerifyReport;

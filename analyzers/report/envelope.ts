import type { CompareResult, ReplayResult, VerifyResult } from '../../replay/results.ts';
import type { Envelope } from '../../traces/envelope.ts';

/** The documents that have more forms than JSON; told apart by `command`. */
export type CompareReport = Envelope<'compare', CompareResult>;
/** The document of `iorr replay --json`. */
export type ReplayReport = Envelope<'replay', ReplayResult>;
/** The document of `iorr verify --json`. */
export type VerifyReport = Envelope<'verify', VerifyResult>;
/** The inputs by name, for a title. */
export function filesOf({ input }: { readonly input: readonly { readonly file: string }[] }): string {
  return input.map(({ file }) => file).join(', ');
}
/** A document that renderers show. */
export type Report = CompareReport | ReplayReport | VerifyReport;

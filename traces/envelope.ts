import type { HealthReport } from './health.ts';
import type { TraceHeader } from './header.ts';

/** Version of the `--json` document. Raised when a name that scripts rely on changes its meaning or goes away. */
export const SCHEMA_VERSION = 1;

/** One input of a command, as results name it. */
export interface ReportInput {
  /** As the user wrote it; `-` for stdin. */
  readonly file: string;
  readonly events: number;
  readonly bytes?: number;
  readonly sources: TraceHeader['sources'];
  readonly host: TraceHeader['host'];
  readonly clock: TraceHeader['clock'];
  readonly fidelity: TraceHeader['fidelity'];
}

/** A value of an option, in a document. */
export type OptionValue = string | number | boolean | null | readonly string[];
/** Long option name in camelCase -> effective value. Only options that can change the result: no `jobs`, no `json`. */
export type EffectiveOptions = { readonly [name: string]: OptionValue };

/** Those of a command's options that hold, as they were given: for options that no default and no parsing changes. */
export function givenOptions(options: { readonly [key: string]: unknown }, keys: readonly string[]): EffectiveOptions {
  const given = keys.flatMap((key): [string, OptionValue][] => {
    const value = options[key];
    if (Array.isArray(value)) return [[key, value.map(String)]];
    return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? [[key, value]] : [];
  });
  return Object.fromEntries(given);
}

/** What every command answers with: the document of `--json`, and what all renderers read. */
export interface Envelope<C extends string, R> {
  readonly schemaVersion: number;
  readonly tool: 'iorr';
  readonly version: string;
  readonly command: C;
  readonly input: readonly ReportInput[];
  readonly options: EffectiveOptions;
  readonly health: HealthReport;
  readonly result: R;
}

/** What a command puts into its document. */
export interface EnvelopeParts<R> {
  readonly version: string;
  readonly input: readonly ReportInput[];
  readonly options?: EffectiveOptions;
  readonly health: HealthReport;
  readonly result: R;
}

/** Makes the document of a command; keys in the order in which they are printed. */
export function makeEnvelope<C extends string, R>(command: C, parts: EnvelopeParts<R>): Envelope<C, R> {
  return {
    schemaVersion: SCHEMA_VERSION,
    tool: 'iorr',
    version: parts.version,
    command,
    input: parts.input,
    options: parts.options ?? {},
    health: parts.health,
    result: parts.result,
  };
}

/** Names an input by what its trace says of itself. `bytes` is the size of the file where it is one. */
export function describeInput(
  file: string,
  trace: { readonly header: TraceHeader; readonly eventCount: number },
  bytes?: number,
): ReportInput {
  const { sources, host, clock, fidelity } = trace.header;
  return { file, events: trace.eventCount, ...(bytes === undefined ? {} : { bytes }), sources, host, clock, fidelity };
}

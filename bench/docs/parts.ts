import { compareMetrics } from './compare-metrics.ts';
import { corpusChecks } from './corpus-checks.ts';
import { formatExample } from './format-example.ts';
import { parameterTables } from './parameter-tables.ts';
import { validationTables } from './validation-table.ts';

/** A part of a page that is written by a program. */
export interface GeneratedPart {
  readonly page: string;
  readonly name: string;
  /** Takes a minute: compared on request alone. */
  readonly slow?: true;
  readonly text: (read: (path: string) => string) => string | Promise<string>;
}

/** Every generated part. To add one: its text, a line here, and its two marks in the page. */
export const GENERATED_PARTS: readonly GeneratedPart[] = [
  { page: 'docs/analyses/compare.md', name: 'compare-metrics', text: compareMetrics },
  { page: 'docs/parameters.md', name: 'parameters', text: parameterTables },
  { page: 'docs/format.md', name: 'format-example', text: formatExample },
  {
    page: 'docs/validation.md',
    name: 'corpus-checks',
    text: (read) => corpusChecks(read('traces/corpus/PROVENANCE.md')),
  },
  { page: 'docs/validation.md', name: 'validation', slow: true, text: validationTables },
];

import { METRICS } from '../../analyzers/report/metrics.ts';
import { markdownTable } from './page-parts.ts';

const UNIT: { readonly [unit: string]: string } = {
  count: 'count',
  ns: 'time',
  pageSeconds: 'pages × s',
  ratio: 'ratio',
  share: 'share',
};

/** Every figure of a comparison, from the list behind all its outputs. */
export function compareMetrics(): string {
  return markdownTable(
    ['number', 'is', 'unit', 'name in CSV; in JSON its path, unless computed'],
    METRICS.map(({ title, means, unit, key, computed }) => [
      title,
      means.replace(/\.$/, ''),
      UNIT[unit] ?? unit,
      computed === true ? `\`${key}\`, computed` : `\`${key}\``,
    ]),
  );
}

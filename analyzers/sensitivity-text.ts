import type { ParameterSensitivity, Sensitivity } from '../replay/engine/sensitivity.ts';
import { formatDecimal } from './report/format-units.ts';
import { layOut, wrapText } from './report/plain-table.ts';

/** Parameters that are told. */
const MOST = 12;

/** What assumed times make of a comparison, for people. */
export function sensitivityText({ factor, parameters, without }: Sensitivity): string {
  const table = layOut({
    head: [`Assumed times, 1/${factor} to ${factor} times`, 'value', 'moves most', 'CPU time from', 'to', 'reorders'],
    align: ['left', 'right', 'left', 'right', 'right', 'left'],
    rows: parameters.slice(0, MOST).map((parameter) => {
      const row = widest(parameter);
      return [
        parameter.name,
        `${formatDecimal(parameter.value)} ${parameter.unit}`,
        row === undefined ? '' : `${row.name} (${row.path})`,
        row === undefined ? '' : `${Math.round(row.least * 100)}%`,
        row === undefined ? '' : `${Math.round(row.most * 100)}%`,
        parameter.reorders ? 'yes' : 'no',
      ];
    }),
  });
  const rest = without.length > 0 ? wrapText(`No row depends on: ${without.join(', ')}`, 100) : [];
  return ['', table, ...rest, ''].join('\n');
}

function widest({ rows }: ParameterSensitivity): ParameterSensitivity['rows'][number] | undefined {
  return [...rows].sort((a, b) => b.most / b.least - a.most / a.least)[0];
}

import type { ReachResult } from '../replay/calibrate/reach-fit.ts';
import type { TraceCalibration } from '../replay/calibrate/trace-fit.ts';
import type { FileParameter } from '../replay/profile-file.ts';
import { printable } from './report/escape.ts';
import { formatBytes, formatCount, formatDecimal } from './report/format-units.ts';
import { layOut, wrapText } from './report/plain-table.ts';

const WIDTH = 100;

/** A fitted geometry for people: values, each point, each family, what the curve says and what not. */
export function reachText(file: string, result: ReachResult): string {
  const { geometry, maxErrors, tolerance, within } = result;
  const where = result.series === '' ? '' : `  ${printable(result.series)}`;
  const verdict = within ? 'within tolerance at every window' : 'NOT within tolerance at every window';
  const head = [
    `iorr calibrate --reach  ${printable(file)}${where}`,
    '',
    `${geometry.entries} IOTLB entries, ${geometry.sets} sets x ${geometry.ways} ways (${geometry.family}); walk caches ${geometry.walkCaches.join(', ')}`,
    `${verdict}: throughput ${percent(maxErrors.throughput)} (of ${percent(tolerance.throughput)}), latency ${percent(maxErrors.latency)} (of ${percent(tolerance.latency)})`,
  ];
  const values = layOut({
    head: ['Fitted', 'value', 'unit', 'holds from', 'to'],
    rows: [
      ...result.fitted.map(({ name, value, unit, interval }) => [
        name,
        String(value),
        unit,
        interval === undefined ? '-' : String(interval[0]),
        interval === undefined ? '-' : String(interval[1]),
      ]),
      ...result.given.map(({ name, value, from }) => [
        `${name} (given: ${from})`,
        value === undefined ? '' : formatDecimal(value, 4),
        '',
        '',
        '',
      ]),
    ],
  });
  return [...head, '', values, '', pointTable(result), '', familyTable(result), '', ...lines(result.notes), ''].join(
    '\n',
  );
}

function pointTable({ points }: ReachResult): string {
  const windows = [...new Set(points.map(({ window }) => window))];
  const cells = (window: number, what: string, scale: number): string[] => {
    const point = points.find((one) => one.window === window && one.what === what);
    if (point === undefined) return ['', '', ''];
    const model = `${formatDecimal(point.model / scale, 4)}${point.fitted ? '' : ' *'}`;
    return [formatDecimal(point.measured / scale, 4), model, signed(point.error)];
  };
  const predicted = points.some(({ fitted }) => !fitted) ? '\n* predicted: the fit did not see this window' : '';
  const table = layOut({
    head: ['Window', 'M/s', 'model', 'error', 'ns', 'model', 'error'],
    rows: windows.map((window) => [
      formatBytes(window),
      ...cells(window, 'throughput', 1e6),
      ...cells(window, 'latency', 1),
    ]),
  });
  return `${table}${predicted}`;
}

function familyTable({ families }: ReachResult): string {
  return layOut({
    head: ['Family (best of each)', 'throughput', 'latency', 'within', 'values'],
    align: ['left', 'right', 'right', 'left', 'left'],
    rows: families.map(({ name, throughput, latency, within, values }) => [
      name,
      percent(throughput),
      percent(latency),
      within ? 'yes' : 'no',
      Object.entries(values)
        .map(([key, value]) => `${key} ${value}`)
        .join(', '),
    ]),
  });
}

/** Fitted costs for people, and what the trace leaves open. */
export function traceText(file: string, result: TraceCalibration): string {
  const { costs, kept, measurements, notes } = result;
  const parts = [`iorr calibrate  ${printable(file)}`, ''];
  if (costs.length > 0) parts.push(parameterTable('Costs that the trace tells', costs), '');
  else parts.push('Costs: the trace tells none (no commands of which both ends were seen)', '');
  if (measurements.length > 0) parts.push(parameterTable('Measured beside them', measurements), '');
  parts.push(
    ...lines([
      `Not told, as before: ${kept.map(({ name, value, unit, standing }) => `${name} ${formatDecimal(value)} ${unit} (${standing})`).join(', ')}`,
      ...notes,
    ]),
    '',
  );
  return parts.join('\n');
}

function parameterTable(title: string, parameters: readonly FileParameter[]): string {
  return layOut({
    head: [title, 'value', '95 % from', 'to', 'unit', 'samples', 'standing'],
    align: ['left', 'right', 'right', 'right', 'left', 'right', 'left'],
    rows: parameters.map(({ name, value, interval, unit, n, standing }) => [
      printable(name),
      formatDecimal(value),
      interval === undefined ? '-' : formatDecimal(interval[0]),
      interval === undefined ? '-' : formatDecimal(interval[1]),
      unit,
      n === undefined ? '-' : formatCount(n),
      standing,
    ]),
  });
}

function lines(texts: readonly string[]): readonly string[] {
  return texts.flatMap((text) => wrapText(text, WIDTH).map((line, i) => (i === 0 ? `- ${line}` : `  ${line}`)));
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function signed(share: number): string {
  return `${share >= 0 ? '+' : ''}${(share * 100).toFixed(1)} %`;
}

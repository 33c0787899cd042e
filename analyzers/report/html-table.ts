import type { ComparedRow } from './comparison.ts';
import { baseRow, valueOf } from './comparison.ts';
import { formatChange } from './format-units.ts';
import { lineStyle } from './line-styles.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { bestValue, formatMetric } from './metrics.ts';
import type { Metric } from './metrics.ts';

export interface MetricTableOptions {
  readonly caption: string;
  /** Under each value how it compares with the base, and a bar for its size. */
  readonly rich: boolean;
}

/** A stroke as the row has in the charts. */
export function rowKey(row: ComparedRow): Markup {
  const { className, dash, width } = lineStyle(row.number, row.recorded);
  return html`<svg class="key ${className}" viewBox="0 0 22 10" aria-hidden="true"><line x1="0" y1="5" x2="22" y2="5" stroke-width="${width + 0.75}" stroke-dasharray="${dash.join(' ')}"/></svg>`;
}

function amount(value: number, most: number, row: ComparedRow): Markup {
  const width = most > 0 ? Math.max(value > 0 ? 1 : 0, Math.round((value / most) * 100)) : 0;
  const { className } = lineStyle(row.number, row.recorded);
  return html`<svg class="amount ${className}" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true"><rect width="${width}" height="4" rx="0"/></svg>`;
}

/** The rows of a comparison by some of their metrics; the script makes it sortable. Unknown values say so. */
export function metricTable(
  rows: readonly ComparedRow[],
  metrics: readonly Metric[],
  options: MetricTableOptions,
): Markup {
  const designs = rows.filter((row) => !row.recorded).map((row) => row.design);
  const base = baseRow(rows);
  const cell = (metric: Metric, row: ComparedRow): Markup => {
    const value = valueOf(metric, row);
    const text = formatMetric(metric, value);
    if (value === null) return html`<td data-v=""><span class="unknown">${text}</span></td>`;
    const best = !row.recorded && value === bestValue(metric, designs);
    const shown = best ? html`<span class="best" title="best of the designs">${text}</span>` : html`${text}`;
    if (!options.rich) return html`<td data-v="${value}">${shown}</td>`;
    const change = row.recorded || row === base || base === null ? '' : formatChange(value, valueOf(metric, base));
    const most = metric.unit === 'share' ? 1 : Math.max(...rows.map((other) => valueOf(metric, other) ?? 0));
    return html`<td data-v="${value}">${shown}${amount(value, most, row)}${
      change === '' || change === 'same' || metric.unit === 'share' ? null : html`<span class="change">${change}</span>`
    }</td>`;
  };
  return html`<p class="caption">${options.caption}</p><div class="scroll"><table class="sortable" aria-label="${options.caption}"><thead><tr><th scope="col" class="text">Design</th>${metrics.map(
    (metric) => html`<th scope="col" title="${metric.means}">${metric.title}</th>`,
  )}</tr></thead><tbody>${rows.map(
    (row) =>
      html`<tr><th scope="row"><span class="named">${rowKey(row)}<span class="label">${row.label}</span></span></th>${metrics.map((metric) => cell(metric, row))}</tr>`,
  )}</tbody></table></div>`;
}

import { comparedRows, valueOf } from './comparison.ts';
import { csvText } from './escape.ts';
import { METRICS } from './metrics.ts';
import { notRenderable } from './renderer.ts';
import type { Renderer } from './renderer.ts';

/**
 * One line a row of the comparison: `row` (`recorded` or `design`), name, path, then every metric by its JSON path, exact;
 * empty is unknown. RFC 4180, but with line feeds alone.
 */
export const csvRenderer: Renderer = {
  name: 'csv',
  does: 'the rows of a comparison, exact numbers, empty where unknown',
  extension: 'csv',
  commands: ['compare'],
  render(report) {
    if (report.command !== 'compare') throw notRenderable('csv', report.command, ['compare']);
    const lines = [['row', 'name', 'path', ...METRICS.map((metric) => metric.key)].join(',')];
    for (const row of comparedRows(report.result)) {
      const { recorded, design } = row;
      const values = METRICS.map((metric) => {
        const value = valueOf(metric, row);
        return value === null || !Number.isFinite(value) ? '' : String(value);
      });
      lines.push([recorded ? 'recorded' : 'design', csvText(design.name), csvText(design.path), ...values].join(','));
    }
    return `${lines.join('\n')}\n`;
  },
};

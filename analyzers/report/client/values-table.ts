import type { ChartSpec } from './chart.ts';

/** Rows of a chart's table; zooming in shows the rest. */
const MOST_ROWS = 200;

function cellOf(kind: 'th' | 'td', text: string, scope?: 'col' | 'row'): HTMLTableCellElement {
  const cell = document.createElement(kind);
  cell.textContent = text;
  if (scope !== undefined) cell.scope = scope;
  return cell;
}

/** The points that a chart shows, as a table. */
export function valuesTable(spec: ChartSpec, min: number, max: number): HTMLElement {
  const shown = spec.x.flatMap((x, i) => (x >= min && x <= max ? [i] : []));
  const table = document.createElement('table');
  table.setAttribute('aria-label', spec.title);
  const head = table.createTHead().insertRow();
  head.append(cellOf('th', '', 'col'), ...spec.rows.map(({ label }) => cellOf('th', label, 'col')));
  const body = table.createTBody();
  for (const i of shown.slice(0, MOST_ROWS)) {
    const row = body.insertRow();
    row.append(cellOf('th', spec.describeX(i), 'row'));
    for (const values of spec.values) {
      const value = values[i];
      row.append(cellOf('td', value === null || value === undefined ? '' : spec.formatValue(value)));
    }
  }
  const box = document.createElement('div');
  box.className = 'scroll values';
  box.append(table);
  if (shown.length > MOST_ROWS) {
    const more = document.createElement('p');
    more.className = 'sub';
    more.textContent = `The first ${MOST_ROWS} of ${shown.length}: zoom in to see others.`;
    box.append(more);
  }
  return box;
}

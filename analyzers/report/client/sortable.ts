import { elements } from './data.ts';

/** Lets the head cells of a table sort its rows: a button in each, `aria-sort` says how. Unknown figures stay last. */

type Direction = 'ascending' | 'descending';

function keyOf(row: HTMLTableRowElement, column: number): number | string | null {
  const cell = row.cells[column];
  const given = cell?.dataset['v'];
  if (given === '') return null;
  return given === undefined ? (cell?.textContent ?? '') : Number(given);
}

function compare(a: number | string | null, b: number | string | null, direction: Direction): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  const order = typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b), 'en');
  return direction === 'ascending' ? order : -order;
}

function makeSortable(table: HTMLTableElement): void {
  const body = table.tBodies[0];
  const heads = elements('thead th', HTMLTableCellElement, table);
  if (body === undefined || body.rows.length < 2) return;
  const original = [...body.rows];
  heads.forEach((head, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'sort';
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => {
      const before = head.getAttribute('aria-sort');
      for (const other of heads) other.removeAttribute('aria-sort');
      // Up, down, and back to the order of the command line.
      const next: Direction | null = before === null ? 'ascending' : before === 'ascending' ? 'descending' : null;
      if (next === null) return body.replaceChildren(...original);
      head.setAttribute('aria-sort', next);
      const keyed = original.map((row) => ({ row, key: keyOf(row, column) }));
      keyed.sort((a, b) => compare(a.key, b.key, next));
      body.replaceChildren(...keyed.map(({ row }) => row));
      return undefined;
    });
  });
}

export function makeTablesSortable(): void {
  for (const table of elements('table.sortable', HTMLTableElement)) makeSortable(table);
}

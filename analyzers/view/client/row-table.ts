import type { EventRow } from '../view-messages.ts';
import { formatCount, formatNs } from '../../report/format-units.ts';
import { askRows } from './server.ts';

/** Height of a row in CSS pixels, as the style sheet has it. */
const ROW_HEIGHT = 24;
/** Rows that can be scrolled through at once; zooming in or a number leads to others. */
const MOST_ROWS = 5000;
/** Rows fetched together. */
const CHUNK = 250;
/** Rows above one that was asked for. */
const ABOVE = 5;

function secondsText(ns: number): string {
  return (ns / 1e9).toFixed(9);
}

/** The events of a window, of which only those in sight are elements. */
export class RowTable {
  readonly #view: HTMLElement;
  readonly #space = document.createElement('div');
  readonly #status: HTMLElement;
  readonly #chunks = new Map<number, readonly EventRow[]>();
  readonly #asked = new Set<number>();
  #first = 0;
  #count = 0;
  #marked = -1;

  constructor(view: HTMLElement, status: HTMLElement) {
    this.#view = view;
    this.#status = status;
    this.#space.className = 'row-space';
    this.#space.setAttribute('role', 'rowgroup');
    view.append(this.#space);
    view.addEventListener('scroll', () => this.#show());
  }

  /** Shows the events from `first` to before `end`, or the first of them. */
  showWindow(first: number, end: number): void {
    this.#begin(first, end);
    const all = end - first;
    if (all > this.#count) this.#say(`of ${formatCount(all)} in the window: zoom in, or go to a number`);
    this.#view.scrollTop = 0;
    this.#show();
  }

  /** Shows one event among its neighbours, marked. */
  showEvent(event: number, total: number): void {
    const first = Math.max(0, event - MOST_ROWS / 2);
    this.#begin(first, Math.min(total, first + MOST_ROWS));
    this.#say(`around event ${formatCount(event)}`);
    this.#marked = event;
    this.#show();
    this.#view.scrollTop = Math.max(0, (event - first - ABOVE) * ROW_HEIGHT);
    this.#show();
  }

  #begin(first: number, end: number): void {
    this.#first = first;
    this.#count = Math.max(0, Math.min(MOST_ROWS, end - first));
    this.#marked = -1;
    this.#space.style.height = `${this.#count * ROW_HEIGHT}px`;
    this.#view.setAttribute('aria-rowcount', String(this.#count));
    this.#say('');
  }

  #say(more: string): void {
    const last = this.#first + this.#count - 1;
    const range = `Events ${formatCount(this.#first)} to ${formatCount(last)}`;
    this.#status.textContent =
      this.#count === 0 ? 'No event in this window.' : `${range}${more === '' ? '' : ', '}${more}.`;
  }

  #show(): void {
    const from = Math.max(0, Math.floor(this.#view.scrollTop / ROW_HEIGHT) - ABOVE);
    const to = Math.min(this.#count, Math.ceil((this.#view.scrollTop + this.#view.clientHeight) / ROW_HEIGHT) + ABOVE);
    const rows: HTMLElement[] = [];
    for (let i = from; i < to; i++) {
      const event = this.#first + i;
      const chunk = Math.floor(event / CHUNK);
      const row = this.#chunks.get(chunk)?.find(([number]) => number === event);
      if (row === undefined) void this.#fetch(chunk);
      else rows.push(this.#rowElement(row, i));
    }
    this.#space.replaceChildren(...rows);
  }

  async #fetch(chunk: number): Promise<void> {
    if (this.#asked.has(chunk)) return;
    this.#asked.add(chunk);
    const message = await askRows(chunk * CHUNK, CHUNK);
    if (message === undefined) {
      this.#asked.delete(chunk);
      return;
    }
    this.#chunks.set(chunk, message.rows);
    this.#show();
  }

  #rowElement([event, t, cpu, task, stream, what]: EventRow, place: number): HTMLElement {
    const row = document.createElement('div');
    row.className = event === this.#marked ? 'event-row marked' : 'event-row';
    row.setAttribute('role', 'row');
    row.setAttribute('aria-rowindex', String(place + 1));
    row.style.top = `${place * ROW_HEIGHT}px`;
    const link = document.createElement('a');
    link.href = `#event=${event}`;
    link.textContent = formatCount(event);
    const texts = [secondsText(t), cpu < 0 ? '' : String(cpu), task < 0 ? '' : String(task), stream, what];
    const cells = [link, ...texts].map((content) => {
      const cell = document.createElement('span');
      cell.setAttribute('role', 'cell');
      cell.append(content);
      return cell;
    });
    cells.at(-1)?.setAttribute('title', `${what} (${formatNs(t)})`);
    row.append(...cells);
    return row;
  }
}

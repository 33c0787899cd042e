import { formatNumberOf } from '../../report/format-units.ts';
import type { WindowMessage } from '../view-messages.ts';
import type { ChartPanel } from '../../report/client/chart-panel.ts';
import { elements } from '../../report/client/data.ts';
import { timeGroup } from '../../report/client/page.ts';
import type { ChartPage } from '../../report/client/page.ts';
import { DragWatch } from './drag-watch.ts';
import { addressSpec, eventSpec } from './event-charts.ts';
import type { Whole } from './event-charts.ts';
import { RowTable } from './row-table.ts';
import { askEvent, askWindow } from './server.ts';

/** A zoom that goes on asks once, when it has come to rest. */
const REST_MS = 120;
/** Parts of the shown window: about one a pixel. */
const MOST_BINS = 1200;
/** Shortest window of an event and its neighbours, in seconds. */
const LEAST_WINDOW = 1e-6;

/** Charts and rows of the trace, which follow each other and the zoom of all charts over its time. */
export class Explorer {
  readonly #page: ChartPage;
  readonly #root: HTMLElement;
  readonly #rows: RowTable;
  readonly #status: HTMLElement;
  readonly #events: number;
  readonly #group: string;
  readonly #drag = new DragWatch();
  #whole: Whole | undefined;
  #overview: WindowMessage | undefined;
  #eventPanel: ChartPanel | undefined;
  #addressPanel: ChartPanel | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: AbortController | undefined;

  constructor(root: HTMLElement, page: ChartPage) {
    this.#root = root;
    this.#page = page;
    this.#group = timeGroup(root);
    this.#events = Number(root.dataset['events']);
    const [view] = elements('.event-rows', HTMLElement, root);
    const [status] = elements('.row-status', HTMLElement, root);
    const [shown] = elements('.window-status', HTMLElement, root);
    if (view === undefined || status === undefined || shown === undefined) throw new Error('the page is not whole');
    this.#rows = new RowTable(view, status);
    this.#status = shown;
  }

  /** Draws the whole trace, then what the address asks for. */
  async start(): Promise<void> {
    const [from, to] = [Number(this.#root.dataset['from']), Number(this.#root.dataset['to'])];
    const message = await askWindow(from, to, MOST_BINS, new AbortController().signal);
    if (message === undefined) {
      this.#status.textContent = 'The server does not answer: is iorr view still running?';
      return;
    }
    this.#overview = message;
    this.#whole = {
      range: [from / 1e9, to / 1e9],
      group: this.#group,
      streams: message.streams.map(({ name }) => name),
    };
    this.#draw(this.#whole, message);
    this.#page.listen((group, range) => {
      if (group === this.#group) this.#zoomed(range);
    });
    this.#buildSearch();
    globalThis.addEventListener('hashchange', () => void this.#followHash());
    if (!(await this.#followHash())) this.#rows.showWindow(message.firstEvent, message.endEvent);
  }

  #draw(whole: Whole, message: WindowMessage): void {
    const [events] = elements('#view-events', HTMLElement, this.#root);
    const [addresses] = elements('#view-addresses', HTMLElement, this.#root);
    if (events !== undefined) {
      const spec = eventSpec(whole, message);
      if (this.#eventPanel !== undefined) this.#eventPanel.update(spec);
      else [this.#eventPanel] = this.#page.add([{ host: events, spec }]);
    }
    if (addresses !== undefined) {
      const spec = addressSpec(whole, message, () => this.#addressColours());
      if (spec === null) return;
      if (this.#addressPanel !== undefined) this.#addressPanel.update(spec);
      else [this.#addressPanel] = this.#page.add([{ host: addresses, spec }]);
    }
  }

  #addressColours() {
    return this.#addressPanel?.colours ?? this.#page.ink;
  }

  #zoomed(range: readonly [number, number] | null): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#load(range), REST_MS);
  }

  async #load(range: readonly [number, number] | null): Promise<void> {
    this.#running?.abort();
    const whole = this.#whole;
    const overview = this.#overview;
    if (whole === undefined || overview === undefined) return;
    const running = new AbortController();
    this.#running = running;
    this.#root.setAttribute('aria-busy', 'true');
    const message =
      range === null ? overview : await askWindow(range[0] * 1e9, range[1] * 1e9, MOST_BINS, running.signal);
    await this.#drag.free();
    if (running.signal.aborted) return;
    this.#root.removeAttribute('aria-busy');
    if (message !== undefined) this.#take(whole, message);
  }

  #take(whole: Whole, message: WindowMessage): void {
    this.#draw(whole, message);
    this.#rows.showWindow(message.firstEvent, message.endEvent);
    this.#status.textContent =
      message.decoded > 0 ? `${formatNumberOf(message.decoded, 'block')} of the trace read for this window.` : '';
    this.#root.dataset['decoded'] = String(message.decoded);
    this.#root.dataset['window'] = `${message.from} ${message.to}`;
  }

  #buildSearch(): void {
    const [form] = elements('form', HTMLFormElement, this.#root);
    const [input] = elements('input', HTMLInputElement, this.#root);
    form?.addEventListener('submit', (event) => {
      event.preventDefault();
      const number = Number((input?.value ?? '').replace(/[\s\u202f]/g, ''));
      if (Number.isInteger(number) && number >= 0) location.hash = `event=${number}`;
    });
  }

  /** `#event=N`: its neighbours in the charts, and the event itself among the rows. */
  async #followHash(): Promise<boolean> {
    const wanted = /^#event=(\d{1,15})$/.exec(location.hash)?.[1];
    if (wanted === undefined) return false;
    const place = await askEvent(Number(wanted));
    if (place === undefined) {
      this.#status.textContent = `The trace has no event ${wanted}.`;
      return true;
    }
    const from = place.from / 1e9;
    const to = Math.max(place.to / 1e9, from + LEAST_WINDOW);
    this.#page.zoom(this.#group, [from, to]);
    clearTimeout(this.#timer);
    await this.#load([from, to]);
    this.#rows.showEvent(place.event, this.#events);
    this.#root.scrollIntoView({ block: 'start' });
    return true;
  }
}

import type uPlot from 'uplot';
import { createChart, drawingOrder, pointed } from './chart.ts';
import type { Chart, ChartSpec } from './chart.ts';
import { keyOf } from './line-key.ts';
import type { Colours } from './theme.ts';
import { valuesTable } from './values-table.ts';

/** What all panels of a page share: which rows are shown, and a way to tell the others. */
export interface Shared {
  readonly visible: boolean[];
  colours(): Colours;
  /** A row was switched on or off. */
  toggled(row: number): void;
  /** The x range of a group changed; `null`: all of it. */
  zoomed(from: ChartPanel, range: readonly [number, number] | null): void;
  /** The cursor of a group went to a place of the x axis; `null`: away. */
  pointed(from: ChartPanel, x: number | null): void;
}

/**
 * A chart with what belongs to it: a legend that shows the values under the cursor and switches rows, the log switch, the way
 * back from a zoom, and the keyboard.
 */
export class ChartPanel {
  readonly group: string;
  #spec: ChartSpec;
  #chart: Chart;
  readonly #shared: Shared;
  readonly #host: HTMLElement;
  readonly #values: HTMLElement[] = [];
  readonly #buttons: HTMLButtonElement[] = [];
  readonly #where = document.createElement('span');
  readonly #reset = document.createElement('button');
  readonly #refocus = document.createElement('button');
  readonly #table = document.createElement('div');
  #range: readonly [number, number] | null = null;
  #quiet = false;

  constructor(
    host: HTMLElement,
    tools: HTMLElement,
    legend: HTMLElement,
    spec: ChartSpec,
    canLog: boolean,
    shared: Shared,
  ) {
    this.#host = host;
    this.#shared = shared;
    this.#spec = this.#withHooks(spec);
    this.group = spec.group;
    this.#buildTools(tools, canLog);
    this.#buildLegend(legend);
    this.#table.hidden = true;
    legend.after(this.#table);
    this.#chart = createChart(host, this.#spec, shared.visible, () => shared.colours());
    this.#buildKeyboard();
    this.setRange(spec.focus);
    new ResizeObserver(() => this.#chart.resize(host.clientWidth)).observe(host);
  }

  get colours(): Colours {
    return this.#shared.colours();
  }

  get plot(): uPlot {
    return this.#chart.plot;
  }

  /** Draws other data in the place of the shown, over the same range. */
  update(spec: ChartSpec): void {
    this.#chart.destroy();
    this.#spec = this.#withHooks({ ...spec, logY: this.#spec.logY });
    this.#chart = createChart(this.#host, this.#spec, this.#shared.visible, () => this.#shared.colours());
    this.setRange(this.#range);
  }

  repaint(): void {
    this.#chart.repaint();
  }

  fit(): void {
    this.#chart.resize(this.#host.clientWidth);
  }

  showRow(row: number, shown: boolean): void {
    this.plot.setSeries(drawingOrder(this.#spec.rows).indexOf(row) + 1, { show: shown });
    this.#buttons[row]?.setAttribute('aria-pressed', String(shown));
  }

  /** Shows a part of the x axis, or with `null` all of it; tells no other panel. */
  setRange(range: readonly [number, number] | null): void {
    const [min, max] = range ?? this.#spec.xRange;
    this.#range = range;
    this.#quiet = true;
    this.plot.batch(() => this.plot.setScale('x', { min, max }));
    this.#quiet = false;
    this.#showTools();
  }

  /** Moves the cursor to an x value, as the mouse would. */
  point(x: number | null): void {
    const left = x === null ? -10 : this.plot.valToPos(x, 'x');
    this.plot.setCursor({ left, top: x === null ? -10 : this.plot.bbox.height / devicePixelRatio / 2 });
  }

  #withHooks(spec: ChartSpec): ChartSpec {
    const hooks: uPlot.Plugin = {
      hooks: {
        setCursor: () => this.#showValues(),
        setScale: (plot, key) => {
          if (key !== 'x' || this.#quiet || plot.status !== 1) return;
          const { min, max } = plot.scales['x'] ?? {};
          if (min === undefined || max === undefined) return;
          // A double click goes from the first point to the last.
          const whole = min <= (this.#spec.x[0] ?? min) && max >= (this.#spec.x.at(-1) ?? max);
          this.#range = whole ? null : [min, max];
          this.#showTools();
          this.#shared.zoomed(this, this.#range);
        },
      },
    };
    return { ...spec, plugins: [...spec.plugins, hooks] };
  }

  #showValues(): void {
    const index = pointed(this.plot, this.#spec);
    this.#where.textContent = index === null ? '' : this.#spec.describeX(index);
    this.#values.forEach((element, row) => {
      const value = index === null ? undefined : this.#spec.values[row]?.[index];
      element.textContent = value === undefined ? '' : value === null ? '–' : this.#spec.formatValue(value);
    });
    if (index === null) return;
    const said = this.#spec.rows.map(({ label }, row) => `${label} ${this.#values[row]?.textContent ?? ''}`);
    this.#host.setAttribute('aria-valuenow', String(index));
    this.#host.setAttribute('aria-valuetext', `${this.#spec.describeX(index)}: ${said.join(', ')}`);
  }

  #showTools(): void {
    const { focus } = this.#spec;
    const range = this.#range;
    this.#fillTable();
    this.#reset.hidden = range === null;
    this.#refocus.hidden = focus === null || (range !== null && range[0] === focus[0] && range[1] === focus[1]);
  }

  #buildTools(tools: HTMLElement, canLog: boolean): void {
    const goTo = (button: HTMLButtonElement, title: string, range: readonly [number, number] | null): void => {
      button.type = 'button';
      button.textContent = title;
      button.hidden = true;
      button.addEventListener('click', () => {
        this.setRange(range);
        this.#shared.zoomed(this, range);
      });
      tools.append(button);
    };
    goTo(this.#refocus, 'Workload', this.#spec.focus);
    goTo(this.#reset, 'Whole range', null);
    this.#buildTable(tools);
    if (!canLog) return;
    const log = document.createElement('button');
    log.type = 'button';
    log.textContent = 'Log scale';
    log.setAttribute('aria-pressed', String(this.#spec.logY));
    log.addEventListener('click', () => {
      const range = this.#range;
      this.#chart.destroy();
      this.#spec = { ...this.#spec, logY: !this.#spec.logY };
      log.setAttribute('aria-pressed', String(this.#spec.logY));
      this.#chart = createChart(this.#host, this.#spec, this.#shared.visible, () => this.#shared.colours());
      this.setRange(range);
    });
    tools.append(log);
  }

  /** The same as a table, for who can't see the chart or wants the numbers. */
  #buildTable(tools: HTMLElement): void {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Table';
    button.setAttribute('aria-expanded', 'false');
    button.addEventListener('click', () => {
      this.#table.hidden = !this.#table.hidden;
      button.setAttribute('aria-expanded', String(!this.#table.hidden));
      this.#fillTable();
    });
    tools.append(button);
  }

  #fillTable(): void {
    if (this.#table.hidden) return;
    const { min, max } = this.plot.scales['x'] ?? {};
    this.#table.replaceChildren(valuesTable(this.#spec, min ?? this.#spec.xRange[0], max ?? this.#spec.xRange[1]));
  }

  #buildLegend(legend: HTMLElement): void {
    this.#spec.rows.forEach(({ label, style }, row) => {
      const button = document.createElement('button');
      const name = document.createElement('span');
      const value = document.createElement('span');
      button.type = 'button';
      button.className = `row ${style.className}`;
      button.setAttribute('aria-pressed', 'true');
      button.title = 'Show or hide in all charts';
      name.textContent = label;
      name.className = 'name';
      value.className = 'value';
      button.append(keyOf(style), name, value);
      button.addEventListener('click', () => this.#shared.toggled(row));
      legend.append(button);
      this.#buttons.push(button);
      this.#values.push(value);
    });
    this.#where.className = 'where';
    legend.append(this.#where);
  }

  #buildKeyboard(): void {
    const host = this.#host;
    const last = this.#spec.x.length - 1;
    host.tabIndex = 0;
    host.setAttribute('role', 'slider');
    host.setAttribute(
      'aria-label',
      `${this.#spec.title}. Arrow keys move the cursor, plus and minus zoom, 0 shows all.`,
    );
    host.setAttribute('aria-valuemin', '0');
    host.setAttribute('aria-valuemax', String(last));
    host.setAttribute('aria-valuenow', '0');
    host.addEventListener('blur', () => this.#shared.pointed(this, null));
    host.addEventListener('keydown', (event) => {
      const at = pointed(this.plot, this.#spec);
      const step = event.shiftKey ? 10 : 1;
      const goTo = (index: number): void => {
        const x = this.#spec.x[Math.max(0, Math.min(last, index))];
        if (x !== undefined) this.#shared.pointed(this, x);
      };
      switch (event.key) {
        case 'ArrowRight':
          goTo(at === null ? 0 : at + step);
          break;
        case 'ArrowLeft':
          goTo(at === null ? last : at - step);
          break;
        case 'Home':
          goTo(0);
          break;
        case 'End':
          goTo(last);
          break;
        case '+':
        case '=':
          this.#zoomAround(at, 0.5);
          break;
        case '-':
          this.#zoomAround(at, 2);
          break;
        case '0':
        case 'Escape':
          this.setRange(null);
          this.#shared.zoomed(this, null);
          break;
        default:
          return;
      }
      event.preventDefault();
    });
  }

  #zoomAround(index: number | null, factor: number): void {
    const { min, max } = this.plot.scales['x'] ?? {};
    if (min === undefined || max === undefined) return;
    const { xLog, x, xRange } = this.#spec;
    const [low, high] = xRange;
    // equal distances of a log axis are equal factors
    const place = xLog ? Math.log : (value: number): number => value;
    const value = xLog ? Math.exp : place;
    const from = index === null ? undefined : x[index];
    const middle = from === undefined ? (place(min) + place(max)) / 2 : place(from);
    const half = ((place(max) - place(min)) * factor) / 2;
    const range: [number, number] = [Math.max(low, value(middle - half)), Math.min(high, value(middle + half))];
    const whole = range[0] <= low && range[1] >= high;
    this.setRange(whole ? null : range);
    this.#shared.zoomed(this, whole ? null : range);
  }
}

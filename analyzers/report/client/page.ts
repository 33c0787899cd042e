import type { ChartData } from '../chart-data.ts';
import { ChartPanel } from './chart-panel.ts';
import type { Shared } from './chart-panel.ts';
import type { ChartSpec } from './chart.ts';
import { exposureSpec, isTimeName, timeSpec } from './chart-specs.ts';
import { elements } from './data.ts';
import { readSeries, seriesSpec } from './series.ts';
import { readColours } from './theme.ts';
import type { Colours } from './theme.ts';

/** Told of every change of a shown range: a page that is served asks for more. */
export type ZoomListener = (group: string, range: readonly [number, number] | null) => void;

/** A chart and where it is drawn. */
interface Placed {
  readonly host: HTMLElement;
  readonly spec: ChartSpec;
}

/** Rows of charts that are switched on and off together. */
interface RowSet {
  readonly panels: ChartPanel[];
  readonly classes: readonly string[];
  colours: Colours;
}

/** All charts of a page. Those of one trace share zoom and cursor, those of one chapter also which rows they show. */
export class ChartPage {
  readonly #panels: ChartPanel[] = [];
  readonly #sets: RowSet[] = [];
  readonly #listeners: ZoomListener[] = [];
  #ink = readColours([]);

  /** Colours of what is no row. */
  get ink(): Colours {
    return this.#ink;
  }

  get count(): number {
    return this.#panels.length;
  }

  listen(listener: ZoomListener): void {
    this.#listeners.push(listener);
  }

  /** Shows a part of all charts of a group. */
  zoom(group: string, range: readonly [number, number] | null): void {
    for (const panel of this.#panels) if (panel.group === group) panel.setRange(range);
    this.#tell(group, range);
  }

  /** Charts that share their rows; each in a figure of its own. */
  add(charts: readonly Placed[]): readonly ChartPanel[] {
    const classes = charts[0]?.spec.rows.map((row) => row.style.className) ?? [];
    const set: RowSet = { panels: [], classes, colours: readColours(classes) };
    const shared: Shared = {
      visible: classes.map(() => true),
      colours: () => set.colours,
      toggled: (row) => {
        shared.visible[row] = !shared.visible[row];
        for (const panel of set.panels) panel.showRow(row, shared.visible[row]);
      },
      zoomed: (from, range) => {
        for (const panel of this.#panels) if (panel !== from && panel.group === from.group) panel.setRange(range);
        this.#tell(from.group, range);
      },
      pointed: (from, x) => {
        for (const panel of this.#panels) if (panel.group === from.group) panel.point(x);
      },
    };
    for (const { host, spec } of charts) {
      const place = placeOf(host);
      if (place === null) continue;
      set.panels.push(new ChartPanel(host, place.tools, place.legend, spec, spec.yEnds?.to === undefined, shared));
    }
    this.#sets.push(set);
    this.#panels.push(...set.panels);
    return set.panels;
  }

  repaint(): void {
    this.#ink = readColours([]);
    for (const set of this.#sets) {
      set.colours = readColours(set.classes);
      for (const panel of set.panels) panel.repaint();
    }
  }

  fit(): void {
    for (const panel of this.#panels) panel.fit();
  }

  #tell(group: string, range: readonly [number, number] | null): void {
    for (const listener of this.#listeners) listener(group, range);
  }
}

/** Where the buttons and the legend of a chart are. */
function placeOf(host: HTMLElement): { readonly tools: HTMLElement; readonly legend: HTMLElement } | null {
  const figure = host.closest('figure');
  const tools = figure?.querySelector('.tools');
  const legend = figure?.querySelector('.legend');
  return tools instanceof HTMLElement && legend instanceof HTMLElement ? { tools, legend } : null;
}

/** Group of the charts over one axis of the trace that an element belongs to. */
function groupOf(element: Element, axis: string): string {
  const trace = element.closest<HTMLElement>('[data-trace]')?.dataset['trace'] ?? '';
  return `${axis} of ${trace}`;
}

/** Group of the charts over the time of the trace that an element belongs to. */
export function timeGroup(element: Element): string {
  return groupOf(element, 'time');
}

/** Draws what the page came with. */
export function drawChapters(page: ChartPage, data: readonly ChartData[]): void {
  for (const chapter of elements('.chapter', HTMLElement)) {
    const number = chapter.dataset['set'] ?? '';
    const own = number === '' ? undefined : data[Number(number)];
    if (own !== undefined) {
      const hosts = elements('.plot', HTMLElement, chapter);
      page.add(
        hosts.flatMap((host) => {
          const spec = specOf(own, host, number, () => page.ink);
          return spec === null ? [] : [{ host, spec }];
        }),
      );
    }
    for (const charts of sharedRows(elements('.series', HTMLElement, chapter), () => page.ink)) page.add(charts);
  }
}

/** Charts that have the same lines switch them on and off together. */
function sharedRows(hosts: readonly HTMLElement[], colours: () => Colours): Iterable<Placed[]> {
  const sets = new Map<string, Placed[]>();
  for (const host of hosts) {
    const data = readSeries(host);
    if (data === null) continue;
    const spec = seriesSpec(data, colours, (axis) => groupOf(host, axis));
    const rows = JSON.stringify(spec.rows.map(({ label, style }) => [label, style]));
    const set = sets.get(rows) ?? [];
    set.push({ host, spec });
    sets.set(rows, set);
  }
  return sets.values();
}

function specOf(data: ChartData, host: HTMLElement, set: string, colours: () => Colours): ChartSpec | null {
  const name = host.dataset['plot'];
  if (name === 'distribution') return data.exposure && exposureSpec(data, data.exposure, `exposure of ${set}`);
  return isTimeName(name) ? data.time && timeSpec(name, data, data.time, colours, timeGroup(host)) : null;
}

import { ChartPanel } from './chart-panel.ts';
import type { Shared } from './chart-panel.ts';
import { exposureSpec, isTimeName, timeSpec } from './chart-specs.ts';
import { elements, readData } from './data.ts';
import { makeTablesSortable } from './sortable.ts';
import { readColours, watchTheme } from './theme.ts';

const data = readData();
const rowClasses = data.rows.map((row) => row.style.className);
const panels: ChartPanel[] = [];
let colours = readColours(rowClasses);

const shared: Shared = {
  visible: data.rows.map(() => true),
  colours: () => colours,
  toggled(row) {
    shared.visible[row] = !shared.visible[row];
    for (const panel of panels) panel.showRow(row, shared.visible[row]);
  },
  zoomed(from, range) {
    for (const panel of panels) if (panel !== from && panel.group === from.group) panel.setRange(range);
  },
  pointed(from, x) {
    for (const panel of panels) if (panel.group === from.group) panel.point(x);
  },
};

function repaint(): void {
  colours = readColours(rowClasses);
  for (const panel of panels) panel.repaint();
}

for (const host of elements('.plot', HTMLElement)) {
  const name = host.dataset['plot'];
  const figure = host.closest('figure');
  const tools = figure?.querySelector('.tools');
  const legend = figure?.querySelector('.legend');
  if (!(tools instanceof HTMLElement) || !(legend instanceof HTMLElement)) continue;
  const spec =
    name === 'distribution'
      ? data.exposure && exposureSpec(data, data.exposure)
      : isTimeName(name)
        ? data.time && timeSpec(name, data, data.time, () => colours)
        : null;
  if (spec !== null) panels.push(new ChartPanel(host, tools, legend, spec, spec.yRange === undefined, shared));
}

makeTablesSortable();
const [themeButton] = elements('#theme', HTMLButtonElement);
if (themeButton !== undefined) watchTheme(themeButton, repaint);
// A printed page is narrower, and always light.
for (const event of ['beforeprint', 'afterprint']) {
  globalThis.addEventListener(event, () => {
    for (const panel of panels) panel.fit();
    repaint();
  });
}
document.documentElement.dataset['ready'] = String(panels.length);

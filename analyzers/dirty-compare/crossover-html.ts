import type { CrossoverMap } from '../../replay/dirty/crossover-result.ts';
import type { DirtyResult, FaultStorm } from '../../replay/dirty/dirty-result.ts';
import { partOf } from '../report/chapter.ts';
import type { PagePart } from '../report/chapter.ts';
import { formatDecimal, formatNs } from '../report/format-units.ts';
import { legendOf, plainTable } from '../report/html-parts.ts';
import { lineFigure } from '../report/line-chart.ts';
import type { DrawnLine } from '../report/line-chart.ts';
import { lineStyle } from '../report/line-styles.ts';
import { html } from '../report/markup.ts';
import type { Markup } from '../report/markup.ts';
import {
  BOUNDARY_TITLES,
  LATENCY_TITLES,
  STORM_TITLES,
  boundaryRows,
  crossoverSentence,
  latencyRows,
  linkRows,
  stormRows,
} from './crossover-cells.ts';
import { crossoverPicture } from './crossover-picture.ts';

/** Latencies against the slices that blocks are protected in. */
function pacing(result: DirtyResult): Markup | null {
  const lines = result.methods.flatMap((row, i): readonly DrawnLine[] => {
    const sliced = row.pri?.storms?.storms.filter(({ name }) => name === 'at once' || name.endsWith(' slices')) ?? [];
    if (sliced.length === 0) return [];
    const style = lineStyle(i, false);
    const of = (label: string, dash: readonly number[], value: (storm: FaultStorm) => number): DrawnLine => ({
      label: `${row.name}, ${label}`,
      style: { ...style, dash },
      points: sliced.map((storm) => [storm.slices, value(storm)] as const),
      marks: true,
    });
    return [of('p99', [], ({ latency }) => latency.p99), of('mean', [6, 4], ({ latency }) => latency.mean)];
  });
  const [storms] = result.methods.flatMap(({ pri }) => pri?.storms ?? []);
  if (storms === undefined) return null;
  return lineFigure(
    'Storms and pacing',
    `Page requests of the pass with the most of them, when what was logged before is protected at once or in slices over the pass; through the queue of ${storms.queue}`,
    {
      about: 'Latency of page requests against slices',
      x: { title: 'slices of a pass', unit: 'count', log: true, base: 2 },
      y: { title: 'latency', unit: 'ns', log: true, base: 10 },
      lines,
    },
  );
}

/** The part of the page about page requests; null where no method has them. */
export function crossoverSection(result: DirtyResult): PagePart | null {
  const latencies = latencyRows(result);
  if (latencies.length === 0) return null;
  const { crossover } = result;
  const [linkTitles = [], ...links] = linkRows(result);
  const figures = crossover === null ? [] : crossover.maps.map((map) => figure(result, map));
  return partOf(
    'crossover',
    'Crossover',
    html`Page requests cost for each page that is written, a scan of dirty bits for each page that is there: the map says which method costs less, as writes come faster and requests take longer. ${crossoverSentence(result)}`,
    html`${figures}${
      crossover === null
        ? null
        : html`<div class="panel"><p class="caption">Where methods cost the same</p>${plainTable('Boundaries', BOUNDARY_TITLES, boundaryRows(result))}</div><div class="panel"><p class="caption">The same with the time on other links</p>${plainTable('Links', linkTitles, links)}</div>`
    }${pacing(result)}<div class="panel"><p class="caption">Page requests of one pass</p>${plainTable('Storms', STORM_TITLES, stormRows(result))}</div><div class="panel"><p class="caption">What page requests do to a device, by their latency; published ones are inputs, not predictions</p>${plainTable('Latencies', LATENCY_TITLES, latencies)}</div>`,
  );
}

function figure(result: DirtyResult, map: CrossoverMap): Markup | null {
  const { crossover, linkBytesPerSecond } = result;
  if (crossover === null) return null;
  const style = (method: string) =>
    lineStyle(
      Math.max(
        0,
        result.methods.findIndex(({ name }) => name === method),
      ),
      false,
    );
  const link = `${formatDecimal((linkBytesPerSecond * 8) / 1e9)} Gbit/s`;
  const [heading, sub] =
    map.criterion === 'cost'
      ? ['Least cost', 'Processors of the host and waits of writers']
      : ['Least cost with the link', `The same, and the time that what is reported takes at ${link}`];
  const lines = crossover.methods
    .filter(({ ofDevices }) => ofDevices)
    .map(({ name }) => ({ label: name, style: style(name) }));
  return html`<figure class="panel"><figcaption><div><h3>${heading}</h3><p class="sub">${sub}; harvests every ${formatNs(crossover.intervalNs)}, the writes of the trace 2<sup>−14</sup> to 16 times as fast</p></div></figcaption>${crossoverPicture(crossover, map, linkBytesPerSecond, (method) => style(method).className)}${legendOf(lines)}</figure>`;
}

import { leadOf, partOf } from './chapter.ts';
import type { Chapter } from './chapter.ts';
import { formatCount, formatNumberOf, formatShare, formatShort } from './format-units.ts';
import { sortableTable } from './html-parts.ts';
import type { Cell } from './html-parts.ts';
import { html } from './markup.ts';

/** What a page shows of `iorr bench`, whose result belongs to another room. */
interface BenchFigures {
  readonly machine: { readonly node: string; readonly cpu: string; readonly cpus: number };
  readonly figures: readonly {
    readonly suite: string;
    readonly name: string;
    readonly unit: string;
    readonly median: number;
    readonly min: number;
    readonly max: number;
    readonly spread: number;
    readonly runs: number;
    readonly noise: number;
  }[];
  readonly noise: number;
}

/** What `iorr bench` found, for a page. */
export function benchChapter({ machine, figures, noise }: BenchFigures): Chapter {
  const rows = figures.map((figure): readonly Cell[] => [
    [`${figure.suite}: ${figure.name}`, null],
    [`${formatShort(figure.median)} ${figure.unit}`, figure.median],
    [formatShort(figure.min), figure.min],
    [formatShort(figure.max), figure.max],
    [formatShare(figure.spread, 1), figure.spread],
    [formatShare(figure.noise, 1), figure.noise],
    [formatCount(figure.runs), figure.runs],
  ]);
  const head = ['Figure', 'Median', 'Slowest', 'Fastest', 'Spread', 'A/A', 'Runs'];
  return {
    command: 'bench',
    file: machine.cpu,
    lead: leadOf(`${formatNumberOf(figures.length, 'figure')} of iorr’s own speed`, [
      ['Machine', machine.cpu],
      ['CPUs', formatCount(machine.cpus)],
      ['Node', machine.node],
      ['A/A', formatShare(noise, 1)],
    ]),
    caveats: [],
    parts: [
      partOf(
        'figures',
        'Figures',
        html`A/A: how far the same code differs from itself, measured in turns; smaller changes say nothing. Spread: the middle half of the runs.`,
        html`<div class="panel">${sortableTable('Figures', head, rows)}</div>`,
      ),
    ],
    basis: [],
    parameters: [],
    charts: null,
  };
}

import { leadOf, partOf, partsOf } from '../report/chapter.ts';
import type { Chapter } from '../report/chapter.ts';
import { formatShare } from '../report/format-units.ts';
import { sortableTable } from '../report/html-parts.ts';
import type { Cell } from '../report/html-parts.ts';
import { html } from '../report/markup.ts';
import type { DiffMetricResult, DiffResult, Verdict } from './diff-result.ts';
import { changeText, countVerdicts, intervalText, valueText } from './diff-text.ts';

/** Those that ask for a look come first. */
const ORDER: readonly Verdict[] = ['worse', 'inconclusive', 'better', 'same'];

function metricRow(metric: DiffMetricResult): readonly Cell[] {
  const { name, a, b, change, verdict, noise } = metric;
  const word = verdict === 'same' ? html`${verdict}` : html`<span class="verdict ${verdict}">${verdict}</span>`;
  return [
    [name, null],
    [valueText(metric, a), a],
    [valueText(metric, b), b],
    [changeText(change), change],
    [intervalText(metric), null],
    [noise === null ? '' : formatShare(noise, 1), noise],
    [word, ORDER.indexOf(verdict)],
  ];
}

/** What `iorr diff` found, for a page. `file` names both inputs. */
export function diffChapter(result: DiffResult, file: string): Chapter {
  const { metrics, missing, gate } = result;
  const rows = ORDER.flatMap((verdict) => metrics.filter((metric) => metric.verdict === verdict)).map(metricRow);
  const conditions = gate.conditions.map(({ text, state, why }): readonly Cell[] => [
    [text, null],
    [state, null],
    [why, null],
  ]);
  const left = missing.map(({ family, why }): readonly Cell[] => [
    [family, null],
    [why, null],
  ]);
  return {
    command: 'diff',
    file,
    lead: leadOf(countVerdicts(metrics), [
      ['Compared', file],
      ['Of', result.of],
      ['Aligned', result.alignment],
      ['Gate', gate.conditions.length === 0 ? 'none asked for' : gate.breached ? 'breached' : 'passed'],
    ]),
    caveats: result.caveats,
    parts: partsOf(
      conditions.length === 0
        ? null
        : partOf(
            'gate',
            'Gate',
            null,
            html`<div class="panel">${sortableTable('Gate', ['Condition', 'State', 'Why'], conditions, [1, 2])}</div>`,
          ),
      partOf(
        'metrics',
        'Metrics',
        html`Counts are compared exactly; times with 95 % intervals. A/A: how far A differs from itself.`,
        html`<div class="panel">${sortableTable('Metrics', ['Metric', 'A', 'B', 'Change', 'Interval', 'A/A', 'Verdict'], rows)}</div>`,
      ),
      missing.length === 0
        ? null
        : partOf(
            'missing',
            'Not compared',
            null,
            html`<div class="panel">${sortableTable('Not compared', ['Family', 'Why'], left, [1])}</div>`,
          ),
    ),
    basis: [],
    parameters: [],
    charts: null,
  };
}

import type { VerifyCounts, VerifyResult } from '../../replay/results.ts';
import { leadOf, partOf, partsOf } from './chapter.ts';
import type { Chapter } from './chapter.ts';
import { formatCount, formatNumberOf, formatShare } from './format-units.ts';
import { eventCommand, eventLink, sortableTable } from './html-parts.ts';
import type { Cell } from './html-parts.ts';
import { html } from './markup.ts';

function titleOf({ checked, diverged }: VerifyResult): string {
  if (checked === 0) return 'Nothing to verify';
  if (diverged === 0) return `All ${formatCount(checked)} recorded outcomes agree`;
  return `${formatCount(diverged)} of ${formatNumberOf(checked, 'recorded outcome')} ${diverged === 1 ? 'diverges' : 'diverge'}`;
}

function countsRow([name, counts]: readonly [string, VerifyCounts]): readonly Cell[] {
  return [
    [name, null],
    [formatCount(counts.checked), counts.checked],
    [formatCount(counts.agreed), counts.agreed],
    [formatCount(counts.diverged), counts.diverged],
    [formatShare(counts.agreed, counts.checked), counts.checked > 0 ? counts.agreed / counts.checked : null],
  ];
}

/** What `iorr verify` found, for a page. */
export function verifyChapter(result: VerifyResult, file: string): Chapter {
  const { byKind, byPart, divergences, skipped, notes } = result;
  const head = ['Part', 'Checked', 'Agreed', 'Diverged', 'Agreement'];
  const kinds = Object.entries(byKind).map(countsRow);
  const parts = Object.entries(byPart).map(countsRow);
  const differences = divergences.map(({ event, kind, what, recorded, model }): readonly Cell[] => [
    [eventLink(event), event],
    [`${kind} ${what}`, null],
    [recorded, null],
    [model, null],
    [eventCommand(file, event), null],
  ]);
  const reasons = Object.entries(skipped.reasons).map(([reason, count]): readonly Cell[] => [
    [reason, null],
    [formatCount(count), count],
  ]);
  return {
    command: 'verify',
    file,
    lead: leadOf(titleOf(result), [
      ['Trace', file],
      ['Checked', formatCount(result.checked)],
      ['Agreed', formatCount(result.agreed)],
      ['Skipped', formatCount(skipped.count)],
    ]),
    caveats: notes,
    parts: partsOf(
      differences.length === 0
        ? null
        : partOf(
            'divergences',
            'Divergences',
            html`Where the model does not say what was recorded${result.diverged > divergences.length ? `: the first ${formatCount(divergences.length)}` : ''}.`,
            html`<div class="panel">${sortableTable('Divergences', ['Event', 'What', 'Recorded', 'Model', 'To look at it'], differences, [1, 2, 3, 4])}</div>`,
          ),
      partOf(
        'agreement',
        'Agreement',
        html`Recorded outcomes against the model’s, which never sees them.`,
        html`<div class="panel">${sortableTable('By kind', head, kinds)}<details><summary>By part</summary>${sortableTable('By part', head, parts)}</details></div>`,
      ),
      reasons.length === 0
        ? null
        : partOf(
            'skipped',
            'Skipped',
            null,
            html`<div class="panel">${sortableTable('Skipped', ['Why', 'Count'], reasons)}</div>`,
          ),
    ),
    basis: [],
    parameters: [],
    charts: null,
  };
}

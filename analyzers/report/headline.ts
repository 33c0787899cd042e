import type { CompareResult } from '../../replay/results.ts';
import { baseRow, comparedRows, isDesign } from './comparison.ts';
import type { DesignRow } from './comparison.ts';
import { printable } from './escape.ts';
import { formatCount, formatDecimal, formatNs, formatNumberOf } from './format-units.ts';
import { paretoFront } from './pareto.ts';

/** What the comparison says, in words: one sentence for the eye, then those that say at what price. */
export interface Headline {
  readonly title: string;
  /** The designs that it speaks of, and what they do. */
  readonly details: readonly { readonly label: string; readonly text: string }[];
}

/** Names of the front that a sentence bears. */
const MOST_BETWEEN = 6;
const THIN = '\u202f';

function pageSeconds(row: DesignRow): number | null {
  return row.design.exposure?.pageSeconds ?? null;
}

function smallest(rows: readonly DesignRow[], value: (row: DesignRow) => number | null): DesignRow | null {
  let best: DesignRow | null = null;
  for (const row of rows) {
    const candidate = value(row);
    if (candidate === null) continue;
    const current = best === null ? null : value(best);
    if (current === null || candidate < current) best = row;
  }
  return best;
}

/** `94.1 % less`, `20.0 % more`, `3.2 times the`; both positive and not the same. */
function compared(value: number, base: number): string {
  const ratio = value / base;
  if (ratio >= 2) return `${formatDecimal(ratio)} times the`;
  const percent = Math.abs(ratio - 1) * 100;
  const size = percent < 0.1 ? '<0.1' : percent > 99.9 && percent < 100 ? '>99.9' : percent.toFixed(1);
  return `${size}${THIN}% ${ratio < 1 ? 'less' : 'more'}`;
}

function costClause(cheap: DesignRow, dear: DesignRow): string {
  const less = cheap.design.cpuNs;
  const more = dear.design.cpuNs;
  if (less === more) return `${cheap.label} takes the same CPU time as ${dear.label}`;
  if (less <= 0) return `${cheap.label} takes no CPU time where ${dear.label} takes ${formatNs(more)}`;
  return `${cheap.label} takes ${compared(less, more)} CPU time than ${dear.label}`;
}

function exposureClause(mine: number | null, theirs: number | null): string {
  if (mine === null || theirs === null) return 'at an unknown exposure';
  if (mine === theirs) return mine === 0 ? 'and neither leaves any exposure' : 'and leaves the same exposure';
  if (mine === 0) return 'and leaves no exposure';
  if (theirs === 0) return `but leaves ${formatDecimal(mine)} page-seconds of exposure against none`;
  return `${mine > theirs ? 'but' : 'and'} leaves ${compared(mine, theirs)} exposure`;
}

function exposureOf(row: DesignRow): string {
  const { exposure, stale } = row.design;
  if (exposure === null) return 'How long unmapped pages stay reachable is unknown.';
  if (exposure.pages === 0) return 'No unmapped page stayed cached.';
  const pages = `${formatCount(exposure.pages)} of ${formatCount(exposure.unmappedPages)} unmapped pages stayed cached`;
  const long = `half of them up to ${formatNs(exposure.ns.p50)}, the longest ${formatNs(exposure.ns.max)}`;
  const served =
    stale === null
      ? ''
      : stale.translations === 0
        ? ' No stale translation was served.'
        : ` ${formatNumberOf(stale.translations, 'stale translation was', 'stale translations were')} served.`;
  return `${pages}: ${formatDecimal(exposure.pageSeconds)} page-seconds, ${long}.${served}`;
}

function detailOf(row: DesignRow): Headline['details'][number] {
  const { commands, syncs, cpuNs } = row.design;
  const cost = `${formatNumberOf(commands, 'command')}, ${formatNumberOf(syncs, 'sync')}, ${formatNs(cpuNs)} of CPU time.`;
  return { label: row.label, text: `${cost} ${exposureOf(row)}` };
}

function oneDesign(row: DesignRow): Headline {
  const { design } = row;
  const title = `${row.label} sends ${formatNumberOf(design.commands, 'invalidation command')} for ${formatNumberOf(design.unmaps, 'unmap')}`;
  return { title, details: [detailOf(row)] };
}

function twoDesigns(base: DesignRow, other: DesignRow): Headline {
  const [cheap, dear] = other.design.cpuNs <= base.design.cpuNs ? [other, base] : [base, other];
  const title = `${costClause(cheap, dear)}, ${exposureClause(pageSeconds(cheap), pageSeconds(dear))}`;
  return { title, details: [detailOf(cheap), detailOf(dear)] };
}

/** The rows between the two ends that no other beats in both cost and exposure. */
function betweenOf(designs: readonly DesignRow[], cheapest: DesignRow, safest: DesignRow): Headline['details'] {
  const between = paretoFront(designs).filter((row) => row !== cheapest && row !== safest);
  if (between.length === 0) return [];
  const names = between.slice(0, MOST_BETWEEN).map((row) => row.label);
  const more = between.length > MOST_BETWEEN ? ` and ${between.length - MOST_BETWEEN} more` : '';
  return [{ label: 'Between them', text: `no other is both cheaper and safer than ${names.join(', ')}${more}.` }];
}

function manyDesigns(designs: readonly DesignRow[], first: DesignRow): Headline {
  const cheapest = smallest(designs, (row) => row.design.cpuNs) ?? first;
  const safest = smallest(designs, pageSeconds);
  if (safest === null) {
    return {
      title: `Of ${designs.length} designs ${cheapest.label} takes the least CPU time, at an unknown exposure`,
      details: [detailOf(cheapest)],
    };
  }
  if (safest === cheapest) {
    return {
      title: `Of ${designs.length} designs ${cheapest.label} takes the least CPU time and leaves the least exposure`,
      details: [detailOf(cheapest)],
    };
  }
  return {
    title: `Of ${designs.length} designs ${cheapest.label} takes the least CPU time, ${safest.label} leaves the least exposure`,
    details: [detailOf(cheapest), detailOf(safest), ...betweenOf(designs, cheapest, safest)],
  };
}

/** Accesses of a model are not what a device did: the sentence says whose they are. */
function modelled(result: CompareResult): string {
  return result.access === 'recorded' || result.access === 'none'
    ? ''
    : `, by the access model ${printable(result.access, 40)}`;
}

/** What the comparison says; exposure is never left out, and never called small where it is unknown. */
export function headline(result: CompareResult): Headline {
  const said = plainHeadline(result);
  return { ...said, title: said.title + (result.designs.length > 0 ? modelled(result) : '') };
}

function plainHeadline(result: CompareResult): Headline {
  const designs = comparedRows(result).filter(isDesign);
  const base = baseRow(designs);
  if (base === null) return { title: 'No design was compared', details: [] };
  const [, second] = designs;
  if (second === undefined) return oneDesign(base);
  if (designs.length === 2) return twoDesigns(base, second);
  return manyDesigns(designs, base);
}

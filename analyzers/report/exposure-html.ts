import type { Exposure } from '../../replay/results.ts';
import { formatCount, formatDecimal, formatNs, formatShare } from './format-units.ts';
import { plainTable } from './html-parts.ts';
import type { Markup } from './markup.ts';

/** Exposure in one cache or several, side by side; what is null is left out. */
export function exposureTable(caches: readonly (readonly [name: string, exposure: Exposure | null])[]): Markup {
  const known = caches.flatMap(([name, exposure]) => (exposure === null ? [] : [{ name, exposure }]));
  const row = (name: string, value: (exposure: Exposure) => string): readonly string[] => [
    name,
    ...known.map(({ exposure }) => value(exposure)),
  ];
  const ended = (name: string, end: keyof Exposure['endedBy']): readonly string[] =>
    row(name, ({ endedBy, pages }) =>
      endedBy[end] === 0 ? '0' : `${formatCount(endedBy[end])} (${formatShare(endedBy[end], pages)})`,
    );
  return plainTable(
    'Exposure',
    ['', ...known.map(({ name }) => name)],
    [
      row('Unmapped pages', ({ unmappedPages }) => formatCount(unmappedPages)),
      row('Exposed pages', ({ pages, unmappedPages }) =>
        pages === 0 ? '0' : `${formatCount(pages)} (${formatShare(pages, unmappedPages)})`,
      ),
      row('Page-seconds', ({ pageSeconds }) => formatDecimal(pageSeconds)),
      row('P50', ({ ns }) => formatNs(ns.p50)),
      row('P95', ({ ns }) => formatNs(ns.p95)),
      row('P99', ({ ns }) => formatNs(ns.p99)),
      row('Longest', ({ ns }) => formatNs(ns.max)),
      row('Most at once', ({ maxAtOnce }) => formatCount(maxAtOnce)),
      ended('Ended by a command', 'command'),
      ended('by replacement', 'replacement'),
      ended('by an overflow', 'overflow'),
      ended('by a new map', 'remap'),
      ended('still open', 'open'),
    ],
  );
}

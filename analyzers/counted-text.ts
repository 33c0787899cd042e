import type { CountedReplay } from '../replay/engine/count-replay.ts';
import { printable } from './report/escape.ts';
import { formatCount, formatShare } from './report/format-units.ts';
import { layOut, wrapText } from './report/plain-table.ts';

const COLUMNS = 100;

/** A replay that only counts, for the terminal. */
export function countedText(file: string, result: CountedReplay): string {
  const { iotlb, hardware, engine, commands } = result;
  const types = Object.entries(result.commandsByType).sort(([a], [b]) => (a < b ? -1 : 1));
  const rows: (readonly [string, string, string])[] = [
    ['Events', formatCount(result.events), ''],
    ['Lookups', formatCount(iotlb?.lookups ?? null), ''],
    ['Hits', formatCount(iotlb?.hits ?? null), iotlb === null ? '' : formatShare(iotlb.hits, iotlb.lookups)],
    ['Misses', formatCount(iotlb?.misses ?? null), iotlb === null ? '' : formatShare(iotlb.misses, iotlb.lookups)],
    ['Untranslated', formatCount(result.untranslated), ''],
    ['Reads of walks', formatCount(result.walkReads), ''],
    ['Commands', formatCount(commands), ''],
    ...types.map(
      ([type, count]) => [`  ${printable(type, 40)}`, formatCount(count), formatShare(count, commands)] as const,
    ),
    ['Dropped by commands', formatCount(result.invalidated), ''],
    ['Refused commands', formatCount(result.commandErrors.reduce((sum, { count }) => sum + count, 0)), ''],
  ];
  const rate = (result.eventsPerSecond / 1e6).toFixed(1);
  return [
    `iorr replay --counts  ${printable(file)} on ${printable(hardware)}`,
    '',
    layOut({ head: ['', '', ''], rows }),
    '',
    engine === 'kernel'
      ? `${rate} million events per second`
      : `${rate} million events per second, by the whole machine`,
    ...result.caveats.flatMap((caveat) => wrapText(`! ${printable(caveat, 1000)}`, COLUMNS)),
    '',
  ].join('\n');
}

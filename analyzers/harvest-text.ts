import type { Estimate } from '../replay/calibrate/robust-fit.ts';
import { harvestNs } from '../replay/harvest/harvest-measurement.ts';
import type { HarvestMeasurement } from '../replay/harvest/harvest-measurement.ts';
import { printable } from './report/escape.ts';
import { formatBytes, formatDecimal } from './report/format-units.ts';
import { layOut } from './report/plain-table.ts';

const GB = 1e9;
/** What is planned with the figures: 1 TiB in 4 KiB leaves. */
const PLANNED_LEAVES = 2 ** 28;
const ENTRY_BYTES = 8;

/** A measurement for people: rates with their intervals, what dirty leaves add, and what a harvest of 1 TiB would take. */
export function harvestText(processor: string, measured: HarvestMeasurement): string {
  const { cold, dirty, guestBytes, tableBytes, leafShift, rounds } = measured;
  const head = [
    `iorr calibrate --harvest  ${printable(processor)}`,
    '',
    `${formatBytes(guestBytes)} in leaves of ${formatBytes(2 ** leafShift)}: ${formatBytes(tableBytes)} of ${measured.format} entries; medians of ${rounds} rounds`,
  ];
  const rate = (name: string, { value, interval }: Estimate, note = ''): readonly string[] => [
    name,
    formatDecimal(value / GB, 3),
    formatDecimal(interval[0] / GB, 3),
    formatDecimal(interval[1] / GB, 3),
    note,
  ];
  const rates = layOut({
    head: ['Page-table memory', 'GB/s', 'from', 'to', ''],
    align: ['left', 'right', 'right', 'right', 'left'],
    rows: [
      ...cold.map(({ threads, rate: value, scaling }) =>
        rate(
          `clean and cold, ${threads} thread${threads === 1 ? '' : 's'}`,
          value,
          threads === 1 ? '' : `${formatDecimal(scaling.value, 3)} times one thread`,
        ),
      ),
      rate('clean and warm, 1 thread', measured.warm),
      ...dirty
        .slice(1)
        .map(({ share, rate: value, perLeaf }) =>
          rate(`${share * 100} % dirty, 1 thread`, value, `${formatDecimal(perLeaf.value, 3)} ns a dirty leaf`),
        ),
      rate('copied, 1 thread', measured.copy, `a scan is ${formatDecimal(measured.toCopy.value, 3)} times as fast`),
    ],
  });
  const shares = dirty.map(({ share }) => share);
  const plan = layOut({
    head: ['1 TiB in 4 KiB leaves, ms', ...shares.map((share) => `${share * 100} %`)],
    rows: cold.map(({ threads }) => [
      `${threads} thread${threads === 1 ? '' : 's'}`,
      ...shares.map((share) => {
        const planned = { tableBytes: PLANNED_LEAVES * ENTRY_BYTES, dirty: PLANNED_LEAVES * share, threads };
        return formatDecimal(harvestNs(measured, planned) / 1e6, 3);
      }),
    ]),
  });
  const write = `One write to a random leaf, walk and dirty bit: ${formatDecimal(measured.write.value, 3)} ns.`;
  return [...head, '', rates, '', plan, '', write, ''].join('\n');
}

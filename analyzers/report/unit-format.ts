import { formatBytes, formatCount, formatDecimal, formatNs, formatShort } from './format-units.ts';

/** Units that a chart's data can name: a page holds data, not functions. */
export type UnitName = 'ns' | 'bytes' | 'bytes/s' | 'count' | 'share';

const VALUES: { readonly [U in UnitName]: (value: number) => string } = {
  ns: formatNs,
  bytes: formatBytes,
  'bytes/s': (value) => `${formatBytes(value)}/s`,
  count: formatCount,
  share: (value) => `${formatDecimal(value)}\u202f%`,
};

/** A value with its unit. */
export function formatUnit(unit: UnitName, value: number): string {
  return VALUES[unit](value);
}

/** The same, short enough for an axis. */
export function tickUnit(unit: UnitName, value: number): string {
  switch (unit) {
    case 'count':
      return formatShort(value);
    case 'bytes/s':
      return formatBytes(value);
    default:
      return VALUES[unit](value);
  }
}

import { formatBytes, formatCount, formatDecimal, formatNs, formatShare, formatShort } from './format-units.ts';

/** Units that a chart's data can name: a page holds data, not functions. `time`: nanoseconds of the trace; `share`: 0 to 1. */
export type UnitName =
  | 'ns'
  | 'time'
  | 'bytes'
  | 'bytes/s'
  | 'count'
  | 'number'
  | 'share'
  | 'probability'
  | 'times'
  | 'page-seconds';

const THIN = '\u202f';

/** A share near its limit: enough digits to tell it from 100 %. */
function precise(value: number): string {
  const rest = Math.min(value, 1 - value);
  const digits = rest > 0 && rest < 0.01 ? Math.min(6, Math.ceil(-Math.log10(rest))) : 2;
  return value === 0 || value === 1 ? formatShare(value, 1) : `${(value * 100).toFixed(digits)} %`;
}

function rare(value: number): string {
  if (value === 0) return '0';
  return value >= 0.001 ? precise(value) : value.toExponential(2);
}

function percentTick(value: number): string {
  return `${Number((value * 100).toPrecision(6))}${THIN}%`;
}

const VALUES: { readonly [U in UnitName]: (value: number) => string } = {
  ns: (value) => (value >= 1 || value === 0 ? formatNs(value) : `${formatDecimal(value)} ns`),
  time: formatNs,
  bytes: formatBytes,
  'bytes/s': (value) => `${formatBytes(value)}/s`,
  count: formatCount,
  number: (value) => formatDecimal(value, 4),
  share: precise,
  probability: rare,
  times: (value) => `×${formatDecimal(value)}`,
  'page-seconds': formatDecimal,
};

const TICKS: { readonly [U in UnitName]: (value: number) => string } = {
  ...VALUES,
  'bytes/s': formatBytes,
  count: formatShort,
  number: formatShort,
  share: percentTick,
  probability: (value) => (value === 0 || value >= 0.001 ? percentTick(value) : value.toExponential(0)),
  'page-seconds': formatShort,
};

/** A value with its unit. */
export function formatUnit(unit: UnitName, value: number): string {
  return VALUES[unit](value);
}

/** The same, short enough for an axis. */
export function tickUnit(unit: UnitName, value: number): string {
  return TICKS[unit](value);
}

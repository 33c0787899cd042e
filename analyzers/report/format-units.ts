/**
 * Numbers for people. Free of locale and of the platform, so that every output (and the report's own script) shows the same
 * text everywhere. `null` is unknown, which is not 0.
 */

export const UNKNOWN = 'unknown';
/** Narrow no-break space between groups of three digits and between a number and its unit (SI brochure 5.4.3, 5.4.4). */
const THIN = '\u202f';
const MINUS = '\u2212';

/** `1 187 287`; thin spaces. Rounds to whole numbers. */
export function formatCount(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return UNKNOWN;
  const digits = Math.abs(Math.round(value)).toFixed(0);
  const grouped = digits.replace(/\B(?=(?:\d{3})+$)/g, THIN);
  return value < 0 && digits !== '0' ? MINUS + grouped : grouped;
}

/** `1 entry`, `12 entries`. */
export function formatNumberOf(count: number, one: string, many: string = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** Three significant digits, never an exponent: `2 386`, `7.04`, `0.0123`, `0`. */
export function formatDecimal(value: number | null, digits = 3): string {
  if (value === null || !Number.isFinite(value)) return UNKNOWN;
  const size = Math.abs(value);
  if (size === 0) return '0';
  // Rounded first: 0.9996 has the decimals of 1.
  const magnitude = Math.floor(Math.log10(Number(size.toPrecision(digits))));
  const decimals = Math.min(12, Math.max(0, digits - 1 - magnitude));
  const text = size.toFixed(decimals);
  const [whole = '0', fraction] = text.split('.');
  const grouped = whole.replace(/\B(?=(?:\d{3})+$)/g, THIN);
  return (value < 0 ? MINUS : '') + (fraction === undefined ? grouped : `${grouped}.${fraction}`);
}

const TIME_UNITS = [
  [1e9, 's'],
  [1e6, 'ms'],
  [1e3, 'µs'],
  [1, 'ns'],
] as const;

/** `950 ns`, `4.12 µs`, `20.3 ms`, `63.4 s`; whole nanoseconds below 1 µs. */
export function formatNs(ns: number | null): string {
  if (ns === null || !Number.isFinite(ns)) return UNKNOWN;
  const size = Math.abs(ns);
  // 999.6 us rounds to three digits as 1000 us: take the larger unit from there on.
  const [scale, unit] = TIME_UNITS.find(([step]) => size >= step * (step === 1 ? 0 : 0.9995)) ?? [1, 'ns'];
  const text = scale === 1 ? formatCount(ns) : formatDecimal(ns / scale);
  return `${text}${THIN}${unit}`;
}

/** `99.98 %`; a share that is not whole never reads as 0 or 100. `null` parts or an empty whole: unknown. */
export function formatShare(part: number | null, whole: number | null): string {
  if (part === null || whole === null || !(whole > 0) || !Number.isFinite(part)) return UNKNOWN;
  const percent = (part / whole) * 100;
  if (part > 0 && percent < 0.01) return `<0.01${THIN}%`;
  if (part < whole && percent > 99.99) return `>99.99${THIN}%`;
  return `${percent.toFixed(percent === 0 || percent === 100 ? 0 : 2)}${THIN}%`;
}

/** A value against a base: `−99.4 %`, `+12.0 %`, `×341`, `same`, `≈` below 0.05 %; empty where either is unknown or the base is 0. */
export function formatChange(value: number | null, base: number | null): string {
  if (value === null || base === null || !Number.isFinite(value) || !Number.isFinite(base)) return '';
  if (value === base) return 'same';
  if (base === 0) return '';
  const ratio = value / base;
  if (ratio >= 2) return `×${formatDecimal(ratio)}`;
  const percent = (ratio - 1) * 100;
  const size = Math.abs(percent);
  const sign = percent < 0 ? MINUS : '+';
  if (size < 0.05) return '≈';
  if (size > 99.9 && size < 100) return `${sign}>99.9${THIN}%`;
  return `${sign}${size.toFixed(size === 100 ? 0 : 1)}${THIN}%`;
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** `812 B`, `1.24 MiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? formatCount(value) : formatDecimal(value)}${THIN}${BYTE_UNITS[unit] ?? 'B'}`;
}

const SI_STEPS = [
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
] as const;

/** Short form for axes: `12 k`, `1.5 M`, `0.2`. */
export function formatShort(value: number): string {
  if (value === 0) return '0';
  const [scale, prefix] = SI_STEPS.find(([step]) => Math.abs(value) >= step) ?? [1, ''];
  const text = String(Number((value / scale).toPrecision(4))).replace('-', MINUS);
  return prefix === '' ? text : `${text}${THIN}${prefix}`;
}

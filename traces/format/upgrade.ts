import { FORMAT_VERSION } from '../header.ts';
import { IorrError } from '../errors.ts';

/** What changes a header of version N into one of version N + 1. */
export type HeaderUpgrade = (header: Readonly<Record<string, unknown>>) => Record<string, unknown>;

/** Upgrades by the version that they start from. A new format version adds one line here and one test. */
export const HEADER_UPGRADES: Readonly<Record<number, HeaderUpgrade>> = {
  // Versions 2 and 3 brought streams and columns, version 4 a way to write columns; the header stayed.
  1: (header) => ({ ...header }),
  2: (header) => ({ ...header }),
  3: (header) => ({ ...header }),
};

/**
 * Brings a header of any known version to the current one. Columns need no upgrade: they are only ever appended, and a reader
 * fills those that an older segment lacks.
 */
export function upgradeHeader(
  header: Readonly<Record<string, unknown>>,
  file: string,
  current: number = FORMAT_VERSION,
  upgrades: Readonly<Record<number, HeaderUpgrade>> = HEADER_UPGRADES,
): Record<string, unknown> {
  const version = header['formatVersion'];
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 0) {
    throw new IorrError('TRACE_DAMAGED', `format version expected in the header, found ${String(version)}`, {
      place: { file },
    });
  }
  if (version > current) {
    throw new IorrError('TRACE_NEWER', `trace format ${version}, this iorr reads up to ${current}`, {
      place: { file },
      hint: 'update iorr, or write the trace again with the older one',
    });
  }
  let upgraded: Record<string, unknown> = { ...header };
  for (let from = version; from < current; from++) {
    const upgrade = upgrades[from];
    if (upgrade === undefined) {
      throw new IorrError('TRACE_DAMAGED', `trace format ${version} was never published`, { place: { file } });
    }
    upgraded = { ...upgrade(upgraded), formatVersion: from + 1 };
  }
  return upgraded;
}

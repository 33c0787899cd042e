import type { CommandDialect } from './dialect.ts';
import { vtdDialect } from './vtd.ts';

/** Every dialect that is known, by the `dialect` column of inv events. */
export const DIALECTS: readonly CommandDialect[] = [vtdDialect];

/** The dialect of an inv event, or undefined for one that has no decoder. */
export function dialectById(id: number): CommandDialect | undefined {
  return DIALECTS.find((dialect) => dialect.id === id);
}

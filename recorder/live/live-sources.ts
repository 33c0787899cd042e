import { IorrError } from '../../traces/errors.ts';
import { nearest } from '../../traces/nearest.ts';
import type { LiveSource } from './live-source.ts';
import { bpfSource } from './bpf-source.ts';
import { perfSource } from './perf-source.ts';
import { straceSource } from './strace-source.ts';
import { tracefsSource } from './tracefs-source.ts';

/** All of them; the first is the one that `iorr record` takes by itself. */
export const LIVE_SOURCES: readonly LiveSource[] = [tracefsSource, bpfSource, perfSource, straceSource];

/** Throws `IorrError` USAGE for a name that is none. */
export function findLiveSource(name: string): LiveSource {
  const source = LIVE_SOURCES.find((one) => one.name === name);
  if (source !== undefined) return source;
  const names = LIVE_SOURCES.map((one) => one.name);
  const close = nearest(name, names);
  const meant = close === undefined ? '' : `Did you mean ${close}? `;
  throw new IorrError('USAGE', `no source "${name}"`, { hint: `${meant}There are: ${names.join(', ')}` });
}

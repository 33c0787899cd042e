import { MOST_DISTANCE, MOST_TENANTS } from '../replay/tenants/tenant-names.ts';
import type { TenantOptions } from '../replay/tenants/tenant-names.ts';
import type { CommandInvocation, CommandOption } from '../traces/command.ts';
import { IorrError } from '../traces/errors.ts';
import { parseDuration } from './duration.ts';

/** How the tenants of a clone of a trace differ: of commands that take `--tenants`. */
export const CLONE_OPTIONS: readonly CommandOption[] = [
  {
    flags: '--spread <time>',
    description: 'offsets of tenants in time are spread over this (default: a sixteenth of the trace)',
  },
  {
    flags: '--addresses <how>',
    description: 'of tenants: same, keyed (moved by random distances that keep alignments), or pages between them',
    default: 'same',
  },
];

/** `1,2,4,...,1024`: numbers, ranges that double, and three points that go on by doubling; ascending. Throws `USAGE`. */
export function tenantCounts(text: string): readonly number[] {
  const parts = text.split(',').map((part) => part.trim());
  const counts: number[] = [];
  const wrong = (part: string): IorrError =>
    new IorrError('USAGE', `--tenants ${text}: numbers from 1 to ${MOST_TENANTS} expected, not '${part}'`, {
      hint: '--tenants 1,2,4,8 or --tenants 1..1024 or --tenants 1,2,4,...,1024',
    });
  parts.forEach((part, i) => {
    const [, first, last] = /^(\d+)(?:\.\.(\d+))?$/.exec(part) ?? [];
    if (/^(?:\.\.\.|…)$/.test(part)) {
      const from = counts.at(-1);
      const to = Number(parts[i + 1]);
      if (from === undefined || !(to > from && to <= MOST_TENANTS)) throw wrong(part);
      for (let count = from * 2; count < to; count *= 2) counts.push(count);
      return;
    }
    const from = Number(first);
    const to = last === undefined ? from : Number(last);
    if (first === undefined || from < 1 || to < from || to > MOST_TENANTS) throw wrong(part);
    for (let count = from; count < to; count *= 2) counts.push(count);
    counts.push(to);
  });
  return [...new Set(counts)].sort((a, b) => a - b);
}

/** What `CLONE_OPTIONS` say. Throws `USAGE`. */
export function clonesOption(options: CommandInvocation['options']): Pick<TenantOptions, 'pages' | 'spreadNs'> {
  const { spread } = options;
  return {
    pages: addressesOf(String(options['addresses'])),
    ...(typeof spread === 'string' ? { spreadNs: parseDuration(spread, '--spread') } : {}),
  };
}

/** Pages between the addresses of tenants. */
function addressesOf(text: string): number | 'keyed' {
  if (text === 'same') return 0;
  if (text === 'keyed') return text;
  const pages = Number(text);
  if (/^\d+$/.test(text) && pages <= MOST_DISTANCE) return pages;
  throw new IorrError('USAGE', `--addresses ${text}: same, keyed or a number of 4 KiB pages expected`);
}

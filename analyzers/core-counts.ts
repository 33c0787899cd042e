import { IorrError } from '../traces/errors.ts';

const MOST_CORES = 1024;
const MOST_COUNTS = 64;

/** Core counts of `1,2,4,8..64`: numbers, and ranges that double from their first to their last. Throws `USAGE`. */
export function coreCounts(text: string): readonly number[] {
  const counts = text.split(',').flatMap((part) => {
    const [, first = '', last] = /^(\d+)(?:\.\.(\d+))?$/.exec(part.trim()) ?? [];
    const from = Number(first);
    const to = last === undefined ? from : Number(last);
    if (first === '' || from < 1 || to < from || to > MOST_CORES) {
      throw new IorrError(
        'USAGE',
        `--cores ${text}: numbers from 1 to ${MOST_CORES} or ranges expected, not '${part}'`,
        {
          hint: 'for example --cores 1,2,4,8..64',
        },
      );
    }
    const range: number[] = [];
    for (let count = from; count < to; count *= 2) range.push(count);
    return [...range, to];
  });
  const distinct = [...new Set(counts)].sort((a, b) => a - b);
  if (distinct.length <= MOST_COUNTS) return distinct;
  throw new IorrError('USAGE', `--cores ${text}: ${distinct.length} counts, ${MOST_COUNTS} are the most`);
}

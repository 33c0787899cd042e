import { constantLines } from './d-constants.ts';
import { pageTableLines } from './d-page-table.ts';
import { queueLines } from './d-queues.ts';
import { holds } from './line.ts';
import type { ValidationLine, ValidationSection } from './line.ts';
import { SMALL_NUMBERS_SOURCE } from './published/small-numbers.ts';

/** Single figures from commit messages, mailing lists and papers. */
export const smallNumbersSection: ValidationSection = {
  name: 'D',
  title: 'Exact small numbers',
  source: SMALL_NUMBERS_SOURCE,
  run: async (): Promise<readonly ValidationLine[]> => [
    ...pageTableLines(),
    ...(await queueLines()),
    ...constantLines(),
  ],
  notes: (lines) => {
    const predicted = lines.filter(({ status }) => status === 'predicted');
    const within = predicted.filter(holds).length;
    return [
      `${within} of ${predicted.length} predicted lines within their tolerance, by parameters that were not fitted on the line itself`,
      'constants of Linux are inputs of the designs: their lines are definitions, not predictions',
    ];
  },
};

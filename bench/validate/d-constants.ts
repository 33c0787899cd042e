import { DIALECT } from '../../traces/schema.ts';
import { linuxLazy } from '../../replay/designs/linux-lazy.ts';
import { linuxLazySingleFq } from '../../replay/designs/linux-lazy-single-fq.ts';
import type { ProfileParameter } from '../../replay/results.ts';
import { queueRules } from '../../replay/time/queue-rules.ts';
import { validationLine } from './line.ts';
import type { ValidationLine } from './line.ts';
import { LINUX_CONSTANTS } from './published/small-numbers.ts';

const KERNEL = 702;

function valueOf(parameters: readonly ProfileParameter[], ending: string): number {
  return parameters.find(({ name }) => name.endsWith(`.${ending}`))?.value ?? Number.NaN;
}

/** Constants of Linux that the designs are made of: nothing is predicted, the lines say that the model has them. */
export function constantLines(): readonly ValidationLine[] {
  const known = LINUX_CONSTANTS;
  const line = (
    id: string,
    what: string,
    unit: string,
    published: number,
    predicted: number,
    why: string,
  ): ValidationLine => validationLine({ id, what, unit, published, predicted, tolerance: 0, status: 'input', why });
  const design = 'default of the design, a definition';
  const rules = 'rules of the driver, a definition';
  return [
    line(
      'D.fq.size',
      'flush queue of a CPU',
      'entries',
      known.flushQueueEntries,
      valueOf(linuxLazy.parameters, 'size'),
      design,
    ),
    line(
      'D.fq.timeout',
      'its timeout',
      'ms',
      known.flushQueueTimeoutMs,
      valueOf(linuxLazy.parameters, 'timeout'),
      design,
    ),
    line(
      'D.fq.single-size',
      'single flush queue',
      'entries',
      known.singleQueueEntries,
      valueOf(linuxLazySingleFq.parameters, 'size'),
      design,
    ),
    line(
      'D.fq.single-timeout',
      'its timeout',
      'ms',
      known.singleQueueTimeoutMs,
      valueOf(linuxLazySingleFq.parameters, 'timeout'),
      design,
    ),
    line('D.queue.vtd', 'VT-d queue', 'entries', known.vtdQueue, queueRules(DIALECT.vtd, KERNEL).entries, rules),
    line(
      'D.queue.amd',
      'AMD command buffer',
      'entries',
      known.amdQueue,
      queueRules(DIALECT.amd, KERNEL).entries,
      rules,
    ),
    ...[
      ['D.batch.vtd', 'VT-d batch', 'commands', known.vtdBatch, 'a constant of the flush rules (vtd-flush.ts)'],
      [
        'D.batch.smmuv3',
        'SMMUv3 batch',
        'commands',
        known.smmuv3Batch,
        'a constant of the flush rules (smmuv3-flush.ts)',
      ],
      [
        'D.whole-asid',
        'SMMUv3 without ranges: whole ASID from',
        'commands',
        known.wholeAsidFrom,
        'entries of a table, a rule of smmuv3-flush.ts',
      ],
    ].map(([id, what, unit, value, why]) =>
      line(String(id), String(what), String(unit), Number(value), Number(value), String(why)),
    ),
    validationLine({
      id: 'D.queue.prq',
      what: 'VT-d page request queue',
      unit: 'entries',
      published: known.pageRequestQueue,
      status: 'out-of-scope',
      why: 'missing: a modelled page request queue that can overflow in these runs',
    }),
  ];
}

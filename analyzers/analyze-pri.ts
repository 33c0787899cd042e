import { IorrError } from '../traces/errors.ts';
import type { Analysis } from './analysis.ts';
import { analyzePri, outstandingAt } from './pri/pri.ts';
import { priHtml } from './pri/pri-html.ts';
import { outstandingText, priText } from './pri/pri-text.ts';

/** Page requests from the hardware's queue to their answers. */
export const pri: Analysis = {
  name: 'pri',
  summary:
    'page requests: groups, answers and who gave them, latency by stage, occupancy, repeats, what is missing; with --at what is on its way then',
  gates: {
    unanswered: 'unanswered',
    invalid: 'codes.invalid',
    failure: 'codes.failure',
    lost: 'damage.lost-requests',
    orphans: 'damage.orphan-response',
    latency: 'stages.answered.ns.p99',
    outstanding: 'occupancy.groups.max',
  },
  run(trace, { file, at }) {
    if (at !== undefined) {
      const groups = outstandingAt(trace, at);
      return { result: { at, groups }, text: outstandingText(file, at, groups) };
    }
    const result = analyzePri(trace);
    if (result.groups + result.commands + (result.requests ?? 0) === 0) {
      throw new IorrError(
        'STREAM_MISSING',
        'the trace has no page requests, no responses to any, and no reads of a fault queue',
        {
          place: { file },
          hint: "record intel_iommu:prq_report and qi_submit, or the system calls of the process that serves IOMMUFD's fault queue",
        },
      );
    }
    return { result, text: priText(file, result), html: (page) => priHtml(result, page) };
  },
};

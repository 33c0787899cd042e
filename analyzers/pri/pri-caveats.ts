import type { PriHistory } from '../../replay/faults/spans/read-history.ts';
import { formatCount, formatNumberOf } from '../report/format-units.ts';
import type { PriSight } from './pri.ts';
import type { StageReports } from './pri-stages.ts';

/** What the trace does not show, and what that means for the figures. */
export function priCaveats(history: PriHistory, sees: PriSight, stages: StageReports): string[] {
  const { lost, requestsBefore, user, answerers } = history;
  const caveats: string[] = [];
  if (lost.places > 0) {
    caveats.push(
      `${formatNumberOf(lost.events, 'event')} were lost at ${formatNumberOf(lost.places, 'place')}: counts are lower bounds, and groups may look unanswered, or answers be joined with the wrong group of an index`,
    );
  }
  if (requestsBefore > 0) {
    caveats.push(`${formatNumberOf(requestsBefore, 'request')} came before the trace, by the driver's own count`);
  }
  if (!sees.requests) {
    caveats.push(
      sees.reads
        ? 'when devices asked is not in the trace (intel_iommu:prq_report): times begin with the read by user space'
        : 'no request is in the trace: there are answers, and no times to them',
    );
  }
  if (!sees.reads && answerers.serving.size > 0) {
    caveats.push(
      'a process has a fault queue; what it read and wrote is not in the trace: add a log of its system calls, iorr import trace.txt calls.jsonl',
    );
  }
  if (!sees.reads && answerers.serving.size === 0 && sees.requests) {
    caveats.push(
      sees.calls
        ? 'no process has a fault queue: requests are served in the kernel, where no event lies between request and response'
        : 'no system calls are in the trace: who serves the requests is told by the thread that answers alone',
    );
  }
  if (sees.reads && !sees.commands) {
    caveats.push(
      'response commands are not in the trace (intel_iommu:qi_submit): times end with the write by user space',
    );
  }
  if (sees.commands && !sees.completions && sees.requests) {
    caveats.push(
      'when the hardware carried responses out is not in the trace: a group counts as answered when its command was submitted',
    );
  }
  if (user.untimed > 0) {
    caveats.push(
      `${formatCount(user.untimed)} reads and writes have no time of their own: they lie between the calls around them, and stages that they bound are given as least and most`,
    );
  }
  if (user.cut > 0 && !sees.requests) {
    caveats.push(
      `${formatCount(user.cut)} of ${formatCount(user.records)} records were cut by the source: groups may be larger and more than they look, and pages are missing`,
    );
  }
  if (sees.requests) {
    caveats.push(
      'a request is seen when the driver takes it out of the queue: how long it was there, how deep the queue was and whether it overflowed is not in the trace',
    );
  }
  const early = Object.values(stages).reduce((sum, stage) => sum + (stage?.early ?? 0), 0);
  if (early > 0) caveats.push(`${formatNumberOf(early, 'time')} between two points would be negative and count as 0`);
  return caveats;
}

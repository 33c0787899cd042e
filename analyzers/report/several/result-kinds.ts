import type { DirtyResult as DirtyMethods } from '../../../replay/dirty/dirty-result.ts';
import type { PriResult as PriDesigns } from '../../../replay/faults/compare-pri.ts';
import type { CompareResult } from '../../../replay/results.ts';
import type { Envelope } from '../../../traces/envelope.ts';
import { batchingChapter } from '../../batching/batching-html.ts';
import { diffChapter } from '../../diff/diff-html.ts';
import { dirtyMethodsChapter } from '../../dirty-compare/dirty-methods-html.ts';
import { dirtyChapter } from '../../dirty/dirty-html.ts';
import { ioctlChapter } from '../../ioctl-html.ts';
import { iotlbChapter } from '../../iotlb/iotlb-html.ts';
import { latencyChapter } from '../../latency/latency-html.ts';
import { planChapter } from '../../plan/plan-html.ts';
import { priCompareChapter } from '../../pri-compare/pri-compare-html.ts';
import { priChapter } from '../../pri/pri-html.ts';
import { safetyChapter } from '../../safety-html.ts';
import { sweepChapter } from '../../sweep/sweep-html.ts';
import { benchChapter } from '../bench-html.ts';
import type { Chapter } from '../chapter.ts';
import { filesOf } from '../envelope.ts';
import type { CompareReport } from '../envelope.ts';
import { compareChapter } from '../html.ts';
import { countsChapter, replayChapter } from '../replay-html.ts';
import { verifyChapter } from '../verify-html.ts';
import {
  batchingShape,
  dirtyShape,
  ioctlShape,
  iotlbShape,
  latencyShape,
  priShape,
  safetyShape,
} from './analysis-shapes.ts';
import {
  benchShape,
  compareShape,
  countsShape,
  diffShape,
  planShape,
  replayShape,
  sweepShape,
  verifyShape,
} from './replay-shapes.ts';
import type { Shape } from './shape.ts';
import { compareDirtyShape, comparePriShape } from './what-if-shapes.ts';

/** A result as a file has it; what is in `result` is told by its kind. */
export type ResultEnvelope = Envelope<string, unknown>;

/** One kind of result that a page can show. */
export interface ResultKind {
  readonly command: string;
  /** A name that only results of this kind have, where one command has several. */
  readonly sign?: string;
  readonly shape: Shape;
  /** Of a result whose shape was checked. */
  chapter(report: ResultEnvelope): Chapter;
}

/**
 * A kind whose chapter needs no more than the result and the names of its inputs. The chapter takes what the shape checks:
 * nothing else is handed to it.
 */
function kind(
  command: string,
  shape: Shape,
  chapter: (result: never, file: string) => Chapter,
  sign?: string,
): ResultKind {
  return {
    command,
    shape,
    ...(sign === undefined ? {} : { sign }),
    chapter: (report) => chapter(report.result as never, filesOf(report)),
  };
}

/**
 * All kinds, in the order in which a page shows them: designs, caches, queues, dirty pages, faults, safety. Those with a sign
 * stand before others of the same command. To add one: its shape, its chapter, a line here.
 */
export const RESULT_KINDS: readonly ResultKind[] = [
  kind('diff', diffShape, diffChapter),
  kind(
    'compare',
    compareDirtyShape,
    ({ dirty }: { readonly dirty: DirtyMethods }, file) => dirtyMethodsChapter(dirty, file),
    'dirty',
  ),
  kind(
    'compare',
    comparePriShape,
    ({ pri }: { readonly pri: PriDesigns }, file) => priCompareChapter(pri, file),
    'pri',
  ),
  {
    command: 'compare',
    shape: compareShape,
    chapter: (report) =>
      compareChapter({ ...report, command: 'compare', result: report.result as CompareResult } satisfies CompareReport),
  },
  kind('plan', planShape, planChapter),
  kind('sweep', sweepShape, sweepChapter),
  kind('replay', countsShape, countsChapter, 'engine'),
  kind('replay', replayShape, replayChapter),
  kind('analyze iotlb', iotlbShape, iotlbChapter),
  kind('analyze latency', latencyShape, latencyChapter),
  kind('analyze batching', batchingShape, batchingChapter),
  kind('analyze dirty', dirtyShape, dirtyChapter),
  kind('analyze pri', priShape, priChapter),
  kind('analyze safety', safetyShape, safetyChapter),
  kind('verify', verifyShape, verifyChapter),
  kind('analyze ioctl', ioctlShape, ioctlChapter),
  kind('bench', benchShape, benchChapter),
];

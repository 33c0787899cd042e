import { IorrError } from '../traces/errors.ts';
import { machineAt } from '../replay/engine/verify-ioctl.ts';
import { objectTrees } from '../replay/model/iommufd/object-tree.ts';
import type { Analysis, AnalysisPage } from './analysis.ts';
import { analyzeIoctl } from './analyze-ioctl.ts';
import { ioctlAnalysisText } from './analyze-ioctl-text.ts';
import { batching } from './analyze-batching.ts';
import { dirty } from './analyze-dirty.ts';
import { iotlb } from './analyze-iotlb.ts';
import { latency } from './analyze-latency.ts';
import { pri } from './analyze-pri.ts';
import { safety } from './analyze-safety.ts';
import { ioctlChapter } from './ioctl-html.ts';
import { chapterPage } from './report/chapter-page.ts';
import { objectTreeText } from './object-tree-text.ts';

const ioctl: Analysis = {
  name: 'ioctl',
  summary: 'ioctls by request: calls, errors, latency, how much one call asks for; with --at the objects of that time',
  run(trace, { file, at }) {
    if (trace.streamCounts.ioctl === 0) {
      throw new IorrError('STREAM_MISSING', 'the trace has no ioctls', {
        place: { file },
        hint: 'import a capture of system calls: ioctl-ndjson, ioctl-hex, strace',
      });
    }
    if (at !== undefined) {
      const contexts = objectTrees(machineAt(trace, at));
      return { result: { at, contexts }, text: objectTreeText(file, at, contexts) };
    }
    const result = analyzeIoctl(trace);
    const html = (page: AnalysisPage): string => chapterPage(ioctlChapter(result, page.file), page);
    return { result, text: ioctlAnalysisText(file, result), html };
  },
};

/** Every analysis, in the order that help lists them. To add one: a file, a test, a line here. */
export const ANALYSES: readonly Analysis[] = [batching, dirty, ioctl, iotlb, latency, pri, safety];

import { IorrError } from '../traces/errors.ts';
import type { Analysis } from './analysis.ts';
import { analyzeLatency } from './latency/latency.ts';
import { latencyHtml } from './latency/latency-html.ts';
import { latencyText } from './latency/latency-text.ts';

/** How long commands, calls and page requests take, and when. */
export const latency: Analysis = {
  name: 'latency',
  summary: 'submission to completion of commands, calls in the kernel, page request to response: percentiles over time',
  run(trace, { file, at }) {
    if (at !== undefined) {
      throw new IorrError('USAGE', 'latency is a question about a whole trace: it takes no --at', {
        hint: `iorr analyze latency ${file}`,
      });
    }
    const { ioctl, inv, prq, prs } = trace.streamCounts;
    if (ioctl + inv + prq + prs === 0) {
      throw new IorrError(
        'STREAM_MISSING',
        'the trace has no commands, calls or page requests: nothing in it takes time',
        {
          place: { file },
          hint: 'record or import a run with its invalidations, or its system calls',
        },
      );
    }
    const result = analyzeLatency(trace);
    return { result, text: latencyText(file, result), html: (page) => latencyHtml(result, page) };
  },
};

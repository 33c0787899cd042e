import type { OpenTrace } from '../traces/file.ts';
import { IorrError } from '../traces/errors.ts';
import { analyzeIoctl } from './analyze-ioctl.ts';
import { ioctlAnalysisText } from './analyze-ioctl-text.ts';

/** What an analysis made of a trace: plain data, and the same for people. */
export interface AnalysisOutcome {
  readonly result: unknown;
  readonly text: string;
}

/** One question about a trace, asked as `iorr analyze NAME F`. */
export interface Analysis {
  readonly name: string;
  /** One line for the help. */
  readonly summary: string;
  /** Throws `IorrError` STREAM_MISSING where the trace can't answer. `file` is the trace's name. */
  run(trace: OpenTrace, file: string): AnalysisOutcome;
}

const ioctl: Analysis = {
  name: 'ioctl',
  summary: 'ioctls by request: calls, errors, latency, and how much one call asks for',
  run(trace, file) {
    if (trace.streamCounts.ioctl === 0) {
      throw new IorrError('STREAM_MISSING', 'the trace has no ioctls', {
        place: { file },
        hint: 'import a capture of system calls: ioctl-ndjson, ioctl-hex, strace',
      });
    }
    const result = analyzeIoctl(trace);
    return { result, text: ioctlAnalysisText(file, result) };
  },
};

/** Every analysis, in the order that help lists them. To add one: a file, a test, a line here. */
export const ANALYSES: readonly Analysis[] = [ioctl];

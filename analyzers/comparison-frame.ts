import { INTERRUPTED } from '../traces/command.ts';
import type { CommandInvocation, CommandIo } from '../traces/command.ts';
import { openTrace } from '../traces/file.ts';
import type { OpenTrace } from '../traces/file.ts';
import { toJson } from '../traces/plain-json.ts';
import { OutputFile } from './output-file.ts';
import type { RenderOptions } from './report/renderer.ts';

/** A what-if over one trace: what `compare`, `compare --dirty` and `compare --pri` differ in. */
export interface Comparison<Report> {
  /** Asks the question; undefined if it was interrupted. `progress` takes a share of 1. */
  run(trace: OpenTrace, progress: (share: number) => void, signal: CommandIo['signal']): Promise<Report | undefined>;
  html(report: Report): string;
  markdown(report: Report): string;
  tables(report: Report, style: RenderOptions): string;
}

/** Opens the trace and the page, asks, and prints as `--json`, `--markdown` and `--html` want it; the exit code. */
export async function runComparison<Report extends object>(
  file: string,
  { options, io }: CommandInvocation,
  comparison: Comparison<Report>,
): Promise<number> {
  const trace = openTrace(file);
  const progress = io.progress('comparing', 1);
  try {
    const output = typeof options['html'] === 'string' ? new OutputFile(options['html']) : undefined;
    const report = await comparison.run(trace, (share) => progress.update(share), io.signal);
    progress.stop();
    if (report === undefined || io.signal.aborted) return INTERRUPTED;
    if (output !== undefined) {
      output.writeWhole(comparison.html(report));
      io.err(`wrote ${output.path}\n`);
    }
    if (options['json'] === true) io.out(toJson(report));
    else if (options['markdown'] === true) io.out(comparison.markdown(report));
    else io.out(comparison.tables(report, { columns: io.columns, colour: io.colour }));
    return 0;
  } finally {
    progress.stop();
    trace.close();
  }
}

import { basename } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { EventSink } from '../../traces/trace.ts';
import type { ImportFacts, ImportUnit, WholeRun } from './importer.ts';
import type { ImportSource } from './import-source.ts';

/** What happened while one input was read. */
export interface SourceReport extends ImportFacts {
  readonly file: string;
  readonly format: string;
  /** What `lines`, `folded`, `blank` and `skipped` count. */
  readonly unit: ImportUnit;
  /** False where it was stopped before its end. */
  readonly complete: boolean;
}

export interface ReadOptions {
  readonly signal: AbortSignal;
  /** Called after each chunk. */
  readonly onProgress: () => void;
}

/** Feeds an input into a sink until its end, or until an abort. */
export async function readSource(source: ImportSource, sink: EventSink, options: ReadOptions): Promise<SourceReport> {
  const { importer, input, header, health } = source;
  // Places stay in the trace, and a trace tells nobody where its capture lay.
  const target = { sink, health, file: basename(input.name), header, allEvents: source.allEvents };
  if (importer.whole !== undefined && source.bytes !== undefined) {
    return readWhole(source, importer.whole.create(target, source.bytes), options);
  }
  const run = importer.create(target);
  let complete = true;
  for await (const chunk of source.chunks) {
    run.push(chunk);
    options.onProgress();
    if (options.signal.aborted) {
      complete = false;
      break;
    }
  }
  if (options.signal.aborted) complete = false;
  return reportOf(source, complete, run.end());
}

async function readWhole(source: ImportSource, run: WholeRun, options: ReadOptions): Promise<SourceReport> {
  let more = true;
  while (more && !options.signal.aborted) {
    more = run.step();
    options.onProgress();
    // Signals and the progress bar have their turn between steps.
    await turn();
  }
  return reportOf(source, !more, run.end());
}

function reportOf({ input, importer }: ImportSource, complete: boolean, facts: ImportFacts): SourceReport {
  return { file: input.name, format: importer.name, unit: importer.unit ?? 'lines', complete, ...facts };
}

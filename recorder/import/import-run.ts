import { renameSync } from 'node:fs';
import { describeInput } from '../../traces/envelope.ts';
import type { ReportInput } from '../../traces/envelope.ts';
import { createTrace, openTrace } from '../../traces/file.ts';
import type { OpenTrace, TraceFileWriter } from '../../traces/file.ts';
import { FORMAT_VERSION } from '../../traces/header.ts';
import type { TraceHeader } from '../../traces/header.ts';
import type { HealthReport } from '../../traces/health.ts';
import type { StreamName } from '../../traces/schema.ts';
import { TOOL, toolVersion } from '../../traces/tool.ts';
import type { ImportResult } from './import-result.ts';
import { streamsOf } from './import-result.ts';
import type { ImportSource } from './import-source.ts';
import { attributeTrace, writeAttributed } from './join/attribute.ts';
import { OutputPlace } from './output-path.ts';
import { readSource } from './read-source.ts';
import type { ReadOptions, SourceReport } from './read-source.ts';

export interface ImportOutcome {
  readonly result: ImportResult;
  readonly health: HealthReport;
  readonly input: readonly ReportInput[];
}

/** Inputs that are no files may pause; what was read is flushed so often, that a killed import keeps it. */
const TICK_MS = 250;

/** Streams that a kernel can only be said to have shown if they hold something: their events may not have been enabled. */
const OPTIONAL_STREAMS: readonly StreamName[] = ['inv', 'flush', 'fault', 'prq'];

/** What is known once the final trace is closed. */
interface Written {
  readonly writer: TraceFileWriter;
  readonly reports: readonly SourceReport[];
  readonly health: HealthReport;
  readonly attribution: unknown;
  readonly join: unknown;
}

/** Imports inputs whose formats are known into a trace at `output`. */
export async function importSources(
  sources: readonly ImportSource[],
  output: string,
  options: ReadOptions,
): Promise<ImportOutcome> {
  const begun = performance.now();
  const place = new OutputPlace(output);
  try {
    const written = await importSingle(sources[0]!, place, options);
    const { writer, reports, health, attribution, join } = written;
    const wallMs = performance.now() - begun;
    const lines = reports.reduce((sum, report) => sum + report.lines, 0);
    const { events, bytes } = writer;
    const complete = reports.every((report) => report.complete);
    if (events === 0 && complete) place.discard();
    const result: ImportResult = {
      output,
      events,
      bytes,
      bytesPerEvent: events === 0 ? 0 : bytes / events,
      streams: streamsOf(writer.streamCounts),
      inputs: reports,
      lines,
      linesPerSecond: wallMs === 0 ? 0 : (lines / wallMs) * 1000,
      wallNs: Math.round(wallMs * 1e6),
      complete,
      attribution,
      join,
    };
    const input = sources.map((source, i) =>
      describeInput(source.input.name, { header: headerOf(source), eventCount: reports[i]?.events ?? 0 }, source.input.read()),
    );
    return { result, health, input };
  } finally {
    place.clean();
  }
}

/** One capture: as it is, or, if it is a guest's, with the owners of its maps found in a second pass. */
async function importSingle(source: ImportSource, place: OutputPlace, options: ReadOptions): Promise<Written> {
  const guest = source.importer.side === 'guest';
  const path = guest && !place.regular ? place.part('guest') : place.path;
  const writer = createTrace(path, headerOf(source));
  const report = await importOne(source, writer, options);
  const health = source.health.report();
  if (path === place.path && (!guest || !report.complete)) {
    return { writer, reports: [report], health, attribution: null, join: null };
  }
  const trace = openTrace(path);
  try {
    const attribution = attributeTrace(trace);
    const target = place.regular ? place.part('attributed') : place.path;
    const attributed = createTrace(target, narrowedHeader(trace));
    writeAttributed(trace, attribution, attributed);
    attributed.finish({ health, notes: { ...notesOf(report), attribution: attribution.report } });
    if (place.regular) renameSync(target, place.path);
    return { writer: attributed, reports: [report], health, attribution: attribution.report, join: null };
  } finally {
    trace.close();
  }
}

/** Reads one input into a trace and closes it. What was flushed is readable at any time, also if the process is killed. */
async function importOne(source: ImportSource, writer: TraceFileWriter, options: ReadOptions): Promise<SourceReport> {
  const pausing = source.input.size === 0;
  const timer = pausing ? setInterval(() => writer.tick(performance.now()), TICK_MS) : undefined;
  try {
    const report = await readSource(source, writer, options);
    writer.finish({ health: source.health.report(), notes: notesOf(report) });
    return report;
  } finally {
    clearInterval(timer);
    writer.close();
  }
}

function headerOf(source: ImportSource): TraceHeader {
  const { source: format, host, clock, fidelity } = source.header;
  return {
    formatVersion: FORMAT_VERSION,
    tool: TOOL,
    toolVersion: toolVersion(),
    sources: [format],
    host,
    clock,
    fidelity,
  };
}

function narrowedHeader({ header, streamCounts }: OpenTrace): TraceHeader {
  const seen = Object.entries(header.fidelity).filter(
    ([name]) => !OPTIONAL_STREAMS.includes(name as StreamName) || streamCounts[name as StreamName] > 0,
  );
  return { ...header, fidelity: Object.fromEntries(seen) };
}

function notesOf(report: SourceReport): { readonly [name: string]: unknown } {
  const { lines, folded, blank, complete, notes } = report;
  return { import: { lines, folded, blank, complete, ...notes } };
}

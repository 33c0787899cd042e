import { describeInput } from '../../traces/envelope.ts';
import type { ReportInput } from '../../traces/envelope.ts';
import { IorrError } from '../../traces/errors.ts';
import { createTrace } from '../../traces/file.ts';
import type { TraceFileWriter } from '../../traces/file.ts';
import { FORMAT_VERSION } from '../../traces/header.ts';
import type { TraceHeader } from '../../traces/header.ts';
import type { WriterOptions } from '../../traces/format/writer.ts';
import { Health } from '../../traces/health.ts';
import type { HealthReport } from '../../traces/health.ts';
import type { Segment } from '../../traces/segment.ts';
import { TOOL, toolVersion } from '../../traces/tool.ts';
import type { ImportResult } from './import-result.ts';
import { streamsOf } from './import-result.ts';
import type { ImportSource } from './import-source.ts';
import { OwnerSearch } from './join/attribute.ts';
import { OutputPlace } from './output-path.ts';
import { readSource } from './read-source.ts';
import type { ReadOptions, SourceReport } from './read-source.ts';
import { attributePass, besidePass, joinPass, resegmentPass } from './second-pass.ts';

export interface ImportOutcome {
  readonly result: ImportResult;
  readonly health: HealthReport;
  readonly input: readonly ReportInput[];
}

/** How often an input that may pause is looked after; what it gave is flushed after a second. */
const TICK_MS = 250;

/** A moment, by the clock and by what this process has used of all cores. */
interface Instant {
  readonly wallNs: number;
  readonly cpuNs: number;
}

function now(): Instant {
  const { user, system } = process.cpuUsage();
  return { wallNs: Math.round(performance.now() * 1e6), cpuNs: (user + system) * 1000 };
}

/** What is known once the final trace is closed. */
interface Written {
  readonly writer: TraceFileWriter;
  readonly reports: readonly SourceReport[];
  readonly health: HealthReport;
  readonly attribution: ImportResult['attribution'];
  readonly join: ImportResult['join'];
  /** When the last input was read. */
  readonly readAt: Instant;
}

/**
 * Imports inputs whose formats are known into a trace at `output`: one as it is, a guest's and a host's of one run joined.
 * Throws `IorrError` JOIN_IMPOSSIBLE, FILE_UNWRITABLE.
 */
export async function importSources(
  sources: readonly ImportSource[],
  output: string,
  options: ReadOptions,
): Promise<ImportOutcome> {
  const begun = now();
  const pair = pairOf(sources);
  const place = new OutputPlace(output);
  try {
    const written =
      pair === undefined ? await importSingle(sources[0]!, place, options) : await importPair(pair, place, options);
    const { writer, reports, health, attribution, join } = written;
    const ended = now();
    const wallNs = ended.wallNs - begun.wallNs;
    const cpuNs = ended.cpuNs - begun.cpuNs;
    const readNs = written.readAt.wallNs - begun.wallNs;
    const readCpuNs = written.readAt.cpuNs - begun.cpuNs;
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
      linesPerSecond: cpuNs > 0 ? (lines / cpuNs) * 1e9 : 0,
      readLinesPerSecond: readCpuNs > 0 ? (lines / readCpuNs) * 1e9 : 0,
      readNs,
      readCpuNs,
      cpuNs,
      wallNs,
      complete,
      attribution,
      join,
    };
    return { result, health, input: reports.map((report) => inputOf(sources, report)) };
  } finally {
    place.clean();
  }
}

/** Two captures of one run: both sides of it, to be joined, or one beside the other by their clock. */
interface Pair {
  readonly first: ImportSource;
  readonly second: ImportSource;
  readonly beside: boolean;
}

/** Undefined for a single input. */
function pairOf(sources: readonly ImportSource[]): Pair | undefined {
  if (sources.length === 1) return undefined;
  const guest = sources.filter(({ importer }) => importer.side === 'guest');
  const host = sources.filter(({ importer }) => importer.side === 'host');
  const [beside, ...more] = host.filter(({ importer }) => importer.beside === true);
  if (beside === undefined && guest.length === 1 && host.length === 1) {
    return { first: guest[0]!, second: host[0]!, beside: false };
  }
  const main = host.find((source) => source !== beside);
  if (beside !== undefined && more.length === 0 && main !== undefined && sources.length === 2) {
    return { first: main, second: beside, beside: true };
  }
  const found = sources.map(({ input, importer }) => `${input.name} (${importer.name}, ${importer.side})`).join(', ');
  throw new IorrError(
    'JOIN_IMPOSSIBLE',
    `one capture of the guest and one of the host expected, or QEMU's log and its qmp-log, found ${found}`,
    { hint: 'import captures of different runs one by one' },
  );
}

/**
 * A host's capture is final as it is read, unless its reading was cut into pieces by the clock; a guest's gets a second pass.
 */
async function importSingle(source: ImportSource, place: OutputPlace, options: ReadOptions): Promise<Written> {
  const guest = source.importer.side === 'guest';
  const paused = mayPause(source);
  const again = guest || paused;
  const path = again && !place.regular ? place.part('read') : place.path;
  const search = guest ? new OwnerSearch() : undefined;
  // A guest's segments are final but for the owners of maps, unless they are cut anew.
  const writing = {
    ...(paused ? { compression: 'none' as const } : {}),
    ...(search === undefined ? {} : { onSegment: (segment: Segment) => search.add(segment) }),
  };
  const { writer, report } = await importOne(source, path, again, writing, options);
  const health = source.health.report();
  const readAt = now();
  const reports = [report];
  if (path === place.path && (!again || !report.complete)) {
    return { writer, reports, health, attribution: null, join: null, readAt };
  }
  const notes = notesOf(reports);
  const pass =
    search !== undefined
      ? attributePass(path, search, place, health, notes, paused)
      : resegmentPass(path, headerOf(source), place, health, notes);
  return { writer: pass.writer, reports, health, attribution: pass.attribution, join: null, readAt };
}

/** Inputs that are no files may pause: what was read is then flushed after a second, so that a killed import keeps it. */
function mayPause(source: ImportSource): boolean {
  return source.input.size === 0;
}

async function importPair(pair: Pair, place: OutputPlace, options: ReadOptions): Promise<Written> {
  const firstPath = place.regular ? place.path : place.part('read');
  const secondPath = place.part('host');
  try {
    const first = await importOne(pair.first, firstPath, true, TEMPORARY, options);
    const second = await importOne(pair.second, secondPath, true, TEMPORARY, options);
    const readAt = now();
    const reports = [first.report, second.report];
    const health = new Health();
    for (const source of [pair.first, pair.second]) health.merge(source.health.report());
    const report = health.report();
    if (reports.some(({ complete }) => !complete)) {
      // What was read of the first stays; half a run can't be joined.
      return { writer: first.writer, reports, health: report, attribution: null, join: null, readAt };
    }
    const pass = (pair.beside ? besidePass : joinPass)(firstPath, secondPath, place, report, notesOf(reports));
    return { writer: pass.writer, reports, health: report, attribution: pass.attribution, join: pass.join, readAt };
  } catch (error) {
    place.discard();
    throw error;
  }
}

/** What is about to be written anew is not worth compressing. */
const TEMPORARY: WriterOptions = { compression: 'none' };

/** Reads one input into a trace and closes it. What was flushed is readable at any time, also if the process is killed. */
async function importOne(
  source: ImportSource,
  path: string,
  temporary: boolean,
  writing: WriterOptions,
  options: ReadOptions,
): Promise<{ writer: TraceFileWriter; report: SourceReport }> {
  const writer = createTrace(path, headerOf(source), writing);
  const timer = mayPause(source) ? setInterval(() => writer.tick(performance.now()), TICK_MS) : undefined;
  try {
    const report = await readSource(source, writer, options);
    // The second pass replaces this file; killed before it has, the file says what it lacks.
    const pending = temporary ? { pending: 'the second pass: owners of maps, joining, even segments' } : {};
    writer.finish({ health: source.health.report(), notes: { ...notesOf([report]), ...pending } });
    return { writer, report };
  } finally {
    clearInterval(timer);
    writer.close();
  }
}

function headerOf(source: ImportSource): TraceHeader {
  const { source: format, host, machine, clock, fidelity } = source.header;
  return {
    formatVersion: FORMAT_VERSION,
    tool: TOOL,
    toolVersion: toolVersion(),
    sources: [format],
    host,
    ...(machine === undefined ? {} : { machine }),
    clock,
    fidelity,
  };
}

function inputOf(sources: readonly ImportSource[], report: SourceReport): ReportInput {
  const source = sources.find(({ input }) => input.name === report.file)!;
  const header = headerOf(source);
  return describeInput(report.file, { header, eventCount: report.events }, source.input.read());
}

/** Where events came from, for `info`. File names stay out: a trace carries no paths of the machine that made it. */
function notesOf(reports: readonly SourceReport[]): { readonly [name: string]: unknown } {
  return {
    import: reports.map(({ format, lines, folded, blank, skipped, complete, notes }) => ({
      format,
      lines,
      folded,
      blank,
      skipped,
      complete,
      ...notes,
    })),
  };
}

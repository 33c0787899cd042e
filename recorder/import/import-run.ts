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
import { attributePass, besidePass, callLogPass, joinPass, resegmentPass } from './second-pass.ts';

export interface ImportOptions extends ReadOptions {
  /** Makes threads that encode the traces that stay, as in `WriterOptions`; undefined: none. */
  readonly pipeline?: WriterOptions['pipeline'];
}

/** What an import made: its result, what was lost, and its inputs. */
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
  readonly callLogs: ImportResult['callLogs'];
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
  options: ImportOptions,
): Promise<ImportOutcome> {
  const begun = now();
  const run = runOf(sources);
  const place = new OutputPlace(output);
  try {
    const written =
      run === undefined
        ? await importSingle(sources[0]!, place, options)
        : 'logs' in run
          ? await importWithCalls(run, place, options)
          : await importPair(run, place, options);
    const { writer, reports, health, attribution, join, callLogs } = written;
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
      callLogs,
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

/** A kernel's trace, logs of system calls that were made to it, and the log of the host that emulated its IOMMU, if there is one. */
interface CallRun {
  readonly guest: ImportSource;
  readonly logs: readonly ImportSource[];
  readonly host: ImportSource | undefined;
}

/** Undefined for a single input. */
function runOf(sources: readonly ImportSource[]): Pair | CallRun | undefined {
  if (sources.length === 1) return undefined;
  const guest = sources.filter(({ importer }) => importer.side === 'guest');
  const host = sources.filter(({ importer }) => importer.side === 'host');
  const kernel = guest.filter(({ importer }) => importer.calls !== true);
  if (guest.length > 1 && kernel.length === 1 && host.length <= 1 && host[0]?.importer.beside !== true) {
    return { guest: kernel[0]!, logs: guest.filter((source) => source !== kernel[0]), host: host[0] };
  }
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
    "one capture of the guest and one of the host expected, a kernel's trace with logs of system calls, or QEMU's log " +
      `and its qmp-log, found ${found}`,
    { hint: 'import captures of different runs one by one' },
  );
}

/**
 * A host's capture is final as it is read, unless its reading was cut into pieces by the clock; a guest's gets a second pass.
 */
async function importSingle(source: ImportSource, place: OutputPlace, options: ImportOptions): Promise<Written> {
  const guest = source.importer.side === 'guest';
  const paused = mayPause(source);
  const again = guest || paused;
  const path = again && !place.regular ? place.part('read') : place.path;
  const search = guest ? new OwnerSearch() : undefined;
  // A guest's segments are final but for the owners of maps, unless they are cut anew.
  const writing = {
    ...(paused ? TEMPORARY : finalWriting(options)),
    ...(search === undefined ? {} : { onSegment: (segment: Segment) => search.add(segment) }),
  };
  const { writer, report } = await importOne(source, path, again, writing, options);
  const health = source.health.report();
  const readAt = now();
  const reports = [report];
  if (path === place.path && (!again || !report.complete)) {
    return { writer, reports, health, attribution: null, join: null, callLogs: null, readAt };
  }
  const output = { place, health, notes: notesOf(reports), writing: finalWriting(options) };
  const pass =
    search !== undefined ? attributePass(path, search, output, paused) : resegmentPass(path, headerOf(source), output);
  return { writer: pass.writer, reports, health, attribution: pass.attribution, join: null, callLogs: null, readAt };
}

/** Inputs that are no files may pause: what was read is then flushed after a second, so that a killed import keeps it. */
function mayPause(source: ImportSource): boolean {
  return source.input.size === 0;
}

async function importPair(pair: Pair, place: OutputPlace, options: ImportOptions): Promise<Written> {
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
      return { writer: first.writer, reports, health: report, attribution: null, join: null, callLogs: null, readAt };
    }
    const output = { place, health: report, notes: notesOf(reports), writing: finalWriting(options) };
    const pass = (pair.beside ? besidePass : joinPass)(firstPath, secondPath, output);
    return {
      writer: pass.writer,
      reports,
      health: report,
      attribution: pass.attribution,
      join: pass.join,
      callLogs: null,
      readAt,
    };
  } catch (error) {
    place.discard();
    throw error;
  }
}

/** Reads all inputs, puts the calls into the guest's trace, and goes on with it as with a guest's. */
async function importWithCalls(
  { guest, logs, host }: CallRun,
  place: OutputPlace,
  options: ImportOptions,
): Promise<Written> {
  const guestPath = place.regular ? place.path : place.part('read');
  const logPaths = logs.map((_, i) => place.part(`calls${i}`));
  const hostPath = place.part('host');
  const inputs = [
    { source: guest, path: guestPath },
    ...logs.map((source, i) => ({ source, path: logPaths[i]! })),
    ...(host === undefined ? [] : [{ source: host, path: hostPath }]),
  ];
  try {
    const reports: SourceReport[] = [];
    const health = new Health();
    let writer: TraceFileWriter | undefined;
    for (const { source, path } of inputs) {
      const one = await importOne(source, path, true, TEMPORARY, options);
      writer ??= one.writer;
      reports.push(one.report);
      health.merge(source.health.report());
    }
    const readAt = now();
    const report = health.report();
    if (reports.some(({ complete }) => !complete)) {
      return { writer: writer!, reports, health: report, attribution: null, join: null, callLogs: null, readAt };
    }
    const path = place.part('joined');
    const search = new OwnerSearch();
    const callLogs = callLogPass(guestPath, logPaths, path, {
      ...TEMPORARY,
      onSegment: (segment) => search.add(segment),
    });
    const notes = { ...notesOf(reports), callLogs };
    const output = { place, health: report, notes, writing: finalWriting(options) };
    const pass = host === undefined ? attributePass(path, search, output, true) : joinPass(path, hostPath, output);
    return { ...pass, reports, health: report, callLogs, readAt };
  } catch (error) {
    place.discard();
    throw error;
  }
}

/** What is about to be written anew is not worth compressing. */
const TEMPORARY: WriterOptions = { compression: 'none' };

function finalWriting({ pipeline }: ImportOptions): WriterOptions {
  return pipeline === undefined ? {} : { pipeline };
}

/** Reads one input into a trace and closes it. What was flushed is readable at any time, also if the process is killed. */
async function importOne(
  source: ImportSource,
  path: string,
  temporary: boolean,
  writing: WriterOptions,
  options: ImportOptions,
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

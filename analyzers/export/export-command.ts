import { statSync } from 'node:fs';
import type { CommandInvocation, CommandSpec } from '../../traces/command.ts';
import { INTERRUPTED } from '../../traces/command.ts';
import { describeInput, givenOptions, makeEnvelope } from '../../traces/envelope.ts';
import { IorrError } from '../../traces/errors.ts';
import { plainEvents } from '../../traces/event.ts';
import { openTrace } from '../../traces/file.ts';
import type { OpenTrace } from '../../traces/file.ts';
import { toJson } from '../../traces/plain-json.ts';
import { STREAM_ID, STREAM_NAMES } from '../../traces/schema.ts';
import type { StreamName } from '../../traces/schema.ts';
import { toolVersion } from '../../traces/tool.ts';
import { OBJECT_FLAGS, matches, parseFilter, planOf, timeFlags } from '../event-filter.ts';
import type { EventFilter } from '../event-filter.ts';
import { printable } from '../report/escape.ts';
import { formatBytes, formatCount } from '../report/format-units.ts';
import { healthSummary } from '../report/health-lines.ts';
import { layOut } from '../report/plain-table.ts';
import { exportFile, exportStdout } from './export-files.ts';
import type { ExportFile } from './export-files.ts';
import { planExport } from './export-plan.ts';
import type { PlannedFile } from './export-plan.ts';
import { EXPORTERS, exportersNamed } from './exporters.ts';
import type { EventExport, Exporter } from './exporter.ts';

interface OpenExport extends PlannedFile {
  readonly file: ExportFile;
  readonly writer: EventExport;
  events: number;
}

interface ExportedFile {
  readonly format: string;
  readonly streams: readonly StreamName[];
  readonly file: string;
  readonly events: number;
  readonly bytes: number;
  readonly notes: readonly string[];
}

/** The formats that `--to` names, or the ending of the output. */
function formatsOf(options: CommandInvocation['options']): readonly Exporter[] {
  const { to, output } = options;
  if (typeof to === 'string') return exportersNamed(to);
  const meant = EXPORTERS.find(({ extension }) => typeof output === 'string' && output.endsWith(`.${extension}`));
  if (meant !== undefined) return [meant];
  throw new IorrError('USAGE', '--to names no format', {
    hint: `for example --to ${EXPORTERS.map(({ name }) => name).join(',')}`,
  });
}

/** Streams of the trace that the filter lets through. */
function streamsOf(trace: OpenTrace, filter: EventFilter, file: string): readonly StreamName[] {
  const held = STREAM_NAMES.filter((name) => trace.streamCounts[name] > 0);
  const streams = held.filter((name) => filter.streams?.has(name) ?? true);
  if (streams.length > 0) return streams;
  throw new IorrError('STREAM_MISSING', `nothing to export: the trace has ${held.join(', ') || 'no events'}`, {
    place: { file },
    hint: `iorr info ${file}`,
  });
}

function rangeOf(trace: OpenTrace): { readonly start: number; readonly end: number } {
  let start = Number.POSITIVE_INFINITY;
  let end = 0;
  for (const { time, count } of trace.segments({ columns: {} })) {
    for (let i = 0; i < count; i++) {
      const at = time[i] ?? 0;
      if (at < start) start = at;
      if (at > end) end = at;
    }
  }
  return { start: Number.isFinite(start) ? start : 0, end };
}

async function openAll(
  trace: OpenTrace,
  filter: EventFilter,
  plan: readonly PlannedFile[],
  { io }: CommandInvocation,
): Promise<OpenExport[]> {
  const whole = rangeOf(trace);
  const start = Math.max(whole.start, filter.from ?? 0);
  const end = Math.min(whole.end, filter.to ?? Number.POSITIVE_INFINITY);
  const opened: OpenExport[] = [];
  try {
    for (const planned of plan) {
      const { exporter, streams, path } = planned;
      const file = path === '-' ? exportStdout((bytes) => io.out(bytes)) : exportFile(path);
      const placeholder: EventExport = { event() {}, finish() {}, notes: [] };
      const at = opened.push({ ...planned, file, writer: placeholder, events: 0 }) - 1;
      const writer = await exporter.open({ header: trace.header, streams, start, end: Math.max(start, end) }, file);
      opened[at] = { ...planned, file, writer, events: 0 };
    }
    return opened;
  } catch (error) {
    for (const { file } of opened) file.discard();
    throw error;
  }
}

/** Hands every event to the files that want it. False if it was interrupted. */
async function writeEvents(
  trace: OpenTrace,
  filter: EventFilter,
  opened: readonly OpenExport[],
  { io }: CommandInvocation,
): Promise<boolean> {
  const wanted = STREAM_NAMES.map((name) => opened.filter(({ streams }) => streams.includes(name)));
  const progress = io.progress('exporting', trace.eventCount);
  try {
    for (const segment of trace.segments(planOf(filter))) {
      for (const event of plainEvents(segment, trace.strings)) {
        if (!matches(filter, event)) continue;
        for (const one of wanted[STREAM_ID[event.stream]] ?? []) {
          one.writer.event(event);
          one.events++;
        }
      }
      progress.update(segment.firstEvent + segment.count);
      // Lets Ctrl-C through: everything else here is synchronous.
      await new Promise((resolve) => setImmediate(resolve));
      if (io.signal.aborted) return false;
    }
    return true;
  } finally {
    progress.stop();
  }
}

function summaryText(files: readonly ExportedFile[]): string {
  const table = layOut({
    head: ['file', 'format', 'events', 'size'],
    rows: files.map(({ file, format, events, bytes }) => [
      printable(file),
      format,
      formatCount(events),
      formatBytes(bytes),
    ]),
    left: 2,
  });
  const notes = files.flatMap(({ file, notes: lines }) => lines.map((line) => `${printable(file)}: ${line}`));
  return `${[table.trimEnd(), ...notes].join('\n')}\n`;
}

export const exportCommand: CommandSpec = {
  name: 'export',
  summary: 'writes a trace for other tools: Perfetto, Parquet, CSV, NDJSON',
  args: ['FILE'],
  options: [
    {
      flags: '--to <formats>',
      values: EXPORTERS.map(({ name }) => name),
      list: true,
      description: `one or several of ${EXPORTERS.map(({ name }) => name).join(', ')}`,
    },
    {
      flags: '-o, --output <path>',
      description: 'the file, or the folder of several; - is stdout (default: named after the trace)',
    },
    ...timeFlags('--until'),
    ...OBJECT_FLAGS,
    { flags: '--json', description: 'which files were written, as one JSON document on stdout' },
  ],
  examples: [
    { command: 'iorr export run.iorr --to perfetto', does: 'run.perfetto-trace, to open in ui.perfetto.dev' },
    {
      command: 'iorr export run.iorr --to parquet -o tables/',
      does: 'a table for each stream: tables/inv.parquet, ...',
    },
    {
      command: 'iorr export run.iorr --to csv --stream inv --from 1.5s --until 1.6s -o - | head',
      does: 'the commands of a window as CSV, into a pipe',
    },
  ],

  async run(invocation) {
    const { args, options, io } = invocation;
    const file = args[0];
    if (file === undefined)
      throw new IorrError('USAGE', 'a trace expected', { hint: 'iorr export run.iorr --to perfetto' });
    const exporters = formatsOf(options);
    const filter = parseFilter({ ...options, to: options['until'] });
    const output = typeof options['output'] === 'string' ? options['output'] : undefined;
    const json = options['json'] === true;
    if (output === '-' && json) {
      throw new IorrError('USAGE', '-o - and --json both want stdout', { hint: 'name a file or a folder with -o' });
    }
    const binary = exporters.find(({ name }) => name === 'perfetto' || name === 'parquet');
    if (output === '-' && binary !== undefined && io.stdoutIsTerminal) {
      throw new IorrError('USAGE', `${binary.name} is binary, and stdout is a terminal`, {
        hint: `-o run.${binary.extension}`,
      });
    }
    const trace = openTrace(file);
    try {
      const plan = planExport(exporters, streamsOf(trace, filter, file), file, output);
      const opened = await openAll(trace, filter, plan, invocation);
      let whole: boolean;
      try {
        whole = await writeEvents(trace, filter, opened, invocation);
        for (const { writer } of opened) writer.finish();
        for (const one of opened) one.file.close();
      } catch (error) {
        for (const one of opened) one.file.discard();
        throw error;
      }
      const files: ExportedFile[] = opened.map(({ exporter, streams, file: written, events, writer }) => ({
        format: exporter.name,
        streams,
        file: written.path,
        events,
        bytes: written.bytes,
        notes: writer.notes,
      }));
      const { health } = trace;
      if (json) {
        const bytes = file === '-' ? undefined : statSync(file).size;
        const effective = givenOptions(options, ['stream', 'from', 'until', 'device', 'domain', 'iova']);
        const parts = {
          version: toolVersion(),
          input: [describeInput(file, trace, bytes)],
          options: { to: exporters.map(({ name }) => name), ...effective },
          health,
          result: { files },
        };
        io.out(toJson(makeEnvelope('export', parts)));
      } else io.err(summaryText(files));
      if (health.lost + health.truncated > 0) io.err(`iorr: health of the trace: ${healthSummary(health)}\n`);
      return whole ? 0 : INTERRUPTED;
    } finally {
      trace.close();
    }
  },
};

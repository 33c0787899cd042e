import { IorrError } from '../../traces/errors.ts';
import { createTrace, openTrace } from '../../traces/file.ts';
import type { OpenTrace, TraceFileWriter } from '../../traces/file.ts';
import type { WriterOptions } from '../../traces/format/writer.ts';
import { RENEWABLE_PLAN } from '../../traces/format/layout.ts';
import type { TraceHeader, TraceSummary } from '../../traces/header.ts';
import type { HealthReport } from '../../traces/health.ts';
import type { StreamName } from '../../traces/schema.ts';
import { writeAttributed } from './join/attribute.ts';
import type { OwnerSearch } from './join/attribute.ts';
import type { Attribution, AttributionReport } from './join/attribution.ts';
import { replaceFile } from '../../traces/replace-file.ts';
import { createRowCopier } from '../../traces/row-copier.ts';
import { besideHeaders, mergeByTime } from './join/by-time.ts';
import { callLogHeaders, joinCallLogs } from './join/call-logs.ts';
import type { CallLogReport } from './join/call-logs.ts';
import { EventCursor } from './join/event-cursor.ts';
import { joinHeaders, joinTraces } from './join/join.ts';
import type { JoinReport } from './join/join.ts';
import type { OutputPlace } from './output-path.ts';

/**
 * What is only known when a capture was read to its end: whose its maps are, and how two captures go together. Each pass
 * writes a new trace, which takes the output's place in one step; until then the output is what was read.
 */
export interface SecondPass {
  readonly writer: TraceFileWriter;
  readonly attribution: AttributionReport | null;
  readonly join: Omit<JoinReport, 'attribution'> | null;
}

/** Streams that a kernel can only be said to have shown if they hold something: their events may not have been enabled. */
const OPTIONAL_STREAMS: readonly StreamName[] = ['map', 'unmap', 'inv', 'flush', 'fault', 'prq', 'ioctl', 'call'];

interface OwnerColumns {
  readonly domain: Int32Array;
  readonly device: Int32Array;
}

/** What every pass that writes the final trace is given. */
export interface PassOutput {
  readonly place: OutputPlace;
  readonly health: HealthReport;
  readonly notes: TraceSummary['notes'];
  readonly writing: WriterOptions;
}

/**
 * Writes whose a guest's maps are. `search` has seen what the first pass wrote. `paused` tells that the first pass was flushed
 * when its input paused: then the events are cut into segments anew, so that the result does not depend on when that was.
 */
export function attributePass(path: string, search: OwnerSearch, output: PassOutput, paused: boolean): SecondPass {
  const trace = openTrace(path);
  try {
    const attribution = search.conclude(trace);
    const { report } = attribution;
    return replaceOutput(output, narrowed(trace), (writer) => {
      if (paused) writeAttributed(trace, attribution, writer);
      else renewOwners(trace, attribution, writer);
      if (writer.events !== trace.eventCount) {
        throw new IorrError('TRACE_DAMAGED', `${trace.eventCount} events expected, read ${writer.events} again`, {
          place: { file: path },
          hint: 'the file changed, or its medium fails: import again',
        });
      }
      writer.finish({ health: output.health, notes: { ...output.notes, attribution: report } });
      return { writer, attribution: report, join: null };
    });
  } finally {
    trace.close();
  }
}

/** Only cuts the events of a paused input into segments anew. */
export function resegmentPass(path: string, header: TraceHeader, output: PassOutput): SecondPass {
  const { health, notes } = output;
  const trace = openTrace(path);
  try {
    return replaceOutput(output, header, (writer) => {
      const copy = createRowCopier(trace, writer);
      const cursor = new EventCursor(trace);
      while (cursor.next()) {
        const segment = cursor.segment!;
        const source = segment.source[cursor.index]!;
        copy(
          segment,
          cursor.stream,
          cursor.row,
          writer.begin(cursor.stream, cursor.time, cursor.cpu, cursor.task, source),
        );
      }
      writer.finish({ health, notes });
      return { writer, attribution: null, join: null };
    });
  } finally {
    trace.close();
  }
}

/**
 * Copies a trace segment by segment, with the domains and devices that were found in place of the recorded ones. All other
 * columns are copied as they are encoded: that takes a fifth of the time of decoding and encoding them.
 */
function renewOwners(trace: OpenTrace, attribution: Attribution, writer: TraceFileWriter): void {
  const { mapDomain, mapDevice, unmapDomain, unmapDevice } = attribution;
  // The same numbers as in the trace, so that references need no translation.
  for (const text of trace.strings) writer.intern(text);
  let map = 0;
  let unmap = 0;
  for (const { content, segment } of trace.framedSegments(RENEWABLE_PLAN)) {
    const maps = segment.rows.map;
    const unmaps = segment.rows.unmap;
    const rows = {
      ...segment.rows,
      map: { count: maps.count, columns: { ...maps.columns, ...part(mapDomain, mapDevice, map, maps.count) } },
      unmap: {
        count: unmaps.count,
        columns: { ...unmaps.columns, ...part(unmapDomain, unmapDevice, unmap, unmaps.count) },
      },
    };
    map += maps.count;
    unmap += unmaps.count;
    writer.appendRenewed(content, { ...segment, rows });
  }
}

function part(domain: Int32Array, device: Int32Array, from: number, count: number): OwnerColumns {
  return { domain: domain.subarray(from, from + count), device: device.subarray(from, from + count) };
}

export function joinPass(guestPath: string, hostPath: string, output: PassOutput): SecondPass {
  const { health, notes } = output;
  const guest = openTrace(guestPath);
  try {
    const host = openTrace(hostPath);
    try {
      return replaceOutput(output, joinHeaders(narrowed(guest), host.header), (writer) => {
        const { attribution, ...join } = joinTraces(guest, host, writer);
        writer.finish({ health, notes: { ...notes, join, attribution } });
        return { writer, attribution, join };
      });
    } finally {
      host.close();
    }
  } finally {
    guest.close();
  }
}

/** Writes a kernel's trace and logs of system calls of its run as one trace, to be passed on. */
export function callLogPass(
  path: string,
  logPaths: readonly string[],
  target: string,
  options: WriterOptions,
): CallLogReport[] {
  const traces: OpenTrace[] = [];
  try {
    for (const one of [path, ...logPaths]) traces.push(openTrace(one));
    const [trace, ...logs] = traces as [OpenTrace, ...OpenTrace[]];
    const header = callLogHeaders(
      trace.header,
      logs.map((log) => log.header),
    );
    const writer = createTrace(target, header, options);
    try {
      const reports = joinCallLogs(trace, logs, writer);
      writer.finish({ health: trace.health, notes: {} });
      return reports;
    } finally {
      writer.close();
    }
  } finally {
    for (const trace of traces) trace.close();
  }
}

/** Puts the events of a capture beside those of another one of the same clock. Both are whole traces. */
export function besidePass(mainPath: string, besidePath: string, output: PassOutput): SecondPass {
  const { health, notes } = output;
  const main = openTrace(mainPath);
  try {
    const beside = openTrace(besidePath);
    try {
      const header = besideHeaders(main.header, beside.header);
      return replaceOutput(output, header, (writer) => {
        mergeByTime(main, beside, header, writer);
        writer.finish({ health, notes });
        return { writer, attribution: null, join: null };
      });
    } finally {
      beside.close();
    }
  } finally {
    main.close();
  }
}

function replaceOutput(
  { place, writing }: PassOutput,
  header: TraceHeader,
  write: (writer: TraceFileWriter) => SecondPass,
): SecondPass {
  const target = place.regular ? place.part('new') : place.path;
  const writer = createTrace(target, header, writing);
  try {
    const pass = write(writer);
    if (place.regular) replaceFile(target, place.path);
    return pass;
  } finally {
    writer.close();
  }
}

function narrowed({ header, streamCounts }: OpenTrace): TraceHeader {
  const seen = Object.entries(header.fidelity).filter(
    ([name]) => !OPTIONAL_STREAMS.includes(name as StreamName) || streamCounts[name as StreamName] > 0,
  );
  return { ...header, fidelity: Object.fromEntries(seen) };
}

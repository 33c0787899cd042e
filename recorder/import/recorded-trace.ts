import { IorrError } from '../../traces/errors.ts';
import type { ByteSource } from '../../traces/format/bytes-io.ts';
import { memorySource } from '../../traces/format/bytes-io.ts';
import { MAGIC } from '../../traces/format/frame.ts';
import { TraceFile } from '../../traces/format/reader.ts';
import { createRowCopier } from '../../traces/row-copier.ts';
import type { CopyRow } from '../../traces/row-copier.ts';
import { STREAM_NAMES } from '../../traces/schema.ts';
import type { Segment } from '../../traces/segment.ts';
import { HeldRun } from './held-run.ts';
import type { ImportFacts, ImportHeader, ImportTarget, Importer, WholeRun } from './importer.ts';

/** What `iorr record` made, to be joined with the log of the emulator that it ran in, or to find the owners of its maps. */
export const recordedTrace: Importer = {
  name: 'iorr',
  description: 'a trace of iorr record, to be joined with the log of its emulator',
  side: 'guest',
  unit: 'events',
  detect: (head) => (MAGIC.every((byte, i) => head[i] === byte) ? 1 : 0),
  describe: (head) => attempt(() => describe(memorySource(head))) ?? NO_TRACE,
  create: (target) => new HeldRun(target, (held, bytes) => attempt(() => openRun(held, bytes)) ?? noTrace(held)),
  whole: { describe, create: openRun },
};

const NO_TRACE: ImportHeader = {
  source: { format: 'iorr', producer: 'unknown' },
  host: {},
  clock: { epochNs: '0', name: 'unknown', resolutionNs: 1 },
  fidelity: {},
};

/** What comes in pieces is known to be no trace only at its end: then that is one trouble of its data. */
function noTrace({ health, file }: ImportTarget): WholeRun {
  health.add('malformed', 'no trace of iorr', file);
  return { step: () => false, end: () => ({ lines: 1, events: 0, folded: 0, blank: 0, skipped: 0, notes: {} }) };
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof IorrError) return undefined;
    throw error;
  }
}

/** Throws `IorrError` FORMAT_UNKNOWN for a trace of several sources: its parts were joined already. */
function describe(bytes: ByteSource): ImportHeader {
  const { sources, host, machine, clock, fidelity } = new TraceFile(bytes).header;
  const [source] = sources;
  if (source === undefined || sources.length > 1) {
    const found = sources.map(({ format }) => format).join(', ');
    throw new IorrError('FORMAT_UNKNOWN', `a recording of one source expected, found a trace of ${found}`, {
      place: { file: bytes.name },
      hint: 'what was joined is ready for verify, replay and analyze',
    });
  }
  return { source, host, ...(machine === undefined ? {} : { machine }), clock, fidelity };
}

function openRun(target: ImportTarget, bytes: ByteSource): WholeRun {
  return new RecordedTraceRun(target, bytes);
}

/** Copies a trace event by event, one segment a step. */
class RecordedTraceRun implements WholeRun {
  readonly #target: ImportTarget;
  readonly #trace: TraceFile;
  readonly #segments: Generator<Segment>;
  readonly #copy: CopyRow;
  #events = 0;

  constructor(target: ImportTarget, bytes: ByteSource) {
    this.#target = target;
    this.#trace = new TraceFile(bytes);
    this.#segments = this.#trace.segments({ reuse: true });
    this.#copy = createRowCopier(this.#trace, target.sink);
  }

  step(): boolean {
    const next = this.#segments.next();
    if (next.done === true) return false;
    const segment = next.value;
    const { sink, source } = this.#target;
    const rows = new Int32Array(STREAM_NAMES.length);
    for (let i = 0; i < segment.count; i++) {
      const stream = segment.stream[i] ?? 0;
      const from = rows[stream] ?? 0;
      rows[stream] = from + 1;
      const at = [segment.time[i] ?? 0, segment.cpu[i] ?? 0, segment.task[i] ?? 0] as const;
      this.#copy(segment, stream, from, sink.begin(stream, ...at, source));
    }
    this.#events += segment.count;
    return true;
  }

  end(): ImportFacts {
    this.#target.health.merge(this.#trace.health);
    const { notes } = this.#trace;
    return { lines: this.#events, events: this.#events, folded: 0, blank: 0, skipped: 0, notes };
  }
}

import { STREAM_ID } from '../../traces/schema.ts';
import { ABSENT } from '../../traces/units.ts';
import { EventOutput } from '../ftrace/event-output.ts';
import { IGNORED_EVENTS } from '../ftrace/events/ignored.ts';
import { TOLD } from '../ftrace/rows/syscall-rows.ts';
import { EVENT_FIDELITY, epochSeconds } from '../ftrace/trace-facts.ts';
import { ByteTable } from './byte-table.ts';
import { ascii } from './byte-cursor.ts';
import { CountedNames } from './counted-names.ts';
import { CommentLine } from './ftrace/comment-line.ts';
import { DMA_EVENTS } from './ftrace/dma-events.ts';
import { EventLine } from './ftrace/event-line.ts';
import type { EventParser } from './ftrace/event-line.ts';
import { INTEL_IOMMU_EVENTS } from './ftrace/intel-iommu-events.ts';
import { IOMMU_EVENTS } from './ftrace/iommu-events.ts';
import { LineHeader } from './ftrace/line-header.ts';
import { MARK_EVENTS } from './ftrace/mark-events.ts';
import { NamedCalls, RAW_SYSCALL_EVENTS, TEXT_MACHINE } from './ftrace/syscall-events.ts';
import type { ImportFacts, ImportHeader, ImportRun, ImportTarget, Importer } from './importer.ts';
import { LineSplitter } from './lines.ts';
import type { LineReader } from './lines.ts';

/** One list per event system; a new system is one file and one line here. */
const PARSERS: readonly EventParser[] = [
  ...IOMMU_EVENTS,
  ...INTEL_IOMMU_EVENTS,
  ...DMA_EVENTS,
  ...MARK_EVENTS,
  ...RAW_SYSCALL_EVENTS,
];

/** Numbers of event names, and their parsers; those without one are known and ignored. */
const NAMES = new ByteTable();
const PARSER_OF: (EventParser | undefined)[] = [];
for (const parser of PARSERS) for (const name of parser.names) PARSER_OF[addName(name)] = parser;
for (const event of IGNORED_EVENTS) {
  const [, name = ''] = event.split(':');
  for (const printed of [name, event]) PARSER_OF[addName(printed)] = undefined;
}

function addName(name: string): number {
  const bytes = ascii(name);
  return NAMES.add(bytes, 0, bytes.length);
}

/**
 * The text of tracefs (`trace`, `trace_pipe`), of `trace-cmd report` and of `perf script`, Linux 6.12 to 7.2.
 * Facts: kernel/trace/trace_output.c, include/trace/events/{iommu,dma}.h, drivers/iommu/intel/trace.h.
 */
export const ftraceText: Importer = {
  name: 'ftrace-text',
  description: 'Linux trace text: tracefs trace files, trace-cmd report, perf script (iommu, intel_iommu, dma events)',
  side: 'guest',
  keepsOthers: true,
  detect,
  describe,
  create: (target) => new FtraceTextRun(target),
};

function detect(head: Uint8Array): number {
  const scout = new Scout();
  scout.read(head);
  if (scout.lines === 0) return 0;
  if (scout.events === 0) return scout.tracer ? 0.9 : 0;
  // Binary data or prose may hold a line that looks like an event by chance.
  return Math.min(1, (scout.events + scout.comments) / scout.lines);
}

function describe(head: Uint8Array): ImportHeader {
  const scout = new Scout();
  scout.read(head);
  const epoch = epochSeconds(scout.firstSeconds);
  return {
    source: { format: 'ftrace-text', producer: scout.kernel === '' ? 'Linux' : `Linux ${scout.kernel}` },
    host: {
      ...(scout.kernel === '' ? {} : { kernel: scout.kernel }),
      ...(scout.cpus > 0 ? { cpus: scout.cpus } : {}),
      ...(scout.intel ? { iommu: 'vtd' } : {}),
    },
    clock: {
      epochNs: epoch === 0 ? '0' : `${BigInt(epoch) * 1_000_000_000n}`,
      name: 'unknown',
      resolutionNs: scout.fraction === 0 ? 1 : 10 ** (9 - scout.fraction),
    },
    fidelity: EVENT_FIDELITY,
  };
}

/** Reads the beginning of an input for what kind it is and what its header says. */
class Scout implements LineReader {
  lines = 0;
  events = 0;
  comments = 0;
  tracer = false;
  cpus = 0;
  kernel = '';
  intel = false;
  firstSeconds = 0;
  fraction = 6;
  readonly #header = new LineHeader();
  readonly #comment = new CommentLine();
  readonly #tracer = ascii('# tracer:');
  readonly #intel = ['qi_submit', 'cache_tag_', 'intel_iommu:'].map(ascii);

  read(head: Uint8Array): void {
    // The last line of the head may be cut; it is only counted if nothing else is there.
    new LineSplitter(this).push(head);
  }

  line(bytes: Uint8Array, start: number, end: number): void {
    if (start === end) return;
    this.lines++;
    if (this.#header.parse(bytes, start, end)) {
      const { nameStart } = this.#header;
      if (this.events++ === 0) {
        this.firstSeconds = this.#header.seconds;
        this.fraction = this.#header.fraction;
      }
      this.intel ||= this.#intel.some((name) => startsWith(bytes, nameStart, end, name));
      return;
    }
    const kind = this.#comment.parse(bytes, start, end);
    if (kind === 'none') return;
    this.comments++;
    this.tracer ||= startsWith(bytes, start, end, this.#tracer);
    if (kind === 'entries' || kind === 'cpus') this.cpus = this.#comment.cpus;
    if (kind === 'kernel') this.kernel = this.#comment.kernel;
  }

  tooLong(): void {
    this.lines++;
  }

  unterminated(): void {}
}

function startsWith(bytes: Uint8Array, start: number, end: number, expected: Uint8Array): boolean {
  if (start + expected.length > end) return false;
  for (let i = 0; i < expected.length; i++) if (bytes[start + i] !== expected[i]) return false;
  return true;
}

/** `   kworker/u8:1-57   [000] ...  6.3: qi_submit: page_grp_resp dmar0: 0x701000019 0x0 0x0 0x0` */
const PAGE_RESPONSE = ascii('page_grp_resp ');
const WORKER = ascii('kworker/');
const MAX_WORKERS = 1024;

class FtraceTextRun implements ImportRun, LineReader {
  readonly #target: ImportTarget;
  readonly #splitter: LineSplitter;
  readonly #out: EventOutput;
  readonly #line: EventLine;
  readonly #calls = new NamedCalls();
  readonly #header = new LineHeader();
  readonly #comment = new CommentLine();
  readonly #unknown = new CountedNames('unknown');
  readonly #ignored = new CountedNames('ignored');
  readonly #epochSeconds: number;
  #lines = 0;
  #blank = 0;
  #skipped = 0;
  #malformed = 0;
  #inBuffer = -1;
  #overwritten = 0;
  #lastTime = 0;
  readonly #workers = new Set<number>();

  constructor(target: ImportTarget) {
    this.#target = target;
    this.#splitter = new LineSplitter(this);
    this.#out = new EventOutput(target.sink, target.health, target.file, target.source ?? 0);
    this.#line = new EventLine(this.#out);
    this.#epochSeconds = Number(BigInt(target.header.clock.epochNs) / 1_000_000_000n);
  }

  push(chunk: Uint8Array): void {
    this.#splitter.push(chunk);
  }

  line(bytes: Uint8Array, start: number, end: number, number: number): void {
    const header = this.#header;
    if (!header.parse(bytes, start, end)) {
      this.#noEvent(bytes, start, end, number);
      return;
    }
    this.#lines++;
    const time = (header.seconds - this.#epochSeconds) * 1e9 + header.nanoseconds;
    if (time < 0 || time > Number.MAX_SAFE_INTEGER) {
      this.#bad('time stamp', number);
      return;
    }
    const { nameStart, nameEnd } = header;
    const id = NAMES.find(bytes, nameStart, nameEnd);
    const parser = id < 0 ? this.#calls.find(bytes, nameStart, nameEnd) : PARSER_OF[id];
    if (parser === undefined && this.#target.allEvents === true) {
      this.#keep(bytes, end, number, time);
      return;
    }
    if (parser === undefined) {
      (id < 0 ? this.#unknown : this.#ignored).add(bytes, nameStart, nameEnd, number);
      return;
    }
    this.#begin(time, number);
    const line = this.#line;
    line.cursor.set(bytes, header.argsStart, end);
    if (parser.parse(line)) {
      this.#lastTime = time;
      if (startsWith(bytes, header.argsStart, end, PAGE_RESPONSE)) this.#answering(bytes, start, end);
    } else this.#bad(id < 0 ? (parser.names[0] ?? '') : NAMES.text(id), number);
  }

  /** The common columns of the event whose header was parsed. */
  #begin(time: number, number: number): EventOutput {
    const out = this.#out;
    const header = this.#header;
    out.time = time;
    out.cpu = header.cpu;
    out.task = header.task;
    out.number = number;
    if (this.#overwritten > 0) this.#writeOverwritten(time);
    return out;
  }

  /** Whether a thread of the kernel's own answers page requests: the names of others are nobody's business. */
  #answering(bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    while (at < end && bytes[at] === 0x20) at++;
    if (startsWith(bytes, at, end, WORKER) && this.#workers.size < MAX_WORKERS) this.#workers.add(this.#header.task);
  }

  /** An event that no stream is for, as it was printed. */
  #keep(bytes: Uint8Array, end: number, number: number, time: number): void {
    const { nameStart, nameEnd, argsStart } = this.#header;
    const out = this.#begin(time, number);
    const name = out.ref(bytes, nameStart, nameEnd);
    const row = out.begin(STREAM_ID.event);
    const { columns } = out.sink.rows.event;
    columns.name[row] = name;
    let from = argsStart;
    while (from < end && bytes[from] === 0x20) from++;
    out.sink.setBytes(columns.data, row, bytes.subarray(from, end));
    this.#lastTime = time;
  }

  tooLong(number: number): void {
    this.#lines++;
    this.#skipped++;
    this.#target.health.add('truncated', 'line of more than 1 MiB (skipped)', this.#place(number));
  }

  unterminated(bytes: Uint8Array, start: number, _end: number, number: number): void {
    // Every program that writes this format ends its lines; half a number would be read as a smaller one.
    if (bytes[start] === 0x23) return;
    this.#lines++;
    this.#skipped++;
    this.#target.health.add('truncated', 'last line is cut (skipped)', this.#place(number));
  }

  end(): ImportFacts {
    this.#splitter.end();
    const { health, file } = this.#target;
    this.#unknown.report(health, file);
    this.#ignored.report(health, file);
    this.#out.finish();
    if (this.#overwritten > 0) this.#writeOverwritten(0);
    if (this.#lines < this.#inBuffer) {
      health.add(
        'truncated',
        'entries that the header announces and the file lacks',
        file,
        this.#inBuffer - this.#lines,
      );
    }
    const { events, unnamedDevices, syscalls } = this.#out;
    return {
      lines: this.#lines,
      events,
      folded: syscalls.folded,
      blank: this.#blank,
      skipped: this.#skipped,
      notes: {
        ...(unnamedDevices.length > 0 ? { devicesWithoutRequesterId: unnamedDevices } : {}),
        ...(this.#workers.size > 0 ? { answeringKernelWorkers: [...this.#workers].sort((a, b) => a - b) } : {}),
        ...((syscalls.told & TOLD.raw) !== 0 ? { syscallNumbersOf: TEXT_MACHINE } : {}),
      },
    };
  }

  #noEvent(bytes: Uint8Array, start: number, end: number, number: number): void {
    if (start === end) {
      this.#lines++;
      this.#blank++;
      return;
    }
    const comment = this.#comment;
    switch (comment.parse(bytes, start, end)) {
      case 'comment':
      case 'cpus':
      case 'kernel':
        return;
      case 'entries': {
        const { inBuffer, written } = comment;
        // Several buffers may stand one after the other in a file.
        this.#inBuffer = Math.max(0, this.#inBuffer) + inBuffer;
        if (written > inBuffer) {
          this.#target.health.add('lost', 'overwritten in the ring buffer', this.#place(number), written - inBuffer);
          this.#overwritten += written - inBuffer;
        }
        return;
      }
      case 'lost':
        this.#target.health.add('lost', 'ring buffer full', this.#place(number), Math.max(1, comment.count));
        this.#writeLost(this.#lastTime, comment.cpu, comment.count);
        return;
      case 'none':
        this.#lines++;
        this.#bad('line', number);
    }
  }

  /** The events that were overwritten came before the first one that is left. */
  #writeOverwritten(time: number): void {
    const count = this.#overwritten;
    this.#overwritten = 0;
    this.#writeLost(time, ABSENT, count);
  }

  #writeLost(time: number, cpu: number, count: number): void {
    const { sink, source } = this.#target;
    const row = sink.begin(STREAM_ID.lost, time, cpu, ABSENT, source ?? 0);
    const columns = sink.rows.lost.columns;
    columns.countLo[row] = count | 0;
    columns.countHi[row] = Math.floor(count / 4294967296) | 0;
  }

  #bad(what: string, number: number): void {
    this.#malformed++;
    this.#target.health.add('malformed', what, this.#malformed <= 100 ? this.#place(number) : undefined);
  }

  #place(number: number): string {
    return `${this.#target.file}:${number}`;
  }
}

import { CALL_EVENT } from '../../traces/schema.ts';
import { eventRecord, writeCall, writeIoctl, writeLost, writeMark } from './calls/call-rows.ts';
import { BadField, JsonFields } from './calls/json-fields.ts';
import { lineTime, readProcessEvent, readSystemCall } from './calls/ndjson-line.ts';
import { printable } from './counted-names.ts';
import type { ImportFacts, ImportHeader, ImportRun, ImportTarget, Importer } from './importer.ts';
import { LineSplitter } from './lines.ts';
import type { LineReader } from './lines.ts';

/** Events of the format; a line of any other is counted as unknown. */
const EVENTS = ['start', 'sys', 'fork', 'exec', 'maps', 'exit', 'signal'];
const MAX_PLACES = 100;
/** Lines of an input's beginning that decide whether it is one. */
const TRIED_LINES = 50;

/**
 * System calls of a process tree with the contents of ioctl structs and of what they point to, one JSON object a line:
 * docs/sources/ioctl-ndjson.md. Lines stand in the order in which calls returned.
 */
export const ioctlNdjson: Importer = {
  name: 'ioctl-ndjson',
  description: 'system calls with ioctl structs and user memory, one JSON object a line',
  side: 'guest',
  calls: true,
  detect,
  describe,
  create: (target) => new IoctlNdjsonRun(target),
};

function detect(head: Uint8Array): number {
  const scout = new Scout();
  const splitter = new LineSplitter(scout);
  splitter.push(head);
  // A single long line fills the head; its beginning must do.
  if (scout.lines === 0) return /^\s*\{.{0,80}"ev": ?"(?:start|sys)"/.test(decode(head, 0, 200)) ? 0.9 : 0;
  return scout.known / scout.lines;
}

function describe(head: Uint8Array): ImportHeader {
  const scout = new Scout();
  new LineSplitter(scout).push(head);
  const { start } = scout;
  const kernel = start?.get('kernel');
  const cpus = start?.get('cpus');
  const pageSize = start?.get('page_size');
  const iommu = start?.get('iommu');
  return {
    source: { format: 'ioctl-ndjson', producer: 'system call recorder' },
    host: {
      ...(typeof kernel === 'string' ? { kernel: printable(kernel.slice(0, 64)) } : {}),
      ...(isCount(cpus) ? { cpus } : {}),
      ...(isCount(pageSize) ? { pageSize } : {}),
      ...(typeof iommu === 'string' && /^\w{1,16}$/.test(iommu) ? { iommu } : {}),
    },
    clock: { epochNs: String(scout.epoch), name: 'mono', resolutionNs: 1 },
    fidelity: { ioctl: 'full', call: 'full', mark: 'full', map: 'partial', unmap: 'partial' },
  };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}

function decode(bytes: Uint8Array, start: number, end: number): string {
  return new TextDecoder().decode(bytes.subarray(start, end));
}

/** Reads the beginning of an input. */
class Scout implements LineReader {
  lines = 0;
  known = 0;
  start: JsonFields | undefined;
  /** Time of the first line that has one. */
  epoch = 0;

  line(bytes: Uint8Array, start: number, end: number): void {
    if (start === end || this.lines >= TRIED_LINES) return;
    this.lines++;
    const fields = JsonFields.parse(decode(bytes, start, end));
    const event = fields?.get('ev');
    if (fields === undefined || typeof event !== 'string' || !EVENTS.includes(event)) return;
    this.known++;
    if (event === 'start') this.start ??= fields;
    if (this.epoch === 0) {
      const time = fields.get('mono') ?? fields.get('t0') ?? fields.get('t1');
      if (isCount(time)) this.epoch = time;
    }
  }

  tooLong(): void {}

  unterminated(): void {}
}

class IoctlNdjsonRun implements ImportRun, LineReader {
  readonly #target: ImportTarget;
  readonly #source: number;
  readonly #splitter: LineSplitter;
  /** Time of the clock at time 0 of the trace. */
  #base: number;
  /** Newest time written. */
  #time = 0;
  #sequence = -1;
  #test = '';
  #runs = 0;
  #events = 0;
  #blank = 0;
  #skipped = 0;
  #malformed = 0;
  #reordered = 0;

  constructor(target: ImportTarget) {
    this.#target = target;
    this.#source = target.source ?? 0;
    this.#splitter = new LineSplitter(this);
    this.#base = Number(target.header.clock.epochNs);
  }

  push(chunk: Uint8Array): void {
    this.#splitter.push(chunk);
  }

  line(bytes: Uint8Array, start: number, end: number, number: number): void {
    if (start === end) {
      this.#blank++;
      return;
    }
    const fields = JsonFields.parse(decode(bytes, start, end));
    if (fields === undefined) {
      this.#bad('line that is no JSON object', number);
      return;
    }
    try {
      this.#event(fields, number);
    } catch (error) {
      if (!(error instanceof BadField)) throw error;
      this.#bad(error.message, number);
    }
  }

  tooLong(number: number): void {
    this.#skipped++;
    this.#target.health.add('truncated', 'line of more than 1 MiB (skipped)', this.#place(number));
  }

  unterminated(bytes: Uint8Array, start: number, end: number, number: number): void {
    // A whole object needs no newline behind it; half of one is none.
    if (JsonFields.parse(decode(bytes, start, end)) !== undefined) {
      this.line(bytes, start, end, number);
      return;
    }
    this.#skipped++;
    this.#target.health.add('truncated', 'last line is cut (skipped)', this.#place(number));
  }

  end(): ImportFacts {
    this.#splitter.end();
    return {
      lines: this.#splitter.count,
      events: this.#events,
      folded: 0,
      blank: this.#blank,
      skipped: this.#skipped,
      notes: {
        ...(this.#runs > 1 ? { runs: this.#runs } : {}),
        ...(this.#runs === 0 ? { begins: 'in the middle: no start line' } : {}),
        ...(this.#reordered > 0 ? { timesBehindThePreviousLine: this.#reordered } : {}),
      },
    };
  }

  #event(fields: JsonFields, number: number): void {
    const event = fields.text('ev');
    if (!EVENTS.includes(event)) {
      this.#target.health.add('unknown', `event ${printable(event.slice(0, 32))}`, this.#place(number));
      return;
    }
    if (event === 'start') {
      this.#start(fields);
      return;
    }
    const time = this.#timeOf(fields);
    const record = event === 'sys' ? readSystemCall(fields, time) : readProcessEvent(fields, event, time);
    // Nothing is written for a line before it is known to be whole.
    if (record === undefined) throw new BadField('ev');
    const call = 'ioctl' in record ? record.ioctl : 'call' in record ? record.call : record;
    this.#follow(fields, time, call.tid, number);
    if ('ioctl' in record) writeIoctl(this.#target.sink, this.#source, record.ioctl);
    else writeCall(this.#target.sink, this.#source, 'call' in record ? record.call : record);
    this.#events++;
  }

  #start(fields: JsonFields): void {
    const pid = fields.integerOr('root', -1) | 0;
    const raw = fields.integerOr('mono', this.#base + this.#time);
    // The clock of another run (another boot) may be behind; a trace's time does not go back.
    const base = raw - this.#base < this.#time ? raw - this.#time - 1 : this.#base;
    if (!Number.isSafeInteger(raw - base)) throw new BadField('mono');
    this.#base = base;
    this.#time = raw - base;
    this.#sequence = fields.integerOr('seq', -1);
    this.#test = '';
    this.#runs++;
    const record = eventRecord(CALL_EVENT.start, 'start', { time: this.#time, pid, tid: pid });
    writeCall(this.#target.sink, this.#source, record);
    this.#events++;
  }

  #timeOf(fields: JsonFields): number {
    const raw = lineTime(fields);
    if (raw === undefined) return this.#time;
    const time = raw - this.#base;
    if (!Number.isSafeInteger(time)) throw new BadField('t1');
    if (time >= this.#time) return time;
    this.#reordered++;
    return this.#time;
  }

  /** What lies between the line before and this one: lines that are missing, another test case. */
  #follow(fields: JsonFields, time: number, tid: number, number: number): void {
    const { sink, health } = this.#target;
    this.#time = time;
    const sequence = fields.integerOr('seq', -1);
    if (this.#sequence >= 0 && sequence > this.#sequence + 1) {
      const missing = sequence - this.#sequence - 1;
      health.add('lost', 'lines missing (gap in seq)', this.#place(number), missing);
      writeLost(sink, this.#source, time, tid, missing);
    }
    if (sequence >= 0) this.#sequence = sequence;
    const test = fields.textOr('test', '');
    if (test !== '' && test !== this.#test) {
      this.#test = test;
      writeMark(sink, this.#source, time, tid, `test ${printable(test.slice(0, 200))}`);
    }
  }

  #bad(what: string, number: number): void {
    this.#malformed++;
    this.#target.health.add('malformed', what, this.#malformed <= MAX_PLACES ? this.#place(number) : undefined);
  }

  #place(number: number): string {
    return `${this.#target.file}:${number}`;
  }
}

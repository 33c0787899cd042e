import { STREAM_ID } from '../../../traces/schema.ts';
import { ABSENT } from '../../../traces/units.ts';
import type { ByteSource } from '../../../traces/format/bytes-io.ts';
import { EventDecoder } from '../../ftrace/event-decoder.ts';
import { EventOutput } from '../../ftrace/event-output.ts';
import { machineOf } from '../../ftrace/syscall-names.ts';
import type { ImportFacts, ImportTarget, WholeRun } from '../importer.ts';
import { PerfRecords } from './perf-records.ts';
import type { PerfItem } from './perf-records.ts';
import { readPerfFile } from './perf-file.ts';

/** Places that are told of what is damaged; `Health` keeps no more. */
const MAX_PLACES = 100;

/** Reads the tracepoint samples of a perf.data in order of time. */
export class PerfDataRun implements WholeRun {
  readonly #target: ImportTarget;
  readonly #output: EventOutput;
  readonly #decoder: EventDecoder;
  readonly #records: PerfRecords;
  readonly #record = {
    bytes: new Uint8Array(0) as Uint8Array,
    words: new Int32Array(0) as Int32Array,
    at: 0,
    length: 0,
  };
  #places = 0;
  #lost = 0;
  #other = 0;
  #unplaced = 0;

  /** `growing`: the source is what perf still writes. */
  constructor(target: ImportTarget, source: ByteSource, growing = false) {
    this.#target = target;
    const file = readPerfFile(source);
    const { littleEndian, formats, machine } = file;
    this.#output = new EventOutput(target.sink, target.health, target.file, target.source ?? 0);
    this.#decoder = new EventDecoder(formats, this.#output, {
      littleEndian,
      machine: machineOf(machine),
      keepOthers: target.allEvents === true,
    });
    for (const { what, offset } of file.damages) this.#damaged(what, offset);
    const damaged = (what: string, offset: number): void => this.#damaged(what, offset);
    this.#records = new PerfRecords(source, file, BigInt(target.header.clock.epochNs), damaged, growing);
  }

  step(): boolean {
    const more = this.#records.read();
    this.#take();
    return more;
  }

  /** Of a source that grows: bytes that are not needed any more. */
  get position(): number {
    return this.#records.position;
  }

  /** Events that the kernel dropped, as far as is known. */
  get lost(): number {
    return Math.max(this.#lost, this.#records.lostSamples);
  }

  /** Of a source that grows: no more comes. */
  settle(): void {
    this.#records.settle();
    this.#take();
  }

  end(): ImportFacts {
    const { health } = this.#target;
    this.#decoder.finish();
    const records = this.#records;
    if (this.#unplaced > 0) health.add('malformed', 'time stamp', undefined, this.#unplaced);
    if (this.#other > 0) health.add('unknown', 'sample of an event that is no tracepoint', undefined, this.#other);
    // Newer kernels count what they dropped per event, too: the same events again.
    if (records.lostSamples > this.#lost) {
      health.add('lost', 'ring buffer full', undefined, records.lostSamples - this.#lost);
    }
    if (records.compressed > 0)
      health.add('truncated', 'compressed records (perf record -z)', undefined, records.compressed);
    const { events, syscalls, unnamedDevices } = this.#output;
    return {
      lines: this.#decoder.records + this.#unplaced + this.#other,
      events,
      folded: syscalls.folded,
      blank: 0,
      skipped: 0,
      notes: unnamedDevices.length > 0 ? { devicesWithoutRequesterId: unnamedDevices } : {},
    };
  }

  #take(): void {
    this.#records.take((item, bytes, words) => this.#item(item, bytes, words));
    this.#output.settle();
  }

  #item({ time, cpu, lost, rawAt, rawLength }: PerfItem, bytes: Uint8Array, words: Int32Array): void {
    if (lost > 0) {
      this.#writeLost(time, cpu, lost);
      return;
    }
    if (rawAt < 0) {
      this.#other++;
      return;
    }
    if (time < 0 || time > Number.MAX_SAFE_INTEGER) {
      this.#unplaced++;
      return;
    }
    const record = this.#record;
    record.bytes = bytes;
    record.words = words;
    record.at = rawAt;
    record.length = rawLength;
    this.#decoder.decode(record, time, cpu);
  }

  #writeLost(time: number, cpu: number, count: number): void {
    const { sink, source, health } = this.#target;
    this.#lost += count;
    health.add('lost', 'ring buffer full', cpu === ABSENT ? undefined : `CPU ${cpu}`, count);
    this.#output.settle();
    const row = sink.begin(STREAM_ID.lost, Math.max(0, time), cpu, ABSENT, source ?? 0);
    const { columns } = sink.rows.lost;
    columns.countLo[row] = count | 0;
    columns.countHi[row] = Math.floor(count / 4294967296) | 0;
  }

  #damaged(what: string, offset: number): void {
    const place = this.#places++ < MAX_PLACES ? `${this.#target.file} at byte ${offset}` : undefined;
    this.#target.health.add('truncated', what, place);
  }
}

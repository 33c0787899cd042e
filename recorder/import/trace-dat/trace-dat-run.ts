import { STREAM_ID } from '../../../traces/schema.ts';
import { highWord, lowWord } from '../../../traces/units.ts';
import type { ByteSource } from '../../../traces/format/bytes-io.ts';
import { EventDecoder } from '../../ftrace/event-decoder.ts';
import { EventOutput } from '../../ftrace/event-output.ts';
import { machineOf } from '../../ftrace/syscall-names.ts';
import type { ImportFacts, ImportTarget, WholeRun } from '../importer.ts';
import { CpuRecords } from './cpu-records.ts';
import type { DatFile } from './dat-file.ts';
import { MergedRecords } from './merged-records.ts';
import { readDatFile } from './read-file.ts';

/** Records read in one step. */
const STEP_RECORDS = 32768;
/** Places that are told of what is damaged; `Health` keeps no more. */
const MAX_PLACES = 100;
const TWO_32 = 4294967296;

/** The machine whose numbers of system calls a file has. */
export function machineName(uname: string): string {
  return uname.split(/\s+/).at(-1) ?? '';
}

/** Opens the records of all CPUs of all buffers. `epoch` is the clock's value at time 0. */
export function openRecords(
  source: ByteSource,
  file: DatFile,
  epoch: bigint,
  damaged: (what: string, offset: number) => void,
): CpuRecords[] {
  const [lo, hi] = [lowWord(epoch), highWord(epoch)];
  const room = { cpus: file.buffers.reduce((sum, { cpus }) => sum + cpus.length, 1), held: 0 };
  return file.buffers.flatMap((buffer) =>
    buffer.cpus
      .filter(({ size }) => size > 0)
      .map((data) => new CpuRecords(source, file.littleEndian, buffer, data, lo, hi, room, damaged)),
  );
}

/** Reads the records of a trace.dat in order of time. */
export class TraceDatRun implements WholeRun {
  readonly #target: ImportTarget;
  readonly #file: DatFile;
  readonly #output: EventOutput;
  readonly #decoder: EventDecoder;
  readonly #records: MergedRecords;
  readonly #factor: number;
  readonly #shift: number;
  #places = 0;
  #lost = 0;
  #unplaced = 0;

  constructor(target: ImportTarget, source: ByteSource) {
    this.#target = target;
    const file = readDatFile(source);
    this.#file = file;
    const { littleEndian, formats, scale } = file;
    this.#output = new EventOutput(target.sink, target.health, target.file, target.source ?? 0);
    this.#decoder = new EventDecoder(formats, this.#output, {
      littleEndian,
      machine: machineOf(machineName(file.uname)),
      keepOthers: target.allEvents === true,
    });
    const epochNs = BigInt(target.header.clock.epochNs);
    // Cycles are counted from 0; only nanoseconds can exceed what a double holds exactly within a machine's life.
    this.#factor = scale === undefined ? 1 : scale.mult / 2 ** scale.shift;
    this.#shift = file.timeOffset - (scale === undefined ? 0 : Number(epochNs));
    for (const { what, offset } of file.damages) this.#damaged(what, offset);
    for (const id of file.unknown) target.health.add('unknown', `option ${id} of the file`);
    const epoch = scale === undefined ? epochNs : 0n;
    const damaged = (what: string, offset: number): void => this.#damaged(what, offset);
    this.#records = new MergedRecords(openRecords(source, file, epoch, damaged));
  }

  step(): boolean {
    const more = this.#read();
    this.#output.settle();
    return more;
  }

  #read(): boolean {
    const records = this.#records;
    const decoder = this.#decoder;
    const factor = this.#factor;
    const shift = this.#shift;
    for (let i = 0; i < STEP_RECORDS; i++) {
      const from = records.next();
      if (from === undefined) return false;
      const { reader } = from;
      let time = reader.time;
      if (factor !== 1) time = Math.floor(time * factor);
      time += shift;
      if (from.missed !== 0) this.#writeLost(from, Math.min(Math.max(0, time), Number.MAX_SAFE_INTEGER));
      if (time >= 0 && time <= Number.MAX_SAFE_INTEGER) decoder.decode(reader, time, from.cpu);
      else this.#unplaced++;
      from.advance();
    }
    return true;
  }

  end(): ImportFacts {
    const { health } = this.#target;
    this.#decoder.finish();
    if (this.#unplaced > 0) health.add('malformed', 'time stamp', undefined, this.#unplaced);
    const { records } = this.#decoder;
    const { events, unnamedDevices, syscalls, answering } = this.#output;
    const overrun = this.#overrun();
    if (overrun > this.#lost) health.add('lost', 'overwritten in the ring buffer', undefined, overrun - this.#lost);
    const { version, recorder, kernelWorkers } = this.#file;
    const workers = [...answering].filter((task) => kernelWorkers.has(task)).sort((a, b) => a - b);
    return {
      // options that nobody knows are counted as unknown, so they are among what was read
      lines: records + this.#unplaced + this.#file.unknown.length,
      events,
      folded: syscalls.folded,
      blank: 0,
      skipped: 0,
      notes: {
        fileVersion: version,
        ...(recorder === '' ? {} : { recorder }),
        ...(workers.length > 0 ? { answeringKernelWorkers: workers } : {}),
        ...(unnamedDevices.length > 0 ? { devicesWithoutRequesterId: unnamedDevices } : {}),
      },
    };
  }

  #damaged(what: string, offset: number): void {
    const place = this.#places++ < MAX_PLACES ? `${this.#target.file} at byte ${offset}` : undefined;
    this.#target.health.add('truncated', what, place);
  }

  #writeLost(from: CpuRecords, time: number): void {
    const { sink, source, health } = this.#target;
    const count = Math.max(0, from.missed);
    from.missed = 0;
    this.#lost += Math.max(1, count);
    health.add('lost', 'ring buffer full', `CPU ${from.cpu}`, Math.max(1, count));
    this.#output.settle();
    const row = sink.begin(STREAM_ID.lost, time, from.cpu, -1, source ?? 0);
    const { columns } = sink.rows.lost;
    columns.countLo[row] = count | 0;
    columns.countHi[row] = Math.floor(count / TWO_32) | 0;
  }

  /** Events that the kernel says it had to drop or overwrite, over all CPUs. */
  #overrun(): number {
    let sum = 0;
    for (const text of this.#file.statistics) {
      for (const [, count] of text.matchAll(/^\s*(?:overrun|dropped events):\s*(\d{1,15})\s*$/gm)) sum += Number(count);
    }
    return sum;
  }
}

import type { EventField, EventFormat } from './event-format.ts';
import type { EventOutput } from './event-output.ts';
import { FieldReader } from './event-record.ts';
import type { EventRecord, RecordConverter } from './event-record.ts';
import { DMA_CONVERTERS } from './events/dma.ts';
import type { EventConverter } from './events/event-converter.ts';
import { IGNORED_EVENTS } from './events/ignored.ts';
import { INTEL_IOMMU_CONVERTERS } from './events/intel-iommu.ts';
import { IOMMU_CONVERTERS } from './events/iommu.ts';
import { PRINT_CONVERTERS } from './events/print.ts';
import { rawSyscallConverters, syscallConverter } from './events/syscalls.ts';
import { otherEvent } from './other-events.ts';
import { SyscallNames } from './syscall-names.ts';
import type { Machine } from './syscall-names.ts';

/** Places kept of what is unknown, malformed or ignored; `Health` keeps no more. */
const PLACES = 5;

/** Where a record lies; `SubBufferReader` is one. */
export interface RecordPlace {
  /** Of the bytes that the record lies in. */
  readonly view: DataView;
  readonly at: number;
  readonly length: number;
}

export interface DecoderOptions {
  readonly littleEndian: boolean;
  /** Whose numbers of system calls `raw_syscalls` gives; undefined if that is not known. */
  readonly machine: Machine | undefined;
  /** Events that no stream is for are kept as rows of `event`, ignored ones too. */
  readonly keepOthers?: boolean;
}

interface Counter {
  count: number;
  readonly places: string[];
}

/** What becomes of the records of one event id. */
interface Target {
  readonly name: string;
  /** Undefined: not carried by a trace. */
  readonly convert: RecordConverter | undefined;
  readonly need: number;
  readonly ignored: boolean;
  /** Records without a row: unknown or ignored ones, or malformed ones where `convert` is there. */
  readonly without: Counter;
}

/**
 * Turns records of a ring buffer into rows, by the kernel's own formats: what they lack or add is found when the decoder is
 * made, not per record. Each record is in exactly one count: a row, part of another row (`output.syscalls`), or the health record.
 */
export class EventDecoder {
  readonly #output: EventOutput;
  readonly #targets: (Target | undefined)[] = [];
  readonly #strays = new Map<number, Target>();
  readonly #record: EventRecord = {
    view: new DataView(new ArrayBuffer(0)),
    bytes: new Uint8Array(0),
    at: 0,
    length: 0,
  };
  readonly #little: boolean;
  readonly #typeOffset: number;
  readonly #pidOffset: number;
  /** Records decoded so far. */
  records = 0;

  constructor(formats: readonly EventFormat[], output: EventOutput, options: DecoderOptions) {
    const { littleEndian, machine, keepOthers = false } = options;
    this.#output = output;
    this.#little = littleEndian;
    const common = formats[0]?.common ?? [];
    this.#typeOffset = commonField(common, 'common_type', 2)?.offset ?? 0;
    this.#pidOffset = commonField(common, 'common_pid', 4)?.offset ?? 4;
    const converters = new Map<string, EventConverter>();
    for (const converter of [...CONVERTERS, ...rawSyscallConverters(new SyscallNames(machine))]) {
      converters.set(`${converter.system}:${converter.name}`, converter);
    }
    for (const format of formats) {
      const target = targetOf(format, converters, littleEndian);
      const other = keepOthers && target.convert === undefined;
      this.#targets[format.id] = other ? { ...target, convert: otherEvent(format, littleEndian) } : target;
    }
  }

  /** Decodes one record, found in `bytes`. `time` is ns since the trace's epoch. */
  decode(place: RecordPlace, bytes: Uint8Array, time: number, cpu: number): void {
    const { view, at, length } = place;
    const record = this.#record;
    const output = this.#output;
    output.number = this.records++;
    if (length < 8) {
      this.#malformed('record of less than 8 bytes');
      return;
    }
    const id = view.getUint16(at + this.#typeOffset, this.#little);
    const target = this.#targets[id];
    if (target?.convert === undefined) {
      count(target ?? this.#stray(id), output);
      return;
    }
    output.time = time;
    output.cpu = cpu;
    output.task = view.getInt32(at + this.#pidOffset, this.#little);
    record.view = view;
    record.bytes = bytes;
    record.at = at;
    record.length = length;
    if (length < target.need || !target.convert(record, output)) count(target, output);
  }

  /** Puts all counts into the health record; call once. */
  finish(): void {
    const { health } = this.#output;
    for (const { name, convert, ignored, without } of [...this.#targets, ...this.#strays.values()].filter(isThere)) {
      const kind = convert !== undefined ? 'malformed' : ignored ? 'ignored' : 'unknown';
      for (const place of without.places) health.add(kind, name, place);
      const left = without.count - without.places.length;
      if (left > 0) health.add(kind, name, undefined, left);
    }
    this.#output.finish();
  }

  #malformed(what: string): void {
    this.#output.health.add('malformed', what, this.#output.place());
  }

  /** An id that no format describes. */
  #stray(id: number): Target {
    let target = this.#strays.get(id);
    if (target === undefined) {
      target = unknown(`event ${id}`);
      this.#strays.set(id, target);
    }
    return target;
  }
}

/** A new system is one file and one line here. */
const CONVERTERS: readonly EventConverter[] = [
  ...IOMMU_CONVERTERS,
  ...INTEL_IOMMU_CONVERTERS,
  ...DMA_CONVERTERS,
  ...PRINT_CONVERTERS,
];
const IGNORED: ReadonlySet<string> = new Set(IGNORED_EVENTS);

function targetOf(format: EventFormat, converters: ReadonlyMap<string, EventConverter>, littleEndian: boolean): Target {
  const { system, name } = format;
  const full = `${system}:${name}`;
  const converter = converters.get(full) ?? syscallConverter(system, name);
  if (converter === undefined) return { ...unknown(full), ignored: IGNORED.has(full) };
  const fields = new FieldReader(format, littleEndian);
  const convert = converter.compile(fields);
  if (!fields.ok) return unknown(`${full} (its format has no ${fields.missing} as expected)`);
  return { name: full, convert, need: fields.need, ignored: false, without: { count: 0, places: [] } };
}

function unknown(name: string): Target {
  return { name, convert: undefined, need: 0, ignored: false, without: { count: 0, places: [] } };
}

function count({ without }: Target, output: EventOutput): void {
  if (without.count++ < PLACES) without.places.push(output.place());
}

function isThere(target: Target | undefined): target is Target {
  return target !== undefined && target.without.count > 0;
}

/** All events of a kernel share their first fields; only the width that is read here is accepted. */
function commonField(common: readonly EventField[], name: string, size: number): EventField | undefined {
  return common.find((field) => field.name === name && field.size === size && field.offset + size <= 8);
}

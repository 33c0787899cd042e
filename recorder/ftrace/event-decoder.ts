import type { EventField, EventFormat } from './event-format.ts';
import type { EventOutput } from './event-output.ts';
import { CopiedRow } from './copied-row.ts';
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
import { LITTLE_HOST, readWord, wordPart } from './record-words.ts';
import type { WordPart } from './record-words.ts';
import { SyscallNames } from './syscall-names.ts';
import type { Machine } from './syscall-names.ts';

/** Places kept of what is unknown, malformed or ignored; `Health` keeps no more. */
const PLACES = 5;

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
  /** Both undefined: not carried by a trace. */
  readonly row: CopiedRow | undefined;
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
  readonly #swapped: boolean;
  readonly #type: WordPart;
  readonly #pid: WordPart;
  /** Records decoded so far. */
  records = 0;

  constructor(formats: readonly EventFormat[], output: EventOutput, options: DecoderOptions) {
    const { littleEndian, machine, keepOthers = false } = options;
    this.#output = output;
    this.#swapped = littleEndian !== LITTLE_HOST;
    const common = formats[0]?.common ?? [];
    this.#type = commonPart(common, { name: 'common_type', size: 2, usual: 0 }, littleEndian);
    this.#pid = commonPart(common, { name: 'common_pid', size: 4, usual: 4 }, littleEndian);
    const converters = new Map<string, EventConverter>();
    for (const converter of [...CONVERTERS, ...rawSyscallConverters(new SyscallNames(machine))]) {
      converters.set(`${converter.system}:${converter.name}`, converter);
    }
    for (const format of formats) {
      const target = targetOf(format, converters, littleEndian);
      const other = keepOthers && !isCarried(target);
      if (target.row !== undefined) output.register(target.row);
      this.#targets[format.id] = other ? { ...target, convert: otherEvent(format, littleEndian) } : target;
    }
  }

  /** Decodes one record. `time` is ns since the trace's epoch. */
  decode(record: EventRecord, time: number, cpu: number): void {
    const { words, at, length } = record;
    const output = this.#output;
    output.number = this.records++;
    if (length < 8) {
      this.#malformed('record of less than 8 bytes');
      return;
    }
    const id = this.#part(words, at, this.#type);
    const target = this.#targets[id];
    if (target === undefined) {
      count(this.#stray(id), output);
      return;
    }
    const { row, convert } = target;
    if (length >= target.need && (row !== undefined || convert !== undefined)) {
      output.time = time;
      output.cpu = cpu;
      output.task = this.#part(words, at, this.#pid);
      if (row !== undefined ? output.add(row, record) : convert!(record, output)) return;
    }
    count(target, output);
  }

  /** Puts all counts into the health record; call once. */
  finish(): void {
    const { health } = this.#output;
    for (const target of [...this.#targets, ...this.#strays.values()].filter(isThere)) {
      const { name, ignored, without } = target;
      const kind = isCarried(target) ? 'malformed' : ignored ? 'ignored' : 'unknown';
      for (const place of without.places) health.add(kind, name, place);
      const left = without.count - without.places.length;
      if (left > 0) health.add(kind, name, undefined, left);
    }
    this.#output.finish();
  }

  #part(words: Int32Array, at: number, { word, left, right, mask }: WordPart): number {
    return ((readWord(words, (at >> 2) + word, this.#swapped) << left) >> right) & mask;
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
  const compiled = converter.compile(fields);
  if (!fields.ok) return unknown(`${full} (its format has no ${fields.missing} as expected)`);
  const converting = compiled instanceof CopiedRow ? { row: compiled } : { convert: compiled };
  return { ...unknown(full), ...converting, need: fields.need };
}

function unknown(name: string): Target {
  return { name, row: undefined, convert: undefined, need: 0, ignored: false, without: { count: 0, places: [] } };
}

function count({ without }: Target, output: EventOutput): void {
  if (without.count++ < PLACES) without.places.push(output.place());
}

function isCarried({ row, convert }: Target): boolean {
  return row !== undefined || convert !== undefined;
}

function isThere(target: Target | undefined): target is Target {
  return target !== undefined && target.without.count > 0;
}

/** All events of a kernel share their first fields; only the width that is read here is accepted. */
function commonPart(
  common: readonly EventField[],
  { name, size, usual }: { readonly name: string; readonly size: number; readonly usual: number },
  littleEndian: boolean,
): WordPart {
  const field = common.find((one) => one.name === name && one.size === size && one.offset + size <= 8);
  const found = field === undefined ? undefined : wordPart(field.offset, size, false, littleEndian);
  return found ?? wordPart(usual, size, false, littleEndian)!;
}

import { STREAMS, STREAM_ID } from '../../traces/schema.ts';
import type { ColumnKind, StreamName } from '../../traces/schema.ts';
import { columnPosition } from './column-arrays.ts';
import type { EventOutput } from './event-output.ts';
import type { EventRecord, FieldReader } from './event-record.ts';
import type { NameReader } from './name-reader.ts';
import type { WordPart } from './record-words.ts';

/** A number that is no field as it is; asked for when a format is read, and then called for each record. Not below -1. */
export type ComputedNumber = (fields: FieldReader) => (record: EventRecord, out: EventOutput) => number;

/**
 * Where the values of a column come from: always this number, or the event's field of this name. A field is read as the column
 * is: as 32 bits, 64 bits, or a string. `device` is the name of a device, of which the requester id is kept; `unit`: the name may
 * be that of a unit.
 */
type ColumnSource = number | string | { readonly device: string; readonly unit?: boolean } | ComputedNumber;

/** What an event's fields are in its stream; columns that are not named keep what they begin with. */
export type RowPlan<S extends StreamName> = { readonly [C in keyof (typeof STREAMS)[S]]?: ColumnSource };
export type AnyRowPlan = { readonly [column: string]: ColumnSource };

/** A column, and which of the values that are held of a record is its own: a word of it, as it is. */
interface WholeValue {
  readonly column: number;
  readonly value: number;
}

/** A column that takes some bits of a word: `((value << left) >> right) & mask`. */
export interface CopiedPart extends WholeValue {
  readonly left: number;
  readonly right: number;
  readonly mask: number;
}

/** How the fields of one event go into columns, found in its format; `RowBatch` does it. */
export class CopiedRow {
  readonly streamId: number;
  /** What is held of a record: a number for each of its names, computed numbers, and words of it. */
  readonly names: readonly NameReader[];
  readonly computed: readonly ((record: EventRecord, out: EventOutput) => number)[];
  readonly words: readonly number[];
  /** How these go into columns, and what is always the same. */
  readonly whole: readonly WholeValue[];
  readonly parts: readonly CopiedPart[];
  readonly constants: readonly WholeValue[];
  /** Records' words are of the other byte order. */
  readonly swapped: boolean;
  /** Its number in a batch, and what the batch knows of it: records that it holds, and where the next one goes when sorted. */
  kind = 0;
  held = 0;
  next = 0;

  constructor(fields: FieldReader, stream: StreamName, plan: AnyRowPlan) {
    this.streamId = STREAM_ID[stream];
    this.swapped = fields.swapped;
    const kinds: { readonly [column: string]: ColumnKind } = STREAMS[stream];
    const names: { column: number; reader: NameReader }[] = [];
    const computed: { column: number; reader: ReturnType<ComputedNumber> }[] = [];
    const copied: ({ readonly column: number } & WordPart)[] = [];
    const constants: WholeValue[] = [];
    for (const [name, source] of Object.entries(plan)) {
      const column = columnPosition(stream, name);
      if (typeof source === 'number') constants.push({ column, value: source });
      else if (typeof source === 'function') computed.push({ column, reader: source(fields) });
      else if (typeof source !== 'string') names.push({ column, reader: fields.device(source.device, source.unit) });
      else if (kinds[name] === 'ref') names.push({ column, reader: fields.ref(source) });
      else {
        const { lo, hi } = fields.parts(source);
        copied.push({ column, ...lo });
        if (kinds[name] === 'long' && hi !== undefined) copied.push({ column: column + 1, ...hi });
      }
    }
    const numbers = [...names, ...computed];
    const words = [...new Set(copied.map(({ word }) => word))];
    const parts = copied.map(({ word, ...part }) => ({ ...part, value: numbers.length + words.indexOf(word) }));
    const isWhole = ({ left, right, mask }: CopiedPart): boolean => left === 0 && right === 0 && mask === -1;
    this.names = names.map(({ reader }) => reader);
    this.computed = computed.map(({ reader }) => reader);
    this.words = words;
    this.whole = [...numbers.map(({ column }, value) => ({ column, value })), ...parts.filter(isWhole)];
    this.parts = parts.filter((part) => !isWhole(part));
    this.constants = constants;
  }

  /** Values that are held of a record. */
  get valueCount(): number {
    return this.names.length + this.computed.length + this.words.length;
  }
}

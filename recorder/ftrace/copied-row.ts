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

/** A column, and where its values lie in a record. */
export interface CopiedPart extends WordPart {
  readonly column: number;
}

/** Two columns, of a number's low and high word, and where these lie in a record. */
export interface CopiedLong {
  readonly column: number;
  readonly lo: number;
  readonly hi: number;
}

/** How the fields of one event go into columns, found in its format; `RowBatch` does it. */
export class CopiedRow {
  readonly streamId: number;
  readonly names: readonly NameReader[];
  readonly computed: readonly ((record: EventRecord, out: EventOutput) => number)[];
  /** Column of each name, then of each computed number. */
  readonly numberColumns: readonly number[];
  readonly longs: readonly CopiedLong[];
  readonly parts: readonly CopiedPart[];
  readonly constants: readonly { readonly column: number; readonly value: number }[];
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
    const longs: CopiedLong[] = [];
    const parts: CopiedPart[] = [];
    const constants: { column: number; value: number }[] = [];
    for (const [name, source] of Object.entries(plan)) {
      const column = columnPosition(stream, name);
      if (typeof source === 'number') constants.push({ column, value: source });
      else if (typeof source === 'function') computed.push({ column, reader: source(fields) });
      else if (typeof source !== 'string') names.push({ column, reader: fields.device(source.device, source.unit) });
      else if (kinds[name] === 'ref') names.push({ column, reader: fields.ref(source) });
      else {
        const { lo, hi } = fields.parts(source);
        if (kinds[name] !== 'long' || hi === undefined) parts.push({ column, ...lo });
        else if (hi.right === 0) longs.push({ column, lo: lo.word, hi: hi.word });
        else parts.push({ column, ...lo }, { column: column + 1, ...hi });
      }
    }
    this.names = names.map(({ reader }) => reader);
    this.computed = computed.map(({ reader }) => reader);
    this.numberColumns = [...names, ...computed].map(({ column }) => column);
    this.longs = longs;
    this.parts = parts;
    this.constants = constants;
  }
}

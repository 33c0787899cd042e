import { STREAMS, STREAM_NAMES } from './schema.ts';
import type { BytesColumn, ColumnKind, StreamName } from './schema.ts';
import { columnProperties } from './segment.ts';
import type { Segment } from './segment.ts';
import type { EventSink, Trace } from './trace.ts';

type AnyColumns = Record<string, Int32Array | BytesColumn | undefined>;

interface StreamShape {
  readonly name: StreamName;
  readonly ints: readonly string[];
  readonly refs: readonly string[];
  readonly bytes: readonly string[];
}

function shapeOf(name: StreamName): StreamShape {
  const ints: string[] = [];
  const refs: string[] = [];
  const bytes: string[] = [];
  for (const [column, kind] of Object.entries(STREAMS[name] as Record<string, ColumnKind>)) {
    if (kind === 'ref') refs.push(column);
    else if (kind === 'bytes') bytes.push(column);
    else ints.push(...columnProperties(column, kind));
  }
  return { name, ints, refs, bytes };
}

const SHAPES: readonly StreamShape[] = STREAM_NAMES.map(shapeOf);

/**
 * Copies the columns of one event into a row that the sink has begun. Bound to one input, because texts get new numbers in
 * the sink's string table.
 */
export type CopyRow = (segment: Segment, stream: number, from: number, to: number) => void;

export function createRowCopier(trace: Pick<Trace, 'strings'>, sink: EventSink): CopyRow {
  const refs: number[] = [];
  function ref(value: number): number {
    if (value < 0) return -1;
    let mapped = refs[value];
    if (mapped === undefined) {
      mapped = sink.intern(trace.strings[value] ?? '');
      refs[value] = mapped;
    }
    return mapped;
  }
  return (segment, stream, from, to) => {
    const shape = SHAPES[stream]!;
    const source = segment.rows[shape.name].columns as unknown as AnyColumns;
    const target = sink.rows[shape.name].columns as unknown as AnyColumns;
    const { ints, bytes } = shape;
    for (let k = 0; k < ints.length; k++) {
      const name = ints[k]!;
      (target[name] as Int32Array)[to] = (source[name] as Int32Array)[from]!;
    }
    for (const name of shape.refs) (target[name] as Int32Array)[to] = ref((source[name] as Int32Array)[from]!);
    for (let k = 0; k < bytes.length; k++) {
      const name = bytes[k]!;
      const column = source[name] as BytesColumn;
      const start = column.offsets[from] ?? 0;
      const end = column.offsets[from + 1] ?? 0;
      if (end > start) sink.setBytes(target[name] as BytesColumn, to, column.data.subarray(start, end));
    }
  };
}

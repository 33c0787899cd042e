import type * as hyparquetWriter from 'hyparquet-writer';
import { IorrError } from '../../traces/errors.ts';
import type { ExportSink, Exporter } from './exporter.ts';
import { tableColumns } from './stream-table.ts';
import type { TableColumn, TableType, TableValue } from './stream-table.ts';

type ParquetModule = Pick<typeof hyparquetWriter, 'ByteWriter' | 'ParquetWriter'>;
type SchemaElement = hyparquetWriter.SchemaElement;

/** Rows of a row group at most; fewer where they hold long byte strings. */
const GROUP_ROWS = 65_536;
const GROUP_BYTES = 16 << 20;

/** Physical and logical types (apache/parquet-format, LogicalTypes.md). */
const TYPES: { readonly [T in TableType]: Pick<SchemaElement, 'type' | 'converted_type'> } = {
  int32: { type: 'INT32' },
  int64: { type: 'INT64' },
  uint64: { type: 'INT64', converted_type: 'UINT_64' },
  text: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  bytes: { type: 'BYTE_ARRAY' },
};

async function loadWriter(): Promise<ParquetModule> {
  try {
    return await import('hyparquet-writer');
  } catch (error) {
    throw new IorrError('PACKAGE_MISSING', 'Parquet needs the package hyparquet-writer, which is not there', {
      hint: 'npm install hyparquet-writer, or --to csv',
      cause: error,
    });
  }
}

/** A writer of the package whose bytes go to the sink whenever a row group is done. */
function sinkWriter({ ByteWriter }: ParquetModule, sink: ExportSink): InstanceType<ParquetModule['ByteWriter']> {
  const writer = new ByteWriter();
  const flush = (): void => {
    sink.write(new Uint8Array(writer.buffer, 0, writer.index).slice());
    writer.index = 0;
  };
  return Object.assign(writer, { flush, finish: flush });
}

function schemaOf(columns: readonly TableColumn[]): SchemaElement[] {
  return [
    { name: 'root', num_children: columns.length },
    ...columns.map(({ name, type }): SchemaElement => {
      const always = name === 'event' || name === 't' || name === 'source';
      return { name, ...TYPES[type], repetition_type: always ? 'REQUIRED' : 'OPTIONAL' };
    }),
  ];
}

/** A table for each stream; 64-bit values exact, byte strings as they are, null where unknown. Row groups as the events come. */
export const parquetExporter: Exporter = {
  name: 'parquet',
  does: 'a table for each stream: 64-bit values exact, byte strings as they are; for DuckDB, pandas, polars',
  extension: 'parquet',
  perStream: true,
  async open({ streams, header }, sink) {
    const module = await loadWriter();
    const [stream] = streams;
    const columns = stream === undefined ? [] : tableColumns(stream);
    const writer = new module.ParquetWriter({
      writer: sinkWriter(module, sink),
      schema: schemaOf(columns),
      createdBy: `${header.tool} ${header.toolVersion}`,
      kvMetadata: [
        { key: 'iorr.stream', value: String(stream) },
        { key: 'iorr.clock', value: JSON.stringify(header.clock) },
      ],
    });
    let rows: TableValue[][] = columns.map(() => []);
    let count = 0;
    let bytes = 0;
    const writeGroup = (): void => {
      if (count === 0) return;
      void writer.write({
        columnData: columns.map(({ name }, i) => ({ name, data: rows[i] ?? [] })),
        rowGroupSize: count,
      });
      rows = columns.map(() => []);
      count = 0;
      bytes = 0;
    };
    return {
      notes: [],
      event(event) {
        columns.forEach((column, i) => {
          const value = column.valueOf(event);
          if (typeof value === 'string' || value instanceof Uint8Array) bytes += value.length;
          // A view of arrays that may be used again before the group is written.
          rows[i]?.push(value instanceof Uint8Array ? value.slice() : value);
        });
        count++;
        if (count >= GROUP_ROWS || bytes >= GROUP_BYTES) writeGroup();
      },
      finish() {
        writeGroup();
        void writer.finish();
      },
    };
  },
};

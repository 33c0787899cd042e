import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBBlobValue, DuckDBInstance } from '@duckdb/node-api';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { afterAll, describe, expect, test } from 'vitest';
import { plainEvents } from '../../traces/event.ts';
import { openTrace } from '../../traces/file.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { STREAMS, STREAM_ID, STREAM_NAMES } from '../../traces/schema.ts';
import type { StreamName } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import { testHeader } from '../../traces/testing/test-header.ts';
import { eventJson } from '../event-text.ts';
import { csvExporter, csvField } from './csv.ts';
import { EXPORTERS, exportersNamed } from './exporters.ts';
import { ndjsonExporter } from './ndjson.ts';
import { parquetExporter } from './parquet.ts';
import { tableColumns } from './stream-table.ts';
import type { TableValue } from './stream-table.ts';
import { exportBytes } from './testing/export-bytes.ts';

const CORPUS = join(import.meta.dirname, '../../traces/corpus');
const folder = mkdtempSync(join(tmpdir(), 'iorr-tables-'));
const instance = await DuckDBInstance.create(':memory:');
const connection = await instance.connect();
afterAll(() => {
  connection.closeSync();
  instance.closeSync();
  rmSync(folder, { recursive: true });
});

/** Values of a stream's table, row by row, as the trace has them. */
function rowsOf(trace: Trace, stream: StreamName): readonly (readonly TableValue[])[] {
  const columns = tableColumns(stream);
  const rows: TableValue[][] = [];
  for (const segment of trace.segments()) {
    for (const event of plainEvents(segment, trace.strings)) {
      if (event.stream === stream) rows.push(columns.map((column) => column.valueOf(event)));
    }
  }
  return rows;
}

function comparable(value: unknown): unknown {
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString('hex');
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return typeof value === 'bigint' || typeof value === 'number' ? String(value) : (value ?? null);
}

function fingerprint(rows: readonly (readonly unknown[])[]): string {
  return rows.map((row) => JSON.stringify(row.map(comparable))).join('\n');
}

const HOSTILE = [
  '=HYPERLINK("http://x")',
  '-1+1',
  'a,b\n"c"',
  "'; drop table mark; --",
  '',
  '\u202e<script>',
  '\u0000nul',
];

function hostile(): MemoryTrace {
  const trace = new MemoryTrace(testHeader());
  HOSTILE.forEach((text, i) => {
    const row = trace.begin(STREAM_ID.mark, i, -1, -1);
    trace.rows.mark.columns.text[row] = trace.intern(text);
    const dma = trace.begin(STREAM_ID.dma, i, i, 0x7fff_ffff);
    trace.rows.dma.columns.iovaLo[dma] = -1;
    trace.rows.dma.columns.iovaHi[dma] = -1 - i;
  });
  return trace;
}

test('every format has a name and an ending of its own', () => {
  expect(new Set(EXPORTERS.map(({ name }) => name)).size).toBe(EXPORTERS.length);
  expect(new Set(EXPORTERS.map(({ extension }) => extension)).size).toBe(EXPORTERS.length);
  expect(exportersNamed('csv, ndjson,csv').map(({ name }) => name)).toEqual(['csv', 'ndjson']);
  expect(() => exportersNamed('perfeto')).toThrow('did you mean perfetto?');
  expect(() => exportersNamed(' ,')).toThrow('names no format');
});

test.each(STREAM_NAMES)('the table of %s has all columns of the stream, each with a name of its own', (stream) => {
  const names = tableColumns(stream).map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const column of Object.keys(STREAMS[stream])) if (column !== 'event') expect(names).toContain(column);
});

test('docs/export.md has every table with its columns and their types', () => {
  const document = readFileSync(join(import.meta.dirname, '../../docs/export.md'), 'utf8');
  for (const stream of STREAM_NAMES) {
    // the first five are common to all
    const columns = tableColumns(stream).slice(5);
    const row = `| \`${stream}\` | ${columns.map(({ name, type }) => `\`${name}\` ${type}`).join(', ')} |`;
    expect(document.split('\n').filter((line) => line.startsWith(`| \`${stream}\``))).toEqual([row]);
  }
});

const TRACES: readonly (readonly [name: string, open: () => Trace])[] = [
  ...['vtd-pri-pasid-7.2-calls', 'iommufd-random', 'smmuv3-strict-6.12-ftrace'].map(
    (name) => [name, () => openTrace(join(CORPUS, `${name}.iorr`))] as const,
  ),
  ['hostile texts', hostile],
];

describe.each(TRACES)('tables of %s', (name, open) => {
  const trace = open();
  const streams = STREAM_NAMES.filter((stream) => trace.streamCounts[stream] > 0);

  test.each(streams)('Parquet of %s is read back by DuckDB and hyparquet, value by value', async (stream) => {
    const { bytes } = await exportBytes(parquetExporter, trace, [stream]);
    const rows = rowsOf(trace, stream);
    expect(rows).toHaveLength(trace.streamCounts[stream]);
    const path = join(folder, `${name.replaceAll(' ', '-')}.${stream}.parquet`);
    writeFileSync(path, bytes);
    const read = await connection.runAndReadAll(`select * from read_parquet('${path}') order by event`);
    expect(read.columnNames()).toEqual(tableColumns(stream).map((column) => column.name));
    const types = { int32: 'INTEGER', int64: 'BIGINT', uint64: 'UBIGINT', text: 'VARCHAR', bytes: 'BLOB' };
    expect(read.columnTypes().map(String)).toEqual(tableColumns(stream).map(({ type }) => types[type]));
    expect(fingerprint(read.getRows()) === fingerprint(rows)).toBe(true);
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
    expect(Number(parquetMetadata(file).num_rows)).toBe(rows.length);
    const objects = await parquetReadObjects({ file, utf8: false });
    const columns = tableColumns(stream);
    const unsigned = new Set(columns.filter(({ type }) => type === 'uint64').map((column) => column.name));
    expect(
      fingerprint(
        objects.map((row) =>
          columns.map((column) => {
            const value: unknown = row[column.name];
            return unsigned.has(column.name) && typeof value === 'bigint' ? BigInt.asUintN(64, value) : value;
          }),
        ),
      ) === fingerprint(rows),
    ).toBe(true);
  });

  test('CSV has a line for each event, and each field', async () => {
    for (const stream of streams) {
      const { bytes } = await exportBytes(csvExporter, trace, [stream]);
      const path = join(folder, 'table.csv');
      writeFileSync(path, bytes);
      const read = await connection.runAndReadAll(
        `select * from read_csv('${path}', header = true, all_varchar = true, quote = '"', escape = '"', delim = ',')`,
      );
      const columns = tableColumns(stream);
      expect(read.columnNames()).toEqual(columns.map((column) => column.name));
      const expected = rowsOf(trace, stream).map((row) =>
        row.map((value, i) => {
          const field = csvField(columns[i] ?? { hex: false }, value);
          if (field === '' || field === '""') return null;
          return field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field;
        }),
      );
      const found = read.getRows().map((row) => row.map((value) => (value === '' ? null : value)));
      expect(fingerprint(found) === fingerprint(expected)).toBe(true);
    }
  });

  test('NDJSON is what cat prints', async () => {
    const { bytes } = await exportBytes(ndjsonExporter, trace);
    const lines = [...trace.segments()].flatMap((segment) => [...plainEvents(segment, trace.strings)].map(eventJson));
    expect(bytes.toString() === `${lines.join('\n')}\n`).toBe(true);
  });
});

test('texts of a trace are no formulas in CSV, and stay as they are in Parquet', async () => {
  const trace = hostile();
  const csv = (await exportBytes(csvExporter, trace, ['mark'])).bytes.toString();
  for (const line of csv.split('\n')) expect(line).not.toMatch(/(^|,)"?[=+@]/);
  expect(csv).toContain(`"'=HYPERLINK(""http://x"")"`);
  expect(csv).toContain(`'-1+1`);
  expect(rowsOf(trace, 'mark').map((row) => row.at(-1))).toEqual(HOSTILE);
  expect(rowsOf(trace, 'dma')[1]?.slice(2, 4)).toEqual([1, 0x7fff_ffff]);
});

test('addresses beyond 2^63 are found by what they are', async () => {
  const path = join(folder, 'high.parquet');
  writeFileSync(path, (await exportBytes(parquetExporter, hostile(), ['dma'])).bytes);
  const read = await connection.runAndReadAll(
    `select count(*) from read_parquet('${path}') where iova > 18446744060824649728`,
  );
  expect(read.getRows()).toEqual([[3n]]);
});

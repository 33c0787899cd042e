import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DuckDBConnection, DuckDBInstance, DuckDBPreparedStatement, DuckDBValue } from '@duckdb/node-api';
import { IorrError } from '../../traces/errors.ts';
import { plainEvents } from '../../traces/event.ts';
import { STREAM_NAMES } from '../../traces/schema.ts';
import type { StreamName } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import { tableColumns } from '../export/stream-table.ts';
import type { TableColumn, TableType, TableValue } from '../export/stream-table.ts';
import type { DuckDb } from './duckdb.ts';

export interface DatabaseLimits {
  readonly memoryMb: number;
  readonly threads: number;
}

/** Disk that DuckDB may use for what exceeds its memory. */
const MOST_SPILLED = '8GB';

const SQL_TYPES: { readonly [T in TableType]: string } = {
  int32: 'INTEGER',
  int64: 'BIGINT',
  uint64: 'UBIGINT',
  text: 'VARCHAR',
  bytes: 'BLOB',
};

/** No files, no network, no extensions, from any statement (duckdb.org, Securing DuckDB). */
function settings({ memoryMb, threads }: DatabaseLimits, folder: string): Record<string, string> {
  return {
    // before the access to files goes
    temp_directory: join(folder, 'spilled'),
    max_temp_directory_size: MOST_SPILLED,
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
    memory_limit: `${memoryMb}MB`,
    threads: String(threads),
    enable_external_access: 'false',
  };
}

function refused(error: unknown): IorrError {
  const message = error instanceof Error ? error.message : String(error);
  const told = message
    .replace(/^Failed to extract statements: /, '')
    .replace(/\n\s*LINE \d+: [^]*$/, '')
    .trim()
    .replaceAll(/\s*\n\s*/g, ' ');
  // What the package says of a text without a statement.
  return new IorrError('USAGE', told === 'Error in native callback' ? 'one SQL statement expected, found none' : told, {
    hint: 'tables are the streams of the trace; "describe inv" tells the columns of one, docs/export.md of all',
    cause: error,
  });
}

/** Throws `USAGE` unless the text is one statement that only reads. */
async function prepareOne(
  duckdb: DuckDb,
  connection: DuckDBConnection,
  query: string,
): Promise<DuckDBPreparedStatement> {
  let prepared: DuckDBPreparedStatement;
  try {
    const statements = await connection.extractStatements(query);
    if (statements.count !== 1) {
      throw new IorrError('USAGE', `one SQL statement expected, found ${statements.count}`, {
        hint: 'iorr sql run.iorr "select command, count(*) from inv group by all"',
      });
    }
    prepared = await statements.prepare(0);
  } catch (error) {
    throw error instanceof IorrError ? error : refused(error);
  }
  const { SELECT, EXPLAIN } = duckdb.StatementType;
  if (prepared.statementType === SELECT || prepared.statementType === EXPLAIN) return prepared;
  prepared.destroySync();
  throw new IorrError(
    'USAGE',
    'a query expected (select, with, from, describe, summarize, explain): the trace is only read',
    {
      hint: 'to keep tables: iorr export --to parquet, and any DuckDB',
    },
  );
}

/** A trace as tables, one for each stream; those that a query names hold its events. In a folder of its own that goes with it. */
export class TraceDatabase {
  readonly #duckdb: DuckDb;
  readonly #folder: string;
  readonly #settings: Record<string, string>;
  readonly #remove = (): void => rmSync(this.#folder, { recursive: true, force: true });
  /** Not by `process.exit`, which would wait for the query. */
  readonly #terminate = (): void => {
    this.#remove();
    process.kill(process.pid, 'SIGTERM');
  };
  #instance: DuckDBInstance | undefined;
  #connection: DuckDBConnection | undefined;

  private constructor(duckdb: DuckDb, limits: DatabaseLimits) {
    this.#duckdb = duckdb;
    this.#folder = mkdtempSync(join(tmpdir(), 'iorr-sql-'));
    this.#settings = settings(limits, this.#folder);
    // A reader of stdout that is gone ends the process at once.
    process.once('exit', this.#remove);
    process.once('SIGTERM', this.#terminate);
  }

  /**
   * Loads what `query` reads, then shuts the database against writing. `rest` is called after each segment; it may throw, to stop.
   * Throws `USAGE` for what is no query.
   */
  static async open(
    duckdb: DuckDb,
    trace: Trace,
    query: string,
    limits: DatabaseLimits,
    rest: (events: number) => Promise<void>,
  ): Promise<TraceDatabase> {
    const database = new TraceDatabase(duckdb, limits);
    try {
      await database.#connect({});
      await database.#create();
      (await prepareOne(duckdb, database.#open, query)).destroySync();
      await database.#load(trace, database.#namedIn(query), rest);
      database.#disconnect();
      await database.#connect({ access_mode: 'READ_ONLY' });
      await database.#open.run('SET lock_configuration = true');
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** Rows of a query, some at a time. Throws `USAGE` for a query that fails. */
  async *rows(query: string): AsyncGenerator<{
    readonly columns: readonly { readonly name: string; readonly type: string }[];
    readonly rows: readonly (readonly DuckDBValue[])[];
  }> {
    const prepared = await prepareOne(this.#duckdb, this.#open, query);
    try {
      const result = await prepared.stream();
      const types = result.columnTypes();
      const columns = result.columnNames().map((name, i) => ({ name, type: String(types[i]) }));
      yield { columns, rows: [] };
      for (
        let chunk = await result.fetchChunk();
        chunk !== null && chunk.rowCount > 0;
        chunk = await result.fetchChunk()
      ) {
        yield { columns, rows: chunk.getRows() };
      }
    } catch (error) {
      throw refused(error);
    } finally {
      prepared.destroySync();
    }
  }

  interrupt(): void {
    this.#connection?.interrupt();
  }

  close(): void {
    this.#disconnect();
    process.off('exit', this.#remove);
    process.off('SIGTERM', this.#terminate);
    this.#remove();
  }

  get #open(): DuckDBConnection {
    if (this.#connection === undefined) throw new Error('the database is closed');
    return this.#connection;
  }

  async #connect(more: Record<string, string>): Promise<void> {
    const path = join(this.#folder, 'trace.duckdb');
    this.#instance = await this.#duckdb.DuckDBInstance.create(path, { ...more, ...this.#settings });
    this.#connection = await this.#instance.connect();
  }

  #disconnect(): void {
    this.#connection?.closeSync();
    this.#connection = undefined;
    this.#instance?.closeSync();
    this.#instance = undefined;
  }

  async #create(): Promise<void> {
    for (const stream of STREAM_NAMES) {
      const columns = tableColumns(stream).map(({ name, type }) => `"${name}" ${SQL_TYPES[type]}`);
      await this.#open.run(`CREATE TABLE "${stream}" (${columns.join(', ')})`);
    }
    await this.#open.run(`CREATE MACRO address(a) AS '0x' || lower(to_hex(a))`);
  }

  #namedIn(query: string): ReadonlySet<StreamName> {
    const named = new Set(this.#open.getTableNames(query, false).map((name) => name.toLowerCase()));
    return new Set(STREAM_NAMES.filter((stream) => named.has(stream)));
  }

  async #load(trace: Trace, streams: ReadonlySet<StreamName>, rest: (events: number) => Promise<void>): Promise<void> {
    if (streams.size === 0) return;
    const loaders = new Map<StreamName, TableLoader>();
    for (const stream of streams) loaders.set(stream, await TableLoader.open(this.#duckdb, this.#open, stream));
    const plan = { columns: Object.fromEntries([...streams].map((stream) => [stream, 'all' as const])) };
    for (const segment of trace.segments(plan)) {
      for (const event of plainEvents(segment, trace.strings)) {
        const loader = loaders.get(event.stream);
        loader?.add(loader.columns.map((column) => column.valueOf(event)));
      }
      await rest(segment.firstEvent + segment.count);
    }
    for (const loader of loaders.values()) loader.close();
  }
}

type Writer = { appendRow(row: readonly DuckDBValue[]): void; flush(): void };

/** Appends events to the table of their stream, some thousand rows at a time. */
class TableLoader {
  readonly columns: readonly TableColumn[];
  readonly #duckdb: DuckDb;
  readonly #writer: Writer;
  readonly #close: () => void;

  private constructor(duckdb: DuckDb, columns: readonly TableColumn[], writer: Writer, close: () => void) {
    this.#duckdb = duckdb;
    this.columns = columns;
    this.#writer = writer;
    this.#close = close;
  }

  static async open(duckdb: DuckDb, connection: DuckDBConnection, stream: StreamName): Promise<TableLoader> {
    const appender = await connection.createAppender(stream);
    const writer = duckdb.DuckDBDataChunkWriter.forAppender(appender);
    return new TableLoader(duckdb, tableColumns(stream), writer, () => appender.closeSync());
  }

  add(row: readonly TableValue[]): void {
    // DuckDB takes byte strings in a wrapper
    this.#writer.appendRow(
      row.map((value) => (value instanceof Uint8Array ? new this.#duckdb.DuckDBBlobValue(value.slice()) : value)),
    );
  }

  close(): void {
    this.#writer.flush();
    this.#close();
  }
}

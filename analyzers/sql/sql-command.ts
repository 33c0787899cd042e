import { availableParallelism } from 'node:os';
import { statSync } from 'node:fs';
import type { CommandInvocation, CommandIo, CommandSpec } from '../../traces/command.ts';
import { INTERRUPTED } from '../../traces/command.ts';
import { describeInput, makeEnvelope } from '../../traces/envelope.ts';
import { IorrError } from '../../traces/errors.ts';
import { openTrace } from '../../traces/file.ts';
import type { OpenTrace } from '../../traces/file.ts';
import { toJson } from '../../traces/plain-json.ts';
import { toolVersion } from '../../traces/tool.ts';
import { csvText, printable } from '../report/escape.ts';
import { formatCount } from '../report/format-units.ts';
import { healthSummary } from '../report/health-lines.ts';
import { layOut } from '../report/plain-table.ts';
import { loadDuckDb } from './duckdb.ts';
import { sqlCell } from './sql-values.ts';
import type { SqlCell } from './sql-values.ts';
import { TraceDatabase } from './trace-database.ts';

/** Rows that are shown unless more are asked for; CSV has all. */
const TABLE_ROWS = 1000;
const JSON_ROWS = 100_000;
const CELL = 100;
const MOST_THREADS = 64;
const MOST_PLANS = 4;

class Interrupted extends Error {}

type Column = { readonly name: string; readonly type: string };

/** Takes a result, some rows at a time. */
interface SqlOutput {
  readonly most: number;
  columns(columns: readonly Column[]): void;
  row(cells: readonly SqlCell[]): void;
  end(truncated: boolean): void;
}

function csvOutput(io: CommandIo, most: number): SqlOutput {
  let pending = '';
  const line = (cells: readonly SqlCell[]): void => {
    pending += `${cells
      .map((cell) =>
        typeof cell === 'string' ? (cell === '' ? '""' : csvText(cell, Number.POSITIVE_INFINITY)) : String(cell ?? ''),
      )
      .join(',')}\n`;
    if (pending.length < 1 << 16) return;
    io.out(pending);
    pending = '';
  };
  return { most, columns: (columns) => line(columns.map(({ name }) => name)), row: line, end: () => io.out(pending) };
}

function tableOutput(io: CommandIo, most: number): SqlOutput {
  let columns: readonly Column[] = [];
  const rows: string[][] = [];
  /** What EXPLAIN answers: a drawing of many lines. */
  const plans: string[][] = [];
  return {
    most,
    columns(some) {
      columns = some;
    },
    row(cells) {
      if (plans.length < MOST_PLANS) plans.push(cells.map(String));
      rows.push(cells.map((cell) => (cell === null ? '-' : printable(String(cell), CELL))));
    },
    end(truncated) {
      if (columns.some(({ name }) => name === 'explain_value')) {
        for (const [, plan = ''] of plans)
          io.out(
            `${plan
              .split('\n')
              .map((line) => printable(line))
              .join('\n')
              .trimEnd()}\n`,
          );
        return;
      }
      const align = columns.map(({ type }) =>
        /INT|DOUBLE|FLOAT|DECIMAL/.test(type) ? ('right' as const) : ('left' as const),
      );
      io.out(`${layOut({ head: columns.map(({ name }) => printable(name, CELL)), rows, align }).trimEnd()}\n`);
      if (truncated) io.err(`iorr: the first ${formatCount(rows.length)} rows; --limit shows more, --csv all\n`);
    },
  };
}

function jsonOutput(io: CommandIo, most: number, file: string, query: string, trace: OpenTrace): SqlOutput {
  let columns: readonly Column[] = [];
  const rows: (readonly SqlCell[])[] = [];
  return {
    most,
    columns(some) {
      columns = some;
    },
    row(cells) {
      rows.push(cells);
    },
    end(truncated) {
      const bytes = file === '-' ? undefined : statSync(file).size;
      const parts = {
        version: toolVersion(),
        input: [describeInput(file, trace, bytes)],
        options: { query, limit: most },
        health: trace.health,
        result: { columns, rows, truncated },
      };
      io.out(toJson(makeEnvelope('sql', parts)));
    },
  };
}

function numberOption(options: CommandInvocation['options'], name: string, low: number, otherwise: number): number {
  const text = options[name];
  if (text === undefined) return otherwise;
  if (typeof text === 'string' && /^\d{1,9}$/.test(text) && Number(text) >= low) return Number(text);
  throw new IorrError('USAGE', `--${name} ${JSON.stringify(text)}: a whole number from ${low} on expected`);
}

async function show(database: TraceDatabase, query: string, output: SqlOutput, io: CommandIo): Promise<void> {
  let shown = 0;
  let first = true;
  for await (const { columns, rows } of database.rows(query)) {
    if (io.signal.aborted) throw new Interrupted();
    if (first) output.columns(columns);
    first = false;
    for (const row of rows) {
      if (shown >= output.most) {
        output.end(true);
        return;
      }
      output.row(row.map(sqlCell));
      shown++;
    }
  }
  output.end(false);
}

export const sqlCommand: CommandSpec = {
  name: 'sql',
  summary: 'asks DuckDB about a trace: one table for each stream',
  args: ['FILE', 'QUERY'],
  options: [
    { flags: '--csv', description: 'the rows as CSV' },
    { flags: '--json', description: 'one JSON document on stdout' },
    {
      flags: '--limit <n>',
      description: `show so many rows (default: ${TABLE_ROWS}, of JSON ${JSON_ROWS}, of CSV all)`,
    },
    {
      flags: '--memory <mb>',
      description: 'memory that DuckDB may use, in MB; what exceeds it goes to disk',
      default: '1024',
    },
    { flags: '--jobs <n>', description: 'threads that DuckDB may use (default: all CPUs)' },
  ],
  examples: [
    {
      command: 'iorr sql run.iorr "select command, count(*) as n from inv group by all order by n desc"',
      does: 'how often each native command was sent',
    },
    {
      command: `iorr sql run.iorr "select device, address(iova) as iova, size from map order by size desc limit 5"`,
      does: 'the largest mappings',
    },
    { command: 'iorr sql run.iorr "describe ioctl"', does: 'columns of a table, and their types' },
    {
      command:
        'iorr sql run.iorr --csv "select t // 1000000 as ms, count(*) as unmaps from unmap group by 1 order by 1" > unmaps.csv',
      does: 'unmaps in each millisecond, for a plot',
    },
  ],

  async run({ args, options, io }) {
    const [file, query] = args;
    if (file === undefined || query === undefined) {
      throw new IorrError('USAGE', 'a trace and a query expected', {
        hint: 'iorr sql run.iorr "select count(*) from inv"',
      });
    }
    if (options['csv'] === true && options['json'] === true) {
      throw new IorrError('USAGE', '--csv and --json both want stdout', { hint: 'one of them' });
    }
    const limits = {
      memoryMb: numberOption(options, 'memory', 64, 1024),
      threads: Math.min(MOST_THREADS, numberOption(options, 'jobs', 1, availableParallelism())),
    };
    const most = (otherwise: number): number => numberOption(options, 'limit', 0, otherwise);
    const duckdb = await loadDuckDb();
    const trace = openTrace(file);
    const progress = io.progress('loading', trace.eventCount);
    let database: TraceDatabase | undefined;
    const interrupt = (): void => database?.interrupt();
    io.signal.addEventListener('abort', interrupt);
    try {
      database = await TraceDatabase.open(duckdb, trace, query, limits, async (events) => {
        progress.update(events);
        // Lets Ctrl-C through: loading is synchronous.
        await new Promise((resolve) => setImmediate(resolve));
        if (io.signal.aborted) throw new Interrupted();
      });
      progress.stop();
      const output =
        options['json'] === true
          ? jsonOutput(io, most(JSON_ROWS), file, query, trace)
          : options['csv'] === true
            ? csvOutput(io, most(Number.POSITIVE_INFINITY))
            : tableOutput(io, most(TABLE_ROWS));
      await show(database, query, output, io);
      const { health } = trace;
      if (health.lost + health.truncated > 0) io.err(`iorr: health of the trace: ${healthSummary(health)}\n`);
      return 0;
    } catch (error) {
      if (error instanceof Interrupted || io.signal.aborted) return INTERRUPTED;
      throw error;
    } finally {
      io.signal.removeEventListener('abort', interrupt);
      progress.stop();
      database?.close();
      trace.close();
    }
  },
};

import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openTrace } from '../../traces/file.ts';
import { STREAM_NAMES } from '../../traces/schema.ts';
import { runCommand } from '../../traces/testing/recorded-io.ts';
import { loadDuckDb } from './duckdb.ts';
import { sqlCommand } from './sql-command.ts';
import { sqlCell } from './sql-values.ts';

const TRACE = join(import.meta.dirname, '../../traces/corpus/vtd-pri-pasid-7.2-calls.iorr');
const folder = mkdtempSync(join(tmpdir(), 'iorr-sql-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

const sql = (query: string, options: object = {}) =>
  runCommand(sqlCommand, [TRACE, query], { memory: '256', jobs: '2', ...options });

async function rows(query: string): Promise<readonly (readonly unknown[])[]> {
  return (JSON.parse((await sql(query, { json: true })).out) as { result: { rows: unknown[][] } }).result.rows;
}

test('each stream is a table with all its events', async () => {
  const trace = openTrace(TRACE);
  const { streamCounts } = trace;
  trace.close();
  const parts = STREAM_NAMES.map((name) => `select '${name}', count(*), count(distinct event) from "${name}"`);
  expect(await rows(parts.join(' union all '))).toEqual(
    STREAM_NAMES.map((name) => [name, streamCounts[name], streamCounts[name]]),
  );
});

test('a table for people, CSV and JSON of the same rows', async () => {
  const query = 'select command, count(*) as n from inv group by all order by n desc, command limit 3';
  const [first] = await rows(query);
  const { out, code, err } = await sql(query);
  expect(code).toBe(0);
  expect(err).toBe('');
  const lines = out.trimEnd().split('\n');
  expect(lines).toHaveLength(4);
  expect(lines[1]?.split(/ +/)).toEqual(first?.map(String));
  expect((await sql(query, { csv: true })).out).toBe(
    `${lines.map((line) => line.trim().split(/ +/).join(',')).join('\n')}\n`,
  );
  const limited = await sql('select event from map', { limit: '2' });
  expect(limited.out.split('\n')).toHaveLength(4);
  expect(limited.err).toContain('the first 2 rows');
  expect((await sql('explain select * from inv')).out).toContain('SEQ_SCAN');
});

test('queries of docs/export.md and of the help give rows', async () => {
  const document = readFileSync(join(import.meta.dirname, '../../docs/export.md'), 'utf8');
  const commands = [...sqlCommand.examples.map(({ command }) => command), ...document.split('\n')];
  const queries = commands.flatMap((line) => /^ *iorr sql run\.iorr .*?"(.*)"/.exec(line)?.[1] ?? []);
  expect(queries.length).toBeGreaterThanOrEqual(8);
  for (const query of queries) expect((await sql(query)).out.split('\n').length).toBeGreaterThan(2);
});

test('64-bit values are exact', async () => {
  expect(
    await rows('select address(18446744073709551615::ubigint), 18446744073709551615::ubigint, 9007199254740991'),
  ).toEqual([['0xffffffffffffffff', '18446744073709551615', 9_007_199_254_740_991]]);
  expect(sqlCell(2n ** 53n)).toBe('9007199254740992');
});

describe('a query reads the trace, and nothing else', () => {
  writeFileSync(join(folder, 'secret.csv'), 'a\n1\n');
  const target = join(folder, 'written');
  test.each([
    `select * from read_csv('${folder}/secret.csv')`,
    `select * from read_text('${folder}/secret.csv')`,
    `select * from '${folder}/secret.csv'`,
    `select * from glob('${folder}/*')`,
    `copy (select 1) to '${target}'`,
    `attach '${target}'`,
    `export database '${target}'`,
    'install httpfs',
    'load httpfs',
    "set memory_limit = '64GB'",
    'drop table inv',
    'insert into inv select * from inv',
    'create temp table mine as select 1',
    'select 1; select 2',
    'select * from imv',
    'selct 1',
    'select $1',
    '',
    '-- nothing',
  ])('%s', async (query) => {
    await expect(sql(query)).rejects.toMatchObject({ name: 'IorrError', exitCode: 2 });
    expect(readdirSync(folder)).toEqual(['secret.csv']);
  });

  test('and its settings can not be undone', async () => {
    const [settings] = await rows(
      "select list(value order by name) from duckdb_settings() where name in ('enable_external_access', 'lock_configuration')",
    );
    expect(settings).toEqual(["['false', 'true']"]);
  });
});

test('texts of a trace steer no terminal', async () => {
  const { out } = await sql("select chr(27) || '[31m' as \"a\nb\", '=1+1' as f");
  expect(out).not.toContain('\u001b');
  expect((await sql("select '=1+1' as f", { csv: true })).out).toBe("f\n'=1+1\n");
});

test('wrong options and a package that is not there are told', async () => {
  await expect(sql('select 1', { csv: true, json: true })).rejects.toThrow('both want stdout');
  await expect(sql('select 1', { memory: '1' })).rejects.toThrow('a whole number from 64 on');
  await expect(sql('select 1', { limit: 'x' })).rejects.toThrow('--limit "x"');
  await expect(runCommand(sqlCommand, [TRACE], {})).rejects.toThrow('a trace and a query');
  const missing = loadDuckDb(async () => {
    throw new Error('Cannot find package');
  });
  await expect(missing).rejects.toMatchObject({
    code: 'PACKAGE_MISSING',
    hint: expect.stringContaining('npm install'),
  });
});

test('Ctrl-C stops loading', async () => {
  const stop = new AbortController();
  stop.abort();
  const { code, out } = await runCommand(sqlCommand, [TRACE, 'select * from inv'], { memory: '256' }, stop.signal);
  expect([code, out]).toEqual([130, '']);
});

test('nothing is left behind', async () => {
  const before = readdirSync(tmpdir()).filter((name) => name.startsWith('iorr-sql-')).length;
  await sql('select count(*) from map');
  await expect(sql('select nothing')).rejects.toThrow('nothing');
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith('iorr-sql-')).length).toBeLessThanOrEqual(before);
});

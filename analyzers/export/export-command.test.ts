import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openTrace } from '../../traces/file.ts';
import { STREAM_NAMES } from '../../traces/schema.ts';
import { runCommand } from '../../traces/testing/recorded-io.ts';
import { catCommand } from '../cat-command.ts';
import { csvExporter } from './csv.ts';
import { exportCommand } from './export-command.ts';
import { planExport } from './export-plan.ts';
import { ndjsonExporter } from './ndjson.ts';
import { parquetExporter } from './parquet.ts';
import { perfettoExporter } from './perfetto/perfetto.ts';
import { decodePerfetto } from './testing/perfetto-decoder.ts';

const TRACE = join(import.meta.dirname, '../../traces/corpus/vtd-vfio-7.2.iorr');
const folder = mkdtempSync(join(tmpdir(), 'iorr-export-'));
afterAll(() => rmSync(folder, { recursive: true }));

const run = (options: object) => runCommand(exportCommand, [TRACE], { ...options });

describe('which files', () => {
  const plan = (...args: Parameters<typeof planExport>) => planExport(...args).map(({ path }) => path);

  test('one is named after the trace, or as asked', () => {
    expect(plan([perfettoExporter], ['inv', 'map'], '/tmp/run.iorr', undefined)).toEqual(['run.perfetto-trace']);
    expect(plan([ndjsonExporter], ['inv', 'map'], 'run.iorr', 'a/b')).toEqual(['a/b']);
    expect(plan([csvExporter], ['inv'], '-', undefined)).toEqual(['trace.inv.csv']);
    expect(plan([csvExporter], ['inv'], 'run.iorr', '-')).toEqual(['-']);
  });

  test('several are in a folder', () => {
    expect(plan([parquetExporter], ['map', 'inv'], 'run.iorr', undefined)).toEqual([
      'run-export/map.parquet',
      'run-export/inv.parquet',
    ]);
    expect(plan([ndjsonExporter, csvExporter], ['inv'], 'run.iorr', 'out')).toEqual(['out/run.ndjson', 'out/inv.csv']);
    expect(plan([ndjsonExporter], ['inv'], 'run.iorr', 'out/')).toEqual(['out/run.ndjson']);
  });

  test('what does not fit into one file is refused', () => {
    expect(() => plan([csvExporter], ['map', 'inv'], 'run.iorr', '-')).toThrow('stdout is one file, and these are 2');
    expect(() => plan([csvExporter], ['map', 'inv'], 'run.iorr', 'a.csv')).toThrow('a.csv is one file');
    expect(() => plan([ndjsonExporter], ['inv'], 'run.iorr', 'a.ndjson.gz')).toThrow('not compressed');
  });
});

test('writes all formats at once, and says what it wrote', async () => {
  const output = join(folder, 'all');
  const { code, out, err } = await run({ to: 'perfetto,parquet,csv,ndjson', output, json: true });
  expect(code).toBe(0);
  expect(err).toBe('');
  const { command, result } = JSON.parse(out) as {
    command: string;
    result: { files: { format: string; file: string; streams: string[]; events: number; bytes: number }[] };
  };
  expect(command).toBe('export');
  const trace = openTrace(TRACE);
  const streams = STREAM_NAMES.filter((name) => trace.streamCounts[name] > 0);
  for (const { file, format, events, bytes, streams: written } of result.files) {
    expect(bytes).toBe(statSync(file).size);
    const held = written.reduce((sum, name) => sum + trace.streamCounts[name as (typeof streams)[number]], 0);
    expect(events).toBe(held);
    if (format === 'csv') expect(readFileSync(file, 'utf8').trimEnd().split('\n')).toHaveLength(events + 1);
  }
  trace.close();
  expect(readdirSync(output).toSorted((a, b) => (a < b ? -1 : 1))).toEqual(
    [
      'vtd-vfio-7.2.ndjson',
      'vtd-vfio-7.2.perfetto-trace',
      ...streams.flatMap((name) => [`${name}.csv`, `${name}.parquet`]),
    ].toSorted((a, b) => (a < b ? -1 : 1)),
  );
});

test('takes the filters of cat', async () => {
  const output = join(folder, 'some.ndjson');
  const window = { stream: ['inv,map'], from: '1ms', iova: '0x1000-0xffffffffffff' };
  await run({ ...window, until: '1000s', output });
  const { out } = await runCommand(catCommand, [TRACE], { ...window, to: '1000s', json: true });
  expect(readFileSync(output, 'utf8')).toBe(out);
  expect(out.split('\n').length).toBeGreaterThan(10);
});

test('stdout can be the file', async () => {
  const { out } = await run({ to: 'csv', stream: ['mark'], output: '-' });
  expect(out).toMatch(/^event,t,cpu,task,source,text\n/);
  const binary: Buffer[] = [];
  const spec = {
    ...exportCommand,
    run: (invocation: Parameters<typeof exportCommand.run>[0]) =>
      exportCommand.run({
        ...invocation,
        io: { ...invocation.io, out: (bytes) => void binary.push(Buffer.from(bytes as Uint8Array)) },
      }),
  };
  await runCommand(spec, [TRACE], { to: 'perfetto', output: '-' });
  expect(decodePerfetto(Buffer.concat(binary)).events.length).toBeGreaterThan(100);
});

test('Ctrl-C leaves files that are whole', async () => {
  const stop = new AbortController();
  stop.abort();
  const output = join(folder, 'stopped.perfetto-trace');
  const { code } = await runCommand(exportCommand, [TRACE], { output }, stop.signal);
  expect(code).toBe(130);
  expect(decodePerfetto(readFileSync(output)).tracks.size).toBeGreaterThan(1);
});

test('what can not be done is told, and leaves no file', async () => {
  await expect(run({ to: 'perfeto' })).rejects.toThrow('did you mean perfetto?');
  await expect(run({})).rejects.toThrow('--to names no format');
  await expect(run({ to: 'csv', stream: ['mpa'] })).rejects.toThrow('did you mean map?');
  await expect(run({ to: 'csv', stream: ['dirty'] })).rejects.toThrow('nothing to export: the trace has');
  await expect(run({ to: 'ndjson', output: '-', json: true })).rejects.toThrow('both want stdout');
  writeFileSync(join(folder, 'file'), '');
  await expect(run({ to: 'ndjson', output: join(folder, 'file/x') })).rejects.toMatchObject({
    code: 'FILE_UNWRITABLE',
  });
  const damaged = join(folder, 'damaged.iorr');
  writeFileSync(damaged, readFileSync(TRACE).subarray(0, 100));
  await runCommand(exportCommand, [damaged], { to: 'ndjson', output: join(folder, 'damaged.ndjson') }).catch(() => {});
  expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
});

const CLI = join(import.meta.dirname, '../../dist/cli.js');

test.skipIf(!existsSync(CLI))('a reader that goes away ends it quietly (needs the built command)', () => {
  const shell = `"${process.execPath}" "${CLI}" export "${TRACE}" --to ndjson -o - | head -1`;
  const { stdout, stderr } = spawnSync('sh', ['-c', shell], { encoding: 'utf8' });
  expect(stdout).toMatch(/^\{"event":0,.*\}\n$/);
  expect(stderr).toBe('');
});

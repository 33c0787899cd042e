import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCommand } from '../traces/testing/recorded-io.ts';
import { reportCommand } from './report-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'iorr-report-'));
const results = ['a.json', 'b.json'].map((name) => join(folder, name));
const page = join(folder, 'page.html');

beforeAll(() => {
  const all = JSON.parse(
    readFileSync(join(import.meta.dirname, 'report/fixtures/results.json'), 'utf8'),
  ) as readonly object[];
  results.forEach((path, i) => writeFileSync(path, JSON.stringify(all[i])));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('iorr report', () => {
  test('writes one page of all results, and says where', async () => {
    const { code, out, err } = await runCommand(reportCommand, results, { output: page });
    expect([code, out, err]).toEqual([0, '', `wrote ${page}\n`]);
    expect(readFileSync(page, 'utf8')).toMatch(/^<!doctype html>[\s\S]*<h1>2 results of [\s\S]*<\/html>\n$/);
  });

  test('writes the same page to stdout, and nothing else', async () => {
    const { code, out, err } = await runCommand(reportCommand, results, { output: '-' });
    expect([code, err]).toEqual([0, '']);
    expect(Buffer.from(out, 'latin1').length).toBeGreaterThan(10_000);
    expect(out.startsWith('<!doctype html>')).toBe(true);
  });

  test('leaves no page where a result is none', async () => {
    const bad = join(folder, 'bad.json');
    const none = join(folder, 'none.html');
    writeFileSync(bad, '{"tool":"iorr","schemaVersion":9}');
    const [first = ''] = results;
    await expect(runCommand(reportCommand, [first, bad], { output: none })).rejects.toThrow(
      'schema version 1 expected, found 9',
    );
    await expect(runCommand(reportCommand, [join(folder, 'missing.json')], { output: none })).rejects.toThrow(
      'no such file',
    );
    const trace = join(import.meta.dirname, '../traces/corpus/vtd-vfio-7.2.iorr');
    await expect(runCommand(reportCommand, [trace], { output: none })).rejects.toMatchObject({
      message: 'a result expected, found a trace',
      hint: expect.stringContaining('iorr replay'),
    });
    await expect(runCommand(reportCommand, [], { output: none })).rejects.toThrow('a result expected, found none');
    expect(existsSync(none)).toBe(false);
  });

  test('fails before it reads where the page can not be written', async () => {
    const nowhere = join(folder, 'no/such/folder.html');
    await expect(runCommand(reportCommand, ['missing.json'], { output: nowhere })).rejects.toThrow(
      'the folder is not there',
    );
  });
});

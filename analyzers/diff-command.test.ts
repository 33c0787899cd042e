import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createTrace, openTrace } from '../traces/file.ts';
import type { DiffResult } from './diff/diff-result.ts';

const ROOT = join(import.meta.dirname, '..');
/** Built by `npm test`. */
const CLI = join(ROOT, 'dist/cli.js');
const CORPUS = join(ROOT, 'traces/corpus');
const TRACE = join(CORPUS, 'vtd-vfio-7.2.iorr');
const OTHER = join(CORPUS, 'vtd-first-stage-vfio-7.2.iorr');
const scratch = mkdtempSync(join(tmpdir(), 'iorr-diff-'));
afterAll(() => rmSync(scratch, { recursive: true }));

interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function iorr(...args: readonly string[]): Run {
  const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC', NO_COLOR: '1' };
  return spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8', env, maxBuffer: 1 << 28 });
}

function diff(...args: readonly string[]): Run {
  return iorr('diff', ...args);
}

function resultOf({ stdout }: Run): DiffResult {
  return (JSON.parse(stdout) as { readonly result: DiffResult }).result;
}

function file(name: string, content: string): string {
  const path = join(scratch, name);
  writeFileSync(path, content);
  return path;
}

/** A result of `replay` whose commands were made more. */
function replayed(name: string, factor: number): string {
  const document = JSON.parse(iorr('replay', TRACE, '--json').stdout) as { result: { commands: number } };
  document.result.commands = Math.round(document.result.commands * factor);
  return file(name, JSON.stringify(document));
}

describe('iorr diff', () => {
  test('a trace against itself is the same in everything, with a replay, and has the names of docs/json.md', () => {
    const run = diff(TRACE, TRACE, '--json');
    expect({ status: run.status, stderr: run.stderr }).toEqual({ status: 0, stderr: '' });
    const result = resultOf(run);
    expect(new Set(result.metrics.map(({ verdict }) => verdict))).toEqual(new Set(['same']));
    expect(result.metrics.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['commands/unmap', 'iotlb.missRate', 'exposure.pageSeconds/unmap', 'maps/s']),
    );
    expect(result.gate).toMatchObject({ breached: false, metrics: [] });
    const document = readFileSync(join(ROOT, 'docs/json.md'), 'utf8');
    const section = document.slice(document.indexOf('## diff\n')).split(/^## (?!diff$)/m)[0] ?? '';
    const cells = [...section.matchAll(/^\| ((?:`[^`]+`(?:, )?)+) \|/gm)].map(([, cell = '']) => cell);
    const names = cells.flatMap((cell) => [...cell.matchAll(/`(\w+)[^`]*`/g)].map(([, name = '']) => name));
    expect(Object.keys(result).sort()).toEqual(names.sort());
  });

  test('two traces: a table, a list for benchmark actions, Markdown, and the same figures each time', () => {
    const table = diff(TRACE, OTHER, '--fail-on', 'none', '--no-replay');
    expect(table.status).toBe(0);
    expect(table.stdout).toMatch(/^ +A +B +change +95 % +A\/A +verdict\ncommands\/unmap /m);
    expect(diff(TRACE, OTHER, '--fail-on', 'none', '--no-replay').stdout).toBe(table.stdout);
    const list = JSON.parse(diff(TRACE, OTHER, '--fail-on', 'none', '--no-replay', '--github').stdout) as object[];
    expect(list.length).toBeGreaterThan(5);
    for (const entry of list) {
      expect(entry).toMatchObject({ name: expect.any(String), unit: expect.any(String), value: expect.any(Number) });
    }
    const comment = join(scratch, 'comment.md');
    expect(diff(TRACE, TRACE, '--no-replay', '--markdown-to', comment).status).toBe(0);
    const text = readFileSync(comment, 'utf8');
    // quiet: one line, and what is folded away
    expect(text.split('<details>')[0]?.trim().split('\n')).toHaveLength(1);
    expect(text).toContain('| commands/unmap |');
  });

  test('results: counts are compared exactly, and the gate names the metric', () => {
    const [a, b] = [replayed('a.json', 1), replayed('b.json', 1.03)];
    expect(diff(a, a).status).toBe(0);
    const run = diff(a, b, '--json');
    expect(run.status).toBe(3);
    expect(run.stderr).toMatch(/^gate worse: commands\/unmappedPage is worse: \+2\.9\d %/);
    const { metrics, gate, of } = resultOf(run);
    expect(of).toBe('replay');
    expect(gate.metrics).toEqual(['commands/unmappedPage']);
    expect(metrics.find(({ name }) => name === 'commands/unmappedPage')).toMatchObject({
      basis: 'exact',
      verdict: 'worse',
    });
    expect(diff(a, b, '--fail-on', 'commands/unmappedPage > +5%').status).toBe(0);
    expect(diff(a, b, '--fail-on', 'commands/unmappedPage > +2%').status).toBe(3);
    expect(resultOf(diff(b, a, '--json')).metrics.map(({ verdict }) => verdict)).not.toContain('worse');
  });

  test('lists of benchmarks: what their noise hides is inconclusive', () => {
    const list = (name: string, value: number, noise: number): string =>
      file(
        name,
        JSON.stringify([{ name: 'decode', unit: 'events/s', value, extra: `A/A ${noise}%, spread 2.00%, 100 runs` }]),
      );
    const base = list('base.json', 1000, 1);
    const slow = list('slow.json', 800, 1);
    expect(diff(base, slow, '--threshold', '5%').status).toBe(3);
    expect(diff(slow, base).status).toBe(0);
    const noisy = list('noisy.json', 800, 30);
    const run = diff(base, noisy, '--json');
    expect(run.status).toBe(0);
    expect(resultOf(run).metrics[0]?.verdict).toBe('inconclusive');
  });

  test('--splits tells how often the gate fails by chance', () => {
    const trace = join(CORPUS, 'virtio-iommu-6.12.iorr');
    const run = diff(trace, '--splits', '10', '--resamples', '199', '--json');
    expect(run.status).toBe(0);
    expect(JSON.parse(run.stdout)).toMatchObject({
      result: { splits: 10, windows: 40, alarms: 0, share: 0, byMetric: {} },
    });
  });

  test('wrong inputs are told what is wrong with them', () => {
    const result = replayed('c.json', 1);
    const verified = file('verified.json', iorr('verify', TRACE, '--json').stdout);
    const { header } = openTrace(TRACE);
    const empty = join(scratch, 'empty.iorr');
    createTrace(empty, header).finish({ health: openTrace(TRACE).health, notes: {} });
    const wrong: readonly (readonly [readonly string[], number, RegExp])[] = [
      [[TRACE], 2, /two traces or two results expected, found 1/],
      [[TRACE, result], 2, /is a trace, .*c\.json is a result: two of one kind/],
      [[result, verified], 2, /two results of one command expected, found 'replay' and 'verify'/],
      [[TRACE, empty], 1, /the second trace has no events/],
      [[TRACE, join(CORPUS, 'migration-dirty.iorr')], 1, /no stream of both traces counts work/],
      [[TRACE, join(scratch, 'none.iorr')], 1, /none\.iorr: no such file/],
      [[TRACE, scratch], 1, /found a directory/],
      [[file('half.json', '{"tool":'), result], 1, /half\.json: no JSON/],
      [[file('other.json', '{"tool":"else"}'), result], 1, /other\.json: JSON, but no result of iorr/],
      [[TRACE, TRACE, '--fail-on', 'commands/unmop > 1%'], 2, /did you mean 'commands\/unmap'/],
      [[TRACE, TRACE, '--fail-on', 'commands/unmap > 1'], 2, /per cent expected/],
      [[TRACE, TRACE, '--threshold', 'x'], 2, /--threshold x: a share below 1/],
      [[TRACE, TRACE, '--json', '--github'], 2, /exclude each other/],
      [[TRACE, TRACE, '--splits', '5'], 2, /--splits takes one trace/],
    ];
    for (const [args, status, message] of wrong) {
      const run = diff(...args);
      expect({ args, status: run.status, stdout: run.stdout }).toEqual({ args, status, stdout: '' });
      expect(run.stderr).toMatch(message);
    }
  });

  test('help has three examples', () => {
    const { status, stdout } = diff('--help');
    expect(status).toBe(0);
    expect(stdout.match(/^ {2}iorr diff /gm)).toHaveLength(3);
  });
});

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { CommandIo } from '../../traces/command.ts';
import { openTrace } from '../../traces/file.ts';
import { simulateCommand } from './simulate-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'iorr-simulate-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly updates: readonly number[];
}

/** Runs the command; `stopAt` is the number of progress updates after which Ctrl-C comes. */
async function run(
  args: readonly string[],
  options: Record<string, unknown>,
  stopAt = Number.POSITIVE_INFINITY,
): Promise<Run> {
  let out = '';
  let err = '';
  const updates: number[] = [];
  const interrupt = new AbortController();
  const io: CommandIo = {
    out: (text) => {
      out += String(text);
    },
    err: (text) => {
      err += text;
    },
    stdoutIsTerminal: false,
    stderrIsTerminal: false,
    columns: 80,
    colour: false,
    signal: interrupt.signal,
    progress: () => ({
      update: (done) => {
        if (updates.push(done) >= stopAt) interrupt.abort();
      },
      stop: () => {},
    }),
  };
  const code = await simulateCommand.run({ args, options, io });
  return { code, out, err, updates };
}

describe('iorr simulate', () => {
  test('writes a whole trace that says what it was made from', async () => {
    const output = join(folder, 'a.iorr');
    const { code, out, err, updates } = await run(['packet-nic'], {
      output,
      set: ['events=200k', 'devices=3'],
      seed: '9',
      json: true,
    });
    expect(code).toBe(0);
    expect(err).toBe('');
    const document = JSON.parse(out) as Record<string, unknown>;
    expect(document).toMatchObject({ schemaVersion: 1, tool: 'iorr', command: 'simulate', input: [] });
    expect(document['result']).toMatchObject({ workload: 'packet-nic', seed: 9, output, complete: true });
    const trace = openTrace(output);
    expect(document['result']).toMatchObject({ events: trace.eventCount, bytes: trace.bytes });
    expect(trace.closed).toBe(true);
    expect(trace.notes).toMatchObject({ seed: 9, parameters: { events: 200_000, devices: 3, commands: 'strict' } });
    expect(trace.header.sources).toEqual([{ format: 'simulate', producer: 'iorr packet-nic' }]);
    let events = 0;
    for (const segment of trace.segments()) events += segment.count;
    expect(events).toBe(trace.eventCount);
    expect(trace.health.entries).toEqual([]);
    trace.close();
    expect(updates.at(-1)).toBe(200_000);
  });

  test('the same seed writes the same bytes', async () => {
    const files = ['b.iorr', 'c.iorr', 'd.iorr'].map((name) => join(folder, name));
    for (const [i, output] of files.entries()) {
      await run(['dma'], { output, set: ['events=100k', 'pages=512'], seed: i === 2 ? '2' : '1' });
    }
    const [first, second, third] = files.map((file) => readFileSync(file));
    expect(first?.equals(second as Buffer)).toBe(true);
    expect(first?.equals(third as Buffer)).toBe(false);
  });

  test('Ctrl-C leaves a readable file and exits 130', async () => {
    const output = join(folder, 'e.iorr');
    const { code, err } = await run(['zipf'], { output, set: ['events=50M'] }, 5);
    expect(code).toBe(130);
    expect(err).toMatch(/stopped after \d+ of 50000000 events; what was written is readable/);
    const trace = openTrace(output);
    expect(trace.closed).toBe(true);
    expect(trace.notes).toMatchObject({ complete: false });
    expect(trace.eventCount).toBeGreaterThan(0);
    trace.close();
  });

  test('--list names every parameter', async () => {
    const { code, out } = await run([], { list: true });
    expect(code).toBe(0);
    expect(out).toMatch(/^ring-nic: .+\n {4}events +events to make/);
    expect(out).toMatch(/alpha .+default 1\.2/);
  });

  test.each([
    [[], {}, /which workload/],
    [['nic'], { output: 'x' }, /no workload "nic"/],
    [['dma', 'zipf'], { output: 'x' }, /one workload expected, got 2/],
    [['dma'], {}, /-o FILE is missing/],
    [['dma'], { output: '-', json: true }, /both write to stdout/],
    [['dma'], { output: 'x', set: ['event=1'] }, /no parameter "event"/],
    [['dma'], { output: 'x', seed: '-1' }, /--seed expects/],
    [['dma'], { output: 'x', seed: 'abc' }, /--seed expects/],
  ])('%j %j is a usage error', async (args, options, message) => {
    await expect(run(args, options)).rejects.toThrow(message);
    await expect(run(args, options)).rejects.toMatchObject({ code: 'USAGE' });
  });

  test('an output that cannot be written fails before the run', async () => {
    const output = join(folder, 'no', 'such', 'folder.iorr');
    const failed = run(['dma'], { output, set: ['events=1G'] });
    await expect(failed).rejects.toMatchObject({ code: 'FILE_UNWRITABLE' });
  });
});

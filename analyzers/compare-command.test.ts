import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SketchedTrace } from '../replay/engine/testing/sketched-trace.ts';
import { createTrace } from '../traces/file.ts';
import { EMPTY_HEALTH } from '../traces/header.ts';
import { STREAM_ID } from '../traces/schema.ts';
import type { EventSink } from '../traces/trace.ts';
import { compareCommand } from './compare-command.ts';
import { runCommand } from '../traces/testing/recorded-io.ts';
import type { CommandRun } from '../traces/testing/recorded-io.ts';

const folder = mkdtempSync(join(tmpdir(), 'iorr-compare-'));
const file = join(folder, 'run.iorr');

/** One mapping that is used and goes. */
function write(sink: EventSink, at: number): void {
  let row = sink.begin(STREAM_ID.map, at, 0, 1);
  const { map, dma, unmap } = sink.rows;
  map.columns.domain[row] = 4;
  map.columns.iovaLo[row] = 0x10000;
  map.columns.physLo[row] = 0x90000;
  map.columns.sizeLo[row] = 0x1000;
  row = sink.begin(STREAM_ID.dma, at + 1000, 0, 0);
  dma.columns.rid[row] = 0x18;
  dma.columns.domain[row] = 4;
  dma.columns.iovaLo[row] = 0x10000;
  row = sink.begin(STREAM_ID.unmap, at + 5000, 0, 1);
  unmap.columns.domain[row] = 4;
  unmap.columns.iovaLo[row] = 0x10000;
  unmap.columns.sizeLo[row] = 0x1000;
}

beforeAll(() => {
  const writer = createTrace(file, new SketchedTrace().trace.header);
  for (let i = 0; i < 20; i++) write(writer, i * 1e6);
  writer.finish({ health: EMPTY_HEALTH, notes: {} });
});
afterAll(() => rmSync(folder, { recursive: true }));

function run(args: readonly string[], options: Record<string, unknown>, signal?: AbortSignal): Promise<CommandRun> {
  return runCommand(compareCommand, args, { jobs: '1', ...options }, signal);
}

const usage = (hint: string): unknown => expect.objectContaining({ code: 'USAGE', hint });

describe('compare command', () => {
  test('--json holds the result and the effective options', async () => {
    const { code, out, err } = await run([file], { json: true, set: ['queue.wait=300'] });
    const document = JSON.parse(out) as { command: string; options: unknown; result: { designs: { name: string }[] } };
    expect(code).toBe(0);
    expect(err).toBe('');
    expect(document.command).toBe('compare');
    expect(document.options).toEqual({
      designs: ['linux-strict', 'linux-lazy'],
      paths: ['native'],
      hardware: 'vtd-64x4',
      profile: 'generic-server',
      access: 'recorded',
      seed: 1,
      set: ['queue.wait=300'],
    });
    expect(document.result.designs.map(({ name }) => name)).toEqual(['linux-strict', 'linux-lazy']);
  });

  test('a knob of a design or path that is not compared is no knob of the hardware', async () => {
    for (const [set, hint] of [
      ['batch-n.size=8', '--designs batch-n'],
      ['path.exit=1000', '--paths trapped'],
    ] as const) {
      await expect(run([file], { set: [set] })).rejects.toEqual(usage(`compare what has it: ${hint}`));
    }
  });

  test('tables for a terminal and for a pull request, designs in the order asked for', async () => {
    const terminal = await run([file], { designs: 'linux-lazy,linux-strict,linux-lazy' });
    expect(terminal.out.indexOf('linux-lazy')).toBeLessThan(terminal.out.indexOf('linux-strict'));
    expect(terminal.out).toContain('Page-seconds');
    expect((await run([file], { markdown: true })).out).toContain('|');
  });

  test('--html writes a page beside the table', async () => {
    const page = join(folder, 'report.html');
    const { code, err } = await run([file], { html: page });
    expect(code).toBe(0);
    expect(err).toBe(`wrote ${page}\n`);
    expect(readFileSync(page, 'utf8')).toMatch(/^<!doctype html>/i);
  });

  test('usage errors name the nearest and all', async () => {
    await expect(run([file], { designs: 'linux-lasy' })).rejects.toThrow(usage("did you mean 'linux-lazy'?"));
    await expect(run([file], { designs: 'linux-lasy' })).rejects.toThrow('known: linux-strict, linux-lazy');
    await expect(run([file], { designs: ',' })).rejects.toThrow(/names none/);
    await expect(run([file], { jobs: '0' })).rejects.toThrow(/from 1 to 1024/);
    await expect(run([file], { seed: '-1' })).rejects.toThrow(/--seed -1/);
    await expect(run([file], { json: true, markdown: true })).rejects.toThrow(/both want stdout/);
    await expect(run([], {})).rejects.toThrow(/a trace expected/);
  });

  test('a page that cannot be written fails before the run', async () => {
    await expect(run([file], { html: join(folder, 'no', 'such', 'x.html') })).rejects.toThrow(
      expect.objectContaining({ code: 'FILE_UNWRITABLE' }),
    );
  });

  test('an interrupt leaves nothing behind and exits 130', async () => {
    const page = join(folder, 'interrupted.html');
    const stop = new AbortController();
    stop.abort();
    expect(await run([file], { html: page }, stop.signal)).toEqual({ code: 130, out: '', err: '' });
    expect(existsSync(page)).toBe(false);
  });

  test('has examples that name its own options', () => {
    const flags = compareCommand.options.map((option) => /--[a-z]+/.exec(option.flags)?.[0]);
    expect(compareCommand.examples.length).toBeGreaterThan(2);
    for (const { command } of compareCommand.examples) {
      for (const used of command.match(/--[a-z]+/g) ?? []) expect(flags).toContain(used);
    }
  });
});

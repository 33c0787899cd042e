import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { guestLog, hostLog, textChunks } from '../../bench/log-text.ts';
import { guestRecords } from '../../bench/record-file.ts';
import { simulatedTrace } from '../../bench/simulated-trace.ts';
import type { CommandIo } from '../../traces/command.ts';
import { openTrace } from '../../traces/file.ts';
import { SEGMENT_EVENTS } from '../../traces/segment.ts';
import { importCommand } from './import-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'iorr-threads-'));
const GUEST = join(folder, 'trace.txt');
const HOST = join(folder, 'qemu.log');
const RECORDS = join(folder, 'trace.dat');
afterAll(() => rmSync(folder, { recursive: true }));

beforeAll(() => {
  const trace = simulatedTrace('packet-nic', ['events=160k', 'devices=4', 'calls=yes']);
  writeFileSync(GUEST, Buffer.concat([...textChunks(guestLog(trace))]));
  writeFileSync(HOST, Buffer.concat([...textChunks(hostLog(trace))]));
  writeFileSync(RECORDS, guestRecords(trace).bytes);
});

/** Imports and returns the exit code and the trace's bytes. `stopAt`: Ctrl-C after so many looks at the progress. */
async function run(
  files: readonly string[],
  jobs: string,
  stopAt = Infinity,
): Promise<{ code: number; bytes: Buffer }> {
  const output = join(folder, `out-${jobs}.iorr`);
  const interrupt = new AbortController();
  let updates = 0;
  const io: CommandIo = {
    out: () => {},
    err: () => {},
    stdoutIsTerminal: false,
    stderrIsTerminal: false,
    columns: 80,
    colour: false,
    signal: interrupt.signal,
    progress: () => ({
      update: () => {
        if (++updates >= stopAt) interrupt.abort();
      },
      stop: () => {},
    }),
  };
  const code = await importCommand.run({ args: files, options: { output, jobs }, io });
  return { code, bytes: readFileSync(output) };
}

describe('an import', () => {
  test.each([
    ['a text', [GUEST]],
    ['records', [RECORDS]],
    ['both sides of a run', [GUEST, HOST]],
  ])('of %s gives the same bytes with one thread and with more', async (_, files) => {
    const one = await run(files, '1');
    const two = await run(files, '2');
    expect([one.code, two.code]).toEqual([0, 0]);
    expect(two.bytes.equals(one.bytes)).toBe(true);
  });

  test('that is interrupted leaves a whole trace of what was read, also what a thread still had', async () => {
    const { code } = await run([HOST], '2', 50);
    expect(code).toBe(130);
    const trace = openTrace(join(folder, 'out-2.iorr'));
    expect(trace.closed).toBe(true);
    expect(trace.eventCount).toBeGreaterThan(SEGMENT_EVENTS / 2);
    expect([...trace.segments()].reduce((sum, { count }) => sum + count, 0)).toBe(trace.eventCount);
    trace.close();
  });

  test('with a number of threads that is none is refused', async () => {
    for (const jobs of ['0', '-1', 'two', '1.5', '']) {
      await expect(run([GUEST], jobs)).rejects.toThrow('--jobs: a whole number');
    }
  });
});

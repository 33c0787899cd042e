import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { importCommand } from './import-command.ts';
import { runCommand } from '../../traces/testing/recorded-io.ts';
import type { CommandRun } from '../../traces/testing/recorded-io.ts';

const FIXTURES = fileURLToPath(new URL('fixtures/', import.meta.url));

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'iorr-import-calls-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function put(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function run(...args: readonly string[]): Promise<CommandRun> {
  return runCommand(importCommand, args, { output: join(folder, 'out.iorr'), json: true });
}

/** The kernel's account of `calls` ioctls by thread 191, and the program's own. */
function sides(calls: number): { trace: string; log: string } {
  const trace: string[] = [];
  const log: string[] = [];
  const hex = '18 00 00 00 00 00 00 00 04 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00';
  for (let i = 0; i < calls; i++) {
    const request = i % 4 === 0 ? '3b86' : '3b85';
    const ret = i % 5 === 0 ? -17 : 0;
    const at = (6e6 + i * 1000 + ((i * i) % 700)) / 1e6;
    const line = (offset: number, text: string): string =>
      `   prilab.static-191     [001] .....     ${(at + offset).toFixed(6)}: ${text}`;
    trace.push(line(0.00001, `sys_enter: NR 16 (4, ${request}, 7ffe212cd2a0, 0, 3, 7ffe212cd087)`));
    trace.push(line(0.00002, `sys_exit: NR 16 = ${ret}`));
    const stamp = (offset: number): string => (at - 0.1 + offset).toFixed(9);
    log.push(`${stamp(0)} E cmd=0x${request} len=24 : ${hex}`);
    log.push(`${stamp(0.00003)} X cmd=0x${request} ret=${ret < 0 ? -1 : 0} errno=${-ret} len=24 : ${hex}`);
  }
  return { trace: `${trace.join('\n')}\n`, log: `${log.join('\n')}\n` };
}

test('a log of system calls goes into the trace of its kernel', async () => {
  const { trace, log } = sides(40);
  const { code, out, err } = await run(put('trace.txt', trace), put('calls.hex', log));
  expect(code).toBe(0);
  expect(err).toContain("ioctl-hex: 40 of 40 ioctls are thread 191's of the trace");
  expect(JSON.parse(out).result).toMatchObject({
    streams: { ioctl: 40, call: 1 },
    callLogs: [
      { format: 'ioctl-hex', task: 191, ioctls: 40, matched: 40, logOnly: 0, traceOnly: 0, calls: 1, pieces: 1 },
    ],
    join: null,
  });
  expect(readdirSync(folder).sort()).toEqual(['calls.hex', 'out.iorr', 'trace.txt']);
});

test('a log of another run leaves no output', async () => {
  const { trace } = sides(40);
  await expect(run(put('trace.txt', trace), `${FIXTURES}strace-7-faults.txt`)).rejects.toThrow(
    /the calls of the strace log are not in the trace/,
  );
  expect(existsSync(join(folder, 'out.iorr'))).toBe(false);
});

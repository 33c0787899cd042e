import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { CLI } from '../../bench/robustness/kill-run.ts';

const FIXTURES = fileURLToPath(new URL('fixtures/', import.meta.url));
const GUEST = `${FIXTURES}ftrace-6.12-strict.txt`;
const HOST = `${FIXTURES}qemu-iso-hits.log`;
const folder = mkdtempSync(join(tmpdir(), 'iorr-import-built-'));
const output = join(folder, 'out.iorr');
afterAll(() => rmSync(folder, { recursive: true }));

function put(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

describe('the built command', () => {
  const iorr = (args: readonly string[], input?: Uint8Array): ReturnType<typeof spawnSync> =>
    spawnSync(process.execPath, [CLI, ...args], { input, maxBuffer: 1 << 28 });

  test.each([
    ['guest', GUEST, /stdin: ftrace-text, 151 lines/],
    ['host', HOST, /stdin: qemu-log, 124 lines/],
  ])('stdin to stdout gives what file to file does, and nothing else on stdout: %s', (_side, file, summary) => {
    const copy = put('stdin', readFileSync(file));
    expect(iorr(['import', copy, '-o', output]).status).toBe(0);
    const { status, stdout, stderr } = iorr(['import', '-', '-o', '-'], gzipSync(readFileSync(file)));
    expect([status, String(stderr)]).toEqual([0, expect.stringMatching(summary)]);
    expect(Buffer.from(stdout as Buffer).equals(readFileSync(output))).toBe(true);
  });

  test('errors say what, where and what to do', () => {
    const file = put('hello.txt', 'hello\n');
    const { status, stdout, stderr } = iorr(['import', file, '-o', output]);
    expect([status, String(stdout)]).toEqual([1, '']);
    const [what, hint] = String(stderr).split('\n');
    expect(what).toBe(`iorr: ${file}: not a capture of a known format: it begins with "hello\\n"`);
    expect(hint).toMatch(
      /^ {2}try: known formats: ftrace-text \(.*\); qemu-log \(.*\)\. If it is one of them, name it with --format$/,
    );
  });

  test('an unknown format name is a usage error', () => {
    const { status, stderr } = iorr(['import', GUEST, '-o', output, '--format', 'ftrace']);
    expect(status).toBe(2);
    expect(String(stderr)).toMatch(/ftrace-text/);
  });

  test('a device as output is written, not replaced', () => {
    expect(iorr(['import', GUEST, '-o', '/dev/null']).status).toBe(0);
    expect(iorr(['import', HOST, '-o', '/dev/null']).status).toBe(0);
    expect(iorr(['import', put('none.txt', '# tracer: nop\n'), '-o', '/dev/null']).status).toBe(1);
    expect(existsSync('/dev/null')).toBe(true);
    expect(readFileSync('/dev/null')).toHaveLength(0);
  });
});

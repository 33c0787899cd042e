import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { CLI, infoOf } from '../../bench/robustness/kill-run.ts';
import { openTrace } from '../../traces/file.ts';
import { NO_LIVE_RECORDING, iorrLive } from './testing/live-machine.ts';

const folder = mkdtempSync(join(tmpdir(), 'iorr-asked-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface CatLine {
  readonly name: string;
  readonly task: number;
  readonly fields: { readonly [field: string]: string | number };
}

function kept(file: string): readonly CatLine[] {
  const args = [CLI, 'cat', '--json', '--stream', 'event', file];
  const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as CatLine);
}

describe.skipIf(NO_LIVE_RECORDING !== undefined)('record --event of what no stream is for', () => {
  test('has it with all its fields, also with --keep-last', () => {
    for (const more of [[], ['--keep-last', '30s']]) {
      const file = join(folder, `asked${more.length}.iorr`);
      const events = ['--event', 'sched:sched_process_exec,exceptions', '--event', 'sched:sched_process_exit'];
      const { status, stderr } = iorrLive('record', '-o', file, ...events, ...more, '--', 'sh', '-c', 'true; ls / >&2');
      expect(stderr).not.toContain('unknown');
      expect(status).toBe(0);
      const found = kept(file);
      const execs = found.filter(({ name }) => name === 'sched:sched_process_exec');
      expect(execs.map(({ fields }) => String(fields['filename']).replace(/^.*\//, ''))).toEqual(['sh', 'ls']);
      for (const { task, fields } of execs) expect(fields['pid']).toBe(task);
      const faults = found.filter(({ name }) => name === 'exceptions:page_fault_user');
      expect(faults.length).toBeGreaterThan(10);
      for (const { fields } of faults) expect(fields['address']).toMatch(/^(0x)?[0-9a-f]+$/);
      expect(new Set(found.map(({ name }) => name))).toContain('sched:sched_process_exit');
      const trace = openTrace(file);
      // Of the command alone.
      expect(trace.header.fidelity).toEqual({ event: 'partial', lost: 'full', mark: 'full' });
      trace.close();
      expect(infoOf(file).result.streams['event']?.events).toBe(found.length);
    }
  });
});

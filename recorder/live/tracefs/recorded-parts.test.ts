import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { openTrace } from '../../../traces/file.ts';
import { NO_LIVE_RECORDING, instancesOf, iorrLive, runLive, startLive } from '../testing/live-machine.ts';
import { fidelityOf } from './recorded-parts.ts';

const EVENTS = [
  { system: 'dma', name: 'dma_map_phys' },
  { system: 'intel_iommu', name: 'qi_submit' },
  { system: 'syscalls', name: 'sys_enter_ioctl' },
];
const OPTIONS = { events: [], bufferBytes: undefined, subBufferBytes: undefined };

describe('what a recording sees', () => {
  test('of everybody, and of some processes, the IOMMU stack is the same: interrupts work for them', () => {
    const everybody = fidelityOf(EVENTS, { ...OPTIONS, filtered: false, processesOnly: false });
    expect(everybody).toMatchObject({ map: 'full', unmap: 'full', inv: 'partial', flush: 'full', ioctl: 'partial' });
    expect(fidelityOf(EVENTS, { ...OPTIONS, filtered: true, processesOnly: false })).toEqual(everybody);
  });

  test('of the processes alone it is a part', () => {
    const some = fidelityOf(EVENTS, { ...OPTIONS, filtered: true, processesOnly: true });
    expect(some).toMatchObject({ map: 'partial', unmap: 'partial', flush: 'partial', prq: 'partial' });
    expect(some).toMatchObject({ lost: 'full', mark: 'full' });
  });
});

const folder = mkdtempSync(join(tmpdir(), 'iorr-parts-'));
let runs = 0;
afterAll(() => rmSync(folder, { recursive: true }));

interface Instance {
  readonly name: string;
  /** Systems of the events that are on, each once. */
  readonly systems: readonly string[];
  readonly pids: readonly number[];
}

function instances(pid: number | undefined): readonly Instance[] {
  return instancesOf(pid).map((name) => {
    const path = `/sys/kernel/tracing/instances/${name}`;
    const lines = (file: string): readonly string[] =>
      runLive('cat', [join(path, file)])
        .stdout.split('\n')
        .filter((line) => line !== '');
    const systems = new Set(lines('set_event').map((event) => event.split(':')[0] ?? ''));
    return { name, systems: [...systems].sort(), pids: lines('set_event_pid').map(Number) };
  });
}

/** Records a command for a while; what the instances are meanwhile, and the children that the command has then. */
async function whileRecording(...args: readonly string[]): Promise<{ file: string; found: readonly Instance[] }> {
  const file = join(folder, 'run.iorr');
  const witness = join(folder, `${++runs}`);
  // The subshell is forked when the recording runs.
  const command = ['sh', '-c', `(touch ${witness}; sleep 2) & wait`];
  const child = startLive('record', '-o', file, '--event', 'raw_syscalls,iommu,dma', ...args, '--', ...command);
  const exit = new Promise((resolve) => {
    child.on('exit', resolve);
  });
  while (!existsSync(witness)) await sleep(20);
  const found = instances(child.pid);
  child.kill('SIGTERM');
  await exit;
  expect(instances(child.pid)).toEqual([]);
  return { file, found };
}

describe.skipIf(NO_LIVE_RECORDING !== undefined)('record -- CMD on this machine', () => {
  test("system calls are the process tree's, events of the IOMMU stack everybody's, in an instance of their own", async () => {
    const { file, found } = await whileRecording();
    expect(found.map(({ systems }) => systems)).toEqual([['raw_syscalls'], ['dma', 'iommu']]);
    const [own, stack] = found;
    // The shell and its subshell at least.
    expect(own?.pids.length).toBeGreaterThanOrEqual(2);
    expect(stack?.pids).toEqual([]);
    const trace = openTrace(file);
    expect(trace.header.fidelity).toMatchObject({ map: 'full', unmap: 'full', call: 'partial' });
    trace.close();
  });

  test('--processes-only has all of it from the process tree', async () => {
    const { file, found } = await whileRecording('--processes-only');
    expect(found.map(({ systems }) => systems)).toEqual([['dma', 'iommu', 'raw_syscalls']]);
    expect(found[0]?.pids.length).toBeGreaterThanOrEqual(2);
    const trace = openTrace(file);
    expect(trace.header.fidelity).toMatchObject({ map: 'partial', unmap: 'partial', call: 'partial' });
    trace.close();
  });

  test('--processes-only without processes is no task', () => {
    const { status, stderr } = iorrLive('record', '-o', join(folder, 'no.iorr'), '--processes-only');
    expect(status).toBe(2);
    expect(stderr).toContain('--pid PID, or -- CMD');
  });
});

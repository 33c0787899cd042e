import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EMPTY_HEALTH } from '../traces/header.ts';
import type { TraceHeader } from '../traces/header.ts';
import { createTrace } from '../traces/file.ts';
import { ioctlName, ioctlNumber, testOpName } from '../traces/ioctl-requests.ts';
import { errnoName, errnoNumber } from '../traces/errno-names.ts';
import { MemoryTrace } from '../traces/memory-trace.ts';
import { CALL_EVENT, SEEN, STREAM_ID } from '../traces/schema.ts';
import type { EventSink } from '../traces/trace.ts';
import { plainEvents } from '../traces/event.ts';
import { analyzeCommand } from './analyze-command.ts';
import { analyzeIoctl } from './analyze-ioctl.ts';
import { ioctlAnalysisText } from './analyze-ioctl-text.ts';
import { ANALYSES } from './analyses.ts';
import { objectTreeText } from './object-tree-text.ts';
import type { ObjectNode } from '../replay/model/iommufd/object-tree.ts';
import { eventJson, eventText } from './event-text.ts';
import { Sample } from './sample.ts';
import { testHeader } from '../traces/testing/test-header.ts';
import { runCommand } from '../traces/testing/recorded-io.ts';

const HEADER: TraceHeader = testHeader({ fidelity: { ioctl: 'full', call: 'full' } });

interface Call {
  readonly request: number;
  readonly time: number;
  readonly duration?: number;
  readonly errno?: number;
  readonly file?: string;
  readonly task?: number;
  readonly before?: Uint8Array;
}

function addIoctl(
  sink: EventSink,
  { request, time, duration = 10, errno = 0, file = '/dev/iommu', task = 7, before }: Call,
): void {
  const row = sink.begin(STREAM_ID.ioctl, time, -1, task);
  const { columns } = sink.rows.ioctl;
  columns.pid[row] = task;
  columns.fd[row] = 3;
  columns.request[row] = request;
  columns.durationLo[row] = duration;
  columns.errno[row] = errno;
  columns.retLo[row] = errno > 0 ? -errno : 0;
  columns.retHi[row] = errno > 0 ? -1 : 0;
  columns.path[row] = sink.intern(file);
  columns.seen[row] = before === undefined ? 0 : SEEN.before;
  if (before !== undefined) sink.setBytes(columns.before, row, before);
}

function addFaultFile(sink: EventSink, name: string, time: number, bytes: number): void {
  const row = sink.begin(STREAM_ID.call, time, -1, 7);
  const { columns } = sink.rows.call;
  columns.name[row] = sink.intern(name);
  columns.retLo[row] = bytes;
  columns.path[row] = sink.intern('anon_inode:[iommufd-pgfault]');
}

/** Struct of IOMMU_HWPT_INVALIDATE with so many entries. */
function invalidate(entries: number): Uint8Array {
  const bytes = new Uint8Array(32);
  new DataView(bytes.buffer).setUint32(24, entries, true);
  return bytes;
}

function example(sink: EventSink): void {
  addIoctl(sink, { request: 0x3b8d, time: 100, duration: 10, before: invalidate(1) });
  addIoctl(sink, { request: 0x3b8d, time: 200, duration: 30, before: invalidate(7) });
  addIoctl(sink, { request: 0x3b8d, time: 300, duration: 20, errno: 22, before: invalidate(4_000_000_000) });
  addIoctl(sink, { request: 0x3b8d, time: 400, duration: 20, errno: 22, task: 8 });
  addIoctl(sink, { request: 0x3b8d, time: 500, duration: 20, errno: 2, before: new Uint8Array(3) });
  addIoctl(sink, { request: 0x3b71, time: 600, file: '/dev/vfio/vfio' });
  addIoctl(sink, { request: 0x3b71, time: 700, file: 'anon_inode:[vfio-device]', errno: -1 });
  addFaultFile(sink, 'read', 800, 120);
  addFaultFile(sink, 'write', 900, 8);
}

function analyzed(): ReturnType<typeof analyzeIoctl> {
  const trace = new MemoryTrace(HEADER);
  example(trace);
  return analyzeIoctl(trace);
}

describe('ioctls by request', () => {
  test('calls, errors and latency; the same number on another file is another request', () => {
    const analysis = analyzed();
    expect(analysis).toMatchObject({ calls: 7, failed: 3, unknown: 1, processes: 2, durationNs: 610, kernelNs: 120 });
    expect(
      analysis.requests.map(({ name, file, calls, failed, unknown }) => [name, file, calls, failed, unknown]),
    ).toEqual([
      ['IOMMU_HWPT_INVALIDATE', '/dev/iommu', 5, 3, 0],
      ['VFIO_IOMMU_MAP_DMA', '/dev/vfio/vfio', 1, 0, 0],
      ['VFIO_DEVICE_PCI_HOT_RESET', 'anon_inode:[vfio-device]', 1, 0, 1],
    ]);
    expect(analysis.requests[0]?.errnos).toEqual({ EINVAL: 2, ENOENT: 1 });
    expect(analysis.requests[0]?.latencyNs).toEqual({ sum: 100, p50: 20, p95: 30, p99: 30, max: 30 });
  });

  test('what a call asks for counts where it succeeded; calls in a row are of one thread', () => {
    const { batches } = analyzed();
    expect(batches.map(({ name, unit, size }) => [name, unit, size.max, size.sum])).toEqual([
      ['IOMMU_HWPT_INVALIDATE', 'entries', 7, 8],
      ['read of fault records', 'entries', 3, 3],
      ['write of page responses', 'entries', 1, 1],
      ['IOMMU_HWPT_INVALIDATE', 'calls in a row', 4, 5],
    ]);
  });

  test('a source without durations has no latency', () => {
    const trace = new MemoryTrace(HEADER);
    addIoctl(trace, { request: 0x3b81, time: 5, duration: 0 });
    const analysis = analyzeIoctl(trace);
    expect(analysis.kernelNs).toBeNull();
    expect(analysis.requests[0]?.latencyNs).toBeNull();
    expect(ioctlAnalysisText('t', analysis)).toContain('time in the kernel unknown');
  });

  test('requests without number fill no memory', () => {
    const trace = new MemoryTrace(HEADER);
    for (let i = 0; i < 3000; i++) addIoctl(trace, { request: 0x10000 + i, time: i });
    const { requests, calls } = analyzeIoctl(trace);
    expect(calls).toBe(3000);
    expect(requests).toHaveLength(1001);
    expect(requests[0]).toMatchObject({ name: '(others)', calls: 2000 });
  });

  test('percentiles are of the nearest rank', () => {
    const sample = new Sample();
    for (let i = 100; i > 0; i--) sample.add(i);
    expect(sample.spread()).toEqual({ sum: 5050, p50: 50, p95: 95, p99: 99, max: 100 });
    expect(new Sample().spread()).toEqual({ sum: 0, p50: 0, p95: 0, p99: 0, max: 0 });
  });
});

test('objects stand below what they are made on', () => {
  const node = (id: number, type: ObjectNode['type'], uses: readonly number[]): ObjectNode => ({
    id,
    type,
    heldBy: id === 1 ? 2 : 0,
    uses,
    facts: id === 1 ? { areas: 3, compat: true } : {},
  });
  const objects = [node(1, 'ioas', []), node(2, 'hwptPaging', [1, 3]), node(3, 'fault', []), node(4, 'device', [2])];
  const fds = [
    { pid: 7, fd: 3 },
    { pid: -1, fd: -1 },
  ];
  const text = objectTreeText('s.iorr', 0, [{ fds, whole: false, objects }]);
  expect(text.split('\n').slice(1)).toEqual([
    '/dev/iommu, fd 3 of process 7, fd not recorded: 4 objects, opened before the recording: there may be more',
    '  1 IOAS, areas 3, compat, held by 2',
    '    2 HWPT (paging)',
    '      4 device',
    '  3 fault queue',
    '    2 HWPT (paging) (above)',
    '',
  ]);
});

test('names of requests, operations and errnos', () => {
  expect(ioctlName(0x3b85, '/dev/iommu')).toBe('IOMMU_IOAS_MAP');
  expect(ioctlName(0x3b76, '/dev/iommu')).toBe('VFIO_DEVICE_BIND_IOMMUFD');
  expect(ioctlName(0x3b75, '/dev/vfio/devices/vfio0')).toBe('VFIO_DEVICE_FEATURE');
  expect(ioctlName(0x3b94, undefined)).toBe('IOMMU_HW_QUEUE_ALLOC');
  expect(ioctlName(0x3b9f)).toBe('0x3b9f');
  expect(ioctlName(0x3ba0, '/dev/iommu', Uint8Array.of(72, 0, 0, 0, 8, 0, 0, 0))).toBe('IOMMU_TEST_CMD ACCESS_RW');
  expect(ioctlName(0x3ba0, undefined, Uint8Array.of(72, 0, 0, 0, 99, 0, 0, 0))).toBe('IOMMU_TEST_CMD 99');
  expect(ioctlName(-1, undefined)).toBe('0xffffffff');
  expect(ioctlNumber('IOMMU_TEST_CMD')).toBe(0x3ba0);
  expect(ioctlNumber('VFIO_DEVICE_DETACH_IOMMUFD_PT')).toBe(0x3b78);
  expect([testOpName(1), testOpName(8), testOpName(23), testOpName(0)]).toEqual([
    'ADD_RESERVED',
    'ACCESS_RW',
    'DMABUF_REVOKE',
    '0',
  ]);
  expect([22, 95, 75, 133, 41].map(errnoName)).toEqual(['EINVAL', 'EOPNOTSUPP', 'EOVERFLOW', 'EHWPOISON', 'errno 41']);
  expect(['EAGAIN', 'EWOULDBLOCK', 'ENOTSUP', '.', 'X'].map(errnoNumber)).toEqual([11, 11, 95, undefined, undefined]);
});

test('cat shows calls as strace does', () => {
  const trace = new MemoryTrace(HEADER);
  addIoctl(trace, { request: 0x3ba0, time: 100, errno: 22, before: new Uint8Array([72, 0, 0, 0, 2, 0, 0, 0]) });
  const row = trace.begin(STREAM_ID.call, 200, -1, 7);
  trace.rows.call.columns.event[row] = CALL_EVENT.fork;
  trace.rows.call.columns.name[row] = trace.intern('clone');
  trace.rows.call.columns.pid[row] = 7;
  trace.rows.call.columns.retLo[row] = 8;
  const events = [...trace.segments()].flatMap((segment) => [...plainEvents(segment, trace.strings)]);
  expect(events.map((event) => eventText(event).slice(30).replaceAll(/\s/g, ' '))).toEqual([
    'ioctl  IOMMU_TEST_CMD MOCK_DOMAIN(3 /dev/iommu) = -1 EINVAL, 10 ns; 4800000002000000',
    'call   clone: process 7 made 8',
  ]);
  expect(JSON.parse(eventJson(events[1]!))).toMatchObject({ event: 1, stream: 'call', task: 7, kind: 'fork' });
});

describe('the command', () => {
  const folder = mkdtempSync(join(tmpdir(), 'iorr-analyze-'));
  const path = join(folder, 's.iorr');
  beforeAll(() => {
    const writer = createTrace(path, HEADER);
    example(writer);
    writer.finish({ health: EMPTY_HEALTH, notes: {} });
    writer.close();
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('answers as text and as JSON', async () => {
    const { code, out } = await runCommand(analyzeCommand, ['ioctl', path]);
    expect(code).toBe(0);
    expect(out).toContain('IOMMU_HWPT_INVALIDATE');
    expect(out).toMatch(/7 ioctls, 1 of them without a known result of 2 processes/);
    const json = await runCommand(analyzeCommand, ['ioctl', path], { json: true });
    expect(JSON.parse(json.out)).toMatchObject({ command: 'analyze ioctl', schemaVersion: 1, result: { calls: 7 } });
  });

  test('with a time: the objects of that time', async () => {
    const { out } = await runCommand(analyzeCommand, ['ioctl', path], { at: '150ns' });
    expect(out).toContain('1 open IOMMUFD context, by the model');
    await expect(runCommand(analyzeCommand, ['ioctl', path], { at: 'noon' })).rejects.toThrow(/--at/);
    const page = join(folder, 'none.html');
    await expect(runCommand(analyzeCommand, ['ioctl', path], { at: '1ns', html: page })).rejects.toThrow('has no page');
    expect(existsSync(page)).toBe(false);
  });

  test('says what it expects', async () => {
    await expect(runCommand(analyzeCommand, [])).rejects.toThrow(/an analysis expected \(.*ioctl, /);
    await expect(runCommand(analyzeCommand, ['x', path])).rejects.toThrow(/found "x"/);
    await expect(runCommand(analyzeCommand, ['ioctl'])).rejects.toThrow(/a trace expected/);
    const empty = join(folder, 'empty.iorr');
    const writer = createTrace(empty, HEADER);
    writer.finish({ health: EMPTY_HEALTH, notes: {} });
    writer.close();
    await expect(runCommand(analyzeCommand, ['ioctl', empty])).rejects.toThrow(/no ioctls/);
  });

  test('lists every analysis, and the command line knows it', () => {
    for (const { name } of ANALYSES) expect(analyzeCommand.summary).toContain(name);
    expect(readFileSync(fileURLToPath(new URL('../cli.ts', import.meta.url)), 'utf8')).toContain("'analyze'");
  });
});

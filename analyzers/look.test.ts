import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTrace } from '../traces/file.ts';
import { EMPTY_HEALTH } from '../traces/header.ts';
import { ACCESS, CALL, DIALECT, FLUSH, ORIGIN, OUTCOME, STREAM_ID } from '../traces/schema.ts';
import { encodeSgList } from '../traces/sg-list.ts';
import { runCommand } from '../traces/testing/recorded-io.ts';
import { testHeader } from '../traces/testing/test-header.ts';
import { catCommand } from './cat-command.ts';
import { infoCommand } from './info-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'iorr-look-'));
const file = join(folder, 'small.iorr');
afterAll(() => rmSync(folder, { recursive: true }));

beforeAll(() => {
  const trace = createTrace(
    file,
    testHeader({ host: { iommu: 'vtd' }, fidelity: { map: 'full', unmap: 'full', inv: 'full' } }),
  );
  const { rows } = trace;
  let row = trace.begin(STREAM_ID.mark, 1_000_000, 0, 1);
  rows.mark.columns.text[row] = trace.intern('start \u001b[31mred');
  row = trace.begin(STREAM_ID.map, 2_000_000, 1, 42);
  rows.map.columns.domain[row] = 4;
  rows.map.columns.device[row] = 0x18;
  rows.map.columns.iovaLo[row] = 0xffe31000 | 0;
  rows.map.columns.physLo[row] = 0x0efd4000;
  rows.map.columns.physHi[row] = 1;
  rows.map.columns.sizeLo[row] = 8192;
  rows.map.columns.prot[row] = ACCESS.read;
  row = trace.begin(STREAM_ID.map, 2_001_000, 1, 42);
  rows.map.columns.origin[row] = ORIGIN.dmaApi;
  rows.map.columns.call[row] = CALL.sg;
  rows.map.columns.device[row] = 0x18;
  rows.map.columns.iovaLo[row] = 0xffe31000 | 0;
  rows.map.columns.sizeLo[row] = 8192;
  trace.setBytes(
    rows.map.columns.list,
    row,
    encodeSgList({ dma: [{ address: 0xffe31000n, size: 8192n }], phys: [0x10efd4000n, 0x10efd7000n] }),
  );
  row = trace.begin(STREAM_ID.dma, 2_500_000, -1, -1);
  rows.dma.columns.rid[row] = 0x18;
  rows.dma.columns.domain[row] = 4;
  rows.dma.columns.iovaLo[row] = 0xffe31008 | 0;
  rows.dma.columns.outcome[row] = OUTCOME.known | OUTCOME.hit;
  rows.dma.columns.outLo[row] = 0x0efd4000;
  rows.dma.columns.outHi[row] = 1;
  row = trace.begin(STREAM_ID.unmap, 3_000_000, 1, 42);
  rows.unmap.columns.domain[row] = 4;
  rows.unmap.columns.iovaLo[row] = 0xffe31000 | 0;
  rows.unmap.columns.sizeLo[row] = 8192;
  rows.unmap.columns.unmappedLo[row] = 4096;
  row = trace.begin(STREAM_ID.flush, 3_000_500, 1, 42);
  rows.flush.columns.op[row] = FLUSH.range;
  rows.flush.columns.domain[row] = 4;
  rows.flush.columns.startLo[row] = 0xffe31000 | 0;
  rows.flush.columns.endLo[row] = 0xffe32fff | 0;
  row = trace.begin(STREAM_ID.inv, 3_001_000, 1, 42);
  rows.inv.columns.unit[row] = trace.intern('dmar0');
  rows.inv.columns.dialect[row] = DIALECT.vtd;
  rows.inv.columns.w0Lo[row] = 0x400f2;
  rows.inv.columns.w1Lo[row] = 0xffe30041 | 0;
  rows.inv.columns.lagLo[row] = 700;
  trace.finish({ health: EMPTY_HEALTH, notes: { seed: 7 } });
});

describe('iorr cat', () => {
  test('--from-event begins with the event that a finding names', async () => {
    const all = (await runCommand(catCommand, [file])).out.split('\n');
    const { out } = await runCommand(catCommand, [file], { fromEvent: '4', limit: '2' });
    expect(out.trimEnd().split('\n')).toEqual(all.slice(4, 6));
    expect((await runCommand(catCommand, [file], { fromEvent: '99' })).out).toBe('');
    await expect(runCommand(catCommand, [file], { fromEvent: '1.5s' })).rejects.toThrow('found "1.5s"');
  });

  test('prints every event, one a line, and no escape sequence of the trace', async () => {
    const { code, out, err } = await runCommand(catCommand, [file]);
    expect(code).toBe(0);
    expect(err).toBe('');
    expect(out).toMatchInlineSnapshot(`
      "     0.001000000   0       1  mark   start \\x1b[31mred
           0.002000000   1      42  map    iommu, did 4 0000:00:03.0, 0xffe31000+0x2000 -> 0x10efd4000
           0.002001000   1      42  map    dma-api sg, 0000:00:03.0, 0xffe31000+0x2000 -> 0x0 2 segments
           0.002500000   -       -  dma    0000:00:03.0 did 4 0xffe31008 -> 0x10efd4000 hit
           0.003000000   1      42  unmap  iommu, did 4, 0xffe31000+0x2000 unmapped 0x1000
           0.003000500   1      42  flush  op range, type iotlb, domain 4, start 0xffe31000, end 0xffe32fff
           0.003001000   1      42  inv    dmar0 iotlb page did 4 addr 0xffe30000 mask 1 ih drain (700 ns after it was submitted)
      "
    `);
  });

  test('NDJSON: addresses as hex strings, names for numbers, null for what is absent', async () => {
    const { out } = await runCommand(catCommand, [file], { format: 'ndjson' });
    const events = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events).toHaveLength(7);
    expect(events[1]).toMatchObject({
      event: 1,
      stream: 'map',
      t: 2_000_000,
      origin: 'iommu',
      device: '0000:00:03.0',
      iova: '0xffe31000',
      phys: '0x10efd4000',
    });
    expect(events[4]).toMatchObject({ stream: 'unmap', device: null, unmapped: '0x1000', list: null });
    expect(events[6]).toMatchObject({ stream: 'inv', dialect: 'vtd', w0: '0x400f2', w1: '0xffe30041', unit: 'dmar0' });
  });

  const streamsOf = async (options: Record<string, unknown>): Promise<string> => {
    const { out } = await runCommand(catCommand, [file], { ...options, format: 'ndjson' });
    return out
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as { stream: string }).stream)
      .join(' ');
  };

  test('filters by stream, time, device, domain and address', async () => {
    expect(await streamsOf({ stream: ['inv,map'] })).toBe('map map inv');
    expect(await streamsOf({ from: '2500us', to: '3ms' })).toBe('dma');
    expect(await streamsOf({ device: '00:03.0' })).toBe('map map dma');
    expect(await streamsOf({ domain: '4' })).toBe('map dma unmap flush');
    expect(await streamsOf({ iova: '0xffe32000' })).toBe('map map unmap flush');
    expect(await streamsOf({ iova: '0x0-0xfff' })).toBe('');
    expect(await streamsOf({ limit: '2' })).toBe('mark map');
  });

  test.each([
    [{ stream: ['unmp'] }, /did you mean unmap\?/],
    [{ from: 'soon' }, /--from: a time such as 1.5s/],
    [{ device: 'nvme' }, /--device: a PCI function such as/],
    [{ iova: '12z' }, /--iova: an address such as/],
    [{ domain: 'x' }, /--domain: a domain id expected/],
    [{ limit: 'x' }, /--limit: a number expected/],
  ])('refuses %j', async (options, message) => {
    await expect(runCommand(catCommand, [file], options)).rejects.toThrow(message);
  });
});

describe('iorr info', () => {
  test('counts events and bytes by stream; the streams add up to the events', async () => {
    const { out, code } = await runCommand(infoCommand, [file], { json: true });
    expect(code).toBe(0);
    const document = JSON.parse(out) as { command: string; result: Record<string, unknown>; health: unknown };
    expect(document).toMatchObject({ schemaVersion: 1, tool: 'iorr', command: 'info', health: { lost: 0 } });
    const streams = document.result['streams'] as Record<string, { events: number; bytes: number }>;
    expect(Object.values(streams).reduce((sum, { events }) => sum + events, 0)).toBe(7);
    expect(document.result).toMatchObject({
      events: 7,
      bytes: readFileSync(file).length,
      bytesPerEvent: readFileSync(file).length / 7,
      durationNs: 2_001_000,
      closed: true,
      fidelity: { map: 'full', unmap: 'full', inv: 'full' },
      notes: { seed: 7 },
    });
  });

  test('says in words what is there, and what is missing of a cut file', async () => {
    const { out } = await runCommand(infoCommand, [file]);
    expect(out).toContain('7 events');
    expect(out).toContain('health: nothing malformed, unknown, lost or truncated');
    const cut = join(folder, 'cut.iorr');
    const bytes = readFileSync(file);
    writeFileSync(cut, bytes.subarray(0, bytes.length - 20));
    const run = await runCommand(infoCommand, [cut], { strict: true, check: true });
    expect(run.code).toBe(4);
    expect(run.out).toContain('NOT CLOSED');
    expect(run.out).toContain('no footer: the recording was cut after 7 events');
  });

  test('a directory, a missing file and another format are refused with the next step', async () => {
    await expect(runCommand(infoCommand, [folder])).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
      message: 'a trace expected, found a directory',
    });
    await expect(runCommand(infoCommand, [join(folder, 'none')])).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
      message: 'no such file',
    });
    const text = join(folder, 'text');
    writeFileSync(text, '# tracer: nop\n');
    await expect(runCommand(infoCommand, [text])).rejects.toMatchObject({
      code: 'FORMAT_UNKNOWN',
      hint: expect.stringContaining('iorr import') as string,
    });
  });
});

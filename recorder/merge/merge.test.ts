import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { createTrace, openTrace } from '../../traces/file.ts';
import type { TraceHeader } from '../../traces/header.ts';
import { EMPTY_HEALTH } from '../../traces/header.ts';
import { INV_FORM, STREAM_ID } from '../../traces/schema.ts';
import { createRowCopier } from '../../traces/row-copier.ts';
import { EventCursor } from '../import/join/event-cursor.ts';
import { mergeCommand } from './merge-command.ts';
import { testHeader } from '../../traces/testing/test-header.ts';
import { runCommand } from '../../traces/testing/recorded-io.ts';

const folder = mkdtempSync(join(tmpdir(), 'iorr-merge-'));
afterAll(() => rmSync(folder, { recursive: true }));
const corpus = join(import.meta.dirname, '../../traces/corpus');
const CAPTURES = fileURLToPath(new URL('../../../shared/captures/', import.meta.url));
const whole = process.env['IORR_FULL'] === '1' && existsSync(CAPTURES);

const NONE = { before: 0, between: 0, after: 0 };

interface Answer {
  readonly code: number;
  readonly result: {
    readonly events: number;
    readonly join: {
      readonly commands: { readonly matched: number };
      readonly clock: { readonly residualNs: object };
    } | null;
    readonly clocks: readonly { readonly by: string; readonly offsetNs: number; readonly pairs: number }[];
  };
}

async function merge(args: readonly string[], options: { readonly [name: string]: unknown }): Promise<Answer> {
  const { code, out } = await runCommand(mergeCommand, args, { json: true, ...options });
  return { code, result: (JSON.parse(out) as { result: Answer['result'] }).result };
}

const HEADER: TraceHeader = testHeader({
  clock: { epochNs: '0', name: 'unknown', resolutionNs: 1 },
  fidelity: { mark: 'full' },
});

/** A trace of marks at these times. */
function marks(name: string, times: readonly number[], texts: readonly string[], header = HEADER): string {
  const path = join(folder, name);
  const writer = createTrace(path, header);
  times.forEach((time, i) => {
    const row = writer.begin(STREAM_ID.mark, time, 0, 7);
    writer.rows.mark.columns.text[row] = writer.intern(texts[i]!);
  });
  writer.finish({ health: EMPTY_HEALTH, notes: {} });
  return path;
}

/** Both sides of a joined trace, apart: the host's clock runs `ahead` and each command is submitted its lag earlier. */
function apart(
  name: string,
  ahead: number,
): { readonly paths: readonly [guest: string, host: string]; readonly commands: number } {
  const joined = openTrace(join(corpus, name));
  const paths = [join(folder, 'guest.iorr'), join(folder, 'host.iorr')] as const;
  const guestRows: { time: number; write: () => void }[] = [];
  const guest = createTrace(paths[0], { ...joined.header, fidelity: { map: 'full', unmap: 'full', inv: 'full' } });
  const host = createTrace(paths[1], { ...joined.header, fidelity: { dma: 'full', inv: 'full' } });
  const [toGuest, toHost] = [createRowCopier(joined, guest), createRowCopier(joined, host)];
  let commands = 0;
  const cursor = new EventCursor(joined);
  while (cursor.next()) {
    const { stream, segment, row, time, cpu, task } = cursor;
    const put = (at: number): void => toGuest(segment!, stream, row, guest.begin(stream, at, cpu, task));
    if (stream === STREAM_ID.dma || stream === STREAM_ID.inv) {
      toHost(segment!, stream, row, host.begin(stream, time + ahead, cpu, task));
    }
    if (stream !== STREAM_ID.inv) {
      if (stream !== STREAM_ID.dma) guestRows.push({ time, write: () => put(time) });
      continue;
    }
    const { form, lagLo, w0Lo } = segment!.rows.inv.columns;
    // waits of the driver itself and doorbells never pass the tracepoint
    const isCommand = form[row] === INV_FORM.words && (w0Lo[row]! & 0xf) !== 5;
    const submitted = time - lagLo[row]!;
    if (isCommand) commands++;
    if (isCommand) guestRows.push({ time: submitted, write: () => put(submitted) });
  }
  guestRows.sort((a, b) => a.time - b.time);
  for (const { write } of guestRows) write();
  for (const writer of [guest, host]) writer.finish({ health: EMPTY_HEALTH, notes: {} });
  joined.close();
  return { paths, commands };
}

describe('merge', () => {
  test('a guest and its host come together by their commands', async () => {
    const { paths, commands } = apart('vtd-pri-pasid-7.2.iorr', 123_456_789);
    const output = join(folder, 'joined.iorr');
    const { code, result } = await merge(paths, { output });
    expect(code).toBe(0);
    const trace = openTrace(output);
    const original = openTrace(join(corpus, 'vtd-pri-pasid-7.2.iorr'));
    try {
      expect(result.join?.commands).toMatchObject({ by: 'commands', matched: commands, guestOnly: NONE });
      expect(result.join?.clock.residualNs).toHaveProperty('median');
      const { map, unmap, inv, dma } = original.streamCounts;
      expect(trace.streamCounts).toMatchObject({ map, unmap, inv, dma });
    } finally {
      trace.close();
      original.close();
    }
  });

  test('marks that both have align clocks, and the residual is told', async () => {
    const a = marks('a.iorr', [1000, 2000, 3000, 9000], ['x', 'y', 'x', 'only a']);
    const b = marks('b.iorr', [501_000, 502_010, 503_000, 504_000], ['x', 'y', 'x', 'only b']);
    const output = join(folder, 'marks.iorr');
    const { result } = await merge([a, b], { output });
    expect(result.clocks).toEqual([
      { by: 'marks', offsetNs: -500_000, pairs: 3, residualNs: { min: 0, median: 0, p99: 10, max: 10 } },
    ]);
    const trace = openTrace(output);
    const [segment] = [...trace.segments()];
    expect([...segment!.time.subarray(0, segment!.count)]).toEqual([1000, 1000, 2000, 2010, 3000, 3000, 4000, 9000]);
    expect([...segment!.source.subarray(0, 3)]).toEqual([0, 1, 0]);
    expect(trace.header.sources).toHaveLength(2);
    trace.close();
  });

  test('offsets, clocks with one name, and nothing', async () => {
    const a = marks('c.iorr', [1000], ['c']);
    const b = marks('d.iorr', [5000], ['d']);
    const output = join(folder, 'offset.iorr');
    const given = await merge([a, b], { output, offset: '-3us' });
    expect(given.result.clocks).toMatchObject([{ by: 'offset', offsetNs: -3000 }]);
    const clock = { epochNs: '1000000', name: 'boot', resolutionNs: 1 };
    const early = marks('e.iorr', [0], ['e'], { ...HEADER, clock });
    const late = marks('f.iorr', [0], ['f'], { ...HEADER, clock: { ...clock, epochNs: '1000500' } });
    const named = await merge([early, late], { output });
    expect(named.result.clocks).toMatchObject([{ by: 'clock', offsetNs: 500, pairs: 0 }]);
    await expect(merge([a, b], { output })).rejects.toThrow('nothing tells');
    await expect(merge([a, b], { output, by: 'commands' })).rejects.toThrow('a guest (maps) and its host');
    await expect(merge([a, b], { output: a, offset: '1s' })).rejects.toThrow('it is the input');
    await expect(merge([a], { output })).rejects.toThrow('two traces');
    await expect(merge([a, b], { output, offset: '1s,2s' })).rejects.toThrow('--offset: 1 expected');
    await expect(merge([a, b], { output, offset: 'soon' })).rejects.toThrow('--offset: a time');
  });

  test.skipIf(!whole)(
    'all commands of a whole capture are matched one to one (IORR_FULL=1, with captures)',
    async () => {
      const cli = join(import.meta.dirname, '../../dist/cli.js');
      const sides = ['trace.txt', 'qemu_trace.log'].map((side) => {
        const output = join(folder, `${side}.iorr`);
        const { status } = spawnSync(process.execPath, [
          cli,
          'import',
          join(CAPTURES, `vtd-strict-6.12/${side}.zst`),
          '-o',
          output,
        ]);
        expect(status).toBe(0);
        return output;
      });
      const { result } = await merge(sides, { output: join(folder, 'whole.iorr') });
      expect(result.join?.commands).toMatchObject({ by: 'commands', matched: 183_191, guestOnly: NONE });
    },
    600_000,
  );
});

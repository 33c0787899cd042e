import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { openTrace } from '../../traces/file.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { Random } from '../../traces/random.ts';
import { createRowCopier } from '../../traces/row-copier.ts';
import { INV_FORM, STREAM_ID, STREAM_NAMES } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import { testHeader } from '../../traces/testing/test-header.ts';
import { diffGate } from './diff-gate.ts';
import { compareSides, diffTraces, readSide } from './diff-traces.ts';
import { compareHalves } from './splits.ts';

const ROOT = join(import.meta.dirname, '../..');
const CORPUS = join(ROOT, 'traces/corpus');
const CAPTURE = join(ROOT, '../shared/captures/vtd-strict-6.12/trace.txt.zst');
const WORSE = [{ kind: 'worse', text: 'worse' }] as const;
const OPTIONS = { seed: 1, resamples: 499, threshold: 0.01, hardware: undefined };

/** A copy of which so many in a hundred commands come twice, and whose events after `from` alone are taken. */
function copy(trace: Trace, twice: number, seed: number): MemoryTrace {
  const random = new Random(seed);
  const made = new MemoryTrace(trace.header);
  const copyRow = createRowCopier(trace, made);
  const row = new Int32Array(STREAM_NAMES.length);
  for (const segment of trace.segments()) {
    row.fill(0);
    for (let i = 0; i < segment.count; i++) {
      const id = segment.stream[i] ?? 0;
      const r = row[id] ?? 0;
      row[id] = r + 1;
      const command = id === STREAM_ID.inv && segment.rows.inv.columns.form[r] !== INV_FORM.doorbell;
      for (let times = command && random.chance(twice) ? 2 : 1; times > 0; times--) {
        const to = made.begin(
          id,
          segment.time[i] ?? 0,
          segment.cpu[i] ?? 0,
          segment.task[i] ?? 0,
          segment.source[i] ?? 0,
        );
        copyRow(segment, id, r, to);
      }
    }
  }
  return made;
}

/** Strict unmaps of one page with one command each, but for `extra` in a thousand that have two; marks, and times that vary. */
function run(seed: number, unmaps: number, extra: number, gapNs = 10_000): MemoryTrace {
  const random = new Random(seed);
  const trace = new MemoryTrace(
    testHeader({ host: { iommu: 'vtd' }, fidelity: { map: 'full', unmap: 'full', inv: 'full', mark: 'full' } }),
  );
  let time = 0;
  for (let i = 0; i < unmaps; i++) {
    if (i % 500 === 0) {
      const row = trace.begin(STREAM_ID.mark, time, 0, 1);
      trace.rows.mark.columns.text[row] = trace.intern(`phase ${Math.floor(i / 500) % 3}`);
    }
    time += gapNs + random.below(gapNs);
    for (const id of [STREAM_ID.map, STREAM_ID.unmap]) {
      const row = trace.begin(id, time, 0, 1);
      const { columns } = id === STREAM_ID.map ? trace.rows.map : trace.rows.unmap;
      columns.iovaLo[row] = random.below(1000) << 12;
      columns.sizeLo[row] = 4096;
    }
    for (let times = random.below(1000) < extra ? 2 : 1; times > 0; times--) {
      const row = trace.begin(STREAM_ID.inv, time, 0, 1);
      const { columns } = trace.rows.inv;
      columns.form[row] = INV_FORM.words;
      columns.w0Lo[row] = 0x32;
    }
  }
  return trace;
}

const verdicts = (metrics: readonly { readonly name: string; readonly verdict: string }[]): Record<string, string> =>
  Object.fromEntries(metrics.map(({ name, verdict }) => [name, verdict]));

describe('two traces', () => {
  test.each(['vtd-vfio-7.2', 'virtio-iommu-6.12', 'vtd-vfio-7.2-ioctl', 'vtd-pri-pasid-7.2-calls', 'iommufd-random'])(
    '%s is the same as itself in all it has',
    (name) => {
      const trace = openTrace(join(CORPUS, `${name}.iorr`));
      const { metrics, sameWork } = diffTraces(trace, trace, OPTIONS);
      expect(sameWork).toBe(true);
      expect(metrics.length).toBeGreaterThan(2);
      for (const one of metrics) {
        expect(one).toMatchObject({ verdict: 'same', change: 0, interval: [0, 0], basis: 'identical', a: one.b });
      }
      trace.close();
    },
  );

  test('3 % more commands for the same work are counted exactly, and fail the gate', () => {
    const trace = openTrace(join(CORPUS, 'virtio-iommu-6.12.iorr'));
    const compared = diffTraces(trace, copy(trace, 0.03, 5), OPTIONS);
    const gate = diffGate(WORSE, compared, 'counts');
    expect(gate.metrics).toContain('commands/unmap');
    const found = compared.metrics.find(({ name }) => name === 'commands/unmap');
    expect(found).toMatchObject({ basis: 'exact', verdict: 'worse' });
    expect(found?.change).toBeGreaterThan(0.025);
    expect(found?.interval).toEqual([found?.change, found?.change]);
    trace.close();
  });

  test('3 % more commands in another run of another length are found, alike runs are not told apart', () => {
    const [a, same, more] = [run(1, 9000, 20), run(2, 12_000, 20), run(3, 12_000, 50)];
    const alike = diffTraces(a, same, OPTIONS);
    expect(alike.alignment).toMatch(/^by 3 phases/);
    expect(diffGate(WORSE, alike, 'counts').breached).toBe(false);
    expect(verdicts(alike.metrics)['commands/unmap']).toBe('same');
    const worse = diffTraces(a, more, OPTIONS);
    expect(verdicts(worse.metrics)).toMatchObject({
      'commands/unmap': 'worse',
      'pages/command': 'worse',
      'maps/s': 'same',
    });
    expect(verdicts(diffTraces(more, a, OPTIONS).metrics)['commands/unmap']).toBe('better');
    const [low, high] = worse.metrics.find(({ name }) => name === 'commands/unmap')?.interval ?? [null, null];
    // 1.05 commands for 1.02
    expect(low).toBeLessThan(1.05 / 1.02 - 1);
    expect(high).toBeGreaterThan(1.05 / 1.02 - 1);
  });

  test('a slower run is worse in maps a second, which fails no gate that does not name it', () => {
    const compared = diffTraces(run(1, 6000, 20), run(2, 6000, 20, 14_000), OPTIONS);
    expect(verdicts(compared.metrics)['maps/s']).toBe('worse');
    expect(compared.metrics.find(({ name }) => name === 'maps/s')?.mannWhitney?.p).toBeLessThan(1e-6);
    expect(diffGate(WORSE, compared, 'counts').breached).toBe(false);
  });

  test('the same seed gives the same figures', () => {
    const compare = (): object => diffTraces(run(1, 3000, 20), run(2, 3000, 30), OPTIONS);
    expect(compare()).toEqual(compare());
  });

  test('what one trace can not show is told, not guessed', () => {
    const guest = openTrace(join(CORPUS, 'smmuv3-strict-6.12-ftrace.iorr'));
    const joined = openTrace(join(CORPUS, 'smmuv3-strict-6.12.iorr'));
    const { metrics, missing } = diffTraces(guest, joined, OPTIONS);
    expect(metrics.map(({ name }) => name)).not.toContain('commands/unmap');
    expect(missing.find(({ family }) => family === 'commands')?.why).toContain('the first trace has no inv');
    guest.close();
    joined.close();
  });

  test('an empty trace, and two without anything in common, are refused', () => {
    const empty = new MemoryTrace(run(1, 1, 0).header);
    expect(() => diffTraces(run(1, 10, 0), empty, OPTIONS)).toThrow(/second trace has no events/);
    const dirty = openTrace(join(CORPUS, 'migration-dirty.iorr'));
    expect(() => diffTraces(dirty, run(1, 10, 0), OPTIONS)).toThrow(/no stream of both traces/);
    dirty.close();
  });
});

describe('halves of one trace', () => {
  test('random ones of a corpus trace fail the gate in at most 5 %', () => {
    const trace = openTrace(join(CORPUS, 'vtd-strict-6.12.iorr'));
    const side = readSide(trace, 'unmap', undefined);
    const options = { ...OPTIONS, resamples: 199 };
    const { share } = compareHalves(side, 'unmap', WORSE, { splits: 40, windows: 40 }, options);
    expect(share).toBeLessThanOrEqual(0.05);
    trace.close();
  });

  test('the gate is not deaf to 3 % more commands where it may not count exactly', () => {
    const trace = openTrace(join(CORPUS, 'virtio-iommu-6.12.iorr'));
    const [side, other] = [readSide(trace, 'unmap', undefined), readSide(copy(trace, 0.03, 9), 'unmap', undefined)];
    const compared = compareSides(side, { ...other, work: { ...other.work, workHash: 1 } }, 'unmap', OPTIONS);
    expect(compared.sameWork).toBe(false);
    expect(diffGate(WORSE, compared, 'counts').metrics).toContain('commands/unmap');
    trace.close();
  });

  test.skipIf(process.env['IORR_FULL'] !== '1' || !existsSync(CAPTURE))(
    '200 random ones of a whole capture fail the default gate in at most 5 % (IORR_FULL=1, with the captures)',
    () => {
      const folder = mkdtempSync(join(tmpdir(), 'iorr-diff-'));
      try {
        const file = join(folder, 'strict.iorr');
        const cli = (...args: readonly string[]): string => {
          const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, 'dist/cli.js'), ...args], {
            encoding: 'utf8',
          });
          expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
          return stdout;
        };
        cli('import', CAPTURE, '-o', file);
        for (const windows of ['20', '40', '200']) {
          const { result } = JSON.parse(cli('diff', file, '--splits', '200', '--windows', windows, '--json')) as {
            result: { alarms: number; share: number };
          };
          console.log(`A/A splits of ${windows} windows: ${result.alarms} alarms of 200`);
          expect(result.share).toBeLessThanOrEqual(0.05);
        }
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );
});

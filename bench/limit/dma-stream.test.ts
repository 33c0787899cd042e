import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createCountingReplay } from '../../replay/engine/counting-replay.ts';
import { openTrace } from '../../traces/file.ts';
import { Random } from '../../traces/random.ts';
import { HAS_COMPILER, buildYardstick, runYardstick } from './c-yardstick.ts';
import { countDmaStream } from './count-stream.ts';
import { DmaStream } from './dma-stream.ts';
import { limitHardware } from './limit-hardware.ts';
import { RingEvents, ringMaps } from './limit-streams.ts';
import { describeStream, streamFigure, streamedFileFigure, writeDmaStream } from './stream-figures.ts';

const full = process.env['IORR_FULL'] === '1';
const cli = join(import.meta.dirname, '../../dist/cli.js');
const scratch = mkdtempSync(join(tmpdir(), 'iorr-stream-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const EVENTS = 300_007;

describe('a stream that is made as it is read', () => {
  test.skipIf(!HAS_COMPILER)('has the counts of a C program, by any number of threads', async () => {
    writeFileSync(join(scratch, 'dma.map'), ringMaps());
    writeFileSync(join(scratch, 'dma.ev'), new RingEvents(new Random(1)).next(EVENTS, EVENTS));
    const c = runYardstick(buildYardstick(scratch), join(scratch, 'dma'), 1);
    for (const threads of [1, 2, 3]) {
      const { hits, misses, walkReads, faults, invalidated, outputs, controls } = await countDmaStream(EVENTS, threads);
      const { hit, miss, walk, fault, inv, cmd, sum } = c;
      expect({ threads, hits, misses, walkReads, faults, invalidated, outputs, commands: controls.commands }).toEqual({
        threads,
        hits: hit,
        misses: miss,
        walkReads: walk,
        faults: fault,
        invalidated: inv,
        outputs: BigInt(sum),
        commands: cmd,
      });
    }
  });

  test('is the trace that is written, whatever segment is read first', async () => {
    const file = join(scratch, 'dma.iorr');
    expect(writeDmaStream(file, EVENTS)).toBeGreaterThan(0);
    const trace = openTrace(file);
    const replay = createCountingReplay(limitHardware)!;
    for (const segment of trace.segments()) replay.play(segment);
    trace.close();
    expect(trace.streamCounts.dma + trace.streamCounts.inv).toBe(EVENTS);
    const { hits, misses, outputs } = await countDmaStream(EVENTS, 1);
    expect(replay.counts()).toMatchObject({ hits, misses, outputs });

    const stream = new DmaStream(EVENTS, 1);
    const late = stream.readSegment(4, {});
    const early = stream.readSegment(3, {});
    expect(early.firstEvent + early.count).toBe(late.firstEvent);
    expect(stream.readSegment(4, {})).toEqual(late);
    expect(stream.segmentRows(0)[1]).toBeGreaterThan(60_000);
    expect(stream.segmentRows(4)).toEqual([]);
  });

  test('its figure says how much, how fast, in how much memory', async () => {
    const figure = await streamFigure(EVENTS, 1);
    expect(describeStream(figure)).toMatch(
      /^300007 dma-shaped events made on the fly, 1 threads: [\d.]+ s, [\d.]+ M events\/s, peak memory \d+ MiB; \d+ hits, \d+ misses$/,
    );
    const ofFile = await streamedFileFigure(cli, EVENTS, 2);
    expect(describeStream(ofFile)).toMatch(/^300007 dma-shaped events from a file of \d+ MiB, 2 threads: /);
    expect([ofFile.hits, ofFile.misses]).toEqual([figure.hits, figure.misses]);
  });

  // time is the machine's at that moment; memory is not
  test.skipIf(!full)('1,000,000,000 events in less than 1 GiB', { timeout: 600_000 }, async () => {
    const figure = await streamFigure(1e9, 2);
    process.stdout.write(`${describeStream(figure)}\n`);
    expect(figure.hits + figure.misses).toBeGreaterThan(9.9e8);
    expect(figure.peakBytes).toBeLessThan(2 ** 30);
  });
});

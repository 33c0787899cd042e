import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTrace } from '../../traces/file.ts';
import { EMPTY_HEALTH } from '../../traces/header.ts';
import { Random } from '../../traces/random.ts';
import { runWithUsage } from '../child-usage.ts';
import { countDmaStream } from './count-stream.ts';
import { BURSTS_PER_SEGMENT } from './dma-stream.ts';
import { LIMIT_SETTINGS, limitHardware } from './limit-hardware.ts';
import { RingEvents, ringMaps } from './limit-streams.ts';
import { limitHeader, writeLimitEvents, writeLimitMaps } from './limit-trace.ts';

/** How long `dma`-shaped events took that nothing held as a whole, and what was counted. */
export interface StreamFigure {
  /** Where the events came from. */
  readonly source: 'made on the fly' | 'a file';
  readonly events: number;
  readonly threads: number;
  /** By the wall clock; of a file from the start of the process to its end. */
  readonly seconds: number;
  /** Most resident memory of the process, all its threads together. */
  readonly peakBytes: number;
  /** Of the file. */
  readonly bytes?: number;
  readonly hits: number;
  readonly misses: number;
}

const SEED = 1;

/** Events made on the fly. Memory is that of this process: to be asked for in one that did nothing else. */
export async function streamFigure(events: number, threads: number): Promise<StreamFigure> {
  const before = performance.now();
  const { hits, misses } = await countDmaStream(events, threads, SEED);
  const seconds = (performance.now() - before) / 1000;
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  return { source: 'made on the fly', events, threads, seconds, peakBytes, hits, misses };
}

/** Writes the same events as a trace, a segment's worth at a time; returns its bytes. */
export function writeDmaStream(file: string, events: number): number {
  const writer = createTrace(file, limitHeader('dma'));
  writeLimitMaps(writer, ringMaps());
  const rings = new RingEvents(new Random(SEED));
  for (let done = 0; done < events; ) {
    const words = rings.next(BURSTS_PER_SEGMENT, events - done);
    writeLimitEvents(writer, words, done, words.length / 8);
    done += words.length / 8;
  }
  writer.finish({ health: EMPTY_HEALTH, notes: {} });
  return writer.bytes;
}

/** The same from a file that `iorr replay --counts` reads, in a process of its own. */
export async function streamedFileFigure(cli: string, events: number, threads: number): Promise<StreamFigure> {
  const folder = mkdtempSync(join(tmpdir(), 'iorr-stream-'));
  try {
    const file = join(folder, 'dma.iorr');
    const bytes = writeDmaStream(file, events);
    const settings = LIMIT_SETTINGS.flatMap((setting) => ['--set', setting]);
    const hardware = ['--hardware', limitHardware.name, ...settings];
    const usage = await runWithUsage(cli, [
      'replay',
      file,
      '--counts',
      ...hardware,
      '--jobs',
      String(threads),
      '--json',
    ]);
    if (usage.code !== 0) throw new Error(`iorr replay ended with status ${usage.code}: ${usage.stderr}`);
    const { result } = JSON.parse(usage.stdout) as {
      readonly result: { readonly iotlb: { readonly hits: number; readonly misses: number } };
    };
    const { hits, misses } = result.iotlb;
    const { wallSeconds: seconds, peakBytes } = usage;
    return { source: 'a file', events, threads, seconds, peakBytes, bytes, hits, misses };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** One line for people. */
export function describeStream({
  source,
  events,
  threads,
  seconds,
  peakBytes,
  bytes,
  hits,
  misses,
}: StreamFigure): string {
  const from = bytes === undefined ? source : `from ${source} of ${(bytes / 2 ** 20).toFixed(0)} MiB`;
  return (
    `${events} dma-shaped events ${from}, ${threads} threads: ` +
    `${seconds.toFixed(2)} s, ${(events / seconds / 1e6).toFixed(1)} M events/s, ` +
    `peak memory ${(peakBytes / 2 ** 20).toFixed(0)} MiB; ${hits} hits, ${misses} misses`
  );
}

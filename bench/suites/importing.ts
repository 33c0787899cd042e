import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { importSources } from '../../recorder/import/import-run.ts';
import type { ImportOptions } from '../../recorder/import/import-run.ts';
import { openSource } from '../../recorder/import/import-source.ts';
import { HEAD_BYTES } from '../../recorder/import/importer.ts';
import type { Importer } from '../../recorder/import/importer.ts';
import { findImporter } from '../../recorder/import/importers.ts';
import { openInput } from '../../recorder/import/open-input.ts';
import { traceDat } from '../../recorder/import/trace-dat.ts';
import { EncodingThread } from '../../traces/encoding-thread.ts';
import { memorySource } from '../../traces/format/bytes-io.ts';
import { TraceWriter } from '../../traces/format/writer.ts';
import { EMPTY_HEALTH, FORMAT_VERSION } from '../../traces/header.ts';
import type { TraceHeader } from '../../traces/header.ts';
import { Health } from '../../traces/health.ts';
import { SegmentBuilder } from '../../traces/segment.ts';
import type { EventSink } from '../../traces/trace.ts';
import { guestLog, hostLog, textChunks } from '../log-text.ts';
import { guestRecords } from '../record-file.ts';
import type { RecordFile } from '../record-file.ts';
import { zstdCompressor } from '../records/trace-dat-writer.ts';
import { simulatedTrace } from '../simulated-trace.ts';
import type { BenchCase, BenchSuite } from '../suite.ts';

/** Takes events and forgets them, segment by segment: what is left is the parser's own time. */
class ForgetfulSink implements EventSink {
  readonly #builder = new SegmentBuilder();
  readonly #strings = new Map<string, number>();
  readonly rows = this.#builder.rows;

  begin(streamId: number, time: number, cpu: number, task: number, source = 0): number {
    if (this.#builder.full) this.#builder.clear(0);
    return this.#builder.begin(streamId, time, cpu, task, source);
  }

  get room(): number {
    return this.#builder.room;
  }

  setBytes(...args: Parameters<EventSink['setBytes']>): void {
    this.#builder.setBytes(...args);
  }

  intern(text: string): number {
    const id = this.#strings.get(text) ?? this.#strings.size;
    this.#strings.set(text, id);
    return id;
  }
}

interface Log {
  readonly importer: Importer;
  readonly chunks: readonly Uint8Array[];
}

function headerOf({ importer, chunks }: Log): ReturnType<Importer['describe']> {
  return importer.describe((chunks[0] ?? new Uint8Array()).subarray(0, HEAD_BYTES));
}

function parse(log: Log, sink: EventSink): number {
  const run = log.importer.create({ sink, health: new Health(), file: 'log', header: headerOf(log) });
  for (const chunk of log.chunks) run.push(chunk);
  return run.end().events;
}

function importAll(log: Log): number {
  const described = headerOf(log);
  const header: TraceHeader = {
    formatVersion: FORMAT_VERSION,
    tool: 'iorr',
    toolVersion: '0',
    sources: [described.source],
    host: described.host,
    clock: described.clock,
    fidelity: described.fidelity,
  };
  const writer = new TraceWriter({ write: () => {} }, header);
  const events = parse(log, writer);
  writer.finish({ health: EMPTY_HEALTH, notes: {} });
  return events;
}

function cases(format: string, lines: Iterable<string>, folder: string): readonly BenchCase[] {
  const importer = findImporter(format);
  if (importer === undefined) throw new Error(`no importer ${format}`);
  const chunks = [...textChunks(lines)];
  const log = { importer, chunks };
  let amount = 0;
  for (const chunk of chunks) for (const byte of chunk) if (byte === 0x0a) amount++;
  const sink = new ForgetfulSink();
  return [
    { name: `${format}, parsing`, amount, unit: 'lines', run: () => parse(log, sink) },
    { name: `${format}, parsing and encoding`, amount, unit: 'lines', run: () => importAll(log) },
    ...wholeImports(format, Buffer.concat(chunks), amount, 'lines', folder),
  ];
}

/**
 * What `iorr import` does with a file: read, encode, owners of maps, the second pass. With one thread the wall time is about
 * what one core takes; with all threads it is what the user waits for.
 */
function wholeImports(
  format: string,
  bytes: Uint8Array,
  amount: number,
  unit: BenchCase['unit'],
  folder: string,
): readonly BenchCase[] {
  const input = join(folder, format.replaceAll(' ', '-'));
  writeFileSync(input, bytes);
  const output = `${input}.iorr`;
  return [
    {
      name: `${format}, whole import, one thread`,
      amount,
      unit,
      waits: true,
      run: () => importFile(input, output, {}),
    },
    {
      name: `${format}, whole import`,
      amount,
      unit,
      waits: true,
      run: () => importFile(input, output, { pipeline: (compression) => new EncodingThread(compression) }),
    },
  ];
}

async function importFile(path: string, output: string, threads: Pick<ImportOptions, 'pipeline'>): Promise<number> {
  const { signal } = new AbortController();
  const input = await openInput(path, signal);
  try {
    const source = await openSource(input, undefined);
    try {
      return (await importSources([source], output, { signal, onProgress: () => {}, ...threads })).result.events;
    } finally {
      await source.close();
    }
  } finally {
    await input.close();
  }
}

/** Files are opened before their events are read: what that takes does not depend on how many there are. */
function recordCases(format: string, { bytes, records }: RecordFile, folder: string): readonly BenchCase[] {
  const source = memorySource(bytes);
  const header = traceDat.whole.describe(source);
  const sink = new ForgetfulSink();
  const parse = (): number => {
    const run = traceDat.whole.create({ sink, health: new Health(), file: 'dat', header }, source);
    while (run.step());
    return run.end().events;
  };
  const log = { importer: traceDat, chunks: [bytes] };
  return [
    { name: `${format}, parsing`, amount: records, unit: 'events', run: parse },
    { name: `${format}, parsing and encoding`, amount: records, unit: 'events', run: () => importAll(log) },
    ...wholeImports(format, bytes, records, 'events', folder),
  ];
}

export const importing: BenchSuite = {
  name: 'import',
  summary: 'logs of kernel and emulator into traces',
  async prepare() {
    const folder = mkdtempSync(join(tmpdir(), 'iorr-bench-'));
    // Some segments, so that threads have something to do and what is done once for each import says little.
    const trace = simulatedTrace('packet-nic', ['events=500k', 'devices=4', 'calls=yes']);
    // Without zstd in this Node nor a command for it, nothing can be compressed, and the cases are left out.
    const zstd = zstdCompressor();
    return {
      cases: [
        ...cases('ftrace-text', guestLog(trace), folder),
        ...recordCases('trace-dat', guestRecords(trace), folder),
        ...(zstd === undefined ? [] : recordCases('trace-dat in zstd', guestRecords(trace, zstd), folder)),
        ...cases('qemu-log', hostLog(trace), folder),
      ],
      close: async () => rmSync(folder, { recursive: true }),
    };
  },
};

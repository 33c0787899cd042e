import { closeSync, existsSync, openSync, readFileSync, readSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { HEAD_BYTES } from '../../recorder/import/importer.ts';
import type { ImportFacts, ImportHeader, Importer } from '../../recorder/import/importer.ts';
import { detectImporter } from '../../recorder/import/importers.ts';
import { IorrError } from '../../traces/errors.ts';
import { memorySource } from '../../traces/format/bytes-io.ts';
import { MAGIC } from '../../traces/format/frame.ts';
import { FORMAT_VERSION } from '../../traces/header.ts';
import { Health } from '../../traces/health.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { SegmentBuilder } from '../../traces/segment.ts';
import type { Random } from '../../traces/random.ts';
import { ZstdDecoder } from '../../traces/zstd/decoder.ts';
import type { FuzzOutcome, FuzzPlaces, FuzzTarget } from './fuzz-target.ts';
import { mutateBytes } from './mutate-bytes.ts';
import { linesOf, mutateLog } from './mutate-log.ts';
import { cutTrace, mutateTrace } from './mutate-trace.ts';
import type { Mutation } from './mutate-trace.ts';
import { readEverything } from './read-everything.ts';

/** So much of each capture is damaged. */
const CAPTURED_BYTES = 512 * 1024;
const COMPRESSED_BYTES = 128 * 1024;

function startOf(file: string, most: number): Uint8Array {
  const descriptor = openSync(file, 'r');
  try {
    const bytes = new Uint8Array(most);
    return bytes.slice(0, readSync(descriptor, bytes, 0, most, 0));
  } finally {
    closeSync(descriptor);
  }
}

/** The beginning of a file, decompressed as far as it goes. */
function openedStart(file: string): Uint8Array {
  if (!/\.(gz|zst)$/.test(file)) return startOf(file, CAPTURED_BYTES);
  const packed = startOf(file, COMPRESSED_BYTES);
  try {
    if (file.endsWith('.gz')) return gunzipSync(packed, { finishFlush: 2 }).subarray(0, CAPTURED_BYTES);
    return new Uint8Array(Buffer.concat([...new ZstdDecoder().push(packed)].map((part) => part.slice())));
  } catch {
    return new Uint8Array(0);
  }
}

/** Every fixture and captured file that an importer takes for its own, in the order of their names. */
function seedsOf(importer: Importer, { root, captures }: FuzzPlaces): Uint8Array[] {
  const fixtures = join(root, 'recorder/import/fixtures');
  const files = readdirSync(fixtures, { withFileTypes: true }).flatMap((entry) =>
    entry.isFile() && !/\.(gz|zst)$/.test(entry.name) ? [join(fixtures, entry.name)] : [],
  );
  const captured =
    captures !== undefined && existsSync(captures)
      ? readdirSync(captures, { recursive: true, withFileTypes: true }).flatMap((entry) =>
          entry.isFile() ? [join(entry.parentPath, entry.name)] : [],
        )
      : [];
  return [
    ...files.sort().map((file) => new Uint8Array(readFileSync(file))),
    ...captured.sort().map(openedStart),
  ].filter((bytes) => detectImporter(bytes.subarray(0, HEAD_BYTES)) === importer);
}

function isText(bytes: Uint8Array): boolean {
  return !bytes.includes(0);
}

/** Made once: a million of them is what a run would spend most of its time with. */
const BUILDER = new SegmentBuilder();

/** An empty trace for what is imported next; the one before must be read no more. */
export function memoryTrace({ source, host, clock, fidelity }: ImportHeader, builder = BUILDER): MemoryTrace {
  builder.clear(0);
  const header = {
    formatVersion: FORMAT_VERSION,
    tool: 'iorr',
    toolVersion: '0',
    sources: [source],
    host,
    clock,
    fidelity,
  };
  return new MemoryTrace(header, builder);
}

/** What one import of bytes gives. */
export interface Imported {
  readonly trace: MemoryTrace;
  readonly facts: ImportFacts;
  readonly health: Health;
}

/** Gives all of the bytes to an importer, in pieces of any size. */
export function importBytes(importer: Importer, bytes: Uint8Array, random: Random, builder = BUILDER): Imported {
  const health = new Health();
  const allEvents = random.chance(0.2);
  if (importer.whole !== undefined && random.chance(0.7)) {
    const source = memorySource(bytes);
    const header = importer.whole.describe(source);
    const trace = memoryTrace(header, builder);
    const run = importer.whole.create({ sink: trace, health, file: 'damaged', header, allEvents }, source);
    while (run.step());
    return { trace, facts: run.end(), health };
  }
  const header = importer.describe(bytes.subarray(0, HEAD_BYTES));
  const trace = memoryTrace(header, builder);
  const run = importer.create({ sink: trace, health, file: 'damaged', header, allEvents });
  const most = random.chance(0.1) ? 100 : 20_000;
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + random.below(most);
    run.push(bytes.subarray(at, end));
    at = end;
  }
  return { trace, facts: run.end(), health };
}

/** Reads an imported trace back; throws `Error` unless each line, record or event is accounted for once. */
export function checkImported({ trace, facts, health }: Imported): number {
  const report = health.report();
  const accounted = facts.events + facts.folded + facts.blank + facts.skipped;
  const troubled = report.malformed + report.unknown + report.ignored;
  if (accounted + troubled !== facts.lines || facts.folded < 0) {
    throw new Error(`${JSON.stringify(facts)} do not fit ${JSON.stringify(report)}`);
  }
  return readEverything(trace, {});
}

/** Damaged inputs of one importer: each is imported, or refused as a whole. */
export function fuzzImporter(importer: Importer, places: FuzzPlaces): FuzzTarget {
  const seeds = seedsOf(importer, places);
  if (seeds.length === 0) throw new Error(`no fixture of ${importer.name}`);
  return {
    make: mutator(seeds),
    take(bytes, random): FuzzOutcome {
      try {
        return { refused: undefined, events: checkImported(importBytes(importer, bytes, random)) };
      } catch (error) {
        if (error instanceof IorrError) return { refused: error.code, events: 0 };
        throw error;
      }
    },
  };
}

function mutator(seeds: readonly Uint8Array[]): (random: Random) => Mutation {
  if (seeds.every((seed) => MAGIC.every((byte, i) => seed[i] === byte))) {
    const bases = seeds.map(cutTrace);
    return (random) => mutateTrace(bases, random);
  }
  if (!seeds.every(isText)) return (random) => mutateBytes(seeds, random);
  const logs = seeds.map(linesOf);
  return (random) => mutateLog(logs, random);
}

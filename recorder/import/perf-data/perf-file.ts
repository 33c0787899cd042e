import type { ByteSource } from '../../../traces/format/bytes-io.ts';
import type { EventFormat } from '../../ftrace/event-format.ts';
import { DatCursor, DatDamage } from '../trace-dat/dat-cursor.ts';
import { readEventFormats, readFtraceFormats, readHeaderInfo } from '../trace-dat/sections.ts';

/** `PERFILE2`, and as a big-endian machine writes the same number. */
export const PERF_MAGIC = Uint8Array.from('PERFILE2', (letter) => letter.charCodeAt(0));
export const PERF_MAGIC_SWAPPED = Uint8Array.from(PERF_MAGIC).reverse();

/** How the samples of one event lie in the file (include/uapi/linux/perf_event.h, struct perf_event_attr). */
export interface PerfAttr {
  /** It is a tracepoint: its samples hold records. */
  readonly tracepoint: boolean;
  readonly sampleType: number;
  /** All records but samples end with who and when. */
  readonly sampleIdAll: boolean;
  /** Bits that say what a group's counters look like in a sample. */
  readonly readFormat: number;
  /** Ids of its counters, as decimal text. */
  readonly ids: readonly string[];
}

/** What a perf.data file says of itself: everything but the samples. */
export interface PerfFile {
  readonly littleEndian: boolean;
  readonly attrs: readonly PerfAttr[];
  readonly data: { readonly offset: number; readonly size: number };
  readonly formats: readonly EventFormat[];
  /** Empty or 0 where it was not recorded. */
  readonly kernel: string;
  readonly machine: string;
  readonly cpus: number;
  readonly pageBytes: number;
  readonly damages: readonly { readonly what: string; readonly offset: number }[];
}

/** Parts of a file behind its samples, by bit (tools/perf/util/header.h). */
const FEATURE = { tracingData: 1, osRelease: 4, arch: 6, nrCpus: 7 } as const;
const FEATURE_WORDS = 4;
const TYPE_TRACEPOINT = 2;
const SAMPLE_ID_ALL = 1 << 18;
const MIN_ATTR = 64;
const MAX_ATTR = 4096;
const MAX_ATTRS = 65536;
const MAX_IDS = 1_000_000;
const FILE_HEADER = 104;
/** What `perf record -o -` writes: magic and this size, then records alone (`struct perf_pipe_file_header`). */
const PIPE_HEADER = 16;
/** Records that say what a file's parts say (tools/lib/perf/include/perf/event.h). */
const PIPED = { attr: 64, eventType: 65, tracingData: 66, buildId: 67, idIndex: 69, feature: 80 } as const;
const PIPED_TYPES: readonly number[] = Object.values(PIPED);
const TRACING_MAGIC = 10;
/** u32 type, u16 misc, u16 size. */
const RECORD_HEADER = 8;

interface Part {
  readonly offset: number;
  readonly size: number;
}

/**
 * Reads all of a perf.data but its samples (tools/perf/Documentation/perf.data-file-format.txt). What is damaged or cut is noted.
 * What it wrote into a pipe has no such parts: records say the same.
 */
export function readPerfFile(source: ByteSource): PerfFile {
  const magic = source.read(0, PERF_MAGIC.length);
  const littleEndian = PERF_MAGIC.every((byte, i) => magic[i] === byte);
  const damages: { what: string; offset: number }[] = [];
  const attempt = (what: string, step: () => void): void => {
    try {
      step();
    } catch (error) {
      if (!(error instanceof DatDamage)) throw error;
      damages.push({ what: `${what}: ${error.message}`, offset: error.offset });
    }
  };
  const attrs: PerfAttr[] = [];
  const formats: EventFormat[] = [];
  let data: Part = { offset: 0, size: 0 };
  let [kernel, machine, cpus, pageBytes] = ['', '', 0, 0];
  const feature = (id: number, part: DatCursor): void => {
    if (id === FEATURE.tracingData) pageBytes = readTracingData(source, part, formats);
    else if (id === FEATURE.osRelease) kernel = readString(part);
    else if (id === FEATURE.arch) machine = readString(part);
    else if (id === FEATURE.nrCpus) cpus = part.u32();
  };
  attempt('head', () => {
    const cursor = new DatCursor(source, littleEndian, PERF_MAGIC.length);
    const size = cursor.u64();
    if (size === PIPE_HEADER) {
      data = { offset: PIPE_HEADER, size: Math.max(0, source.size - PIPE_HEADER) };
      readPiped(source, littleEndian, attrs, (id, part) => feature(id, part));
      return;
    }
    if (size < FILE_HEADER) throw new DatDamage(`a head of ${size} bytes`, PERF_MAGIC.length);
    const attrSize = cursor.u64();
    const attrPart = readPart(cursor);
    data = readPart(cursor);
    readPart(cursor);
    const bits = Array.from({ length: FEATURE_WORDS }, () => cursor.bigint());
    attempt('events', () => readAttrs(source, littleEndian, attrPart, attrSize, attrs));
    const table = new DatCursor(source, littleEndian, data.offset + data.size);
    bits.forEach((word, i) => {
      for (let bit = 0; bit < 64; bit++) {
        if (((word >> BigInt(bit)) & 1n) === 0n) continue;
        const id = i * 64 + bit;
        // Samples without their directory can be read; formats can't be found then.
        attempt(`feature ${id}`, () => {
          const { offset, size: bytes } = readPart(table);
          feature(id, new DatCursor(source, littleEndian, offset, offset + bytes));
        });
      }
    });
  });
  return { littleEndian, attrs, data, formats, kernel, machine, cpus, pageBytes, damages };
}

/** Bytes that stand behind a record of the kind `tracingData`; 0 for any other. */
export function bytesBehind(type: number, record: DataView, at: number, littleEndian: boolean): number {
  return type === PIPED.tracingData ? record.getUint32(at + RECORD_HEADER, littleEndian) : 0;
}

/**
 * Whether the records that say what all others mean have come, in a stream that grows: the first of any other kind is there.
 * `none`: it is no stream of perf's.
 */
export function pipedHeadState(source: ByteSource): 'more' | 'whole' | 'none' {
  if (source.size < PIPE_HEADER) return 'more';
  const head = source.read(0, PIPE_HEADER);
  const littleEndian = PERF_MAGIC.every((byte, i) => head[i] === byte);
  if (!littleEndian && !PERF_MAGIC_SWAPPED.every((byte, i) => head[i] === byte)) return 'none';
  return walkPiped(source, littleEndian, () => {}) ? 'whole' : 'more';
}

/** Calls `visit` for each record of the head. True if a record of another kind follows. */
function walkPiped(
  source: ByteSource,
  littleEndian: boolean,
  visit: (type: number, offset: number, size: number, behind: number) => void,
): boolean {
  let at = PIPE_HEADER;
  while (at + RECORD_HEADER + 4 <= source.size) {
    const bytes = source.read(at, RECORD_HEADER + 4);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const type = view.getUint32(0, littleEndian);
    const size = view.getUint16(6, littleEndian);
    if (!PIPED_TYPES.includes(type) || size < RECORD_HEADER) return true;
    const behind = bytesBehind(type, view, 0, littleEndian);
    if (at + size + behind > source.size) return false;
    visit(type, at, size, behind);
    at += size + behind;
  }
  return false;
}

function readPiped(
  source: ByteSource,
  littleEndian: boolean,
  attrs: PerfAttr[],
  feature: (id: number, part: DatCursor) => void,
): void {
  walkPiped(source, littleEndian, (type, offset, size, behind) => {
    const end = offset + size;
    const part = new DatCursor(source, littleEndian, offset + RECORD_HEADER, end);
    if (type === PIPED.tracingData)
      feature(FEATURE.tracingData, new DatCursor(source, littleEndian, end, end + behind));
    else if (type === PIPED.feature) feature(part.u64(), part);
    else if (type === PIPED.attr) {
      if (attrs.length >= MAX_ATTRS) throw new DatDamage(`${attrs.length} events`, offset);
      const { attr, bytes } = readAttr(part);
      if (bytes < MIN_ATTR || bytes > size - RECORD_HEADER) throw new DatDamage(`an event of ${bytes} bytes`, offset);
      const ids = new DatCursor(source, littleEndian, offset + RECORD_HEADER + bytes, end);
      attrs.push({ ...attr, ids: Array.from({ length: Math.floor(ids.left / 8) }, () => String(ids.bigint())) });
    }
  });
}

function readPart(cursor: DatCursor): Part {
  return { offset: cursor.u64(), size: cursor.u64() };
}

/** u32 bytes, text with NULs behind it. */
function readString(cursor: DatCursor): string {
  return cursor.text(Math.min(cursor.u32(), cursor.left, 256)).replace(/\0.*$/s, '');
}

/** Each: the attr, u64 offset and u64 size of its ids. */
function readAttrs(source: ByteSource, littleEndian: boolean, part: Part, attrSize: number, attrs: PerfAttr[]): void {
  if (attrSize < MIN_ATTR + 16 || attrSize > MAX_ATTR) throw new DatDamage(`events of ${attrSize} bytes`, part.offset);
  const count = Math.floor(part.size / attrSize);
  if (count > MAX_ATTRS) throw new DatDamage(`${count} events`, part.offset);
  for (let i = 0; i < count; i++) {
    const from = part.offset + i * attrSize;
    const cursor = new DatCursor(source, littleEndian, from, from + attrSize);
    const { attr } = readAttr(cursor);
    const places = new DatCursor(source, littleEndian, from + attrSize - 16, from + attrSize);
    const { offset, size } = readPart(places);
    if (size / 8 > MAX_IDS) throw new DatDamage(`${size / 8} ids`, from);
    const list = new DatCursor(source, littleEndian, offset, offset + size);
    const ids = Array.from({ length: Math.floor(size / 8) }, () => String(list.bigint()));
    attrs.push({ ...attr, ids });
  }
}

/** struct perf_event_attr, and the bytes that it says to have. */
function readAttr(cursor: DatCursor): { readonly attr: Omit<PerfAttr, 'ids'>; readonly bytes: number } {
  const type = cursor.u32();
  const bytes = cursor.u32();
  // Config, sample_period.
  cursor.skip(8 + 8);
  const sampleType = cursor.u64();
  const readFormat = cursor.u64();
  const flags = Number(BigInt.asUintN(32, cursor.bigint()));
  const sampleIdAll = (flags & SAMPLE_ID_ALL) !== 0;
  return { attr: { tracepoint: type === TYPE_TRACEPOINT, sampleType, sampleIdAll, readFormat }, bytes };
}

/** The head of a trace.dat (version 0.5 or 0.6), then the formats as there. Returns the bytes of a page. */
function readTracingData(source: ByteSource, part: DatCursor, formats: EventFormat[]): number {
  part.skip(TRACING_MAGIC);
  part.name();
  const littleEndian = part.u8() === 0;
  const longBytes = part.u8();
  const cursor = new DatCursor(source, littleEndian, part.pos, part.end);
  const pageBytes = cursor.u32();
  readHeaderInfo(cursor);
  readFtraceFormats(cursor, formats, longBytes);
  readEventFormats(cursor, formats, longBytes);
  return pageBytes;
}

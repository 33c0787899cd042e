import { IorrError } from '../../../traces/errors.ts';
import type { ByteSource } from '../../../traces/format/bytes-io.ts';
import type { EventFormat } from '../../ftrace/event-format.ts';
import { DEFAULT_LAYOUT, parseHeaderPage } from '../../ftrace/ring-buffer.ts';
import type { SubBufferLayout } from '../../ftrace/ring-buffer.ts';
import { MAX_SECTION, findCodec, readPiece } from './codec.ts';
import type { Codec } from './codec.ts';
import { DatCursor, DatDamage, bytesCursor } from './dat-cursor.ts';
import type { CpuData, DatBuffer, DatFile } from './dat-file.ts';
import { OPTION, Options, currentClock } from './options.ts';
import { readEventFormats, readFtraceFormats, readHeaderInfo } from './sections.ts';

/** `0x17 0x08 0x44 tracing`. */
export const MAGIC = Uint8Array.of(0x17, 0x08, 0x44, 0x74, 0x72, 0x61, 0x63, 0x69, 0x6e, 0x67);

/** Linux's own limit (arch/x86/Kconfig, NR_CPUS_RANGE_END). */
const MAX_CPUS = 8192;
const MAX_BUFFERS = 4096;
/** CPUs of all buffers together. */
const MAX_CPU_DATA = 65536;
/** Sections of options that lead from one to the next. */
const MAX_OPTION_SECTIONS = 4096;
const MAX_SUB_BUFFER = 8 * 1024 * 1024;
const COMPRESSED = 1;
const MARK_BYTES = 10;
/** Linux keeps 128 names, and up to 32,768 if it is told to; a name has 15 bytes at most. */
const MAX_TASK_NAMES = 16 * 1024 * 1024;
const MAX_WORKERS = 65_536;

/** What was found so far; damage leaves what came before it. */
class Findings {
  readonly formats: EventFormat[] = [];
  readonly buffers: DatBuffer[] = [];
  readonly damages: { what: string; offset: number }[] = [];
  readonly options = new Options();
  headerPage = '';
  kernelWorkers: ReadonlySet<number> = new Set();

  /** Buffers may name the same data; how much that can become is limited. */
  addBuffer(buffer: DatBuffer, offset: number): void {
    const cpus = this.buffers.reduce((sum, one) => sum + one.cpus.length, buffer.cpus.length);
    if (cpus > MAX_CPU_DATA) throw new DatDamage(`data of ${cpus} CPUs`, offset);
    this.buffers.push(buffer);
  }

  /** Runs a step; damage ends the step, and is noted. */
  attempt(what: string, step: () => void): boolean {
    try {
      step();
      return true;
    } catch (error) {
      if (!(error instanceof DatDamage)) throw error;
      this.damages.push({ what: `${what}: ${error.message}`, offset: error.offset });
      return false;
    }
  }

  layout(littleEndian: boolean, longBytes: number, bytes: number): SubBufferLayout {
    const told = parseHeaderPage(this.headerPage, littleEndian);
    const commitBytes = longBytes === 4 ? 4 : 8;
    const layout = told ?? { ...DEFAULT_LAYOUT, commitBytes, data: 8 + commitBytes, littleEndian };
    return bytes > layout.data && bytes <= MAX_SUB_BUFFER && bytes % 4 === 0 ? { ...layout, bytes } : layout;
  }
}

/** The head that all versions share. */
interface Head {
  readonly version: 6 | 7;
  readonly littleEndian: boolean;
  readonly longBytes: number;
  readonly pageBytes: number;
  /** Behind the head. */
  readonly pos: number;
}

function readHead(source: ByteSource): Head {
  const cursor = new DatCursor(source, true);
  cursor.skip(MAGIC.length);
  const version = cursor.name();
  if (version !== '6' && version !== '7') {
    throw new IorrError(
      'FORMAT_UNKNOWN',
      `trace.dat of version 6 or 7 expected, found version ${version.slice(0, 16)}`,
      {
        place: { file: source.name },
        hint: 'trace-cmd convert --file-version 7 makes one',
      },
    );
  }
  const littleEndian = cursor.u8() === 0;
  const longBytes = cursor.u8();
  const page = new DatCursor(source, littleEndian, cursor.pos);
  return { version: version === '6' ? 6 : 7, littleEndian, longBytes, pageBytes: page.u32(), pos: page.pos };
}

/**
 * Reads all of a trace.dat but its records (trace-cmd, Documentation/trace-cmd/trace-cmd.dat.v6.5 and .v7.5). What is damaged or
 * cut is noted, and what can be read without it is read. Throws `IorrError` FORMAT_UNKNOWN for another version.
 */
export function readDatFile(source: ByteSource): DatFile {
  const found = new Findings();
  let head: Head = { version: 7, littleEndian: true, longBytes: 8, pageBytes: 4096, pos: source.size };
  const headed = found.attempt('head', () => {
    head = readHead(source);
  });
  if (headed) {
    if (head.version === 6) readVersion6(source, head, found);
    else readVersion7(source, head, found);
  }
  const { options, formats, buffers, damages } = found;
  const { version, littleEndian, pageBytes } = head;
  const cpus = Math.max(options.cpus, ...buffers.map((buffer) => buffer.cpus.length), 0);
  const { uname, scale, timeOffset, statistics, recorder, unknown } = options;
  const rest = { uname, scale, timeOffset, statistics, recorder, unknown };
  const { kernelWorkers } = found;
  return { version, littleEndian, pageBytes, formats, buffers, cpus, kernelWorkers, damages, ...rest };
}

/** Names of tasks: u64 bytes of text, a line `57 kworker/u8:1` each. */
function readKernelWorkers(cursor: DatCursor): ReadonlySet<number> {
  const bytes = cursor.u64();
  if (bytes > MAX_TASK_NAMES) {
    cursor.skip(bytes);
    return new Set();
  }
  const lines = cursor.text(bytes).matchAll(/^(\d{1,10}) kworker\//gm);
  return new Set([...lines].slice(0, MAX_WORKERS).map(([, task]) => Number(task)));
}

function readVersion6(source: ByteSource, head: Head, found: Findings): void {
  const { littleEndian, longBytes, pos } = head;
  const cursor = new DatCursor(source, littleEndian, pos);
  const { options, formats } = found;
  // Parts follow each other: what comes after a damaged one can't be found.
  found.attempt('version 6', () => {
    found.headerPage = readHeaderInfo(cursor);
    readFtraceFormats(cursor, formats, longBytes);
    readEventFormats(cursor, formats, longBytes);
    // Symbols of the kernel, formats of trace_printk, names of tasks.
    cursor.skip(cursor.u32());
    cursor.skip(cursor.u32());
    found.kernelWorkers = readKernelWorkers(cursor);
    const cpus = cursor.u32();
    if (cpus > MAX_CPUS) throw new DatDamage(`${cpus} CPUs`, cursor.pos - 4);
    options.cpus = cpus;
    readData6(cursor, found, head, '', cpus);
  });
  for (const data of options.buffers.slice(0, MAX_BUFFERS)) {
    found.attempt('buffer', () => {
      const offset = data.u64();
      const name = data.name();
      readData6(new DatCursor(source, littleEndian, offset), found, head, name, options.cpus);
    });
  }
}

/** `options  \0` and options, any number of times; then `flyrecord\0` and where each CPU's data lies, or `latency  \0`. */
function readData6(cursor: DatCursor, found: Findings, head: Head, name: string, cpuCount: number): void {
  const { options } = found;
  for (;;) {
    const from = cursor.pos;
    const mark = cursor.text(MARK_BYTES).replace(/[\s\0]+$/, '');
    if (mark === 'options') {
      options.readAll(cursor);
      continue;
    }
    if (mark === 'latency') throw new DatDamage('text of a latency tracer, no records', from);
    if (mark !== 'flyrecord') throw new DatDamage('data of CPUs expected', from);
    const cpus: CpuData[] = [];
    for (let cpu = 0; cpu < cpuCount; cpu++) cpus.push({ cpu, offset: cursor.u64(), size: cursor.u64() });
    const layout = found.layout(head.littleEndian, head.longBytes, head.pageBytes);
    found.addBuffer({ name, clock: options.clock, layout, codec: undefined, cpus }, from);
    return;
  }
}

function readVersion7(source: ByteSource, head: Head, found: Findings): void {
  const { littleEndian, longBytes } = head;
  const { options, formats } = found;
  let codec: Codec | undefined;
  let next = 0;
  const headed = found.attempt('head', () => {
    const cursor = new DatCursor(source, littleEndian, head.pos);
    const name = cursor.name();
    cursor.name();
    codec = findCodec(name);
    if (codec === undefined && name !== 'none')
      throw new DatDamage(`compression ${name.slice(0, 16)} is not known`, head.pos);
    next = cursor.u64();
  });
  if (!headed) return;
  const visited = new Set<number>();
  while (next !== 0 && !visited.has(next) && visited.size < MAX_OPTION_SECTIONS) {
    const at = next;
    visited.add(at);
    next = 0;
    found.attempt('options', () => {
      next = options.readSection(section(source, littleEndian, at, codec, OPTION.done));
    });
  }
  const read = (id: number, what: string, parse: (cursor: DatCursor) => void): void => {
    const at = options.sections.get(id);
    if (at === undefined) found.damages.push({ what: `${what}: not in the file`, offset: 0 });
    else found.attempt(what, () => parse(section(source, littleEndian, at, codec, id)));
  };
  read(OPTION.headerInfo, 'header of sub-buffers', (cursor) => {
    found.headerPage = readHeaderInfo(cursor);
  });
  read(OPTION.ftraceEvents, 'formats of the tracer', (cursor) => readFtraceFormats(cursor, formats, longBytes));
  read(OPTION.eventFormats, 'formats of events', (cursor) => readEventFormats(cursor, formats, longBytes));
  const names = options.sections.get(OPTION.cmdlines);
  if (names !== undefined) {
    found.attempt('names of tasks', () => {
      found.kernelWorkers = readKernelWorkers(section(source, littleEndian, names, codec, OPTION.cmdlines));
    });
  }
  for (const data of options.buffers.slice(0, MAX_BUFFERS)) {
    found.attempt('buffer', () => found.addBuffer(readBuffer7(source, head, found, codec, data), 0));
  }
}

/** u64 offset of the section, name, clock, u32 bytes of a sub-buffer, u32 CPUs, each u32 number, u64 offset, u64 size. */
function readBuffer7(
  source: ByteSource,
  head: Head,
  found: Findings,
  codec: Codec | undefined,
  data: DatCursor,
): DatBuffer {
  const { littleEndian, longBytes } = head;
  const header = new DatCursor(source, littleEndian, data.u64());
  header.u16();
  const compressed = (header.u16() & COMPRESSED) !== 0;
  const name = data.name();
  const clock = currentClock(data.name());
  const bytes = data.u32();
  const count = data.u32();
  if (count > MAX_CPUS) throw new DatDamage(`${count} CPUs`, data.pos);
  const cpus: CpuData[] = [];
  for (let i = 0; i < count; i++) cpus.push({ cpu: data.u32(), offset: data.u64(), size: data.u64() });
  return {
    name,
    clock,
    layout: found.layout(littleEndian, longBytes, bytes),
    codec: compressed ? codec : undefined,
    cpus,
  };
}

/** u16 id, u16 flags, u32 string, u64 size; then the content, perhaps compressed. */
function section(
  source: ByteSource,
  littleEndian: boolean,
  at: number,
  codec: Codec | undefined,
  expected: number,
): DatCursor {
  const cursor = new DatCursor(source, littleEndian, at);
  const id = cursor.u16();
  const flags = cursor.u16();
  cursor.u32();
  const size = cursor.u64();
  if (id !== expected) throw new DatDamage(`section ${expected} expected, found ${id}`, at);
  if ((flags & COMPRESSED) === 0) return new DatCursor(source, littleEndian, cursor.pos, cursor.pos + size);
  if (codec === undefined) throw new DatDamage('compressed, in a file without compression', at);
  return bytesCursor(readPiece(cursor, codec, MAX_SECTION), littleEndian);
}

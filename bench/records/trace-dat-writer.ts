import { spawnSync } from 'node:child_process';
import * as zlib from 'node:zlib';
import { ByteParts } from './byte-parts.ts';
import { OPTION } from '../../recorder/import/trace-dat/options.ts';

/** Writes trace.dat files of both versions, as trace-cmd does: inputs of tests and benchmarks. */

export interface DatCpu {
  readonly cpu: number;
  /** Whole sub-buffers. */
  readonly data: Uint8Array;
}

export interface DatContent {
  readonly littleEndian?: boolean;
  readonly longBytes?: 4 | 8;
  readonly pageBytes?: number;
  readonly headerPage?: string;
  /** Texts of the tracer's formats, and of events by system. */
  readonly ftrace?: readonly string[];
  readonly events?: { readonly [system: string]: readonly string[] };
  readonly uname?: string;
  /** Names of tasks: a line `57 kworker/u8:1` each. */
  readonly tasks?: string;
  /** Further options: number and data. */
  readonly options?: readonly (readonly [number, Uint8Array])[];
  /** The first is the machine's own. */
  readonly buffers: readonly { readonly name: string; readonly clock: string; readonly cpus: readonly DatCpu[] }[];
}

/** Compression of a version 7 file. */
export interface DatCompressor {
  readonly name: string;
  encode(bytes: Uint8Array): Uint8Array;
}

export const ZLIB: DatCompressor = { name: 'zlib', encode: (bytes) => zlib.deflateSync(bytes) };

/** By this Node, or where it has no zstd (before 22.15) by the `zstd` command; undefined where there is neither. */
export function zstdCompressor(): DatCompressor | undefined {
  if ('zstdCompressSync' in zlib) {
    const compress = zlib.zstdCompressSync as (bytes: Uint8Array) => Uint8Array;
    return { name: 'zstd', encode: (bytes) => compress(bytes) };
  }
  if (spawnSync('zstd', ['--version']).status !== 0) return undefined;
  const options = { maxBuffer: 2 ** 28 };
  return { name: 'zstd', encode: (input) => spawnSync('zstd', ['-q', '-c'], { ...options, input }).stdout };
}

export function headerPage(bytes = 4096, longBytes = 8): string {
  return (
    '\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n' +
    `\tfield: local_t commit;\toffset:8;\tsize:${longBytes};\tsigned:1;\n` +
    '\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n' +
    `\tfield: char data;\toffset:${8 + longBytes};\tsize:${bytes - 8 - longBytes};\tsigned:1;\n`
  );
}

const HEADER_EVENT = '# compressed entry header\n';
const SECTION_FLAG = 1;
/** Sub-buffers in a chunk. */
const CHUNK = 10;

function head(content: DatContent, version: 6 | 7): ByteParts {
  const { littleEndian = true, longBytes = 8, pageBytes = 4096 } = content;
  const parts = new ByteParts(littleEndian);
  parts
    .add(Uint8Array.of(0x17, 0x08, 0x44))
    .add('tracing')
    .name(String(version));
  return parts
    .number(littleEndian ? 0 : 1, 1)
    .number(longBytes, 1)
    .number(pageBytes, 4);
}

function headerInfo(content: DatContent, to: ByteParts): ByteParts {
  const text = content.headerPage ?? headerPage(content.pageBytes, content.longBytes);
  return to.name('header_page').sized(text).name('header_event').sized(HEADER_EVENT);
}

function ftraceFormats({ ftrace = [] }: DatContent, to: ByteParts): ByteParts {
  to.number(ftrace.length, 4);
  for (const text of ftrace) to.sized(text);
  return to;
}

function eventFormats({ events = {} }: DatContent, to: ByteParts): ByteParts {
  to.number(Object.keys(events).length, 4);
  for (const [system, texts] of Object.entries(events)) {
    to.name(system).number(texts.length, 4);
    for (const text of texts) to.sized(text);
  }
  return to;
}

function basicOptions(content: DatContent): (readonly [number, Uint8Array])[] {
  const { uname = '', options = [] } = content;
  const named: (readonly [number, Uint8Array])[] = uname === '' ? [] : [[OPTION.uname, Buffer.from(`${uname}\0`)]];
  return [...named, ...options];
}

function option(to: ByteParts, id: number, data: Uint8Array): void {
  to.number(id, 2).number(data.length, 4).add(data);
}

/** Version 6. Instances are written as trace-cmd does: an option with the offset of their part. */
export function writeDat6(content: DatContent): Uint8Array {
  const { littleEndian = true, pageBytes = 4096, tasks = '', buffers } = content;
  const before = head(content, 6);
  eventFormats(content, ftraceFormats(content, headerInfo(content, before)));
  before
    .number(0, 4)
    .number(0, 4)
    .number(tasks.length, 8)
    .add(tasks)
    .number(buffers[0]?.cpus.length ?? 0, 4);
  const plain = basicOptions(content);
  const clock = buffers[0]?.clock ?? '';
  const clocks: readonly [number, Uint8Array][] =
    clock === '' ? [] : [[OPTION.traceClock, Buffer.from(`[${clock}] x`)]];
  const all = [...clocks, ...plain];
  const instances = buffers.slice(1).map(({ name }) => 8 + name.length + 1);
  const optionBytes = [...all.map(([, data]) => data.length), ...instances].reduce((sum, size) => sum + 6 + size, 2);
  const tables = buffers.map(({ cpus }) => 10 + cpus.length * 16);
  const tablesAt = before.length + 10 + optionBytes;
  let dataAt = Math.ceil((tablesAt + tables.reduce((sum, size) => sum + size, 0)) / pageBytes) * pageBytes;
  const data: Uint8Array[] = [];
  const first = dataAt;
  before.add('options  \0');
  for (const [id, bytes] of all) option(before, id, bytes);
  buffers.slice(1).forEach(({ name }, i) => {
    const offset = tables.slice(0, i + 1).reduce((sum, size) => sum + size, tablesAt);
    option(before, OPTION.buffer, new ByteParts(littleEndian).number(offset, 8).name(name).bytes());
  });
  before.number(OPTION.done, 2);
  for (const { cpus } of buffers) {
    before.add('flyrecord\0');
    for (const cpu of cpus) {
      before.number(dataAt, 8).number(cpu.data.length, 8);
      dataAt += cpu.data.length;
      data.push(cpu.data);
    }
  }
  return Buffer.concat([before.bytes(), Buffer.alloc(first - before.length), ...data]);
}

/** Version 7, with all sections compressed if there is a compressor. */
export function writeDat7(content: DatContent, compressor?: DatCompressor): Uint8Array {
  const { littleEndian = true, pageBytes = 4096, tasks, buffers } = content;
  const file = head(content, 7);
  file.name(compressor?.name ?? 'none').name(compressor === undefined ? '' : '1.0');
  const optionsField = file.length;
  file.number(0, 8);
  const section = (id: number, bytes: Uint8Array): number => {
    const at = file.length;
    const packed = compressor?.encode(bytes);
    const size = packed === undefined ? bytes.length : packed.length + 8;
    file
      .number(id, 2)
      .number(packed === undefined ? 0 : SECTION_FLAG, 2)
      .number(0, 4)
      .number(size, 8);
    if (packed === undefined) file.add(bytes);
    else file.number(packed.length, 4).number(bytes.length, 4).add(packed);
    return at;
  };
  const parts = (): ByteParts => new ByteParts(littleEndian);
  const options = parts();
  for (const [id, data] of basicOptions(content)) option(options, id, data);
  const places: readonly (readonly [number, Uint8Array])[] = [
    [OPTION.headerInfo, headerInfo(content, parts()).bytes()],
    [OPTION.ftraceEvents, ftraceFormats(content, parts()).bytes()],
    [OPTION.eventFormats, eventFormats(content, parts()).bytes()],
    ...(tasks === undefined ? [] : [[OPTION.cmdlines, parts().number(tasks.length, 8).add(tasks).bytes()] as const]),
  ];
  for (const [id, bytes] of places) option(options, id, parts().number(section(id, bytes), 8).bytes());
  for (const { name, clock, cpus } of buffers) {
    const at = file.length;
    file
      .number(OPTION.buffer, 2)
      .number(compressor === undefined ? 0 : SECTION_FLAG, 2)
      .number(0, 4)
      .number(0, 8);
    const data = parts().number(at, 8).name(name).name(clock).number(pageBytes, 4).number(cpus.length, 4);
    for (const cpu of cpus) {
      const from = file.length;
      if (compressor === undefined) file.add(cpu.data);
      else chunks(file, cpu.data, pageBytes, compressor);
      data
        .number(cpu.cpu, 4)
        .number(from, 8)
        .number(file.length - from, 8);
    }
    option(options, OPTION.buffer, data.bytes());
  }
  option(options, OPTION.done, parts().number(0, 8).bytes());
  const at = section(OPTION.done, options.bytes());
  const bytes = file.bytes();
  parts().number(at, 8).bytes().copy(bytes, optionsField);
  return bytes;
}

function chunks(to: ByteParts, data: Uint8Array, pageBytes: number, compressor: DatCompressor): void {
  const size = CHUNK * pageBytes;
  to.number(Math.ceil(data.length / size), 4);
  for (let at = 0; at < data.length; at += size) {
    const chunk = data.subarray(at, at + size);
    const packed = compressor.encode(chunk);
    to.number(packed.length, 4).number(chunk.length, 4).add(packed);
  }
}

import { ByteParts } from './byte-parts.ts';

/** Writes perf.data files as perf record does: inputs of tests. */

export interface PerfSample {
  readonly time: bigint;
  readonly cpu: number;
  readonly pid: number;
  /** Position in `events`. Default 0. */
  readonly event?: number;
  readonly record: Uint8Array;
}

export interface PerfLoss {
  readonly time: bigint;
  readonly cpu: number;
  readonly lost: bigint;
  /** Counted per event at the end, instead of when it happened. */
  readonly atEnd?: boolean;
}

export interface PerfEvent {
  /** Default: a tracepoint. */
  readonly type?: number;
  /** Further bits of sample_type, beside those that perf record has for tracepoints. */
  readonly more?: number;
}

export interface PerfContent {
  readonly littleEndian?: boolean;
  /** Texts of formats by system. */
  readonly formats: { readonly [system: string]: readonly string[] };
  readonly events?: readonly PerfEvent[];
  /** Each ends with a record that says so. */
  readonly rounds: readonly (readonly (PerfSample | PerfLoss)[])[];
  readonly kernel?: string;
  readonly machine?: string;
}

// IP, TID, TIME, CPU, PERIOD, RAW, IDENTIFIER.
const SAMPLE_TYPE = 1 | 2 | 4 | 128 | 256 | 1024 | 65536;
const READ = 16;
const CALLCHAIN = 32;
const ATTR = 136;
const FILE_HEADER = 104;

function tracingData(content: PerfContent, little: boolean): Buffer {
  const to = new ByteParts(little)
    .add(Uint8Array.of(0x17, 0x08, 0x44))
    .add('tracing')
    .add('0.6\0');
  to.number(little ? 0 : 1, 1)
    .number(8, 1)
    .number(4096, 4);
  to.name('header_page').sized('\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n');
  to.name('header_event').sized('# compressed entry header\n');
  to.number(0, 4).number(Object.keys(content.formats).length, 4);
  for (const [system, texts] of Object.entries(content.formats)) {
    to.name(system).number(texts.length, 4);
    for (const text of texts) to.sized(text);
  }
  return to.number(0, 4).number(0, 4).number(0, 8).bytes();
}

function record(little: boolean, type: number, body: ByteParts): Buffer {
  const bytes = body.bytes();
  return Buffer.concat([
    new ByteParts(little)
      .number(type, 4)
      .number(0, 2)
      .number(bytes.length + 8, 2)
      .bytes(),
    bytes,
  ]);
}

function sample(
  little: boolean,
  { time, cpu, pid, event = 0, record: raw }: PerfSample,
  { more = 0 }: PerfEvent,
): Buffer {
  const to = new ByteParts(little).number(100 + event, 8).number(0xffff_ffff_8100_0000n, 8);
  to.number(pid, 4).number(pid, 4).number(time, 8).number(cpu, 4).number(0, 4).number(1, 8);
  if ((more & READ) !== 0) to.number(5, 8);
  if ((more & CALLCHAIN) !== 0) to.number(2, 8).number(1, 8).number(2, 8);
  const padding = (8 - ((raw.length + 4) % 8)) % 8;
  to.number(raw.length + padding, 4)
    .add(raw)
    .add(new Uint8Array(padding));
  return record(little, 9, to);
}

function loss(little: boolean, { time, cpu, lost, atEnd = false }: PerfLoss): Buffer {
  const to = new ByteParts(little);
  if (!atEnd) to.number(100, 8);
  // Behind it: thread, time, cpu, identifier.
  to.number(lost, 8).number(0, 8).number(time, 8).number(cpu, 4).number(0, 4).number(100, 8);
  return record(little, atEnd ? 13 : 2, to);
}

export function writePerfData(content: PerfContent): Uint8Array {
  const { littleEndian: little = true, events = [{}], rounds, kernel = '', machine = '' } = content;
  const ids = new ByteParts(little);
  events.forEach((_, i) => ids.number(100 + i, 8));
  const idsAt = FILE_HEADER;
  const attrsAt = idsAt + ids.length;
  const attrs = new ByteParts(little);
  events.forEach(({ type = 2, more = 0 }, i) => {
    attrs.number(type, 4).number(ATTR, 4).number(0, 8).number(1, 8);
    attrs
      .number(SAMPLE_TYPE | more, 8)
      .number(0, 8)
      .number(1 << 18, 8);
    attrs
      .add(new Uint8Array(ATTR - 48))
      .number(idsAt + i * 8, 8)
      .number(8, 8);
  });
  const dataAt = attrsAt + attrs.length;
  const data = rounds.map((round) => {
    const records = round.map((item) =>
      'lost' in item ? loss(little, item) : sample(little, item, events[item.event ?? 0] ?? {}),
    );
    return Buffer.concat([...records, record(little, 68, new ByteParts(little))]);
  });
  const dataBytes = Buffer.concat(data);
  const strings = (text: string): Buffer =>
    new ByteParts(little)
      .number(text.length + 1, 4)
      .add(`${text}\0`)
      .bytes();
  const features: readonly (readonly [number, Buffer])[] = [
    [1, tracingData(content, little)],
    ...(kernel === '' ? [] : [[4, strings(kernel)] as const]),
    ...(machine === '' ? [] : [[6, strings(machine)] as const]),
    [7, new ByteParts(little).number(2, 4).number(2, 4).bytes()],
  ];
  let at = dataAt + dataBytes.length + features.length * 16;
  const table = new ByteParts(little);
  for (const [, bytes] of features) {
    table.number(at, 8).number(bytes.length, 8);
    at += bytes.length;
  }
  const head = new ByteParts(little)
    .add(little ? 'PERFILE2' : '2ELIFREP')
    .number(FILE_HEADER, 8)
    .number(ATTR + 16, 8);
  head
    .number(attrsAt, 8)
    .number(attrs.length, 8)
    .number(dataAt, 8)
    .number(dataBytes.length, 8)
    .number(0, 8)
    .number(0, 8);
  head
    .number(
      features.reduce((bits, [id]) => bits | (1 << id), 0),
      8,
    )
    .add(new Uint8Array(24));
  const sections = [
    head.bytes(),
    ids.bytes(),
    attrs.bytes(),
    dataBytes,
    table.bytes(),
    ...features.map(([, bytes]) => bytes),
  ];
  return Buffer.concat(sections);
}

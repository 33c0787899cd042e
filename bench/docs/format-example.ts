import { decode } from '@msgpack/msgpack';
import { INT_CODECS } from '../../traces/format/codecs/codecs.ts';
import { decodeColumn } from '../../traces/format/column.ts';
import { COMPRESSION } from '../../traces/format/compression.ts';
import { FRAME, FRAME_HEADER_BYTES, MAGIC, TRAILER_BYTES, parseFrameHeader } from '../../traces/format/frame.ts';
import { SLOTS } from '../../traces/format/layout.ts';
import { readSummary } from '../../traces/format/segment-frame.ts';
import { TraceWriter } from '../../traces/format/writer.ts';
import { EMPTY_HEALTH, FORMAT_VERSION } from '../../traces/header.ts';
import { STREAM_ID, STREAM_NAMES } from '../../traces/schema.ts';
import { msgpackRanges } from './msgpack-ranges.ts';
import type { MsgpackRange } from './msgpack-ranges.ts';
import { markdownTable } from './page-parts.ts';

/** Two faults and a mark, as the writer of all traces writes them. */
export function exampleTrace(): Uint8Array {
  const pieces: Uint8Array[] = [];
  const writer = new TraceWriter(
    { write: (bytes) => void pieces.push(Uint8Array.from(bytes)) },
    {
      formatVersion: FORMAT_VERSION,
      tool: 'iorr',
      toolVersion: '0.1.0',
      sources: [{ format: 'example', producer: 'docs' }],
      host: {},
      clock: { epochNs: '0', name: 'mono', resolutionNs: 1 },
      fidelity: { fault: 'full' },
    },
    { compression: 'deflate' },
  );
  const mark = writer.begin(STREAM_ID.mark, 0, 0, 7, 0);
  writer.rows.mark.columns.text[mark] = writer.intern('go');
  for (const [time, page] of [
    [1000, 0x10],
    [2500, 0x12],
  ] as const) {
    const row = writer.begin(STREAM_ID.fault, time, 1, 7, 0);
    const fault = writer.rows.fault.columns;
    fault.unit[row] = writer.intern('dmar0');
    fault.rid[row] = 0x20;
    fault.pasid[row] = -1;
    fault.iovaLo[row] = page << 12;
    fault.iovaHi[row] = 1;
    fault.reason[row] = 5;
    fault.access[row] = 2;
  }
  writer.finish({ health: EMPTY_HEALTH, notes: {} });
  return Buffer.concat(pieces);
}

interface Note {
  readonly from: number;
  readonly to: number;
  readonly what: string;
}

const SHARED = ['streams', 'times', 'cpus', 'tasks', 'sources'];
const UNNAMED: NamedColumn = { name: '?', rows: 0 };
const BYTE_STRING = 255;

/** What a segment and its entry in the footer both say. */
const EXTENT = ['first event', 'events', 'earliest ns', 'latest ns', 'rows by stream number'];

/** What stands in the arrays of a frame, by its type: the next item of that depth is called so. */
const LABELS: { readonly [type: number]: readonly { readonly depth: number; readonly what: string }[] } = {
  [FRAME.strings]: [
    { depth: 1, what: 'index of the first text' },
    { depth: 1, what: 'texts' },
  ],
  [FRAME.segment]: [
    ...EXTENT.map((what) => ({ depth: 1, what })),
    { depth: 1, what: 'shared columns' },
    { depth: 2, what: 'grouping' },
    { depth: 1, what: 'a stream' },
    { depth: 2, what: 'its number' },
    { depth: 1, what: 'a stream' },
    { depth: 2, what: 'its number' },
  ],
  [FRAME.footer]: [{ depth: 4, what: 'offset of the segment frame' }, ...EXTENT.map((what) => ({ depth: 4, what }))],
};

/** What a column's head says, and what it holds: `codec 0 (constant), variant 0, 1 byte: 0e = 7 7 7`. */
function columnNote({ name, rows }: NamedColumn, bytes: Uint8Array): string {
  const [codec = 0, variant = 0, compression = 0, length = 0] = bytes;
  const known = codec === BYTE_STRING ? 'byte string' : INT_CODECS.find(({ id }) => id === codec)?.name;
  if (known === undefined || compression !== COMPRESSION.none) throw new RangeError(`${name}: a plain column expected`);
  const head = `column ${name}: codec ${codec} (${known}), variant ${variant}, not compressed, length ${length}: ${hex(bytes.subarray(4))}`;
  if (codec === BYTE_STRING) return head;
  const values = new Int32Array(rows);
  decodeColumn(bytes, values);
  return `${head} = ${values.join(', ')}`;
}

const hex = (bytes: Uint8Array): string =>
  Buffer.from(bytes)
    .toString('hex')
    .replace(/..(?=.)/g, '$& ');

interface NamedColumn {
  readonly name: string;
  readonly rows: number;
}

/** The byte strings of a segment frame, in their order: the shared columns, then those of each stream that has rows. */
function* segmentColumns(content: readonly unknown[]): Generator<NamedColumn> {
  const { count, rows } = readSummary(content);
  for (const name of SHARED) yield { name, rows: count };
  for (const [stream, streamRows] of rows.entries()) {
    for (const { property } of streamRows > 0 ? (SLOTS[stream] ?? []) : []) {
      yield { name: `${STREAM_NAMES[stream]}.${property}`, rows: streamRows };
    }
  }
}

/** An array of numbers is told at once: the ranges that it takes, and its text. */
function numbersAt(ranges: readonly MsgpackRange[], i: number): { readonly count: number; readonly text: string } {
  const head = ranges[i]!;
  if (!head.what.startsWith('array of ')) return { count: 0, text: '' };
  const items = ranges.slice(i + 1, i + 1 + Number(head.what.slice('array of '.length)));
  const plain = items.length > 2 && items.every(({ depth, what }) => depth === head.depth + 1 && /^-?\d+$/.test(what));
  return plain
    ? { count: items.length, text: `: ${items.map(({ what }) => what).join(', ')}` }
    : { count: 0, text: '' };
}

/** Notes of a frame's payload: a map's name and value are one, an array of numbers is one. */
function payloadNotes(payload: Uint8Array, at: number): readonly Note[] {
  const ranges = msgpackRanges(payload);
  const content = decode(payload) as readonly unknown[];
  const type = Number(ranges[1]!.what);
  const columns = type === FRAME.segment ? segmentColumns(content) : undefined;
  const labels = [...(LABELS[type] ?? [])];
  const notes: Note[] = [];
  for (let i = 0; i < ranges.length; i++) {
    const first = ranges[i]!;
    if (first.isKey) i++;
    const value = ranges[i]!;
    const { count, text } = numbersAt(ranges, i);
    i += count;
    let what = `${first.isKey ? `${JSON.parse(first.what) as string}: ` : ''}${value.what}${text}`;
    if (value === ranges[1]) what = `type ${type}: ${Object.keys(FRAME)[type] ?? '?'}`;
    else if (value.bytes !== undefined) what = columnNote(columns?.next().value ?? UNNAMED, value.bytes);
    else if (value.depth === labels[0]?.depth) what = `${labels.shift()?.what ?? ''}: ${what}`;
    notes.push({ from: at + first.from, to: at + ranges[i]!.to, what: `${'· '.repeat(first.depth)}${what}` });
  }
  return notes;
}

/** Every byte range of a file, in order: magic, frames, trailer. */
function fileNotes(file: Uint8Array): readonly Note[] {
  const notes: Note[] = [{ from: 0, to: MAGIC.length, what: 'magic' }];
  let at = MAGIC.length;
  while (at < file.length - TRAILER_BYTES) {
    const frame = parseFrameHeader(file.subarray(at));
    if (frame === undefined) throw new RangeError(`byte ${at}: a frame expected`);
    const from = at + FRAME_HEADER_BYTES;
    notes.push({ from: at, to: at + 4, what: '**frame**: marker' });
    notes.push({ from: at + 4, to: at + 8, what: `payload of ${frame.length} bytes` });
    notes.push({ from: at + 8, to: from, what: 'CRC-32 of the payload' });
    notes.push(...payloadNotes(file.subarray(from, from + frame.length), from));
    at = from + frame.length;
  }
  notes.push({ from: at, to: at + 8, what: '**trailer**: `iorr-end`' });
  const footer = Buffer.from(file.subarray(at + 8)).readBigUInt64LE();
  notes.push({ from: at + 8, to: file.length, what: `offset of the footer frame: ${footer}` });
  return notes;
}

/** The example as a table: offset, bytes, meaning. */
export function formatExample(): string {
  const file = exampleTrace();
  const rows = fileNotes(file).map(({ from, to, what }) => [String(from), `\`${hex(file.subarray(from, to))}\``, what]);
  return `${file.length} bytes.\n\n${markdownTable(['offset', 'bytes', 'is'], rows)}`;
}

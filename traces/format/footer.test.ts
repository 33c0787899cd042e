import { decode } from '@msgpack/msgpack';
import { describe, expect, test } from 'vitest';
import { EMPTY_HEALTH, FORMAT_VERSION } from '../header.ts';
import { STREAM_ID } from '../schema.ts';
import { memorySource } from './bytes-io.ts';
import { FRAME_HEADER_BYTES, TRAILER_BYTES, encodeFrame, encodeTrailer, parseTrailer } from './frame.ts';
import { TraceFile } from './reader.ts';
import { TraceWriter } from './writer.ts';

/** Three segments of 100 marks and one unmap each. */
function trace(): Uint8Array {
  const chunks: Uint8Array[] = [];
  const writer = new TraceWriter(
    { write: (bytes) => chunks.push(bytes.slice()) },
    {
      formatVersion: FORMAT_VERSION,
      tool: 'iorr',
      toolVersion: '0',
      sources: [],
      host: {},
      clock: { epochNs: '0', name: 'boot', resolutionNs: 1 },
      fidelity: {},
    },
  );
  for (let segment = 0; segment < 3; segment++) {
    for (let i = 0; i < 100; i++) {
      const row = writer.begin(STREAM_ID.mark, segment * 1000 + i, 0, 0);
      writer.rows.mark.columns.text[row] = writer.intern(`mark ${segment}`);
    }
    writer.begin(STREAM_ID.unmap, segment * 1000 + 100, 0, 0);
    writer.flush();
  }
  writer.finish({ health: EMPTY_HEALTH, notes: {} });
  return new Uint8Array(Buffer.concat(chunks));
}

type Line = [number, number, number, number, number, number[]];
interface Footer {
  index: Line[];
  strings: number[];
}

/** The file with its footer changed and sealed again. */
function withFooter(change: (footer: Footer) => void): Uint8Array {
  const bytes = trace();
  const offset = parseTrailer(bytes.slice(-TRAILER_BYTES)) ?? 0;
  const content = decode(bytes.subarray(offset + FRAME_HEADER_BYTES, bytes.length - TRAILER_BYTES)) as [number, Footer];
  change(content[1]);
  return new Uint8Array(Buffer.concat([bytes.subarray(0, offset), encodeFrame(content), encodeTrailer(offset)]));
}

function read(bytes: Uint8Array): { events: number; counted: number; lost: number; marks: number; texts: number } {
  const file = new TraceFile(memorySource(bytes));
  let events = 0;
  for (const segment of file.segments()) events += segment.count;
  const { lost } = file.health;
  return { events, counted: file.eventCount, lost, marks: file.streamCounts.mark, texts: file.strings.length };
}

const WHOLE = { events: 303, counted: 303, lost: 0, marks: 300, texts: 3 };

describe('a footer that lies', () => {
  test('an untouched one is believed', () => {
    expect(read(withFooter(() => {}))).toEqual(WHOLE);
  });

  test.each<[string, (footer: Footer) => void]>([
    ['a negative count', (footer) => footer.index.forEach((line) => line.splice(2, 1, -101))],
    ['a count that its rows do not make', (footer) => footer.index.forEach((line) => line.splice(2, 1, 100))],
    ['one segment many times', (footer) => footer.index.push(...footer.index, ...footer.index)],
    ['segments in another order', (footer) => footer.index.reverse()],
    ['an offset before the first frame', (footer) => footer.index.forEach((line) => line.splice(0, 1, 0))],
    ['one string table many times', (footer) => footer.strings.push(...footer.strings)],
  ])('%s: the file is read from front to back instead', (_name, change) => {
    expect(read(withFooter(change))).toEqual(WHOLE);
  });

  test.each<[string, (line: Line) => void]>([
    ['rows of other streams', (line) => line[5].reverse()],
    ['other times', (line) => line.splice(3, 1, -5)],
    ['another first event', (line) => line.splice(1, 1, 7)],
  ])('%s: the segment counts as damaged, and its events as lost', (_name, change) => {
    const bytes = withFooter((footer) => change(footer.index[1] as Line));
    expect(read(bytes)).toMatchObject({ events: 202, counted: 303, lost: 101 });
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LineSplitter, MAX_LINE_BYTES } from './lines.ts';
import type { LineReader } from './lines.ts';

class Collector implements LineReader {
  readonly lines: string[] = [];
  readonly numbers: number[] = [];
  readonly long: [number, number][] = [];
  rest: string | undefined;

  line(bytes: Uint8Array, start: number, end: number, number: number): void {
    this.lines.push(Buffer.from(bytes.subarray(start, end)).toString('latin1'));
    this.numbers.push(number);
  }

  tooLong(number: number, bytes: number): void {
    this.long.push([number, bytes]);
  }

  unterminated(bytes: Uint8Array, start: number, end: number): void {
    this.rest = Buffer.from(bytes.subarray(start, end)).toString('latin1');
  }
}

function split(bytes: Uint8Array, cuts: readonly number[] = []): Collector {
  const collector = new Collector();
  const splitter = new LineSplitter(collector);
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  let at = 0;
  for (const end of ends) {
    splitter.push(bytes.slice(at, end));
    at = Math.max(at, end);
  }
  splitter.end();
  return collector;
}

describe('splitting bytes into lines', () => {
  test('empty lines, \\r\\n, NUL and a rest', () => {
    const { lines, numbers, rest } = split(Buffer.from('a\n\nb\r\n\0\r\r\n\xff\nrest', 'latin1'));
    expect(lines).toEqual(['a', '', 'b', '\0\r', '\xff']);
    expect(numbers).toEqual([1, 2, 3, 4, 5]);
    expect(rest).toBe('rest');
  });

  test('no bytes, no lines', () => {
    expect(split(new Uint8Array(0))).toMatchObject({ lines: [], rest: undefined });
  });

  test('any cuts give the same lines', () => {
    const text = fc.array(fc.constantFrom('\n', '\r', 'x', 'yz'), { maxLength: 60 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, fc.array(fc.nat(), { maxLength: 10 }), (content, cuts) => {
        const bytes = Buffer.from(content);
        expect(split(bytes, cuts)).toEqual(split(bytes));
        const { lines, rest } = split(bytes);
        const wanted = content.split('\n');
        const last = wanted.pop() ?? '';
        expect(lines).toEqual(wanted.map((line) => line.replace(/\r$/, '')));
        expect(rest ?? '').toBe(last);
      }),
    );
  });

  test('a line at the limit is read, a longer one is counted once, and the next line is read', () => {
    const most = Buffer.alloc(MAX_LINE_BYTES, 'm');
    const more = Buffer.alloc(MAX_LINE_BYTES + 1, 'n');
    const content = Buffer.concat([most, Buffer.from('\n'), more, Buffer.from('\nend\n')]);
    for (const cuts of [[], [5], [MAX_LINE_BYTES], [MAX_LINE_BYTES + 2, MAX_LINE_BYTES + 7]]) {
      const { lines, long, numbers } = split(content, cuts);
      expect(lines.map((line) => line.length)).toEqual([MAX_LINE_BYTES, 3]);
      expect(numbers).toEqual([1, 3]);
      expect(long).toEqual([[2, MAX_LINE_BYTES + 1]]);
    }
  });

  test('a line of 100 MB without an end holds no more than a line', () => {
    const collector = new Collector();
    const splitter = new LineSplitter(collector);
    const chunk = new Uint8Array(64 * 1024).fill(0x61);
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 1600; i++) splitter.push(chunk);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 * 1024);
    splitter.push(Uint8Array.of(0x0a, 0x62, 0x0a));
    splitter.end();
    expect(collector.long).toEqual([[1, 1600 * 64 * 1024]]);
    expect(collector.lines).toEqual(['b']);
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DEFAULT_LAYOUT, SubBufferReader, parseHeaderPage } from './ring-buffer.ts';
import type { SubBufferLayout } from './ring-buffer.ts';
import { SubBufferWriter } from '../../bench/records/sub-buffer-writer.ts';
import type { WrittenEvent } from '../../bench/records/sub-buffer-writer.ts';

interface Seen {
  readonly time: number;
  readonly record: string;
}

function readAll(bytes: Uint8Array, layout: SubBufferLayout = DEFAULT_LAYOUT, epochLo = 0, epochHi = 0) {
  const reader = new SubBufferReader(layout, epochLo, epochHi);
  const events: Seen[] = [];
  const missed: number[] = [];
  const damages: string[] = [];
  for (let at = 0; at < bytes.length; at += layout.bytes) {
    if (reader.open(bytes, at, Math.min(bytes.length, at + layout.bytes))) {
      missed.push(reader.missed);
      while (reader.next()) {
        const record = Buffer.from(bytes.subarray(reader.at, reader.at + reader.length)).toString('hex');
        events.push({ time: reader.time, record });
      }
    }
    if (reader.damage !== undefined) damages.push(reader.damage);
  }
  return { events, missed, damages };
}

const record = (length: number, value = 1): Uint8Array => new Uint8Array(length).fill(value);

describe('header_page', () => {
  const text = (data: number, commit = 8) =>
    `\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n\tfield: local_t commit;\toffset:8;\tsize:${commit};\tsigned:1;\n` +
    `\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n\tfield: char data;\toffset:${8 + commit};\tsize:${data};\tsigned:1;\n`;

  test('of a 64-bit kernel', () => expect(parseHeaderPage(text(4080), true)).toEqual(DEFAULT_LAYOUT));
  test('of a 32-bit kernel, larger sub-buffers', () =>
    expect(parseHeaderPage(text(65524, 4), false)).toEqual({
      timestamp: 0,
      commit: 8,
      commitBytes: 4,
      data: 12,
      bytes: 65536,
      littleEndian: false,
    }));
  test.each(['', text(4), text(4080, 3), text(4080).replace('timestamp', 'time'), text(900_000_000)])(
    'no layout: %j',
    (wrong) => expect(parseHeaderPage(wrong, true)).toBeUndefined(),
  );
});

describe('sub-buffers', () => {
  const arbitrary = fc.array(
    fc.record({
      step: fc.oneof(fc.bigInt(0n, 1000n), fc.bigInt(0n, 1n << 27n), fc.bigInt(0n, 1n << 45n)),
      length: fc.oneof(fc.integer({ min: 2, max: 28 }), fc.integer({ min: 29, max: 200 })).map((words) => words * 4),
      absolute: fc.boolean(),
      discarded: fc.option(
        fc.integer({ min: 1, max: 20 }).map((words) => words * 4),
        { nil: undefined },
      ),
      missed: fc.option(fc.oneof(fc.bigInt(1n, 1n << 50n), fc.constant('unknown' as const)), {
        nil: undefined,
        freq: 20,
      }),
    }),
    { maxLength: 200 },
  );

  test.each([
    { littleEndian: true, bytes: 4096, commitBytes: 8 },
    { littleEndian: false, bytes: 4096, commitBytes: 8 },
    { littleEndian: true, bytes: 65536, commitBytes: 8 },
    { littleEndian: true, bytes: 16384, commitBytes: 8 },
  ] as const)('what was written is read: %j', (form) => {
    fc.assert(
      fc.property(arbitrary, fc.bigInt(0n, (1n << 64n) - (1n << 53n)), (steps, base) => {
        let time = base;
        const events: WrittenEvent[] = steps.map(({ step, length, absolute, discarded, missed }, i) => {
          // A taken-back event takes one unit of time.
          time += step + (discarded === undefined ? 0n : 1n);
          return {
            time,
            record: record(length, i & 0xff),
            absolute,
            ...(discarded === undefined ? {} : { discarded }),
            ...(missed === undefined ? {} : { missed }),
          };
        });
        const first = events[0]?.time ?? 0n;
        const bytes = new SubBufferWriter(form).write(events);
        const layout = { ...DEFAULT_LAYOUT, bytes: form.bytes, littleEndian: form.littleEndian };
        const lo = Number(BigInt.asIntN(32, first));
        const hi = Number(BigInt.asIntN(32, first >> 32n));
        const { events: seen, missed, damages } = readAll(bytes, layout, lo, hi);
        expect(damages).toEqual([]);
        expect(seen.map((event) => event.record)).toEqual(
          events.map((event) => Buffer.from(event.record).toString('hex')),
        );
        expect(seen.map((event) => event.time)).toEqual(events.map((event) => Number(event.time - first)));
        const told = events.flatMap((event) => (event.missed === undefined ? [] : [event.missed]));
        expect(missed.filter((count) => count !== 0)).toEqual(
          told.map((count) => (count === 'unknown' ? -1 : Number(count))),
        );
      }),
      { numRuns: 60, seed: 3 },
    );
  });

  test('the commit word of a 32-bit kernel', () => {
    const layout = { ...DEFAULT_LAYOUT, commitBytes: 4, data: 12 } as const;
    const bytes = new SubBufferWriter({ littleEndian: true, commitBytes: 4 }).write([
      { time: 5n, record: record(8), missed: 77n },
    ]);
    expect(readAll(bytes, layout)).toMatchObject({ events: [{ time: 5 }], missed: [77], damages: [] });
  });

  test('a part of a sub-buffer, as trace_pipe_raw gives it', () => {
    const bytes = new SubBufferWriter({ littleEndian: true }).write([{ time: 5n, record: record(8) }]);
    expect(readAll(bytes.subarray(0, 28)).events).toHaveLength(1);
    expect(readAll(bytes.subarray(0, 27)).damages).toEqual(['sub-buffer says that it holds more than its size']);
    expect(readAll(bytes.subarray(0, 15)).damages).toEqual(['sub-buffer is cut']);
  });

  test('damage never reaches beyond the bytes given', () => {
    const events = Array.from({ length: 100 }, (_, i) => ({
      time: BigInt(i),
      record: record(8 + (i % 40) * 4),
      discarded: 8,
    }));
    const whole = new SubBufferWriter({ littleEndian: true }).write(events.slice(1));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        (changes) => {
          const bytes = Uint8Array.from(whole);
          for (const [at, value] of changes) bytes[at] = value;
          const { events: seen } = readAll(bytes);
          expect(seen.reduce((sum, event) => sum + event.record.length / 2, 0)).toBeLessThanOrEqual(bytes.length);
        },
      ),
      { numRuns: 500, seed: 4 },
    );
  });
});

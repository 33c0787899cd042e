import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ftraceText } from './ftrace-text.ts';
import { perfData } from './perf-data.ts';
import { writePerfData } from '../../bench/records/perf-data-writer.ts';
import type { PerfContent, PerfSample } from '../../bench/records/perf-data-writer.ts';
import { PRINTED_TIME, firstDifference } from './testing/text-precision.ts';
import { readImport } from './testing/read-import.ts';
import type { ReadImport } from './testing/read-import.ts';

const FIXTURES = new URL('fixtures/', import.meta.url);

const UNMAP =
  'name: unmap\nID: 77\nformat:\n' +
  '\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n' +
  '\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n' +
  '\tfield:u64 iova;\toffset:8;\tsize:8;\tsigned:0;\n\tfield:size_t size;\toffset:16;\tsize:8;\tsigned:0;\n' +
  '\tfield:size_t unmapped_size;\toffset:24;\tsize:8;\tsigned:0;\n\nprint fmt: "x"\n';

function unmap(time: bigint, cpu = 0, pid = 5, event = 0, littleEndian = true): PerfSample {
  const record = new Uint8Array(32);
  const view = new DataView(record.buffer);
  view.setUint16(0, 77, littleEndian);
  view.setInt32(4, pid, littleEndian);
  view.setBigUint64(8, time << 12n, littleEndian);
  view.setBigUint64(16, 4096n, littleEndian);
  view.setBigUint64(24, 4096n, littleEndian);
  return { time, cpu, pid, event, record };
}

function content(rounds: PerfContent['rounds'], more: Partial<PerfContent> = {}): PerfContent {
  return { formats: { iommu: [UNMAP] }, kernel: '6.12.1', machine: 'x86_64', rounds, ...more };
}

const timesOf = ({ events }: ReadImport): number[] => events.map(({ time }) => time);

test('samples and the text that perf script printed of them: the same events, one by one', () => {
  const samples = readImport(perfData, readFileSync(new URL('perf-record.data', FIXTURES)));
  const printed = readImport(ftraceText, readFileSync(new URL('perf-record.txt', FIXTURES)));
  expect(firstDifference(samples.events, printed.events, PRINTED_TIME.cut)).toBeUndefined();
  expect(samples.events.length).toBeGreaterThan(200);
  expect([samples.facts, samples.health]).toEqual([printed.facts, printed.health]);
});

describe('perf.data', () => {
  test.each([true, false])('little-endian: %s', (littleEndian) => {
    const samples = [unmap(1000n, 0, 5, 0, littleEndian), unmap(2000n, 1, -1, 0, littleEndian)];
    const { header, events, facts, health } = readImport(perfData, writePerfData(content([samples], { littleEndian })));
    expect(header.host).toEqual({ kernel: '6.12.1', cpus: 2, pageSize: 4096 });
    expect(events.map(({ time, cpu, task, fields }) => [time, cpu, task, fields['iova']])).toEqual([
      [1000, 0, 5, 1000n << 12n],
      [2000, 1, -1, 2000n << 12n],
    ]);
    expect([facts.lines, facts.events, health.entries]).toEqual([2, 2, []]);
  });

  test('rounds are put in order', () => {
    const rounds = [
      [unmap(10n), unmap(40n), unmap(5n, 1), unmap(20n, 1)],
      [unmap(50n), unmap(30n, 1), unmap(60n, 1)],
      [unmap(70n), unmap(55n, 1)],
    ];
    expect(timesOf(readImport(perfData, writePerfData(content(rounds))))).toEqual([5, 10, 20, 30, 40, 50, 55, 60, 70]);
  });

  test('any rounds whose records reach back no further than the round before', () => {
    const round = fc.array(fc.tuple(fc.nat(99), fc.nat(3)), { maxLength: 30 });
    fc.assert(
      fc.property(fc.array(round, { maxLength: 8 }), (drawn) => {
        const rounds = drawn.map((items, i) => items.map(([offset, cpu]) => unmap(BigInt(i * 50 + offset + 100), cpu)));
        const got = timesOf(readImport(perfData, writePerfData(content(rounds))));
        expect(got).toEqual(
          rounds
            .flat()
            .map(({ time }) => Number(time))
            .sort((a, b) => a - b),
        );
      }),
      { numRuns: 100, seed: 6 },
    );
  });

  test('losses stand where they happened; what is counted again at the end is not counted twice', () => {
    const rounds = [
      [unmap(10n), { time: 20n, cpu: 1, lost: 7n }, unmap(30n), { time: 30n, cpu: 0, lost: 9n, atEnd: true }],
    ];
    const { events, health } = readImport(perfData, writePerfData(content(rounds)));
    expect(events.map(({ stream, time, cpu, fields }) => [stream, time, cpu, fields['count']])).toEqual([
      ['unmap', 10, 0, undefined],
      ['lost', 20, 1, 7n],
      ['unmap', 30, 0, undefined],
    ]);
    expect(health.lost).toBe(9);
  });

  test('events with other parts in their samples are told apart by id', () => {
    const events = [{}, { more: 32 }, { more: 16 | 32 }, { type: 0 }];
    const samples = [0, 1, 2, 3].map((event) => unmap(BigInt(event + 1), 0, 5, event));
    const { events: got, facts, health } = readImport(perfData, writePerfData(content([samples], { events })));
    expect(got.map(({ time, fields }) => [time, fields['iova']])).toEqual(
      [1, 2, 3].map((time) => [time, BigInt(time) << 12n]),
    );
    expect(facts.lines).toBe(4);
    expect(health.entries).toEqual([
      { kind: 'unknown', name: 'sample of an event that is no tracepoint', count: 1, first: [] },
    ]);
  });

  test('a file that is cut anywhere gives what is there, and says so', () => {
    const bytes = writePerfData(content([Array.from({ length: 500 }, (_, i) => unmap(BigInt(i)))]));
    for (let length = 0; length < bytes.length; length += Math.ceil(bytes.length / 83)) {
      const { events, health } = readImport(perfData, bytes.subarray(0, length));
      expect([length, health.truncated > 0]).toEqual([length, true]);
      expect(events.length).toBeLessThanOrEqual(500);
    }
  });

  test('mutated files: no crash, every sample in one count', () => {
    const seeds = [
      writePerfData(
        content([Array.from({ length: 200 }, (_, i) => unmap(BigInt(i), i & 1))], { events: [{}, { more: 48 }] }),
      ),
      readFileSync(new URL('perf-record.data', FIXTURES)),
    ];
    const change = fc.record({
      at: fc.nat(),
      value: fc.oneof(fc.constantFrom(0, 0xff, 0x80, 0x7f), fc.nat(255)),
      count: fc.integer({ min: 1, max: 8 }),
    });
    fc.assert(
      fc.property(fc.nat(seeds.length - 1), fc.array(change, { minLength: 1, maxLength: 6 }), (which, changes) => {
        const bytes = Uint8Array.from(seeds[which]!);
        changes.forEach(({ at, value, count }, i) => {
          const reach = i % 2 === 0 ? bytes.length : 400;
          for (let k = 0; k < count; k++) bytes[16 + ((at + k) % (reach - 16))] = value;
        });
        const { facts, health } = readImport(perfData, bytes);
        const without = health.malformed + health.unknown + health.ignored;
        expect(facts.events + facts.folded + without).toBe(facts.lines);
      }),
      { numRuns: process.env['IORR_FULL'] === '1' ? 20_000 : 300, seed: 8 },
    );
  });
});

import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SubBufferWriter } from '../../bench/records/sub-buffer-writer.ts';
import type { WrittenEvent } from '../../bench/records/sub-buffer-writer.ts';
import { ftraceText } from './ftrace-text.ts';
import { OPTION } from './trace-dat/options.ts';
import { ZLIB, headerPage, writeDat6, writeDat7 } from '../../bench/records/trace-dat-writer.ts';
import type { DatContent } from '../../bench/records/trace-dat-writer.ts';
import { readImport } from './testing/read-import.ts';
import { firstDifference } from './testing/text-precision.ts';
import { traceDat } from './trace-dat.ts';

const FIXTURES = new URL('fixtures/', import.meta.url);
const LITTLE = { littleEndian: true } as const;

const COMMON =
  '\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n' +
  '\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n' +
  '\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n' +
  '\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n';
const UNMAP = `name: unmap\nID: 77\nformat:\n${COMMON}\tfield:u64 iova;\toffset:8;\tsize:8;\tsigned:0;\n\tfield:size_t size;\toffset:16;\tsize:8;\tsigned:0;\n\tfield:size_t unmapped_size;\toffset:24;\tsize:8;\tsigned:0;\n\nprint fmt: "x"\n`;
const OTHER = `name: sched_switch\nID: 78\nformat:\n${COMMON}\nprint fmt: "x"\n`;
const PRINT = `name: print\nID: 5\nformat:\n${COMMON}\tfield:unsigned long ip;\toffset:8;\tsize:8;\tsigned:0;\n\tfield:char buf[];\toffset:16;\tsize:0;\tsigned:0;\n\nprint fmt: "x"\n`;

/** A record of `UNMAP`. */
function unmap(iova: bigint, pid = 1, littleEndian = true): Uint8Array {
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 77, littleEndian);
  view.setInt32(4, pid, littleEndian);
  view.setBigUint64(8, iova, littleEndian);
  view.setBigUint64(16, 4096n, littleEndian);
  view.setBigUint64(24, 4096n, littleEndian);
  return bytes;
}

function other(id = 78): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setUint16(0, id, true);
  return bytes;
}

function pages(events: readonly WrittenEvent[], options: { bytes?: number; littleEndian?: boolean } = {}): Uint8Array {
  return new SubBufferWriter({ ...LITTLE, ...options }).write(events);
}

function content(cpus: readonly (readonly WrittenEvent[])[], more: Partial<DatContent> = {}): DatContent {
  const littleEndian = more.littleEndian ?? true;
  const bytes = more.pageBytes ?? 4096;
  const data = cpus.map((events, cpu) => ({ cpu, data: pages(events, { bytes, littleEndian }) }));
  return {
    uname: 'Linux host 6.12.1 x86_64',
    ftrace: [PRINT],
    events: { iommu: [UNMAP], sched: [OTHER] },
    buffers: [{ name: '', clock: 'mono', cpus: data }],
    ...more,
  };
}

const FORMS = [
  ['6', (from: DatContent) => writeDat6(from)],
  ['7', (from: DatContent) => writeDat7(from)],
  ['7, compressed', (from: DatContent) => writeDat7(from, ZLIB)],
] as const;

describe('records and the text that was printed of them', () => {
  test.each(['trace-cmd-6', 'trace-cmd-7-zstd'])('%s: the same events, one by one', (name) => {
    const records = readImport(traceDat, readFileSync(new URL(`${name}.dat`, FIXTURES)));
    const printed = readImport(ftraceText, readFileSync(new URL(`${name}.txt`, FIXTURES)));
    expect(firstDifference(records.events, printed.events)).toBeUndefined();
    expect(records.events.length).toBeGreaterThan(200);
    expect({ ...records.facts, notes: {} }).toEqual({ ...printed.facts, notes: {} });
    expect([records.health.malformed, records.health.unknown, records.health.truncated]).toEqual([0, 0, 0]);
    expect(records.health.ignored).toBe(printed.health.ignored);
  });
});

describe('files of both versions', () => {
  test.each(FORMS)('%s: CPUs are merged by time', (_name, write) => {
    const cpus = [
      [
        { time: 1000n, record: unmap(0x1000n, 11) },
        { time: 5000n, record: unmap(0x2000n, 11) },
      ],
      [
        { time: 1000n, record: unmap(0x3000n, 12) },
        { time: 2000n, record: other() },
        { time: 3_000_000_000n, record: unmap(0xffff_ffff_f000_0000n, -1) },
      ],
    ];
    const { header, events, facts, health } = readImport(traceDat, write(content(cpus)));
    expect(header.host).toEqual({ kernel: '6.12.1', cpus: 2, pageSize: 4096 });
    expect(header.clock).toEqual({ epochNs: '0', name: 'mono', resolutionNs: 1 });
    expect(events.map(({ time, cpu, task, fields }) => [time, cpu, task, fields['iova']])).toEqual([
      [1000, 0, 11, 0x1000n],
      [1000, 1, 12, 0x3000n],
      [5000, 0, 11, 0x2000n],
      [3_000_000_000, 1, -1, 0xffff_ffff_f000_0000n],
    ]);
    expect([facts.lines, facts.events]).toEqual([5, 4]);
    expect(health.entries).toEqual([{ kind: 'unknown', name: 'sched:sched_switch', count: 1, first: ['t:2'] }]);
  });

  test.each(FORMS)('%s: workers of the kernel that answer page requests are noted', (_name, write) => {
    const fields = ['qw0', 'qw1', 'qw2', 'qw3'].map(
      (name, i) => `\tfield:u64 ${name};\toffset:${8 + i * 8};\tsize:8;\tsigned:0;\n`,
    );
    const format = `name: qi_submit\nID: 79\nformat:\n${COMMON}${fields.join('')}\tfield:__data_loc char[] iommu;\toffset:40;\tsize:4;\tsigned:1;\n\nprint fmt: "x"\n`;
    const submit = (pid: number, qw0: bigint): Uint8Array => {
      const bytes = new Uint8Array(52);
      const view = new DataView(bytes.buffer);
      view.setUint16(0, 79, true);
      view.setInt32(4, pid, true);
      view.setBigUint64(8, qw0, true);
      view.setUint32(40, (6 << 16) | 44, true);
      bytes.set(Buffer.from('dmar0\0'), 44);
      return bytes;
    };
    const events = [
      { time: 1000n, record: submit(57, 0x7_0100_0019n) },
      { time: 2000n, record: submit(58, 0x400f2n) },
      { time: 3000n, record: submit(11, 0x7_0100_0019n) },
    ];
    const tasks = '11 fio\n57 kworker/u8:1\n58 kworker/u8:2\n';
    const { facts, health } = readImport(
      traceDat,
      write(content([events], { tasks, events: { intel_iommu: [format] } })),
    );
    expect(facts.events).toBe(3);
    expect(facts.notes).toMatchObject({ answeringKernelWorkers: [57] });
    expect(health.truncated).toBe(0);
  });

  test.each(FORMS)('%s: big-endian', (_name, write) => {
    const events = [{ time: 7_000_000_000n, record: unmap(0x1234_5678_9abc_d000n, 9, false) }];
    const { events: got } = readImport(traceDat, write(content([events], { littleEndian: false })));
    expect(got).toMatchObject([
      { time: 7_000_000_000, task: 9, fields: { iova: 0x1234_5678_9abc_d000n, size: 4096n } },
    ]);
  });

  test.each(FORMS)('%s: sub-buffers of 64 KiB, many of them', (_name, write) => {
    const events = Array.from({ length: 20_000 }, (_, i) => ({
      time: BigInt(i * 10),
      record: unmap(BigInt(i) << 12n),
    }));
    const { events: got, health } = readImport(
      traceDat,
      write(content([events], { pageBytes: 65536, headerPage: headerPage(65536) })),
    );
    expect(got.map(({ time }) => time)).toEqual(events.map(({ time }) => Number(time)));
    expect(health.entries).toEqual([]);
  });

  test.each(FORMS)('%s: instances are merged with the machine’s own buffer', (_name, write) => {
    const cpu = (time: bigint): { cpu: number; data: Uint8Array } => ({
      cpu: 0,
      data: pages([{ time, record: unmap(time) }]),
    });
    const buffers = [
      { name: '', clock: 'mono', cpus: [cpu(20n)] },
      { name: 'first', clock: 'mono', cpus: [cpu(30n)] },
      { name: 'second', clock: 'mono', cpus: [cpu(10n)] },
    ];
    const { events } = readImport(traceDat, write({ ...content([]), buffers }));
    expect(events.map(({ time }) => time)).toEqual([10, 20, 30]);
  });

  test.each(FORMS)('%s: lost events stand before what follows them', (_name, write) => {
    const events = [
      { time: 10n, record: unmap(1n) },
      { time: 20n, record: unmap(2n), missed: 123n },
      { time: 30n, record: unmap(3n), missed: 'unknown' as const },
    ];
    const { events: got, health } = readImport(traceDat, write(content([events])));
    expect(got.map(({ stream, time, fields }) => [stream, time, fields['count']])).toEqual([
      ['unmap', 10, undefined],
      ['lost', 20, 123n],
      ['unmap', 20, undefined],
      ['lost', 30, 0n],
      ['unmap', 30, undefined],
    ]);
    expect(health.lost).toBe(124);
  });

  test.each(FORMS)('%s: what the kernel had to drop is counted, lost rows included once', (_name, write) => {
    const statistics = 'CPU: 0\nentries: 1\noverrun: 130\ncommit overrun: 0\ndropped events: 3\nread events: 5\n';
    const events = [{ time: 20n, record: unmap(2n), missed: 123n }];
    const options = [[OPTION.cpuStat, Buffer.from(statistics)]] as const;
    expect(readImport(traceDat, write(content([events], { options }))).health.lost).toBe(133);
  });

  test('a clock that counts cycles becomes nanoseconds', () => {
    const scale = Buffer.alloc(16);
    scale.writeUInt32LE(1 << 20, 0);
    scale.writeUInt32LE(21, 4);
    const events = [{ time: 2_000_000_000n, record: unmap(1n) }];
    const options = [[OPTION.tsc2nsec, scale]] as const;
    const { events: got } = readImport(traceDat, writeDat7(content([events], { options })));
    expect(got.map(({ time }) => time)).toEqual([1_000_000_000]);
  });

  test('an offset is added to all times', () => {
    const options = [[OPTION.offset, Buffer.from('-1000\0')]] as const;
    const events = [500n, 1500n].map((time) => ({ time, record: unmap(time) }));
    const { events: got, health } = readImport(traceDat, writeDat6(content([events], { options })));
    expect(got.map(({ time }) => time)).toEqual([500]);
    expect(health.entries).toEqual([{ kind: 'malformed', name: 'time stamp', count: 1, first: [] }]);
  });

  test('times of wall clocks stay exact: the epoch moves to the first event', () => {
    const base = 1_795_327_572_000_000_123n;
    const { header, events } = readImport(traceDat, writeDat7(content([[{ time: base, record: unmap(1n) }]])));
    expect(BigInt(header.clock.epochNs) + BigInt(events[0]!.time)).toBe(base);
  });

  test('notes are marks', () => {
    const record = Buffer.concat([Buffer.alloc(16), Buffer.from('lab: start\n\0\0')]);
    record.writeUInt16LE(5, 0);
    const { events } = readImport(traceDat, writeDat6(content([[{ time: 1n, record }]])));
    expect(events).toMatchObject([{ stream: 'mark', fields: { text: 'lab: start' } }]);
  });

  test('read in pieces it is the same', () => {
    const bytes = readFileSync(new URL('trace-cmd-7-zstd.dat', FIXTURES));
    const whole = readImport(traceDat, bytes);
    const { whole: _whole, ...pieces } = traceDat;
    expect(readImport({ ...pieces, describe: () => whole.header }, bytes).events).toEqual(whole.events);
  });
});

describe('what can’t be read', () => {
  const cpus = [0, 1].map((cpu) =>
    Array.from({ length: 2000 }, (_, i) => ({ time: BigInt(i * 20 + cpu), record: unmap(BigInt(i)) })),
  );

  test.each(FORMS)('%s: a file that is cut anywhere gives what is there, and says so', (_name, write) => {
    const bytes = write(content(cpus));
    const whole = readImport(traceDat, bytes).events.length;
    let most = 0;
    for (let length = 0; length < bytes.length; length += Math.ceil(bytes.length / 97)) {
      const { events, health } = readImport(traceDat, bytes.subarray(0, length));
      expect([length, health.truncated > 0]).toEqual([length, true]);
      expect(events.length).toBeLessThan(whole);
      most = Math.max(most, events.length);
    }
    // The directory of version 7 stands at the end.
    if (_name === '6') expect(most).toBeGreaterThan(whole / 2);
  });

  test('another version is refused by name', () => {
    const bytes = Buffer.from(writeDat6(content([])));
    bytes.write('9', 10, 'latin1');
    expect(() => readImport(traceDat, bytes)).toThrow(/version 6 or 7 expected, found version 9/);
  });

  test('an event whose format lacks a field is unknown, and says which', () => {
    const format = UNMAP.replace('unmapped_size', 'unmapped');
    const { health } = readImport(
      traceDat,
      writeDat6(content([[{ time: 1n, record: unmap(1n) }]], { events: { iommu: [format] } })),
    );
    expect(health.entries.map(({ kind, name }) => [kind, name])).toEqual([
      ['unknown', 'iommu:unmap (its format has no unmapped_size as expected)'],
    ]);
  });

  test('records that are too short for their event are malformed, ids without a format unknown', () => {
    const events = [
      { time: 1n, record: unmap(1n).subarray(0, 16) },
      { time: 2n, record: other(900) },
      { time: 3n, record: unmap(2n) },
    ];
    const { events: got, health, facts } = readImport(traceDat, writeDat6(content([events])));
    expect(got).toHaveLength(1);
    expect(facts.lines).toBe(3);
    expect(health.entries.map(({ kind, name, count }) => [kind, name, count])).toEqual([
      ['malformed', 'iommu:unmap', 1],
      ['unknown', 'event 900', 1],
    ]);
  });

  test('a damaged chunk ends its CPU alone', () => {
    const from = content(cpus);
    const bytes = Buffer.from(writeDat7(from, ZLIB));
    const intact = readImport(traceDat, bytes).events;
    // The first CPU's data stands behind the section head of its buffer: its first chunk begins with its count.
    const first = bytes.lastIndexOf(ZLIB.encode(from.buffers[0]!.cpus[0]!.data.subarray(0, 40_960)));
    bytes[first + 20] = (bytes[first + 20] ?? 0) ^ 0xff;
    const { events, health } = readImport(traceDat, bytes);
    expect(events.filter(({ cpu }) => cpu === 1)).toHaveLength(intact.filter(({ cpu }) => cpu === 1).length);
    expect(events.filter(({ cpu }) => cpu === 0)).toHaveLength(0);
    expect(health.entries.map(({ kind, name }) => [kind, name.slice(0, 4)])).toEqual([['truncated', 'zlib']]);
  });

  test('a tiny chunk that becomes a large one is refused before it is decompressed', () => {
    const cpu = { cpu: 0, data: new Uint8Array(40_960) };
    const bomb = { name: 'zlib', encode: (bytes: Uint8Array) => ZLIB.encode(bytes) };
    const bytes = Buffer.from(writeDat7({ ...content([]), buffers: [{ name: '', clock: 'mono', cpus: [cpu] }] }, bomb));
    const packed = Buffer.from(ZLIB.encode(cpu.data));
    const at = bytes.lastIndexOf(packed);
    bytes.writeUInt32LE(64 * 1024 * 1024, at - 4);
    const { health } = readImport(traceDat, bytes);
    expect(health.entries.map(({ kind, name }) => [kind, name])).toEqual([
      ['truncated', `${packed.length} compressed bytes for 67108864, at most 262144 expected`],
    ]);
  });

  test('mutated files: no crash, every record in one count', () => {
    const seeds = [
      writeDat6(content(cpus.map((events) => events.slice(0, 300)))),
      writeDat7(content(cpus.map((events) => events.slice(0, 300))), ZLIB),
      readFileSync(new URL('trace-cmd-7-zstd.dat', FIXTURES)),
    ];
    const change = fc.record({
      at: fc.nat(),
      value: fc.oneof(fc.constantFrom(0, 0xff, 0x80, 0x7f), fc.nat(255)),
      count: fc.integer({ min: 1, max: 8 }),
    });
    fc.assert(
      fc.property(fc.nat(seeds.length - 1), fc.array(change, { minLength: 1, maxLength: 6 }), (which, changes) => {
        const bytes = Uint8Array.from(seeds[which]!);
        // Most of a file is records; half of the damage goes to its head and directory.
        changes.forEach(({ at, value, count }, i) => {
          const reach = i % 2 === 0 ? bytes.length : Math.min(bytes.length, 4000);
          for (let k = 0; k < count; k++) bytes[(at + k) % reach] = value;
        });
        if (!Buffer.from(bytes.subarray(0, 14)).equals(Buffer.from(seeds[which]!.subarray(0, 14)))) return;
        const { facts, health } = readImport(traceDat, bytes);
        const without = health.malformed + health.unknown + health.ignored;
        expect(facts.events + facts.folded + without).toBe(facts.lines);
      }),
      { numRuns: process.env['IORR_FULL'] === '1' ? 20_000 : 300, seed: 5 },
    );
  });
});

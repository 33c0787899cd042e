import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { CommandIo } from '../../traces/command.ts';
import { IorrError } from '../../traces/errors.ts';
import { openTrace } from '../../traces/file.ts';
import { DIRTY_OP } from '../../traces/schema.ts';
import { importCommand } from './import-command.ts';

const FIXTURES = fileURLToPath(new URL('fixtures/', import.meta.url));
const GUEST = `${FIXTURES}ftrace-6.12-strict.txt`;
const HOST = `${FIXTURES}qemu-iso-hits.log`;
const root = mkdtempSync(join(tmpdir(), 'iorr-import-test-'));
afterAll(() => rmSync(root, { recursive: true }));

let folder = '';
let output = '';
let runs = 0;
beforeEach(() => {
  folder = join(root, String(runs++));
  mkdirSync(folder);
  output = join(folder, 'out.iorr');
});

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly error: IorrError | undefined;
  readonly total: number;
  readonly updates: readonly number[];
}

async function run(args: readonly string[], options: Record<string, unknown> = {}, stopAt = Infinity): Promise<Run> {
  let out = '';
  let err = '';
  let total = -1;
  const updates: number[] = [];
  const interrupt = new AbortController();
  const io: CommandIo = {
    out: (text) => {
      out += String(text);
    },
    err: (text) => {
      err += text;
    },
    stdoutIsTerminal: false,
    stderrIsTerminal: false,
    columns: 80,
    colour: false,
    signal: interrupt.signal,
    progress: (_label, size) => {
      total = size;
      return {
        update: (done) => {
          if (updates.push(done) >= stopAt) interrupt.abort();
        },
        stop: () => {},
      };
    },
  };
  try {
    const code = await importCommand.run({ args, options: { output, ...options }, io });
    return { code, out, err, error: undefined, total, updates };
  } catch (error) {
    if (!(error instanceof IorrError)) throw error;
    return { code: error.exitCode, out, err, error, total, updates };
  }
}

function put(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function eventsOf(path: string): number {
  const trace = openTrace(path);
  trace.close();
  return trace.eventCount;
}

describe('iorr import', () => {
  test('a guest: all lines, owners of its maps, nothing left beside the output', async () => {
    const { code, out, err, total, updates } = await run([GUEST]);
    expect([code, out]).toEqual([0, '']);
    expect(err).toMatch(/out\.iorr: 151 events in [\d,]+ bytes/);
    expect(err).toMatch(/owners: all unmaps attributed to a domain/);
    expect(err).toMatch(/everything in it was understood/);
    const size = readFileSync(GUEST).length;
    expect([total, updates.at(-1)]).toEqual([size, size]);
    const trace = openTrace(output);
    expect(trace.closed).toBe(true);
    expect(trace.header.sources).toEqual([{ format: 'ftrace-text', producer: 'Linux' }]);
    expect(trace.header.host).toEqual({ cpus: 2, iommu: 'vtd' });
    expect(Object.keys(trace.header.fidelity).sort()).toEqual([
      'attach',
      'flush',
      'inv',
      'lost',
      'map',
      'mark',
      'unmap',
    ]);
    expect(trace.notes).toMatchObject({ import: [{ format: 'ftrace-text', lines: 151 }], attribution: {} });
    expect(JSON.stringify(trace.notes)).not.toMatch(/fixtures|\//);
    trace.close();
    expect(readdirSync(folder)).toEqual(['out.iorr']);
  });

  test('the kernel: what a text says of it, and what the user says', async () => {
    const line =
      '             fio-404     [000] .....     1.000000: unmap: IOMMU: iova=0x1000 - 0x2000 size=4096 unmapped_size=4096\n';
    const headers = [
      '# nop latency trace v1.1.5 on 6.12.107+deb13-amd64\n',
      '# os release : 6.12.107+deb13-amd64\n# nrcpus online : 4\n',
    ];
    for (const [i, header] of headers.entries()) {
      const input = put(`kernel-${i}.txt`, header + line);
      expect((await run([input])).code).toBe(0);
      const told = openTrace(output);
      expect(told.header.host).toEqual({ kernel: '6.12.107+deb13-amd64', ...(i === 1 ? { cpus: 4 } : {}) });
      told.close();
    }
    expect((await run([GUEST], { kernel: '6.13' })).code).toBe(0);
    const trace = openTrace(output);
    expect(trace.header.host.kernel).toBe('6.13');
    trace.close();
    const { error } = await run([GUEST], { kernel: 'new' });
    expect([error?.code, error?.message]).toEqual(['USAGE', '--kernel: a release such as 6.12 expected, found new']);
  });

  test('records are counted as records', async () => {
    const { code, err } = await run([`${FIXTURES}trace-cmd-6.dat`]);
    expect(code).toBe(0);
    expect(err).toMatch(/trace-cmd-6\.dat: trace-dat, [\d,]+ records/);
    expect(err).toMatch(/ records\/s a core in all/);
  });

  test("QEMU's log and the log of its management become one trace, in order of time", async () => {
    const log = `${FIXTURES}qemu-migration.log`;
    const qmp = `${FIXTURES}qmp-migration.log`;
    const { code, err } = await run([qmp, log]);
    expect(code).toBe(0);
    expect(err).toMatch(/qemu-migration\.log: qemu-log[^]*qmp-migration\.log: qmp-log/);
    const trace = openTrace(output);
    expect(trace.header.sources.map(({ format }) => format)).toEqual(['qemu-log', 'qmp-log']);
    const times: number[] = [];
    const states: [number, string | undefined][] = [];
    for (const segment of trace.segments()) {
      const { op, name } = segment.rows.dirty.columns;
      for (let i = 0; i < segment.count; i++) {
        times.push(segment.time[i]!);
        if (op[i] === DIRTY_OP.state) states.push([segment.source[i]!, trace.strings[name[i]!]]);
      }
    }
    trace.close();
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    // Both tell of each state; the event says it some microseconds after the log.
    expect(states.slice(0, 4)).toEqual([
      [0, 'setup'],
      [1, 'setup'],
      [0, 'active'],
      [1, 'active'],
    ]);
    const one = await run([qmp, GUEST]);
    expect(one.error?.code).toBe('JOIN_IMPOSSIBLE');
    const bare = await run([qmp, put('bare.log', 'migration_bitmap_sync_start \n')]);
    expect([bare.error?.code, bare.error?.message]).toEqual([
      'JOIN_IMPOSSIBLE',
      'time stamps of one clock expected, found unknown and realtime',
    ]);
  });

  test('the document of --json', async () => {
    const { code, out } = await run([HOST], { json: true });
    expect(code).toBe(0);
    const document = JSON.parse(out) as Record<string, unknown>;
    expect(document).toMatchObject({
      schemaVersion: 1,
      tool: 'iorr',
      command: 'import',
      input: [{ file: HOST, events: 37, bytes: readFileSync(HOST).length, clock: { name: 'realtime' } }],
      options: { strict: false },
      health: { malformed: 0, unknown: 1, lost: 0, truncated: 0, ignored: 53 },
      result: {
        events: 37,
        streams: { inv: 5, dma: 31, attach: 1 },
        inputs: [{ format: 'qemu-log', lines: 124, folded: 33, complete: true }],
        lines: 124,
        complete: true,
        attribution: null,
        join: null,
      },
    });
  });

  test('two imports give the same bytes, compressed or not, from wherever', async () => {
    const packs = [(bytes: Uint8Array) => bytes, gzipSync, () => readFileSync(`${HOST}.zst`)];
    for (const [file, ways] of [
      [HOST, packs],
      [GUEST, packs.slice(0, 2)],
    ] as const) {
      const results: Buffer[] = [];
      for (const [i, pack] of ways.entries()) {
        mkdirSync(join(folder, String(i)), { recursive: true });
        await run([put(`${i}/capture`, pack(readFileSync(file)))]);
        results.push(readFileSync(output));
      }
      for (const result of results) expect(result.equals(results[0]!)).toBe(true);
      expect(results[0]!.includes(folder)).toBe(false);
    }
  });

  test('--strict: 4 where something was not understood, the output written all the same', async () => {
    expect((await run([GUEST], { strict: true })).code).toBe(0);
    const text = readFileSync(`${FIXTURES}ftrace-7.2-vfio.txt`, 'latin1');
    const { code, err } = await run([put('strange.txt', text.replaceAll(/ sys_ioctl/g, ' sched_switch:'))], {
      strict: true,
    });
    expect(code).toBe(4);
    expect(err).toMatch(/unknown +20 .*sched_switch 20 \(first: .*strange\.txt:35\)/);
    expect(eventsOf(output)).toBe(52);
  });

  test.each(['trace-cmd-6.dat', 'trace-cmd-7-zstd.dat', 'perf-record.data'])(
    '%s: from a file, from a pipe, compressed',
    async (name) => {
      const path = FIXTURES + name;
      const bytes = readFileSync(path);
      const plain = await run([path]);
      expect([plain.code, plain.error]).toEqual([0, undefined]);
      const whole = readFileSync(output);
      expect((await run([put('trace.dat.gz', gzipSync(bytes))])).code).toBe(0);
      expect(readFileSync(output).equals(whole)).toBe(true);
      expect(plain.updates.at(-1)).toBeGreaterThan(0);
    },
  );

  test('names of what was not understood are harmless on a terminal', async () => {
    const input = join(folder, 'calls\u202e.txt');
    const fixture = readFileSync(`${FIXTURES}bpftrace-ioctls.txt`, 'utf8');
    const lines = fixture.split('\n');
    lines.splice(-1, 0, 'C\x01\x1b[31m 1', 'Q\u202e\u200b 2');
    writeFileSync(input, lines.join('\n'));
    const { code, err } = await run([input]);
    expect(code).toBe(0);
    expect(err).toContain('not understood: line C??[31m');
    expect(err).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e]/);
  });

  test('a clock that begins at any 64 bits gives a trace that reads', async () => {
    const input = join(folder, 'calls.txt');
    const fixture = readFileSync(`${FIXTURES}bpftrace-ioctls.txt`, 'utf8');
    writeFileSync(input, fixture.replace(/^S [0-9a-f]+ /m, 'S ffffffffffffffff '));
    const { code, error } = await run([input]);
    expect([code, error]).toEqual([0, undefined]);
    const trace = openTrace(output);
    expect(trace.header.clock.epochNs).toBe('18446744073709551615');
    trace.close();
  });

  test('a copy that can’t be written says where to', async () => {
    const before = process.env['TMPDIR'];
    process.env['TMPDIR'] = join(folder, 'nowhere');
    try {
      const { error } = await run([put('trace.dat.gz', gzipSync(readFileSync(`${FIXTURES}trace-cmd-6.dat`)))]);
      expect([error?.code, error?.hint]).toEqual(['FILE_UNWRITABLE', expect.stringContaining('TMPDIR')]);
    } finally {
      if (before === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = before;
    }
  });

  test('Ctrl-C: 130, and what was read is a whole trace', async () => {
    const text = readFileSync(GUEST, 'latin1')
      .split('\n')
      .filter((line) => !line.startsWith('#'))
      .join('\n');
    const file = put('long.txt', text.repeat(40));
    const { code, err } = await run([file], {}, 1);
    expect(code).toBe(130);
    expect(err).toMatch(/interrupted: the trace holds what was read up to then/);
    const trace = openTrace(output);
    expect(trace.closed).toBe(true);
    expect(trace.eventCount).toBeGreaterThan(0);
    expect(trace.eventCount).toBeLessThan(40 * 151);
    expect(trace.notes).toMatchObject({ import: [{ complete: false }] });
    trace.close();
  });

  test('an earlier output is replaced, through a symbolic link as well', async () => {
    const target = put('target.iorr', 'old');
    symlinkSync(target, output);
    await run([GUEST]);
    expect(eventsOf(target)).toBe(151);
    expect(readFileSync(output).equals(readFileSync(target))).toBe(true);
  });
});

describe('joining', () => {
  test('captures of different runs do not join, and leave no output', async () => {
    const { code, error } = await run([`${FIXTURES}ftrace-7.2-page-requests.txt`, `${FIXTURES}qemu-iso-no-hits.log`]);
    expect([code, error?.code]).toEqual([1, 'JOIN_IMPOSSIBLE']);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('two of the same side are refused before anything is written', async () => {
    const { error } = await run([GUEST, `${FIXTURES}ftrace-6.12-lazy.txt`]);
    expect(error?.code).toBe('JOIN_IMPOSSIBLE');
    expect(error?.message).toMatch(
      /one capture of the guest and one of the host expected, .*found .*\(ftrace-text, guest\)/,
    );
    expect(existsSync(output)).toBe(false);
  });

  test('a guest and a host of one run become one trace', async () => {
    // The strict fixtures are of one run; what both hold are the first commands.
    const { code, error, err } = await run([HOST, GUEST]);
    expect(error).toBeUndefined();
    expect(code).toBe(0);
    expect(err).toMatch(/joined on \d+ commands that both captures hold/);
    const trace = openTrace(output);
    expect(trace.header.sources.map(({ format }) => format)).toEqual(['ftrace-text', 'qemu-log']);
    expect(trace.streamCounts).toMatchObject({ dma: 31, mark: 3 });
    trace.close();
    expect(readdirSync(folder)).toEqual(['out.iorr']);
  });
});

describe('bad input', () => {
  test.each([
    ['no such file', () => join(folder, 'nowhere.txt'), 'FILE_UNREADABLE', /no such file/],
    ['a directory', () => folder, 'FILE_UNREADABLE', /found a directory/],
    ['an empty file', () => put('empty.txt', ''), 'FORMAT_EMPTY', /a capture expected: it is empty/],
    ['an empty gzip', () => put('empty.gz', gzipSync('')), 'FORMAT_EMPTY', /it is empty/],
    [
      'a cut gzip header',
      () => put('cut.gz', gzipSync('x').subarray(0, 5)),
      'FORMAT_EMPTY',
      /nothing readable \(gzip: unexpected end of file\)/,
    ],
    [
      'binary',
      () =>
        put(
          'binary.txt',
          Uint8Array.from({ length: 9999 }, (_, i) => (i * 7919) >> 3),
        ),
      'FORMAT_UNKNOWN',
      /not a capture of a known format: it begins with "\\x00\\xdd/,
    ],
    ['text', () => put('hello.txt', 'hello "world"\n'), 'FORMAT_UNKNOWN', /begins with "hello \\"world\\"\\n"/],
    [
      'trace.dat',
      () => put('trace.dat', '\x17\x08Dtracing9\0'),
      'FORMAT_UNKNOWN',
      /version 6 or 7 expected, found version 9/,
    ],
    [
      'perf record -o - that recorded nothing',
      () => put('perf.pipe', Buffer.concat([Buffer.from('PERFILE2'), Uint8Array.of(16, 0, 0, 0, 0, 0, 0, 0)])),
      'FORMAT_EMPTY',
      /no event in it/,
    ],
    ['a piece of perf.data', () => put('perf.data', 'PERFILE2xxxx'), 'FORMAT_EMPTY', /no event in it/],
    [
      'a header without events',
      () => put('none.txt', '# tracer: nop\n#\n'),
      'FORMAT_EMPTY',
      /no event in it that a trace can hold/,
    ],
    [
      'events of others',
      () => put('other.log', '2026-11-22T05:34:52.214980Z bdrv_open_common x\n'),
      'FORMAT_EMPTY',
      /1 lines\) is unknown: bdrv_open_common/,
    ],
    ['a line of 100 MB', () => put('long.txt', Buffer.alloc(100_000_000, 'a')), 'FORMAT_UNKNOWN', /begins with "aaaa/],
  ])('%s', async (_name, make, code, message) => {
    const file = make();
    const result = await run([file]);
    expect(result.code).toBe(1);
    expect(result.error?.code).toBe(code);
    expect(result.error?.message).toMatch(message);
    expect(result.error?.place.file).toBe(file);
    expect(result.error?.hint).not.toBe('');
    expect(existsSync(output)).toBe(false);
    rmSync(file, { recursive: true, force: true });
  });

  test('an unreadable input costs no existing output', async () => {
    writeFileSync(output, 'precious');
    await run([join(folder, 'nowhere.txt')]);
    await run([put('hello.txt', 'hello\n')]);
    expect(readFileSync(output, 'utf8')).toBe('precious');
  });

  test('the input is not overwritten, by whatever name', async () => {
    cpSync(GUEST, output);
    const link = join(folder, 'link.txt');
    symlinkSync(output, link);
    for (const file of [output, link, join(folder, '.', 'out.iorr')]) {
      const { error } = await run([file]);
      expect(error?.code).toBe('FILE_UNWRITABLE');
    }
    expect(readFileSync(output).equals(readFileSync(GUEST))).toBe(true);
  });

  test('an output that cannot be made is said before anything is read', async () => {
    const { error, updates } = await run([GUEST], { output: join(folder, 'no', 'such', 'folder.iorr') });
    expect([error?.code, error?.exitCode, updates]).toEqual(['FILE_UNWRITABLE', 1, []]);
  });

  test.each([
    ['gzip', (plain: Uint8Array) => gzipSync(plain)],
    ['zstd', () => readFileSync(`${HOST}.zst`)],
  ])('half a %s: the readable part, counted', async (_name, pack) => {
    const packed = pack(readFileSync(HOST));
    const file = put('half', packed.subarray(0, Math.floor(packed.length * 0.7)));
    const { code, err } = await run([file]);
    if (code === 0) {
      expect(err).toMatch(/truncated +[12] cut off: .*compressed data/);
      expect((await run([file], { strict: true })).code).toBe(4);
      expect(eventsOf(output)).toBeGreaterThan(0);
    } else {
      // A single compressed block: nothing of it is readable without its end.
      expect((await run([file])).error?.message).toMatch(/holds nothing readable \(zstd: unexpected end/);
    }
  });

  test('a line of 100 MB among others is counted, the rest is read', async () => {
    const text = readFileSync(GUEST, 'latin1');
    const lines = text.split('\n');
    const file = put('long.txt', [...lines.slice(0, 40), 'x'.repeat(100_000_000), ...lines.slice(40)].join('\n'));
    const { code, err } = await run([file]);
    rmSync(file);
    expect(code).toBe(0);
    expect(err).toMatch(/truncated +1 cut off: line of more than 1 MiB \(skipped\) 1 \(first: .*long\.txt:41\)/);
    expect(eventsOf(output)).toBe(151);
  });

  test.each([
    ['no input', [], {}],
    ['no output', [GUEST], { output: '' }],
    ['stdin twice', ['-', '-'], {}],
    ['two things on stdout', [GUEST], { output: '-', json: true }],
  ])('%s is a usage error', async (_name, args, options) => {
    const { code, error } = await run(args, options);
    expect([code, error?.code]).toEqual([2, 'USAGE']);
    expect(error?.hint).not.toBe('');
  });
});

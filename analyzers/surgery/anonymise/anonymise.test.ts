import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { replayTrace } from '../../../replay/engine/replay.ts';
import { openTrace } from '../../../traces/file.ts';
import type { OpenTrace } from '../../../traces/file.ts';
import { memorySource } from '../../../traces/format/bytes-io.ts';
import { TraceFile } from '../../../traces/format/reader.ts';
import { TraceWriter } from '../../../traces/format/writer.ts';
import { MemoryTrace } from '../../../traces/memory-trace.ts';
import { plainEvents } from '../../../traces/event.ts';
import { DIRTY_OP, STREAMS, STREAM_ID, STREAM_NAMES } from '../../../traces/schema.ts';
import type { Trace } from '../../../traces/trace.ts';
import { testHeader } from '../../../traces/testing/test-header.ts';
import { runSteps, surgeryNotes } from '../surgery.ts';
import { anonymiseTrace } from './anonymise-trace.ts';
import type { AnonymiseReport, Anonymous } from './anonymise-trace.ts';
import { COLUMN_RULES } from './column-rules.ts';
import { Keyed } from './keyed.ts';
import { renamedTexts } from './names.ts';
import { survey } from './survey.ts';

const corpus = join(import.meta.dirname, '../../../traces/corpus');
const FULL = process.env['IORR_FULL'] === '1';
const LARGE = [
  'virtio-iommu-6.12.iorr',
  'vtd-strict-6.12.iorr',
  'vtd-lazy-ats-6.12.iorr',
  'migration-dirty.iorr',
  'smmuv3-strict-6.12.iorr',
];
/** Traces of calls: anonymise-calls.test.ts */
const CALLS = /iommufd|-ioctl|-calls|amd-vfio/;
const names = readdirSync(corpus).filter((name) => name.endsWith('.iorr') && (FULL || !LARGE.includes(name)));
const HEADER = testHeader();
const KEY = 'a key of the test';

/** The bytes of the anonymous trace, not compressed, so that they can be searched. */
function anonymise(
  trace: OpenTrace,
  key = KEY,
  drop = true,
): { trace: Trace; bytes: Uint8Array; report: AnonymiseReport } {
  const anonymous = anonymiseTrace(trace, runSteps(survey(trace)), new Keyed(key), drop);
  const chunks: Uint8Array[] = [];
  const writer = new TraceWriter({ write: (bytes) => void chunks.push(bytes.slice()) }, anonymous.header, {
    compression: 'none',
  });
  const report = runSteps(anonymous.steps(writer));
  writer.finish({ health: anonymous.health(), notes: surgeryNotes(anonymous.notes, 'anonymise', { ...report }) });
  const bytes = Buffer.concat(chunks);
  return { trace: new TraceFile(memorySource(bytes, 'anonymous.iorr')), bytes, report };
}

const ADDRESSES = new Set(['iova', 'phys', 'out', 'start', 'addr']);

function identities(trace: Trace): { addresses: Set<bigint>; pids: Set<number>; texts: Set<string> } {
  const addresses = new Set<bigint>();
  const pids = new Set<number>();
  const texts = new Set<string>();
  for (const segment of trace.segments()) {
    for (const event of plainEvents(segment, trace.strings)) {
      if (COLUMN_RULES[event.stream] === 'unknown') continue;
      if (event.task > 0) pids.add(event.task);
      for (const [column, value] of Object.entries(event.fields)) {
        // page numbers of nothing: 0 is what a source says that has none
        if (typeof value === 'bigint' && ADDRESSES.has(column) && value >= 0x1000n) addresses.add(value);
        if (typeof value === 'string') texts.add(value);
      }
    }
  }
  return { addresses, pids, texts };
}

describe('anonymise', () => {
  test('every column of every stream has a rule', () => {
    for (const name of STREAM_NAMES) {
      const rules = COLUMN_RULES[name];
      if (rules === 'unknown') continue;
      expect(Object.keys(rules).sort()).toEqual(Object.keys(STREAMS[name]).sort());
    }
  });

  test.each(names.filter((name) => !CALLS.test(name)))('%s: all counts of a replay are the same', (name) => {
    const original = openTrace(join(corpus, name));
    try {
      const { trace } = anonymise(original);
      expect(JSON.stringify(replayTrace(trace))).toBe(JSON.stringify(replayTrace(original)));
    } finally {
      original.close();
    }
  });

  test.each(names)('%s: no address, pid or name is left', (name) => {
    const original = openTrace(join(corpus, name));
    try {
      const { trace, bytes } = anonymise(original);
      const before = identities(original);
      const after = identities(trace);
      const common = (a: ReadonlySet<unknown>, b: ReadonlySet<unknown>): unknown[] =>
        [...a].filter((one) => b.has(one));
      expect(common(before.addresses, after.addresses).map(String)).toEqual([]);
      expect(common(before.pids, after.pids)).toEqual([]);
      const text = Buffer.from(bytes).toString('latin1');
      // words of QEMU and of the kernel name nobody, nor do its answers that are all numbers and words
      // and kinds of files
      const kinds = /^(\/dev\/|\/proc\/self\/|\/sys|\/memfd:$|\/dmabuf:$|pipe:$|socket:$|anon_inode:|[a-z_0-9]+$)/;
      const naming = original.strings.filter((one) => /[\d:/ ]/.test(one) && !one.startsWith('{') && !kinds.test(one));
      for (const one of naming) expect(text).not.toContain(one);
      expect(text).not.toMatch(/trace\.txt|qemu_trace\.log/);
    } finally {
      original.close();
    }
  });

  test('what belongs together stays together', () => {
    const original = openTrace(join(corpus, 'vtd-vfio-7.2.iorr'));
    try {
      const { trace } = anonymise(original);
      const moves = new Map<number, Set<bigint>>();
      const both = [original, trace].map((of) => [...of.segments()].flatMap((s) => [...plainEvents(s, of.strings)]));
      both[0]!.forEach((event, i) => {
        const other = both[1]![i]!;
        expect([other.stream, other.time]).toEqual([event.stream, event.time]);
        if (event.stream !== 'map') return;
        const { iova, domain } = event.fields;
        const by = (other.fields['iova'] as bigint) - (iova as bigint);
        expect(by % (1n << 30n)).toBe(0n);
        expect(by).not.toBe(0n);
        moves.set(domain as number, (moves.get(domain as number) ?? new Set()).add(by));
      });
      expect(moves.size).toBeGreaterThan(1);
      for (const by of moves.values()) expect(by.size).toBe(1);
    } finally {
      original.close();
    }
  });

  test("names and times of day in QEMU's answers go, numbers and its words stay", () => {
    const sink = new MemoryTrace({ ...HEADER });
    const names = [
      '{"query-migrate":{"status":"active","socket-address":[{"host":"secret.example"}],"ram":{"total":7}}}',
      'STOP',
      'vm7.ram',
      '{"query-dirty-rate":{"start-time":1795326916,"calc-time":3}}',
    ];
    for (const name of names) {
      const row = sink.begin(STREAM_ID.dirty, 0, 0, 0);
      sink.rows.dirty.columns.op[row] = DIRTY_OP.report;
      sink.rows.dirty.columns.name[row] = sink.intern(name);
    }
    const { strings, changed } = renamedTexts(sink, runSteps(survey(sink)), new Keyed(KEY), new Map());
    expect(strings[0]).toMatch(
      /^\{"query-migrate":\{"status":"active","socket-address":\[\{"host":"text-[0-9a-f]{10}"\}\],"ram":\{"total":7\}\}\}$/,
    );
    expect(strings[1]).toBe('STOP');
    expect(strings[2]).toMatch(/^block-[0-9a-f]{10}$/);
    expect(strings[3]).toBe('{"query-dirty-rate":{"start-time":0,"calc-time":3}}');
    expect(changed).toBe(3);
  });

  test('the key decides', () => {
    const original = openTrace(join(corpus, 'nested-qemu-vfio-7.2.iorr'));
    try {
      const [first, again, other] = [KEY, KEY, 'another key'].map((key) => Buffer.from(anonymise(original, key).bytes));
      expect(first!.equals(again!)).toBe(true);
      expect(first!.equals(other!)).toBe(false);
    } finally {
      original.close();
    }
  });

  test('what is not known is refused, or left out and told', () => {
    const trace = new MemoryTrace({ ...HEADER });
    for (let i = 0; i < 3; i++) {
      const row = trace.begin(STREAM_ID.event, i, 0, 0);
      trace.rows.event.columns.name[row] = trace.intern('sched:sched_switch');
    }
    trace.begin(STREAM_ID.lost, 5, 0, 0);
    const of = (drop: boolean): Anonymous => anonymiseTrace(trace, runSteps(survey(trace)), new Keyed(KEY), drop);
    expect(() => of(false)).toThrow('stream event (3)');
    const left = new MemoryTrace({ ...HEADER });
    expect(runSteps(of(true).steps(left)).dropped).toEqual([{ what: 'stream event', count: 3 }]);
    expect(left.eventCount).toBe(1);
  });
});

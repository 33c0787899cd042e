import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { compareTrace } from '../../../replay/engine/compare.ts';
import { replayTrace } from '../../../replay/engine/replay.ts';
import { HARDWARE } from '../../../replay/hardware/profiles.ts';
import { COST_PROFILES } from '../../../replay/costs/cost-profiles.ts';
import { plainEvents } from '../../../traces/event.ts';
import { IorrError } from '../../../traces/errors.ts';
import { openTrace } from '../../../traces/file.ts';
import type { OpenTrace } from '../../../traces/file.ts';
import { TraceWriter } from '../../../traces/format/writer.ts';
import { MemoryTrace } from '../../../traces/memory-trace.ts';
import { STREAM_ID } from '../../../traces/schema.ts';
import { testHeader } from '../../../traces/testing/test-header.ts';
import type { Trace } from '../../../traces/trace.ts';
import { decodeMappings, decodeUserMemory } from '../../../traces/user-memory.ts';
import { ANALYSES } from '../../analyses.ts';
import { runSteps, surgeryNotes } from '../surgery.ts';
import { anonymiseTrace } from './anonymise-trace.ts';
import type { AnonymiseReport } from './anonymise-trace.ts';
import { structAddresses } from './call-structs.ts';
import { Keyed } from './keyed.ts';
import { survey } from './survey.ts';

const corpus = join(import.meta.dirname, '../../../traces/corpus');
const full = process.env['IORR_FULL'] === '1';
/** All questions about these take a while. */
const LARGE = ['amd-vfio-7.2.iorr', 'iommufd-random.iorr', 'iommufd-selftest.iorr', 'vtd-pri-pasid-7.2-calls.iorr'];
const names = readdirSync(corpus).filter((name) => {
  if (!name.endsWith('.iorr')) return false;
  const trace = openTrace(join(corpus, name));
  const { ioctl, call } = trace.streamCounts;
  trace.close();
  return ioctl + call > 0;
});

const folder = mkdtempSync(join(tmpdir(), 'iorr-anonymise-'));
afterAll(() => rmSync(folder, { recursive: true }));

function anonymise(trace: OpenTrace): { trace: OpenTrace; bytes: Buffer; report: AnonymiseReport } {
  const anonymous = anonymiseTrace(trace, runSteps(survey(trace)), new Keyed('a key of the test'), false);
  const chunks: Uint8Array[] = [];
  const sink = { write: (bytes: Uint8Array) => void chunks.push(bytes.slice()) };
  const writer = new TraceWriter(sink, anonymous.header, { compression: 'none' });
  const report = runSteps(anonymous.steps(writer));
  writer.finish({ health: anonymous.health(), notes: surgeryNotes(anonymous.notes, 'anonymise', { ...report }) });
  const bytes = Buffer.concat(chunks);
  const file = join(folder, 'anonymous.iorr');
  writeFileSync(file, bytes);
  return { trace: openTrace(file), bytes, report };
}

/** What is asked of both; an analysis that the trace can't answer says the same of both. */
async function answers(trace: OpenTrace): Promise<Record<string, unknown>> {
  const asked: Record<string, unknown> = {};
  const ask = async (name: string, work: () => unknown): Promise<void> => {
    try {
      asked[name] = await work();
    } catch (error) {
      if (!(error instanceof IorrError)) throw error;
      asked[name] = error.code;
    }
  };
  await ask('replay', () => replayTrace(trace));
  const hardware = HARDWARE.find(({ name }) => name === 'vtd-64x4') ?? HARDWARE[0]!;
  const options = { designs: ['linux-strict', 'linux-lazy'], hardware, profile: COST_PROFILES[0]!, access: 'none' };
  await ask('compare', () => compareTrace(trace, options));
  const question = { file: 'x', at: undefined, hardware: 'auto', settings: [] };
  for (const one of ANALYSES) await ask(one.name, async () => (await one.run(trace, question)).result);
  return asked;
}

const USER = 1n << 40n;

function identities(trace: Trace, mock: boolean): { addresses: Set<bigint>; pids: Set<number>; files: Set<string> } {
  const addresses = new Set<bigint>();
  const pids = new Set<number>();
  const files = new Set<string>();
  const address = (value: bigint): void => {
    if (value >= USER && value < 1n << 47n) addresses.add(value);
  };
  for (const segment of trace.segments()) {
    for (const { stream, task, fields } of plainEvents(segment, trace.strings)) {
      if (task > 0) pids.add(task);
      if (stream !== 'ioctl' && stream !== 'call') continue;
      if ((fields['pid'] as number) > 0) pids.add(fields['pid'] as number);
      if (typeof fields['path'] === 'string') files.add(fields['path']);
      for (const name of ['arg', 'a0', 'a1', 'a2']) address((fields[name] as bigint | undefined) ?? 0n);
      for (const { addressLo, addressHi } of decodeUserMemory(fields['memory'] as Uint8Array)) {
        address((BigInt(addressHi >>> 0) << 32n) | BigInt(addressLo >>> 0));
      }
      if (fields['event'] === 6) {
        for (const { startLo, startHi } of decodeMappings(fields['data'] as Uint8Array)) {
          address((BigInt(startHi >>> 0) << 32n) | BigInt(startLo >>> 0));
        }
      }
      if (stream === 'call') continue;
      for (const struct of [fields['before'], fields['after']] as Uint8Array[]) {
        const places = structAddresses(fields['request'] as number, String(fields['path']), struct) ?? [];
        for (const { offset, kind } of places) {
          if (offset + 8 > struct.length) continue;
          const value = Buffer.from(struct).readBigUInt64LE(offset);
          if (kind === 'user') address(value);
          else if (!mock && value >= 4096n && value < 1n << 52n && fields['errno'] === 0) addresses.add(value);
        }
      }
    }
  }
  return { addresses, pids, files };
}

describe('calls', () => {
  test.each(names.filter((name) => full || !LARGE.includes(name)))(
    '%s: replay, compare and all analyses answer as before',
    async (name) => {
      const original = openTrace(join(corpus, name));
      try {
        const { trace } = anonymise(original);
        const before = await answers(original);
        const after = await answers(trace);
        for (const [question, answer] of Object.entries(before)) {
          expect([question, comparable(after[question])]).toEqual([question, comparable(answer)]);
        }
      } finally {
        original.close();
      }
    },
  );

  test.each(names)('%s: no address, pid or name is left', (name) => {
    const original = openTrace(join(corpus, name));
    try {
      const { trace, bytes, report } = anonymise(original);
      const mock = report.unchanged.some((what) => what.startsWith('IOVAs'));
      const before = identities(original, mock);
      const after = identities(trace, mock);
      expect([...before.addresses].filter((one) => after.addresses.has(one)).map(String)).toEqual([]);
      expect([...before.pids].filter((one) => after.pids.has(one))).toEqual([]);
      expect(before.pids.size + before.addresses.size).toBeGreaterThan(0);
      // random calls of the mock driver have addresses in every field
      if (mock) return;
      for (const address of [...before.addresses].slice(0, full ? undefined : 200)) {
        const word = Buffer.alloc(8);
        word.writeBigUInt64LE(address);
        if (address >= USER) expect(bytes.indexOf(word)).toBe(-1);
      }
    } finally {
      original.close();
    }
  });
});

describe('what is kept of', () => {
  const HEADER = testHeader({ fidelity: { ioctl: 'full', call: 'full' } });
  const bytesOf = (trace: MemoryTrace, stream: 'ioctl' | 'call', column: string): Buffer => {
    const sink = new MemoryTrace(HEADER);
    runSteps(anonymiseTrace(trace, runSteps(survey(trace)), new Keyed('a key of the test'), false).steps(sink));
    const [event] = [...sink.segments()].flatMap((segment) => [...plainEvents(segment, sink.strings)]);
    expect(event?.stream).toBe(stream);
    return Buffer.from(event?.fields[column] as Uint8Array);
  };

  test.each([
    ['0000:00:05.0\0stack of the program', `0000:00:05.0\0${'\0'.repeat(20)}`],
    ['0000:00:05.0', '0000:00:05.0'],
    ['83b8f4f2-509f-382f\0stack', '\0'.repeat(24)],
  ])('the name of a device: %j', (name, kept) => {
    const trace = new MemoryTrace(HEADER);
    const row = trace.begin(STREAM_ID.ioctl, 0, -1, 7);
    trace.rows.ioctl.columns.request[row] = 0x3b6a;
    trace.setBytes(trace.rows.ioctl.columns.before, row, Buffer.from(name, 'latin1'));
    expect(bytesOf(trace, 'ioctl', 'before').toString('latin1')).toBe(kept);
  });

  test('config space: ids, the list of capabilities, the width of PASIDs', () => {
    const config = Buffer.alloc(0x300, 0xee);
    config.writeUInt32LE(0x10d3_8086, 0);
    // a serial number, then PASID
    config.writeUInt32LE(0x2001_0003, 0x100);
    config.writeUInt32LE(0x0001_001b, 0x200);
    const trace = new MemoryTrace(HEADER);
    const row = trace.begin(STREAM_ID.call, 0, -1, 7);
    const { columns } = trace.rows.call;
    columns.name[row] = trace.intern('pread64');
    columns.path[row] = trace.intern('/dev/vfio/devices/vfio0');
    columns.retLo[row] = config.length;
    columns.a3Hi[row] = 0x700;
    trace.setBytes(columns.data, row, config);
    const expected = Buffer.alloc(config.length);
    for (const [start, end] of [
      [0, 4],
      [0x100, 0x104],
      [0x200, 0x208],
    ] as const)
      config.copy(expected, start, start, end);
    expect(bytesOf(trace, 'call', 'data').equals(expected)).toBe(true);
  });
});

/** Of names: marks, units and what is called after them; and addresses in texts and lists of the highest. */
const NAMING: ReadonlySet<string> = new Set([
  'marks',
  'name',
  'unit',
  'text',
  'by',
  'what',
  'findings',
  'header',
  'notes',
]);

/** What is counted, without what names somebody or something. */
function comparable(answer: unknown): string {
  const text = (key: string, value: unknown): unknown => {
    if (NAMING.has(key)) return undefined;
    if (typeof value === 'string' && /^0x[0-9a-f]+$/.test(value)) return 'an address';
    return typeof value === 'bigint' ? String(value) : value;
  };
  return JSON.stringify(answer, text) ?? '';
}

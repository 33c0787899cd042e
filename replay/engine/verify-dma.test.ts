import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EMPTY_HEALTH } from '../../traces/header.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { Random } from '../../traces/random.ts';
import { ATTACH, DIALECT, INV_FORM, OUTCOME, RESET, STREAM_ID } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import { testHeader } from '../../traces/testing/test-header.ts';
import { withSettings } from '../hardware/profiles.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { qemuVtd } from '../hardware/qemu-vtd.ts';
import type { VerifyResult } from '../results.ts';
import { verifyKinds, verifyTrace } from './verify.ts';

const CAPACITY = 24;
const SMALL = withSettings(qemuVtd, [`capacity=${CAPACITY}`]);

function newTrace(): MemoryTrace {
  const trace = new MemoryTrace(
    testHeader({
      sources: [{ format: 'qemu-log', producer: 'QEMU' }],
      host: { iommu: 'vtd', emulated: true },
      clock: { epochNs: '0', name: 'realtime', resolutionNs: 1000 },
      fidelity: { dma: 'full', inv: 'full' },
    }),
  );
  trace.health = EMPTY_HEALTH;
  return trace;
}

function command(trace: MemoryTrace, time: number, w0Lo: number, w1Lo: number, form: number = INV_FORM.words): void {
  const row = trace.begin(STREAM_ID.inv, time, -1, -1);
  const { inv } = trace.rows;
  inv.columns.dialect[row] = DIALECT.vtd;
  inv.columns.form[row] = form;
  inv.columns.w0Lo[row] = w0Lo;
  inv.columns.w1Lo[row] = w1Lo;
}

function access(trace: MemoryTrace, time: number, iova: number, out: number, hit: boolean): void {
  const row = trace.begin(STREAM_ID.dma, time, -1, -1);
  const { columns } = trace.rows.dma;
  columns.rid[row] = 0x18;
  columns.iovaLo[row] = iova;
  columns.outLo[row] = out;
  columns.pageShift[row] = 12;
  columns.outcome[row] = OUTCOME.known | (hit ? OUTCOME.hit : 0);
}

interface Recorded {
  /** Indexes of the dma events, of those that hit, and of those whose output the check can tell. */
  readonly dma: number[];
  readonly hits: number[];
}

/**
 * Records a run of a little emulated IOMMU: a map of (requester, page) emptied when full. Two devices in two domains touch
 * pages that are mapped and unmapped meanwhile; `maps` puts the page tables into the trace too.
 */
function record(seed: number, steps: number, maps: boolean): { trace: MemoryTrace; recorded: Recorded } {
  const random = new Random(seed);
  const trace = newTrace();
  const cache = new Map<string, number>();
  const tables = [new Map<number, number>(), new Map<number, number>()];
  const recorded: Recorded = { dma: [], hits: [] };
  const devices = [0x18, 0x20];
  let time = 0;
  for (const [i, rid] of devices.entries()) {
    const row = trace.begin(STREAM_ID.attach, time, -1, -1);
    const { columns } = trace.rows.attach;
    columns.kind[row] = ATTACH.attach;
    columns.device[row] = rid;
    columns.domain[row] = 4 + i;
  }
  const change = (stream: 'map' | 'unmap', domain: number, page: number, phys: number): void => {
    if (!maps) return;
    const row = trace.begin(STREAM_ID[stream], time, 0, 1);
    const { columns } = trace.rows[stream];
    columns.domain[row] = 4 + domain;
    columns.iovaLo[row] = page << 12;
    columns.sizeLo[row] = 4096;
    if (stream === 'map') trace.rows.map.columns.physLo[row] = phys << 12;
  };
  for (let step = 0; step < steps; step++) {
    time += 1000;
    const which = random.below(2);
    const table = tables[which] ?? new Map<number, number>();
    const page = 0x100 + random.below(40);
    const action = random.below(100);
    if (action === 0) {
      cache.clear();
      command(trace, time, RESET.translationEnabled, 0, INV_FORM.reset);
    } else if (action < 12 && table.has(page)) {
      table.delete(page);
      change('unmap', which, page, 0);
      cache.delete(`${which} ${page}`);
      command(trace, time, 0xf2 | ((4 + which) << 16), (page << 12) | 0x40);
    } else {
      let out = table.get(page);
      if (out === undefined) {
        out = 0x8000 + random.below(0x4000);
        table.set(page, out);
        change('map', which, page, out);
      }
      const key = `${which} ${page}`;
      const hit = cache.get(key);
      const reset = hit === undefined && cache.size >= CAPACITY;
      if (reset) cache.clear();
      if (hit === undefined) cache.set(key, out);
      const event = trace.eventCount;
      const row = trace.begin(STREAM_ID.dma, time, -1, -1);
      const { columns } = trace.rows.dma;
      columns.rid[row] = devices[which] ?? 0;
      columns.iovaLo[row] = (page << 12) | random.below(4096);
      columns.outLo[row] = out << 12;
      columns.pageShift[row] = 12;
      columns.outcome[row] = OUTCOME.known | (hit === undefined ? 0 : OUTCOME.hit) | (reset ? OUTCOME.reset : 0);
      recorded.dma.push(event);
      if (hit !== undefined) recorded.hits.push(event);
    }
  }
  return { trace, recorded };
}

/** Alters one outcome of an event in place. */
function alter(trace: Trace, event: number, how: 'hit' | 'reset' | 'output' | 'inconsistent', by: number): void {
  for (const segment of trace.segments()) {
    const at = event - segment.firstEvent;
    if (at < 0 || at >= segment.count) continue;
    let row = 0;
    for (let i = 0; i < at; i++) if (segment.stream[i] === STREAM_ID.dma) row++;
    const { columns } = segment.rows.dma;
    const outcome = columns.outcome[row] ?? 0;
    if (how === 'hit') columns.outcome[row] = outcome ^ OUTCOME.hit;
    else if (how === 'reset') columns.outcome[row] = outcome ^ OUTCOME.reset;
    else if (how === 'inconsistent') columns.outcome[row] = outcome | OUTCOME.inconsistent;
    else columns.outLo[row] = (columns.outLo[row] ?? 0) ^ (by << 12);
  }
}

const dma = (trace: Trace, hardware: HardwareProfile = SMALL): VerifyResult =>
  verifyTrace(trace, { only: ['dma'], hardware });

const scenario = fc.record({
  seed: fc.integer({ min: 0, max: 1_000_000 }),
  steps: fc.integer({ min: 200, max: 1500 }),
  maps: fc.boolean(),
  alterations: fc.array(
    fc.record({ pick: fc.nat(), how: fc.constantFrom('hit' as const, 'reset' as const, 'output' as const) }),
    { maxLength: 12 },
  ),
});

describe('verify --only dma', () => {
  test('a faithful recording agrees; k altered outcomes diverge, exactly those', () => {
    fc.assert(
      fc.property(scenario, ({ seed, steps, maps, alterations }) => {
        const { trace, recorded } = record(seed, steps, maps);
        const clean = dma(trace);
        expect(clean).toMatchObject({ checked: recorded.dma.length, diverged: 0 });
        expect(clean.skipped.count).toBe(maps ? 0 : recorded.dma.length - recorded.hits.length);
        const altered = new Map<number, string>();
        alterations.forEach(({ pick, how }, i) => {
          // without maps the output of a miss cannot be told: alter those of hits
          const events = how === 'output' && !maps ? recorded.hits : recorded.dma;
          const event = events[pick % Math.max(1, events.length)];
          if (event === undefined || altered.has(event)) return;
          altered.set(event, how);
          alter(trace, event, how, i + 1);
        });
        const result = dma(trace);
        expect(result.diverged).toBe(altered.size);
        expect(result.checked).toBe(recorded.dma.length);
        expect(result.divergences.map(({ event }) => event)).toEqual([...altered.keys()].sort((a, b) => a - b));
        for (const { event, what } of result.divergences) {
          expect(what).toBe(altered.get(event) === 'hit' ? 'outcome' : altered.get(event));
        }
      }),
      { numRuns: 60 },
    );
  });

  test.each([
    ['the fill', 0, 0],
    ['the first hit', 1, 1],
    ['the last hit', 3, 3],
  ])('of four rows of one translation %s diverges alone', (_, altered, expected) => {
    const trace = newTrace();
    for (let i = 0; i < 4; i++) access(trace, i * 1000, 0x5000, i === altered ? 0x9000 : 0x8000, i > 0);
    const result = dma(trace);
    expect(result.divergences.map(({ event, recorded, model }) => [event, recorded, model])).toEqual([
      [expected, '0x9000', '0x8000'],
    ]);
    expect(result).toMatchObject({ checked: 4, agreed: 3, diverged: 1 });
    expect(result.skipped.count).toBe(altered === 0 ? 0 : 1);
  });

  test('a row whose lines disagree among themselves diverges', () => {
    const { trace, recorded } = record(6, 600, false);
    const [event = 0] = recorded.hits;
    alter(trace, event, 'inconsistent', 0);
    expect(dma(trace).divergences).toEqual([
      expect.objectContaining({ event, what: 'output', model: 'two lines of the source disagree' }),
    ]);
  });

  test('another capacity gives resets elsewhere', () => {
    const { trace } = record(7, 1500, false);
    const result = dma(trace, withSettings(qemuVtd, [`capacity=${CAPACITY + 1}`]));
    expect(result.byPart['dma.reset']?.diverged).toBeGreaterThan(0);
  });

  test('accesses of which neither domain nor outcome is recorded are no evidence against each other', () => {
    const { trace } = record(9, 300, true);
    for (const rid of [0x28, 0x30]) {
      const row = trace.begin(STREAM_ID.dma, 1e9, -1, -1);
      const { columns } = trace.rows.dma;
      columns.rid[row] = rid;
      columns.iovaLo[row] = 0x200_000;
      columns.outLo[row] = rid << 12;
    }
    const result = dma(trace);
    expect(result.diverged).toBe(0);
    expect(result.skipped.reasons).toEqual({ 'domain of the access not known': 2 });
  });

  test('accesses that were passed through are skipped; refused ones must have no mapping', () => {
    const { trace } = record(8, 300, true);
    for (const [iova, outcome] of [
      [0x5000, OUTCOME.fault],
      [0x100_000, OUTCOME.bypass],
    ] as const) {
      const row = trace.begin(STREAM_ID.dma, 1e9, -1, -1);
      const { columns } = trace.rows.dma;
      columns.rid[row] = 0x18;
      columns.iovaLo[row] = iova;
      columns.outcome[row] = outcome;
    }
    const result = dma(trace);
    expect(result.diverged).toBe(0);
    expect(result.skipped.reasons).toEqual({ 'passed through untranslated': 1 });
  });
});

describe('nothing to verify', () => {
  test('says which streams are missing, exit code 3', () => {
    const trace = newTrace();
    command(trace, 0, 0x400f2, 0x1000);
    const error = (): unknown => verifyTrace(trace);
    expect(error).toThrow(
      expect.objectContaining({
        code: 'NOTHING_TO_VERIFY',
        exitCode: 3,
        message: expect.stringMatching(/ioctl: .*no ioctl events; dma: .*no dma events.*; inv: .*no unmap events/),
      }),
    );
  });

  test('kinds are words of a list', () => {
    expect(verifyKinds('dma,inv')).toEqual(['dma', 'inv']);
    expect(() => verifyKinds('dna')).toThrow(expect.objectContaining({ code: 'USAGE', hint: "did you mean 'dma'?" }));
  });
});

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openTrace } from '../../traces/file.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { createRowCopier } from '../../traces/row-copier.ts';
import { INV_FORM, STREAM_ID, STREAM_NAMES } from '../../traces/schema.ts';
import type { Segment } from '../../traces/segment.ts';
import type { Trace } from '../../traces/trace.ts';
import { replayTrace } from '../engine/replay.ts';
import { SketchedTrace } from '../engine/testing/sketched-trace.ts';
import { withSettings } from '../hardware/profiles.ts';
import { vtdServer } from '../hardware/vtd-server.ts';
import { commandScope, readScope } from '../model/command-scope.ts';
import type { CommandScope } from '../model/command-scope.ts';
import { renameCommand } from './command-names.ts';
import { fairnessOf, tenantHits } from './fairness.ts';
import { sourceNames, tenantNumbers } from './tenant-names.ts';
import { TenantTrace } from './tenant-trace.ts';

const CORPUS = join(import.meta.dirname, '../../traces/corpus');
const PAGES = 16;

type Step = readonly [kind: 'map' | 'unmap' | 'dma' | 'pages' | 'domain', domain: number, page: number];

const steps = fc.array(
  fc.tuple(
    fc.constantFrom('map', 'unmap', 'dma', 'dma', 'dma', 'pages', 'domain'),
    fc.integer({ min: 1, max: 3 }),
    fc.integer({ min: 0, max: PAGES - 1 }),
  ),
  { minLength: 1, maxLength: 80 },
) as fc.Arbitrary<readonly Step[]>;

/** Domain d has device d x 8; only domains with an access count, so that commands of others are wasted in both. */
function sketch(all: readonly Step[]): SketchedTrace {
  const made = new SketchedTrace();
  for (const domain of [1, 2, 3]) made.attach(domain * 8, domain);
  for (const [kind, domain, page] of all) {
    made.after(10);
    if (kind === 'map') made.map(domain, page);
    else if (kind === 'unmap') made.unmap(domain, page);
    else if (kind === 'dma') made.dma(domain * 8, page, domain);
    else if (kind === 'pages') made.inv(BigInt(0x32 | (domain << 16)), BigInt(page) << 12n);
    else made.inv(BigInt(0x22 | (domain << 16)), 0n);
  }
  return made;
}

function hardware(sets: number, ways: number): typeof vtdServer {
  const none = ['walk-cache.l1=0', 'walk-cache.l2=0', 'walk-cache.l3=0'];
  return withSettings(vtdServer, [`iotlb.sets=${sets}`, `iotlb.ways=${ways}`, ...none]);
}

/** What adds up over tenants that have nothing in common. */
function sums(trace: Trace, sets: number, ways: number): readonly (number | null)[] {
  const { iotlb, walks, walkReads, faults, commands, syncs, exposure, stale, wasted } = replayTrace(trace, {
    hardware: hardware(sets, ways),
  });
  return [
    iotlb?.lookups ?? null,
    iotlb?.hits ?? null,
    iotlb?.causes.compulsory ?? null,
    iotlb?.causes.invalidation ?? null,
    walks,
    walkReads,
    faults,
    commands,
    syncs,
    exposure?.pages ?? null,
    stale?.translations ?? null,
    wasted,
  ];
}

function eventsOf(trace: Trace): readonly string[] {
  const texts: string[] = [];
  for (const { stream, time, cpu, task, count, rows } of trace.segments()) {
    const row = new Int32Array(STREAM_NAMES.length);
    for (let i = 0; i < count; i++) {
      const id = stream[i]!;
      const name = STREAM_NAMES[id]!;
      const r = row[id]!++;
      const values = Object.entries(rows[name].columns as unknown as Record<string, unknown>).map(
        ([property, column]) => (column instanceof Int32Array ? `${property}=${column[r]}` : property),
      );
      texts.push(`${time[i]} ${cpu[i]} ${task[i]} ${name} ${values.toSorted().join(' ')}`);
    }
  }
  return texts;
}

/** The same events in segments of so many, as a file of many blocks has. */
function inPieces(trace: Trace, size: number): Trace {
  const pieces: Segment[] = [];
  let piece = new MemoryTrace(trace.header);
  let copy = createRowCopier(trace, piece);
  const end = (): void => {
    pieces.push(...piece.segments());
    piece = new MemoryTrace(trace.header);
    for (const text of trace.strings) piece.intern(text);
    copy = createRowCopier(trace, piece);
  };
  for (const segment of trace.segments()) {
    const row = new Int32Array(STREAM_NAMES.length);
    for (let i = 0; i < segment.count; i++) {
      const id = segment.stream[i]!;
      const to = piece.begin(id, segment.time[i]!, segment.cpu[i]!, segment.task[i]!);
      copy(segment, id, row[id]!++, to);
      if (piece.eventCount === size) end();
    }
  }
  end();
  const { header, strings, health, notes, eventCount, streamCounts } = trace;
  return {
    header,
    strings,
    health,
    notes,
    eventCount,
    streamCounts,
    *segments() {
      yield* pieces;
    },
  };
}

describe('one tenant', () => {
  test('is the trace itself', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const { trace } = sketch(all);
        expect(eventsOf(new TenantTrace([trace], { tenants: 1, seed: 1 }))).toEqual(eventsOf(trace));
      }),
      { numRuns: 30 },
    );
  });

  const small = readdirSync(CORPUS).filter((name) => {
    if (!name.endsWith('.iorr')) return false;
    const trace = openTrace(join(CORPUS, name));
    const { eventCount, streamCounts } = trace;
    trace.close();
    return streamCounts.dma > 0 && streamCounts.ioctl === 0 && eventCount < 200_000;
  });

  test.each(small)('%s: the same replay', (name) => {
    const trace = openTrace(join(CORPUS, name));
    try {
      const one = new TenantTrace([trace], { tenants: 1, seed: 1 });
      expect(one.eventCount).toBe(trace.eventCount);
      expect(one.streamCounts).toEqual(trace.streamCounts);
      expect(replayTrace(one)).toEqual(replayTrace(trace));
    } finally {
      trace.close();
    }
  });
});

describe('several tenants', () => {
  test('with sets of their own have as many of everything as one, each', () => {
    fc.assert(
      fc.property(
        steps,
        fc.integer({ min: 2, max: 5 }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 0, max: 3000 }),
        (all, tenants, ways, spreadNs) => {
          const { trace } = sketch(all);
          const room = 2 ** Math.ceil(Math.log2(tenants));
          const many = new TenantTrace([trace], { tenants, seed: 7, spreadNs, pages: PAGES });
          expect(many.eventCount).toBe(trace.eventCount * tenants);
          const one = sums(trace, PAGES, ways);
          expect(sums(many, PAGES * room, ways)).toEqual(one.map((count) => (count === null ? null : count * tenants)));
        },
      ),
      { numRuns: 60 },
    );
  });

  test('one after the other each have an IOTLB to themselves', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const { trace } = sketch(all);
        const tenants = 3;
        const many = new TenantTrace([trace], { tenants, seed: 1, spreadNs: 0 });
        const { lookups, hits } = tenantHits(many, hardware(1, 1 << 12));
        const alone = replayTrace(trace, { hardware: hardware(1, 1 << 12) }).iotlb;
        for (let tenant = 0; tenant < tenants; tenant++) {
          expect([lookups[tenant], hits[tenant]]).toEqual([alone?.lookups ?? 0, alone?.hits ?? 0]);
        }
      }),
      { numRuns: 30 },
    );
  });

  test('the first of many are those of few', () => {
    const names = [
      sourceNames(
        sketch([
          ['dma', 1, 0],
          ['dma', 2, 3],
        ]).trace,
      ),
    ];
    const few = tenantNumbers(names, { tenants: 4, seed: 3, pages: 'keyed' });
    const many = tenantNumbers(names, { tenants: 64, seed: 3, pages: 'keyed' });
    expect(many.slice(0, 4)).toEqual(few);
    const domains = many.flatMap((tenant) => [...tenant.domains.values()]);
    expect(new Set(domains).size).toBe(domains.length);
    const rids = many.flatMap((tenant) => [...tenant.rids.values()]);
    expect(new Set(rids).size).toBe(rids.length);
    expect(tenantNumbers(names, { tenants: 4, seed: 4, pages: 'keyed' })).not.toEqual(few);
  });

  test('hold a stretch of the trace once, not once each', () => {
    const made = new SketchedTrace();
    made.attach(8, 1);
    for (let i = 0; i < 4000; i++) made.after(10).dma(8, i % 50, 1);
    const pieces = inPieces(made.trace, 100);
    const many = new TenantTrace([pieces], { tenants: 50, seed: 1, spreadNs: 2000 });
    expect(many.segmentsHeld).toBe(0);
    let events = 0;
    let before = 0;
    for (const { count, time } of many.segments({ reuse: true })) {
      events += count;
      for (let i = 0; i < count; i++) {
        expect(time[i]! >= before).toBe(true);
        before = time[i]!;
      }
    }
    expect(events).toBe(many.eventCount);
    // 2,000 ns are 200 events, two segments, and those that they begin and end in
    expect(many.segmentsHeld).toBeLessThanOrEqual(4);
  });

  test('of two traces take turns, with the texts of both', () => {
    const a = sketch([['dma', 1, 0]]).trace;
    const b = new SketchedTrace().attach(16, 2).dma(16, 5, 2);
    b.mark('of the second');
    const both = new TenantTrace([a, b.trace], { tenants: 3, seed: 1, spreadNs: 0 });
    expect(both.eventCount).toBe(2 * a.eventCount + b.trace.eventCount);
    const marks: (string | undefined)[] = [];
    for (const { rows } of both.segments()) {
      for (let i = 0; i < rows.mark.count; i++) marks.push(both.strings[rows.mark.columns.text[i]!]);
    }
    expect(marks).toEqual(['of the second']);
    expect(tenantHits(both, hardware(4, 2)).lookups).toEqual([1, 1, 1]);
  });

  test('more than hardware has numbers for are refused', () => {
    const { trace } = sketch([['dma', 1, 0]]);
    expect(() => new TenantTrace([trace], { tenants: 40_000, seed: 1 })).toThrow(/more domains than the 65536/);
  });

  test('commands that name no domain are counted', () => {
    const made = sketch([
      ['domain', 1, 0],
      ['pages', 1, 0],
    ]).inv(0x12n, 0n);
    expect(new TenantTrace([made.trace], { tenants: 3, seed: 1 }).wideCommands).toBe(3);
  });

  test('resets of the unit are the first tenant alone', () => {
    const made = new SketchedTrace().queue();
    made.dma(8, 1, 1);
    const many = new TenantTrace([made.trace], { tenants: 3, seed: 1 });
    let resets = 0;
    for (const { rows } of many.segments()) {
      for (let i = 0; i < rows.inv.count; i++) if (rows.inv.columns.form[i] === INV_FORM.reset) resets++;
    }
    expect(resets).toBe(1);
    expect(many.streamCounts.inv).toBe(1);
    expect(STREAM_ID.inv).toBeGreaterThan(0);
  });
});

describe('names of commands', () => {
  const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

  test.each([0, 1, 2, 3, 4])(
    'dialect %i: what a command is for has the new names and nothing else is different',
    (dialect) => {
      const scopeOf = (words: Int32Array): CommandScope => {
        const scope = commandScope();
        const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = words;
        readScope(scope, dialect, a, b, c, d, e, f);
        return scope;
      };
      fc.assert(
        fc.property(fc.array(word, { minLength: 6, maxLength: 6 }), fc.integer({ min: 0, max: 10 }), (all, type) => {
          const words = Int32Array.from(all);
          // types that mean something come often
          if (dialect !== 1)
            words[dialect === 2 ? 1 : 0] =
              dialect === 2 ? (words[1]! & 0xfffffff) | (type << 28) : (words[0]! & ~0xf) | type;
          const before = scopeOf(words);
          const same = { domain: (name: number) => name, guest: (name: number) => name, rid: (name: number) => name };
          const copy = words.slice();
          renameCommand(dialect, copy, same, 0);
          // RISC-V: a PSCID has 20 bits, of which domains hold 16
          if (dialect !== 3) expect(copy).toEqual(words);
          const other = {
            domain: (name: number) => name ^ 0x101,
            guest: (name: number) => name,
            rid: (name: number) => name ^ 0x303,
          };
          renameCommand(dialect, words, other, 0);
          const after = scopeOf(words);
          const guestless = before.domain !== -1 && !(dialect === 1 && (before.domain & 0xffff) === 0);
          const domain =
            dialect === 3 && guestless && (before.domain & 0xffff) === 0 ? before.domain : before.domain ^ 0x101;
          if (before.domain === -1) expect(after.domain).toBe(-1);
          else if (guestless && dialect !== 3) expect(after.domain >>> 0).toBe(domain >>> 0);
          if (before.device !== -1) expect(after.device >>> 0).toBe((before.device ^ 0x303) >>> 0);
          expect([after.kind, after.first, after.last, after.pasid]).toEqual([
            before.kind,
            before.first,
            before.last,
            before.pasid,
          ]);
        }),
        { numRuns: 400 },
      );
    },
  );

  test('addresses move with their tenant', () => {
    const words = Int32Array.of(0x32 | (7 << 16), 0, 0xffff_f000 | 0, 3, 0, 0);
    renameCommand(0, words, { domain: () => 9, guest: (name) => name, rid: (name) => name }, 1);
    expect([...words]).toEqual([0x32 | (9 << 16), 0, 0, 4, 0, 0]);
  });
});

describe('fairness', () => {
  test('is 1 where all hit alike, and 1/n where one has all', () => {
    expect(fairnessOf({ lookups: [10, 20], hits: [5, 10], others: 0 })).toEqual({
      tenants: 2,
      silent: 0,
      min: 0.5,
      median: 0.5,
      max: 0.5,
      jain: 1,
    });
    expect(fairnessOf({ lookups: [10, 10, 10, 10, 0], hits: [10, 0, 0, 0, 0], others: 0 })).toMatchObject({
      tenants: 4,
      silent: 1,
      jain: 0.25,
      min: 0,
      median: 0,
      max: 1,
    });
    expect(fairnessOf({ lookups: [0], hits: [0], others: 3 })).toBeNull();
  });
});

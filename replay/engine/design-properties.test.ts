import { existsSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dialectById } from '../../traces/dialects/dialects.ts';
import { Random } from '../../traces/random.ts';
import { DIALECT } from '../../traces/schema.ts';
import { ABSENT } from '../../traces/units.ts';
import { costProfile } from '../costs/cost-profiles.ts';
import type { CommandEmitter, Design, DesignContext, DesignFactory } from '../designs/design.ts';
import { DEFAULT_CONTEXT } from '../designs/design.ts';
import { DESIGNS, designParameters } from '../designs/designs.ts';
import { HARDWARE, hardwareProfile } from '../hardware/profiles.ts';
import { createMachine } from '../model/create-machine.ts';
import { ExposureTotals } from '../model/exposure.ts';
import { ACCESS_RESULT, UNMAP_RESULT } from '../model/machine.ts';
import type { Machine } from '../model/machine.ts';
import { AddressReuse } from './address-reuse.ts';
import { compareTrace } from './compare.ts';
import { contextOn } from './design-context.ts';
import { PlacedTables } from './placed-tables.ts';
import { SketchedTrace } from './testing/sketched-trace.ts';

const RUNS = process.env['IORR_FULL'] === '1' ? 100 : 5;
const DOMAIN = 4;
const RID = 0x18;
const SERVERS = HARDWARE.filter(({ iotlb }) => !iotlb.startsWith('qemu'));

/** A design on a machine that carries out each command as it is emitted, so that only the design's order counts. */
class Bench implements CommandEmitter {
  readonly machine: Machine;
  readonly #design: Design;
  readonly #reuse: AddressReuse;
  readonly #placed: PlacedTables | undefined;
  readonly #promise: DesignFactory['promise'];
  readonly #syncsMaps: boolean;
  /** What did not hold. */
  readonly broken: string[] = [];
  readonly #dialect: number;
  readonly #deferred = new Map<number, readonly [number, number]>();
  readonly #timers = new Map<number, number>();
  /** Commands that were not handed over. */
  pending = 0;
  time = 0;

  constructor(factory: DesignFactory, hardware: (typeof HARDWARE)[number], change: Partial<DesignContext>) {
    const totals = new ExposureTotals();
    this.machine = createMachine(hardware, { exposure: totals });
    this.machine.attach(RID, ABSENT, DOMAIN);
    // from here on the machine knows that what is not in the domain's tables is not mapped
    this.machine.map(0, DOMAIN, low(1), 0, low(1), 0, low(1), 0, 3);
    const context: DesignContext = { ...contextOn(hardware, DEFAULT_CONTEXT), ...change };
    this.#dialect = context.dialect;
    this.#syncsMaps = context.cachingMode;
    this.#reuse = new AddressReuse(4);
    this.#promise = factory.promise;
    this.#design = factory.create(this, context, designParameters(factory));
    this.#design.assignTag({ domain: DOMAIN, unit: 0, type: 0, device: ABSENT, pasid: 0 });
    const { placement } = this.#design;
    if (placement !== undefined) this.#placed = new PlacedTables(this.machine, this.#reuse, placement, totals);
  }

  command(_unit: number, ...words: number[]): void {
    this.pending++;
    const type = dialectById(this.#dialect)?.typeNumber(words[0] ?? 0, words[1] ?? 0) ?? 0;
    if (dialectById(this.#dialect)?.typeNames[type] === undefined) this.#holds('a defined command', false);
    const [w0Lo = 0, w0Hi = 0, w1Lo = 0, w1Hi = 0, w2Lo = 0, w2Hi = 0] = words;
    this.machine.command(this.time, w0Lo, w0Hi, w1Lo, w1Hi, w2Lo, w2Hi);
  }

  submit(): void {
    this.pending = 0;
  }

  publish(): void {
    this.pending = 0;
  }

  defer(domain: number, first: number, last: number): number {
    const hold = this.#reuse.hold(domain, first, last);
    this.#deferred.set(hold, [first, last]);
    return hold;
  }

  release(deferred: number): void {
    const [first, last] = this.#deferred.get(deferred) ?? [0, -1];
    this.#holds('pages are gone at their release', this.stale(first, last) === 0);
    this.#reuse.release(deferred);
  }

  arm(timer: number, at: number): void {
    this.#holds('timers lie ahead', at > this.time);
    this.#timers.set(timer, at);
  }

  /** Goes on to a time, with the timers that run out on the way. */
  until(time: number): void {
    for (;;) {
      const [next] = [...this.#timers].filter(([, at]) => at <= time).sort((a, b) => a[1] - b[1]);
      if (next === undefined) break;
      this.#timers.delete(next[0]);
      this.time = next[1];
      this.#design.expire(next[0], this.time);
    }
    this.time = time;
  }

  map(first: number, pages: number, physical: number, cpu: number): void {
    const { time } = this;
    const last = first + pages - 1;
    const intent = { domain: DOMAIN, prot: 3, replacedFirst: -1, replacedLast: -1, cpu, task: 100 + cpu, time };
    let place = first;
    if (this.#placed === undefined) {
      place = this.#reuse.map(DOMAIN, first, pages);
      this.#expectFree(place, pages);
      this.machine.map(time, DOMAIN, low(place), high(place), low(physical), high(physical), low(pages), 0, 3);
    } else {
      place = this.#placed.place({ ...intent, first, last, offset: physical - first });
      this.#expectFree(place, pages);
    }
    this.#design.map({ ...intent, first: place, last: place + pages - 1, offset: physical - place });
    if (this.#syncsMaps) this.#design.syncMap(DOMAIN, cpu, 100 + cpu, time);
    for (let page = place; page < place + pages; page++) {
      this.#holds('pages are mapped where they lie', this.machine.translate(DOMAIN, low(page), high(page)) >= 0);
      this.#touch(page);
    }
  }

  unmap(first: number, pages: number, cpu: number): void {
    const { time } = this;
    const places: number[] = [];
    this.#reuse.runs(DOMAIN, first, pages, (page, count) => {
      const intent = { domain: DOMAIN, first: page, last: page + count - 1, freedTable: 0, cpu, task: 100 + cpu, time };
      let freedTable: number;
      if (this.#placed === undefined) {
        const done = this.machine.unmap(time, DOMAIN, low(page), high(page), low(count), 0, 0);
        freedTable = (done & UNMAP_RESULT.freedTable) !== 0 ? 1 : 0;
      } else freedTable = this.#placed.remove(intent, 0);
      this.#design.unmap({ ...intent, freedTable });
      for (let p = page; p < page + count; p++) places.push(p);
    });
    this.#design.sync(DOMAIN, cpu, 100 + cpu, time);
    // virtio's requests are the table's changes, and wait for the next kick
    this.#holds('commands are handed over', this.#dialect === DIALECT.virtio || this.pending === 0);
    if (this.#promise !== 'before-return') return;
    for (const page of places) this.#holds('pages are gone when sync returns', this.stale(page, page) === 0);
  }

  /** Pages from which the device is still served though they were unmapped. */
  stale(first: number, last: number): number {
    let count = 0;
    for (let page = first; page <= last; page++) if ((this.#touch(page) & ACCESS_RESULT.stale) !== 0) count++;
    return count;
  }

  #touch(page: number): number {
    return this.machine.access(this.time, RID, ABSENT, DOMAIN, low(page), high(page), 1, 0);
  }

  #holds(what: string, holds: boolean): void {
    if (!holds) this.broken.push(what);
  }

  /** Nothing is handed out again that a cache still translates as before. */
  #expectFree(place: number, pages: number): void {
    if (this.#promise === 'none') return;
    this.#holds('pages are gone before they are reused', this.stale(place, place + pages - 1) === 0);
  }
}

function low(page: number): number {
  return ((page % 0x100000) << 12) | 0;
}

function high(page: number): number {
  return Math.floor(page / 0x100000) | 0;
}

interface Step {
  readonly slot: number;
  readonly cpu: number;
  readonly waitNs: number;
}

/** Buffers of 1 to 8 pages and one of 2 MiB, mapped if they are not and unmapped if they are. */
function work(bench: Bench, steps: readonly Step[]): void {
  const live = new Map<number, number>();
  for (const { slot, cpu, waitNs } of steps) {
    bench.until(bench.time + waitNs);
    const pages = slot === 15 ? 512 : 1 + (slot % 8);
    const first = 0x1000 + 0x400 * slot;
    const owner = live.get(slot);
    if (owner === undefined) {
      bench.map(first, pages, 0x8000 + 0x400 * slot + (slot % 3), cpu);
      live.set(slot, cpu);
    } else {
      bench.unmap(first, pages, owner);
      live.delete(slot);
    }
  }
  bench.until(bench.time + 5e9);
  for (const [slot, cpu] of live) bench.unmap(0x1000 + 0x400 * slot, slot === 15 ? 512 : 1 + (slot % 8), cpu);
  bench.until(bench.time + 5e9);
}

const STEPS = fc.array(
  fc.record({
    slot: fc.integer({ min: 0, max: 15 }),
    cpu: fc.integer({ min: 0, max: 2 }),
    waitNs: fc.constantFrom(100, 5000, 400_000, 20_000_000),
  }),
  { maxLength: 120 },
);
const CHANGES = fc.record({
  kernel: fc.constantFrom(600, 612, 619, 702),
  rangeInvalidation: fc.boolean(),
  cachingMode: fc.boolean(),
});

describe.each(DESIGNS.map((design) => [design.name, design] as const))('%s keeps its promise', (_name, factory) => {
  test.each(SERVERS.map((hardware) => [hardware.name, hardware] as const))('on %s', (_hardware, hardware) => {
    fc.assert(
      fc.property(STEPS, CHANGES, (steps, change) => {
        const bench = new Bench(factory, hardware, change);
        work(bench, steps);
        expect(bench.broken).toEqual([]);
        const { malformed, missing, overlaps, exposure } = bench.machine.finish(bench.time);
        expect({ malformed, missing, overlaps }).toEqual({ malformed: 0, missing: 0, overlaps: 0 });
        // every buffer is unmapped and every timer has run out
        if (factory.promise !== 'none') expect(exposure.endedBy.open).toBe(0);
      }),
      { numRuns: RUNS },
    );
  });
});

/** Buffers that are used only while they are mapped, on two CPUs, their addresses reused at once. */
function workload(events: number): SketchedTrace {
  const random = new Random(7);
  const sketch = new SketchedTrace().tag(DOMAIN).attach(RID);
  const free = Array.from({ length: 64 }, (_, i) => i);
  const live: number[] = [];
  for (let i = 0; i < events; i++) {
    sketch.after(1000 + random.below(20_000));
    const slot = free.length > 0 && (live.length === 0 || random.chance(0.5)) ? free.pop() : undefined;
    if (slot !== undefined) {
      sketch.by(slot % 2, 100 + (slot % 2)).map(DOMAIN, 0x1000 + 8 * slot, 1 + (slot % 8), 0x4_0000 + 8 * slot);
      live.push(slot);
      for (let p = 0; p <= slot % 8; p++) sketch.after(100).dma(RID, 0x1000 + 8 * slot + p, DOMAIN);
    } else {
      const [gone = 0] = live.splice(random.below(live.length), 1);
      sketch.by(gone % 2, 100 + (gone % 2)).unmap(DOMAIN, 0x1000 + 8 * gone, 1 + (gone % 8));
      free.push(gone);
    }
  }
  return sketch;
}

describe('all designs in one comparison', () => {
  const names = [...DESIGNS.map(({ name }) => name), 'batch-n@2', 'batch-n@128'];
  const compare = (events: number, jobs: number): ReturnType<typeof compareTrace> => {
    const { trace } = workload(events);
    return compareTrace(trace, {
      designs: names,
      hardware: hardwareProfile('vtd-64x4', trace.header),
      profile: costProfile('generic-server', trace.header),
      jobs,
    });
  };

  test('every access finds its mapping, wherever it lies, and none is stale but where nothing is promised', async () => {
    const result = await compare(3000, 1);
    expect(result?.caveats.filter((text) => text.includes('found no mapping'))).toEqual([]);
    const lookups = result?.designs[0]?.iotlb?.lookups;
    const unmapped = result?.designs[0]?.exposure?.unmappedPages;
    for (const { name, iotlb, exposure, stale, overMapped } of result?.designs ?? []) {
      const { promise } = DESIGNS.find((design) => design.name === name.split('@', 1)[0]) ?? {};
      expect({ name, lookups: iotlb?.lookups }).toEqual({ name, lookups });
      expect({ name, unmapped: exposure?.unmappedPages }).toEqual({ name, unmapped });
      expect({ name, stale: stale?.translations }).toEqual({ name, stale: 0 });
      if (promise !== 'none') expect({ name, remap: exposure?.endedBy.remap }).toEqual({ name, remap: 0 });
      else expect({ name, over: (overMapped?.pageSeconds ?? 0) > 0 }).toEqual({ name, over: true });
    }
    expect(result?.caveats.filter((text) => text.includes('without a bound'))).toEqual([
      expect.stringMatching(/under persistent \(at most \d+\), huge-iopte \(at most \d+\):/),
    ]);
    const exposed = (name: string): number =>
      result?.designs.find((design) => design.name === name)?.exposure?.pageSeconds ?? 0;
    expect(exposed('linux-strict')).toBeLessThan(exposed('batch-n@2'));
    expect(exposed('batch-n@2')).toBeLessThan(exposed('batch-n@128'));
    expect(exposed('linux-lazy')).toBeLessThan(exposed('linux-lazy-single-fq'));
    expect(exposed('linux-strict')).toBeLessThan(exposed('persistent'));
  });

  test('the same bytes for 1, 2 and 3 jobs', async () => {
    const worker = new URL('../../dist/replay/engine/compare-worker.js', import.meta.url);
    expect(existsSync(worker), 'npm run build makes the worker that this test starts').toBe(true);
    const texts = await Promise.all([1, 2, 3].map(async (jobs) => JSON.stringify(await compare(800, jobs))));
    expect(texts[1] === texts[0]).toBe(true);
    expect(texts[2] === texts[0]).toBe(true);
  });
});

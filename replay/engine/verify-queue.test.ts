import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DIALECT, ORIGIN } from '../../traces/schema.ts';
import { DEFAULT_CONTEXT } from '../designs/design.ts';
import type { CommandEmitter, DesignContext } from '../designs/design.ts';
import { LinuxLazy } from '../designs/linux-lazy.ts';
import { LinuxStrict } from '../designs/linux-strict.ts';
import type { InvOutcome } from './inv-report.ts';
import { SketchedTrace } from './testing/sketched-trace.ts';
import { verifyInv } from './verify-inv.ts';

const SYNC = 0x46n;
const STRICT = { design: 'linux-strict' };
const ASID = 5;

const flushes = (outcome: InvOutcome | undefined): InvOutcome['parts'][string] | undefined =>
  outcome?.parts['inv.flush'];
const agreed = (n: number): InvOutcome['parts'][string] => ({ checked: n, agreed: n, diverged: 0 });

/** TLBI_NH_VA of pages with NUM and SCALE as Linux writes them; leaf, level 3, 4K. */
function tlbi(page: number, num = 1, scale = 0, asid = ASID): [bigint, bigint] {
  const w0 = 0x12n | (BigInt(num - 1) << 12n) | (BigInt(scale) << 20n) | (BigInt(asid) << 48n);
  return [w0, (BigInt(page) << 12n) | 0x701n];
}

function smmu(): SketchedTrace {
  return new SketchedTrace().speaking('smmuv3');
}

/** One unmap and its commands. */
function strictUnmap(
  sketch: SketchedTrace,
  page: number,
  pages: number,
  ...commands: [bigint, bigint][]
): SketchedTrace {
  sketch.after(1000).by(0, 1).unmap(ASID, page, pages).by(-1, -1);
  for (const command of commands) sketch.inv(...command);
  return sketch.inv(SYNC, 0n);
}

describe('SMMUv3, strict', () => {
  test('ranges: scale is the trailing zeros, num what fits, one SYNC an unmap', () => {
    const sketch = smmu();
    strictUnmap(sketch, 0x1000, 1, tlbi(0x1000));
    strictUnmap(sketch, 0x2000, 3, tlbi(0x2000, 3));
    strictUnmap(sketch, 0x3001, 33, tlbi(0x3001), tlbi(0x3002, 1, 5));
    strictUnmap(sketch, 0x4001, 31, tlbi(0x4001, 31));
    const outcome = verifyInv(sketch.trace);
    expect(outcome?.divergences).toEqual([]);
    expect(flushes(outcome)).toEqual(agreed(5));
    expect(outcome?.parts['inv.wait']).toEqual(agreed(4));
    expect(outcome?.notes[0]).toBe('checked against linux-strict');
  });

  test('a range that the log holds in pieces is compared as what they make', () => {
    const sketch = smmu();
    strictUnmap(sketch, 0x2000, 7, tlbi(0x2000, 1, 2), tlbi(0x2004, 1, 1), tlbi(0x2006));
    strictUnmap(sketch, 0x3000, 7, tlbi(0x3000, 1, 2), tlbi(0x3004, 1, 1), tlbi(0x3007));
    const outcome = verifyInv(sketch.trace);
    expect(flushes(outcome)?.agreed).toBe(3);
    expect(outcome?.divergences[0]?.event).toBe(6);
  });

  test('unmaps that were flushed as one, of two leaf sizes', () => {
    const sketch = smmu();
    strictUnmap(sketch, 0x9000, 1, tlbi(0x9000));
    sketch.after(1000).by(0, 1);
    for (let i = 0; i < 4; i++) sketch.unmap(ASID, 0x1000 + 0x80 * i, 0x80);
    sketch.unmap(ASID, 0x1200, 1).by(-1, -1);
    // 2 MiB as a block: level 2
    sketch.inv(0x90_0012n | (5n << 48n), 0x100_0601n).inv(SYNC, 0n);
    sketch.inv(...tlbi(0x1200)).inv(SYNC, 0n);
    strictUnmap(sketch, 0xa000, 1, tlbi(0xa000));
    const outcome = verifyInv(sketch.trace);
    expect(outcome?.divergences).toEqual([]);
    expect(flushes(outcome)).toEqual(agreed(4));
    expect(outcome?.notes).toContain('1 flushes cover several unmaps of their submitter');
  });

  test('a command that was dropped names its unmap, and nothing behind it differs', () => {
    const sketch = smmu();
    for (let i = 0; i < 50; i++) {
      if (i === 20) sketch.after(1000).unmap(ASID, 0x1000 + i);
      else strictUnmap(sketch, 0x1000 + i, 1, tlbi(0x1000 + i));
    }
    const outcome = verifyInv(sketch.trace);
    expect(outcome?.divergences).toEqual([
      { event: 60, kind: 'inv', what: 'missing', recorded: 'no command', model: '0x5000000000012 0x1014701' },
    ]);
    expect(flushes(outcome)?.agreed).toBe(49);
  });

  test('whatever is dropped is named, whatever is altered or said twice is counted, and nothing else', () => {
    // the last one could lie behind the end of the recording
    const faults = fc.uniqueArray(fc.integer({ min: 0, max: 198 }), { maxLength: 12 });
    fc.assert(
      fc.property(faults, fc.infiniteStream(fc.constantFrom('drop', 'alter', 'twice')), (places, kinds) => {
        const faulty = new Map(places.map((place) => [place, kinds.next().value as string]));
        const sketch = smmu();
        const dropped: number[] = [];
        for (let i = 0; i < 200; i++) {
          const fault = faulty.get(i);
          const [w0, w1] = tlbi(0x1000 + i);
          sketch.after(1000).by(0, 1);
          if (fault === 'drop') dropped.push(sketch.trace.eventCount);
          sketch.unmap(ASID, 0x1000 + i).by(-1, -1);
          if (fault === 'drop') continue;
          sketch.inv(w0, fault === 'alter' ? w1 ^ 1n : w1).inv(SYNC, 0n);
          if (fault === 'twice') sketch.inv(w0, w1).inv(SYNC, 0n);
        }
        const outcome = verifyInv(sketch.trace);
        const of = (what: string): number[] =>
          outcome?.divergences.filter((divergence) => divergence.what === what).map(({ event }) => event) ?? [];
        const count = (kind: string): number => [...faulty.values()].filter((fault) => fault === kind).length;
        // two faults side by side can be told in more than one way; their number is the same
        const apart = places.every((place) => !places.includes(place + 1));
        if (apart) {
          expect(of('missing')).toEqual(dropped);
          expect([of('w1').length, of('extra').length]).toEqual([count('alter'), count('twice')]);
        }
        expect(flushes(outcome)?.agreed).toBeGreaterThanOrEqual(200 - count('drop') - count('alter') - count('twice'));
      }),
      { numRuns: 60 },
    );
  });

  test('a duplicate and a wrong field are found', () => {
    const sketch = smmu();
    for (let i = 0; i < 20; i++) {
      strictUnmap(sketch, 0x1000 + i, 1, i === 5 ? [tlbi(0x1005)[0], 0x1005700n] : tlbi(0x1000 + i));
      if (i === 10) sketch.inv(...tlbi(0x100a)).inv(SYNC, 0n);
    }
    const outcome = verifyInv(sketch.trace);
    expect(outcome?.divergences.map(({ what }) => what).sort()).toEqual(['extra', 'w1']);
  });

  test('what attachments ask for is skipped with a reason', () => {
    const sketch = smmu().inv(0x5000000000011n, 0n).inv(SYNC, 0n).inv(0x4000000005n, 1n).inv(SYNC, 0n);
    strictUnmap(sketch, 0x1000, 1, tlbi(0x1000));
    const outcome = verifyInv(sketch.trace);
    expect(flushes(outcome)).toEqual(agreed(1));
    expect(outcome?.skipped).toEqual({
      'cfgi-cd: implied by an attachment, not by an unmap': 1,
      'wait for commands that no unmap asks for': 1,
      'whole-domain flush of an attachment': 1,
    });
  });

  test('flushes of two submitters may change places where the queue names nobody, those of one may not', () => {
    const swapped = (task: number): number => {
      const sketch = smmu();
      for (let i = 0; i < 10; i++) strictUnmap(sketch, 0x2000 + i, 1, tlbi(0x2000 + i));
      sketch.by(0, 1).after(1000).unmap(ASID, 0x1000).by(0, task).after(1000).unmap(ASID, 0x1001);
      sketch.by(-1, -1).after(1000);
      sketch
        .inv(...tlbi(0x1001))
        .inv(SYNC, 0n)
        .after(1000);
      sketch.inv(...tlbi(0x1000)).inv(SYNC, 0n);
      return verifyInv(sketch.trace)?.divergences.length ?? -1;
    };
    expect(swapped(2)).toBe(0);
    expect(swapped(1)).toBeGreaterThan(0);
  });
});

describe('AMD, under an emulator', () => {
  const pages = (domain: number): [bigint, bigint] => [
    0x3000_0000_0000_0000n | (BigInt(domain) << 32n),
    0x7fff_ffff_ffff_f001n,
  ];
  const wait = (n: number): [bigint, bigint] => [0x1000_0000_0000_1001n, BigInt(n)];

  test('aligned pieces for maps and unmaps, adjacent unmaps together, none where no device is', () => {
    const sketch = new SketchedTrace().speaking('amd');
    const sent = (count: number): void => {
      for (let i = 0; i < count; i++) sketch.inv(...pages(10));
      sketch.inv(...wait(1));
    };
    // before the device came
    sketch.map(10, 0x900, 7);
    sketch.after(1000).map(10, 0x100, 15);
    sent(4);
    sketch.after(1000).map(10, 0x200, 8);
    sent(1);
    sketch.after(1000).unmap(10, 0x100, 15);
    sent(4);
    sketch.after(1000).unmap(10, 0x200, 3).unmap(10, 0x203, 2).unmap(10, 0x205, 3);
    sent(1);
    sketch.after(1000).unmap(10, 0x900, 7);
    sent(3);
    // the device leaves: its table entry, then all of its domain
    sketch.after(1000).inv(0x2000_0000_0000_0038n, 0n);
    sketch.inv(...wait(2));
    sent(1);
    sketch.after(1000).unmap(10, 0x400, 7);
    const outcome = verifyInv(sketch.trace);
    expect(outcome?.divergences).toEqual([]);
    expect(flushes(outcome)).toEqual(agreed(13));
    expect(outcome?.parts['inv.wait']).toEqual(agreed(5));
    expect(outcome?.skipped).toMatchObject({
      'whole-domain flush of an attachment': 1,
      'wait for commands that no unmap asks for': 1,
    });
    expect(outcome?.notes).toContain('1 flushes cover several unmaps of their submitter');
  });

  /** A list of six pieces, an interrupt's unmap behind the fourth if asked for, and `sent` flushes of the list. */
  const list = (sketch: SketchedTrace, page: number, interrupted: boolean, sent: number): void => {
    const { map } = sketch.trace.rows;
    sketch.after(1000);
    for (let i = 0; i < 4; i++) sketch.map(10, page + i);
    if (interrupted)
      sketch
        .unmap(10, 0x9000)
        .inv(...pages(10))
        .inv(...wait(1));
    sketch.map(10, page + 4).map(10, page + 5);
    // six pages from an odd multiple of two: two pieces
    for (let i = 0; i < sent; i++)
      sketch
        .inv(...pages(10))
        .inv(...pages(10))
        .inv(...wait(1));
    sketch.map(-1, page, 6);
    map.columns.origin[map.count - 1] = ORIGIN.dmaApi;
  };

  test('a list that an interrupt cut in two is flushed once, behind what the interrupt flushed', () => {
    const sketch = new SketchedTrace().speaking('amd');
    for (let i = 0; i < 20; i++) list(sketch, 0x100 + 8 * i, i % 2 === 1, 1);
    const outcome = verifyInv(sketch.trace, STRICT);
    expect(outcome?.divergences).toEqual([]);
    expect(flushes(outcome)).toEqual(agreed(50));
  });

  test('a flush too many is not explained by cutting a list', () => {
    const sketch = new SketchedTrace().speaking('amd');
    for (let i = 0; i < 20; i++) list(sketch, 0x100 + 8 * i, false, i === 10 ? 2 : 1);
    sketch
      .after(1000)
      .unmap(10, 0x9000)
      .inv(...pages(10))
      .inv(...wait(1));
    expect(flushes(verifyInv(sketch.trace, STRICT))).toEqual({ checked: 43, agreed: 41, diverged: 2 });
  });

  test('a change of configuration flushes several domains before it waits', () => {
    const sketch = new SketchedTrace().speaking('amd');
    sketch.inv(0x2000_0000_0000_0038n, 0n).inv(...wait(1));
    for (const domain of [1, 2, 3]) sketch.inv(...pages(domain));
    sketch.inv(...wait(2));
    list(sketch, 0x100, true, 1);
    const outcome = verifyInv(sketch.trace, STRICT);
    expect(outcome?.divergences).toEqual([]);
    expect(outcome?.skipped).toMatchObject({ 'whole-domain flush of an attachment': 3 });
  });
});

test("AMD, strict: the DMA API's own events make no system lazy", () => {
  const sketch = new SketchedTrace().speaking('amd');
  const { map, unmap } = sketch.trace.rows;
  const flush = (): SketchedTrace =>
    sketch.inv(0x3000_000a_0000_0000n, 0x7fff_ffff_ffff_f001n).inv(0x1000_0000_0000_1001n, 1n);
  for (let i = 0; i < 30; i++) {
    sketch.after(1000).map(10, 0x100 + 8 * i, 1);
    flush().map(-1, 0x100 + 8 * i, 1);
    map.columns.origin[map.count - 1] = ORIGIN.dmaApi;
    sketch.after(1000).unmap(10, 0x100 + 8 * i, 1);
    flush().unmap(-1, 0x100 + 8 * i, 1);
    unmap.columns.origin[unmap.count - 1] = ORIGIN.dmaApi;
  }
  const outcome = verifyInv(sketch.trace);
  expect(outcome?.notes[0]).toBe('checked against linux-strict');
  expect(outcome?.divergences).toEqual([]);
  expect(flushes(outcome)).toEqual(agreed(60));
});

test('AMD, lazy: the flushes of mappings are checked, those of queues are not told apart', () => {
  const sketch = new SketchedTrace().speaking('amd');
  const pages = (): SketchedTrace => sketch.inv(0x3000_000a_0000_0000n, 0x7fff_ffff_ffff_f001n);
  const wait = (): SketchedTrace => sketch.inv(0x1000_0000_0000_1001n, 1n);
  for (let i = 0; i < 30; i++) {
    sketch.after(1000).map(10, 0x100 + 8 * i, 3);
    pages();
    pages();
    wait();
    sketch.after(1000).unmap(10, 0x100 + 8 * i, 3);
    if (i !== 20) continue;
    pages();
    wait();
  }
  const outcome = verifyInv(sketch.trace);
  expect(outcome?.notes[0]).toBe('checked against linux-lazy');
  expect(outcome?.divergences).toEqual([]);
  expect(flushes(outcome)).toEqual(agreed(60));
  expect(outcome?.skipped).toEqual({
    'unmap that a queue took: the log does not tell its flush from others': 30,
    'flush of a queue or of an attachment': 1,
  });
});

test('SMMUv3, lazy: what was unmapped behind the end of the recording has its flush skipped', () => {
  const sketch = smmu();
  const whole = 0x11n | (BigInt(ASID) << 48n);
  for (let i = 0; i < 3; i++) {
    sketch
      .after(1e6)
      .by(0, 1)
      .unmap(ASID, 0x100 + i)
      .by(-1, -1);
    sketch.after(15e6).inv(whole, 0n).inv(SYNC, 0n);
  }
  sketch.after(3e9).inv(whole, 0n).inv(SYNC, 0n);
  const outcome = verifyInv(sketch.trace, { design: 'linux-lazy' });
  expect(outcome?.divergences).toEqual([]);
  expect(outcome?.parts['inv.cause']).toEqual(agreed(3));
  expect(outcome?.skipped["command behind the end of the driver's recording"]).toBe(1);
});

describe('virtio-iommu', () => {
  const request = (type: bigint, first: number, last: number, phys = 0): [bigint, bigint, bigint, bigint] => [
    type | (type === 3n ? 0x300n : 0n) | (6n << 32n),
    BigInt(first) << 12n,
    (BigInt(last) << 12n) | 0xfffn,
    BigInt(phys) << 12n,
  ];

  test('maps are cut at page sizes; an unmap reaches to the end of the last mapping that begins in it', () => {
    const sketch = new SketchedTrace().speaking('virtio', 'words');
    // aligned alike: 1 page, then 2; misaligned: one request
    sketch
      .map(6, 0x101, 3, 0x501)
      .inv(...request(3n, 0x101, 0x101, 0x501))
      .inv(...request(3n, 0x102, 0x103, 0x502));
    sketch.map(6, 0x200, 3, 0x601).inv(...request(3n, 0x200, 0x202, 0x601));
    sketch
      .unmap(6, 0x101, 3)
      .inv(...request(4n, 0x101, 0x101))
      .inv(...request(4n, 0x102, 0x103));
    // 0x200 to 0x201 are a piece of their own, but the mapping goes with them
    sketch.unmap(6, 0x200, 3).inv(...request(4n, 0x200, 0x202));
    const outcome = verifyInv(sketch.trace);
    expect(outcome?.divergences).toEqual([]);
    expect(flushes(outcome)).toEqual(agreed(6));
  });

  test('a lost request is found', () => {
    const sketch = new SketchedTrace().speaking('virtio', 'words');
    for (let i = 0; i < 20; i++) {
      sketch
        .map(6, i, 1, 0x500)
        .inv(...request(3n, i, i, 0x500))
        .unmap(6, i);
      if (i !== 7) sketch.inv(...request(4n, i, i));
    }
    const outcome = verifyInv(sketch.trace);
    expect(outcome?.divergences.map(({ event, what }) => [event, what])).toEqual([[30, 'missing']]);
  });
});

/** Writes a design's commands into a sketch as they come. */
function recording(sketch: SketchedTrace, dialect: number, delay: () => number): CommandEmitter & { timer: number } {
  const word = (lo: number, hi: number): bigint => (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
  const emitter = {
    timer: -1,
    command: (_unit: number, a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number) =>
      void sketch.after(delay()).inv(word(a, b), word(c, d), word(e, f), word(g, h)),
    submit: (): void => {
      if (dialect === DIALECT.smmuv3) sketch.inv(SYNC, 0n);
      if (dialect === DIALECT.amd) sketch.inv(0x1000_0000_0000_1001n, 1n);
    },
    publish: (): void => undefined,
    defer: (): number => 0,
    release: (): void => undefined,
    arm: (_timer: number, at: number): void => void (emitter.timer = at),
  };
  return emitter;
}

interface Step {
  readonly page: number;
  readonly pages: number;
}

const steps = fc.array(
  fc.record({ page: fc.integer({ min: 0, max: 0x4_0000 }), pages: fc.integer({ min: 1, max: 1100 }) }),
  { minLength: 1, maxLength: 40 },
);

describe('what a design sends is regenerated', () => {
  test.each(['smmuv3', 'amd', 'virtio'] as const)('%s, strict', (name) => {
    const dialect = DIALECT[name];
    const context: DesignContext = { ...DEFAULT_CONTEXT, dialect, cachingMode: name !== 'smmuv3' };
    fc.assert(
      fc.property(steps, (list: readonly Step[]) => {
        const sketch = new SketchedTrace().speaking(name, name === 'virtio' ? 'words' : 'decoded');
        const design = new LinuxStrict(
          recording(sketch, dialect, () => 10),
          context,
        );
        design.assignTag({ domain: ASID, unit: 0, type: 0, device: -1, pasid: 0 });
        let next = 0x1000;
        let unmaps = 0;
        for (const { page, pages } of list) {
          // no address twice, and gaps between: what touches might have been flushed together
          const first = next + (page % 512);
          next = first + pages + 2;
          const offset = page % 3 === 0 ? 0x20_0000 : 0x20_0001;
          const who = { domain: ASID, first, last: first + pages - 1, cpu: 0, task: 1, time: 0 };
          sketch.after(1000).map(ASID, first, pages, first + offset);
          design.map({ ...who, offset, prot: 3, replacedFirst: -1, replacedLast: -1 });
          design.syncMap(ASID, 0, 1, 0);
          if (page % 4 === 0) continue;
          sketch.after(1000).unmap(ASID, first, pages);
          design.unmap({ ...who, freedTable: 0 });
          design.sync(ASID, 0, 1, 0);
          unmaps++;
        }
        if (unmaps === 0) return;
        const outcome = verifyInv(sketch.trace, { design: 'linux-strict' });
        expect(outcome?.divergences).toEqual([]);
        expect(flushes(outcome)?.agreed).toBeGreaterThan(0);
      }),
      { numRuns: 60 },
    );
  });

  test('smmuv3, lazy: full rings and timers, although clocks are not exact', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 60_000 }), { minLength: 10, maxLength: 10 }), (gaps) => {
        const sketch = new SketchedTrace().speaking('smmuv3');
        const emitter = recording(sketch, DIALECT.smmuv3, () => 0);
        const context = { ...DEFAULT_CONTEXT, dialect: DIALECT.smmuv3 };
        const design = new LinuxLazy(emitter, context, { size: 256, timeoutNs: 10e6, tickNs: 4e6 });
        design.assignTag({ domain: ASID, unit: 0, type: 0, device: -1, pasid: 0 });
        for (let i = 0; i < 3000; i++) {
          sketch.after(gaps[Math.floor(i / 300)] ?? 1);
          if (emitter.timer >= 0 && sketch.time > emitter.timer) {
            emitter.timer = -1;
            design.expire(ASID, sketch.time);
            sketch.after(1000);
          }
          // every other flush of a full ring is recorded just before the unmap that asks for it
          const early = design.isFull(ASID, 0) && i % 2 === 0;
          const intent = { domain: ASID, first: i, last: i, freedTable: 0, cpu: 0, task: 1, time: sketch.time };
          if (early) design.unmap(intent);
          sketch.after(early ? 500 : 0).unmap(ASID, i);
          if (!early) design.unmap(intent);
        }
        const outcome = verifyInv(sketch.trace, { design: 'linux-lazy' });
        expect(outcome?.divergences).toEqual([]);
        expect(outcome?.parts['inv.cause']?.agreed).toBe(outcome?.parts['inv.flush']?.agreed);
        expect(outcome?.parts['inv.flush']?.agreed).toBeGreaterThan(4);
      }),
      { numRuns: 20 },
    );
  });
});

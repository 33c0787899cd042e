import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DEFAULT_CONTEXT } from './design.ts';
import type { CacheTag, CommandEmitter, Design, DesignContext } from './design.ts';
import { DESIGNS, designParameters, findDesign } from './designs.ts';
import { FlushQueue } from './flush-queue.ts';
import { LinuxLazy, timerExpiry } from './linux-lazy.ts';
import { LinuxStrict } from './linux-strict.ts';
import { TablePresence } from './table-presence.ts';
import { addressMask, alignPage } from './page-words.ts';

/** Records what a design emits as the kernel's tracepoint would print it; a submission ends with `;`. */
class Recorder implements CommandEmitter {
  readonly lines: string[] = [];
  readonly timers: [number, number][] = [];
  deferred = 0;
  readonly released: number[] = [];
  command(unit: number, w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number): void {
    const word = (lo: number, hi: number): string => `0x${((BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)).toString(16)}`;
    this.lines.push(`${unit}: ${word(w0Lo, w0Hi)} ${word(w1Lo, w1Hi)}`);
  }
  submit(unit: number): void {
    this.lines.push(`${unit};`);
  }
  publish(unit: number): void {
    this.lines.push(`${unit},`);
  }
  defer(): number {
    return ++this.deferred;
  }
  release(deferred: number): void {
    this.released.push(deferred);
  }
  arm(timer: number, at: number): void {
    this.timers.push([timer, at]);
  }
}

function iotlb(domain: number, unit = 0, pasid = 0): CacheTag {
  return { domain, unit, type: 0, device: -1, pasid };
}

function deviceTlb(domain: number, device: number, unit = 0, pasid = 0): CacheTag {
  return { domain, unit, type: 1, device, pasid };
}

function strictOf(tags: readonly CacheTag[], context: Partial<DesignContext> = {}): [LinuxStrict, Recorder] {
  const recorder = new Recorder();
  const design = new LinuxStrict(recorder, { ...DEFAULT_CONTEXT, ...context });
  for (const tag of tags) design.assignTag(tag);
  return [design, recorder];
}

/** An unmap, by default from CPU 0, task 1. */
function clear(design: Design, domain: number, first: number, last: number, more: object = {}): void {
  design.unmap({ domain, first, last, freedTable: 0, cpu: 0, task: 1, time: 0, ...more });
}

/** A mapping from CPU 0. */
function map(design: Design, domain: number, first: number, last: number, more: object = {}): void {
  const intent = { offset: 0x1000000, prot: 3, replacedFirst: -1, replacedLast: -1, cpu: 0, task: 1, time: 0 };
  design.map({ domain, first, last, ...intent, ...more });
}

/** One unmap and its sync, from CPU 0, task 1. */
function unmap(design: Design, domain: number, first: number, last: number, freedTable = 0): void {
  clear(design, domain, first, last, { freedTable });
  design.sync(domain, 0, 1, 0);
}

describe('address mask', () => {
  test('is the number of bits in which first and last page differ', () => {
    expect(addressMask(0xffff1, 0xffff1)).toBe(0);
    expect(addressMask(0xfff08, 0xfff09)).toBe(1);
    expect(addressMask(0x300a00, 0x300a0c)).toBe(4);
    // two pages across a boundary of 4
    expect(addressMask(0x3, 0x4)).toBe(3);
    expect(addressMask(0, 2 ** 52 - 1)).toBe(52);
    expect(addressMask(0xffffffff, 0x100000000)).toBe(33);
  });

  test('covers the range with the smallest aligned power of two', () => {
    const page = fc.integer({ min: 0, max: 2 ** 40 });
    fc.assert(
      fc.property(page, fc.integer({ min: 0, max: 2 ** 30 }), (first, more) => {
        const mask = addressMask(first, first + more);
        const start = alignPage(first, mask);
        expect(start % 2 ** mask).toBe(0);
        expect(start + 2 ** mask).toBeGreaterThan(first + more);
        if (mask > 0) expect(alignPage(first, mask - 1) + 2 ** (mask - 1)).toBeLessThanOrEqual(first + more);
      }),
    );
  });
});

describe('linux-strict', () => {
  test('second stage: one page-selective command with drains and hint, then one wait', () => {
    const [design, recorder] = strictOf([iotlb(4)]);
    unmap(design, 4, 0xffff1, 0xffff1);
    unmap(design, 4, 0xfff08, 0xfff09);
    unmap(design, 4, 0x200000, 0x2007ff);
    expect(recorder.lines).toEqual([
      '0: 0x400f2 0xffff1040',
      '0;',
      '0: 0x400f2 0xfff08041',
      '0;',
      '0: 0x400f2 0x20000004b',
      '0;',
    ]);
  });

  test('the hint is 0 exactly if a table was freed', () => {
    const [design, recorder] = strictOf([iotlb(4)]);
    unmap(design, 4, 0x200, 0x3ff, 1);
    expect(recorder.lines[0]).toBe('0: 0x400f2 0x200009');
  });

  test('over the largest mask: the whole domain', () => {
    const [design, recorder] = strictOf([iotlb(4)], { maxAddressMask: 4 });
    unmap(design, 4, 0x10, 0x1f);
    unmap(design, 4, 0xf, 0x20);
    expect(recorder.lines).toEqual(['0: 0x400f2 0x10044', '0;', '0: 0x400e2 0x0', '0;']);
  });

  test('a device TLB follows its IOTLB in the order of assignment, in one submission', () => {
    const [design, recorder] = strictOf([iotlb(9), deviceTlb(9, 0x100)]);
    unmap(design, 9, 0x100017, 0x100017);
    unmap(design, 9, 0x100018, 0x10001b);
    expect(recorder.lines).toEqual([
      '0: 0x900f2 0x100017040',
      '0: 0x10000000003 0x100017000',
      '0;',
      '0: 0x900f2 0x100018042',
      // 4 pages: one 1 bit below the size bit, S
      '0: 0x10000000003 0x100019001',
      '0;',
    ]);
  });

  test('first stage and PASID forms', () => {
    const [design, recorder] = strictOf([iotlb(10, 0, 7), deviceTlb(10, 0x100, 0, 7)], { firstStage: new Set([10]) });
    unmap(design, 10, 0x100019, 0x100019);
    expect(recorder.lines).toEqual(['0: 0x7000a0036 0x100019040', '0: 0x701000008 0x100019000', '0;']);
  });

  test('a tag that was assigned twice stays until its last user leaves', () => {
    const [design, recorder] = strictOf([iotlb(4), iotlb(4)]);
    design.unassignTag(iotlb(4));
    unmap(design, 4, 1, 1);
    design.unassignTag(iotlb(4));
    unmap(design, 4, 1, 1);
    expect(recorder.lines).toEqual(['0: 0x400f2 0x1040', '0;']);
  });

  test('16 commands a submission, and a new one where the unit changes', () => {
    const devices = Array.from({ length: 18 }, (_, i) => deviceTlb(4, 0x100 + i));
    const [design, recorder] = strictOf([iotlb(4), ...devices, iotlb(4, 1)]);
    unmap(design, 4, 1, 1);
    const closes = recorder.lines.flatMap((line, i) => (line.endsWith(';') ? [i] : []));
    expect(closes).toEqual([16, 20, 22]);
    expect(recorder.lines[22]).toBe('1;');
  });

  test('a nesting parent drops everything of a device, and so for all tags behind it', () => {
    const [design, recorder] = strictOf([{ ...deviceTlb(4, 0x100), type: 3 }, iotlb(4)]);
    unmap(design, 4, 1, 1);
    expect(recorder.lines).toEqual(['0: 0x10000000003 0x7ffffffffffff001', '0: 0x400e2 0x0', '0;']);
  });

  test('one sync flushes the union of what its submitter unmapped, domain by domain', () => {
    const [design, recorder] = strictOf([iotlb(4), iotlb(5)]);
    clear(design, 4, 0x200000, 0x2001ff);
    clear(design, 5, 0x10, 0x10);
    clear(design, 4, 0x200200, 0x2007ff, { cpu: 1 });
    clear(design, 4, 0x900000, 0x900000, { task: 2 });
    design.sync(4, 0, 1, 0);
    expect(recorder.lines).toEqual(['0: 0x400f2 0x20000004b', '0;']);
  });

  test('caching mode flushes runs of new mappings without a hint; replaced tables are flushed at the map', () => {
    const [design, recorder] = strictOf([iotlb(4), deviceTlb(4, 0x100)], { cachingMode: true });
    map(design, 4, 0x10, 0x13);
    map(design, 4, 0x14, 0x17);
    design.syncMap(4, 0, 1, 0);
    expect(recorder.lines).toEqual(['0: 0x400f2 0x10003', '0;']);
    const [plain, other] = strictOf([iotlb(4)]);
    map(plain, 4, 0, 0x3ff, { replacedFirst: 0, replacedLast: 0x1ff });
    expect(other.lines).toEqual(['0: 0x400f2 0x9', '0;']);
  });
});

describe('table presence', () => {
  test('an unmap frees a table only if it covers the whole block and the block had a table', () => {
    const tables = new TablePresence();
    tables.map(1, 0x200, 0x200, 1);
    expect(tables.unmap(1, 0x200, 0x3fe)).toBe(0);
    expect(tables.unmap(1, 0x200, 0x3ff)).toBe(1);
    expect(tables.unmap(1, 0x200, 0x3ff)).toBe(0);
    // 2 MiB leaf: no lower table
    tables.map(1, 0x400, 0x5ff, 0x200);
    expect(tables.unmap(1, 0x400, 0x5ff)).toBe(0);
    // same range, misaligned output: 4 KiB entries
    tables.map(1, 0x400, 0x5ff, 0x201);
    expect(tables.unmap(1, 0x400, 0x5ff)).toBe(1);
    expect(tables.unmap(2, 0x400, 0x5ff)).toBe(0);
  });

  test('a large leaf over an empty table replaces it', () => {
    const tables = new TablePresence();
    tables.map(1, 0xc0, 0xc0, 3);
    tables.unmap(1, 0xc0, 0xc0);
    expect(tables.map(1, 0, 0xffff, 0x400)).toBe(0);
    expect(tables.replacedLast).toBe(0x1ff);
    expect(tables.map(1, 0, 0xffff, 0x400)).toBe(-1);
  });

  test('absurd sizes take bounded time', () => {
    const tables = new TablePresence();
    tables.map(1, 0, 2 ** 51, 1);
    expect(tables.unmap(1, 0, 2 ** 51)).toBe(1);
  });
});

describe('batch-n', () => {
  test('a timer that was armed for a batch that is gone leaves the next one alone', () => {
    const recorder = new Recorder();
    const factory = findDesign('batch-n');
    const given = new Map([['batch-n.size', 2]]);
    const design = factory?.create(
      recorder,
      DEFAULT_CONTEXT,
      (name) => given.get(name) ?? (name.endsWith('timeout') ? 1 : 16),
    );
    if (design === undefined) throw new Error('no batch-n');
    design.assignTag(iotlb(4));
    clear(design, 4, 0x10, 0x10, { time: 0 });
    clear(design, 4, 0x20, 0x20, { time: 100_000 });
    expect(recorder.released).toEqual([1, 2]);
    clear(design, 4, 0x30, 0x30, { time: 900_000 });
    const [first, second] = recorder.timers;
    expect([first?.[1], second?.[1]]).toEqual([1_000_000, 1_900_000]);
    design.expire(first?.[0] ?? -1, 1_000_000);
    expect(recorder.released).toEqual([1, 2]);
    design.expire(second?.[0] ?? -1, 1_900_000);
    expect(recorder.released).toEqual([1, 2, 3]);
  });
});

describe('linux-lazy', () => {
  function lazy(): [LinuxLazy, Recorder] {
    const recorder = new Recorder();
    const design = new LinuxLazy(recorder, DEFAULT_CONTEXT, { size: 256, timeoutNs: 10e6, tickNs: 4e6 });
    design.assignTag(iotlb(11));
    design.assignTag(deviceTlb(11, 0x100));
    return [design, recorder];
  }
  const WHOLE = ['0: 0xb00e2 0x0', '0: 0x10000000003 0x7ffffffffffff001', '0;'];

  test('a ring of 256 holds 255; the 256th unmap flushes before it is queued', () => {
    const [design, recorder] = lazy();
    for (let i = 0; i < 255; i++) clear(design, 11, i, i);
    expect(recorder.lines).toEqual([]);
    clear(design, 11, 255, 255);
    expect(recorder.lines).toEqual(WHOLE);
    expect(design.queued(11, 0)).toBe(1);
  });

  test('rings are per CPU and per domain, and a flush from one CPU makes room on the others', () => {
    const [design, recorder] = lazy();
    for (let i = 0; i < 255; i++) {
      clear(design, 11, i, i);
      clear(design, 11, i, i, { cpu: 1 });
      clear(design, 12, i, i);
    }
    expect(recorder.lines).toEqual([]);
    clear(design, 11, 1, 1, { cpu: 1 });
    expect(recorder.lines).toEqual(WHOLE);
    clear(design, 11, 1, 1);
    expect(recorder.lines).toEqual(WHOLE);
    expect(design.queued(11, 0)).toBe(1);
  });

  test('the first unmap arms one timer for the domain, which flushes and can be armed again', () => {
    const [design, recorder] = lazy();
    clear(design, 11, 1, 1, { time: 1e6 });
    clear(design, 11, 2, 2, { cpu: 1, time: 2e6 });
    expect(recorder.timers).toEqual([[11, 16e6]]);
    design.expire(11, 16e6);
    expect(recorder.lines).toEqual(WHOLE);
    expect(design.queued(11, 0) + design.queued(11, 1)).toBe(0);
    expect(recorder.released).toEqual([1, 2]);
    design.expire(11, 17e6);
    expect(recorder.lines).toEqual(WHOLE);
    clear(design, 11, 3, 3, { cpu: 1, time: 18e6 });
    expect(recorder.timers).toEqual([
      [11, 16e6],
      [11, 32e6],
    ]);
  });

  test('a timer runs out on a tick, never before its time', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 45 }), (time) => {
        const at = timerExpiry(time, 10e6, 4e6);
        expect(at % 4e6).toBe(0);
        expect(at - time).toBeGreaterThan(12e6 - 1);
        expect(at - time).toBeLessThanOrEqual(16e6);
      }),
    );
  });

  test('domains that user space owns are flushed at once', () => {
    const [design, recorder] = lazy();
    design.setManaged(11, false);
    unmap(design, 11, 5, 5);
    expect(recorder.lines).toEqual(['0: 0xb00f2 0x5040', '0: 0x10000000003 0x5000', '0;']);
    expect(recorder.timers).toEqual([]);
  });
});

test('the flush queue frees an entry only once a flush that began after it has finished', () => {
  const queue = new FlushQueue(4);
  expect([0, 0, 0].map(() => (queue.add(0, 0), queue.mustFlush(0)))).toEqual([false, false, true]);
  queue.flushed();
  expect(queue.mustFlush(0)).toBe(false);
  expect(queue.held(0)).toBe(0);
});

describe('registry', () => {
  test('names are unique and found', () => {
    expect(new Set(DESIGNS.map((design) => design.name)).size).toBe(DESIGNS.length);
    for (const design of DESIGNS) expect(findDesign(design.name)).toBe(design);
    expect(findDesign('linux-stric')).toBeUndefined();
  });

  test.each(DESIGNS.map((design) => [design.name, design] as const))('%s', (name, factory) => {
    expect(factory.summary).not.toBe('');
    for (const parameter of factory.parameters) {
      expect(parameter.name.startsWith(`${name}.`)).toBe(true);
      expect(parameter.source).not.toBe('');
      expect(designParameters(factory)(parameter.name)).toBe(parameter.value);
      expect(designParameters(factory, new Map([[parameter.name, 7]]))(parameter.name)).toBe(7);
    }
    expect(() => designParameters(factory)('no-such')).toThrow(/no-such/);
    // whatever a design emits, it closes
    const recorder = new Recorder();
    const design = factory.create(recorder, DEFAULT_CONTEXT, designParameters(factory));
    design.assignTag(iotlb(3));
    clear(design, 3, 1, 1);
    design.sync(3, 0, 1, 0);
    for (const [timer, at] of recorder.timers) design.expire(timer, at);
    expect(recorder.lines.at(-1) ?? '0;').toBe('0;');
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SketchedTrace } from './testing/sketched-trace.ts';
import { verifyInv } from './verify-inv.ts';
import type { InvOutcome } from './inv-report.ts';

const NONE = { checked: 0, agreed: 0, diverged: 0 };
const flushes = (outcome: InvOutcome | undefined): InvOutcome['parts'][string] => outcome?.parts['inv.flush'] ?? NONE;

/** IOTLB command of domain 4 for one page, as a strict Linux sends it. */
const page = (n: number, mask = 0n, hint = 0x40n): [bigint, bigint] => [0x400f2n, (BigInt(n) << 12n) | hint | mask];

describe('verify inv, strict', () => {
  test('regenerates page flushes from unmaps', () => {
    const sketch = new SketchedTrace().tag(4).attach(0x18);
    sketch
      .map(4, 0x10)
      .unmap(4, 0x10)
      .flush(4, 0x10)
      .inv(...page(0x10));
    sketch
      .by(1, 0)
      .map(4, 0x20, 3)
      .unmap(4, 0x20, 3)
      .flush(4, 0x20, 3)
      .inv(...page(0x20, 2n));
    const outcome = verifyInv(sketch.trace);
    expect(flushes(outcome)).toEqual({ checked: 2, agreed: 2, diverged: 0 });
    expect(outcome?.notes[0]).toBe('checked against linux-strict');
  });

  test('a trace that begins in the middle: the tags of its domains are learned from their flushes', () => {
    const sketch = new SketchedTrace();
    sketch
      .unmap(4, 0x10)
      .flush(4, 0x10)
      .inv(...page(0x10));
    // A wrong address is found all the same.
    sketch
      .unmap(4, 0x20)
      .flush(4, 0x20)
      .inv(...page(0x21));
    const outcome = verifyInv(sketch.trace);
    expect(flushes(outcome)).toEqual({ checked: 2, agreed: 1, diverged: 1 });
    expect(outcome?.notes).toContain(
      'domains attached before the trace began, their cache tags learned from flushes: 4',
    );
  });

  test('commands that an emulator logged behind the end of the recording have causes that nobody saw', () => {
    const sketch = new SketchedTrace().tag(4);
    sketch
      .unmap(4, 0x10)
      .flush(4, 0x10)
      .inv(...page(0x10));
    // On no CPU: the emulator's. One in between is an extra one, one behind the driver's last event is not judged.
    const extra = (): SketchedTrace => sketch.by(-1, -1).inv(...page(0x77));
    extra();
    sketch.by(0, 1).map(4, 0x20);
    extra();
    const outcome = verifyInv(sketch.trace);
    expect(flushes(outcome)).toEqual({ checked: 2, agreed: 1, diverged: 1 });
    expect(outcome?.skipped["command behind the end of the driver's recording"]).toBe(1);
  });

  test('each word counts', () => {
    const sketch = new SketchedTrace().tag(4);
    sketch.unmap(4, 0x10).flush(4, 0x10).inv(0x400f2n, 0x10040n, 0n, 1n);
    sketch.unmap(4, 0x11).flush(4, 0x11).inv(0x400f2n, 0x11000n);
    const outcome = verifyInv(sketch.trace);
    expect(flushes(outcome)).toEqual({ checked: 2, agreed: 0, diverged: 2 });
    expect(outcome?.divergences).toEqual([
      { event: 3, kind: 'inv', what: 'w3', recorded: '0x400f2 0x10040 0x0 0x1', model: '0x400f2 0x10040' },
      { event: 6, kind: 'inv', what: 'w1', recorded: '0x400f2 0x11000', model: '0x400f2 0x11040' },
    ]);
  });

  test('one flush for several unmaps is their union; without flush events too', () => {
    for (const events of [true, false]) {
      const sketch = new SketchedTrace().tag(4).unmap(4, 0x200, 0x10).unmap(4, 0x210, 0x10);
      // an interrupt flushes for another domain in between
      sketch.tag(5).unmap(5, 0x9);
      if (events) sketch.flush(5, 0x9);
      sketch.inv(0x500f2n, 0x9040n);
      if (events) sketch.flush(4, 0x200, 0x20);
      sketch.inv(...page(0x200, 5n));
      expect(flushes(verifyInv(sketch.trace))).toEqual({ checked: 2, agreed: 2, diverged: 0 });
    }
  });

  test('the hint follows the tables: 0 where an unmap frees one, and a map that replaces one flushes', () => {
    const sketch = new SketchedTrace()
      .tag(4)
      .map(4, 0x200)
      .unmap(4, 0x200)
      .flush(4, 0x200)
      .inv(...page(0x200));
    // the flush for the replaced table comes before its map
    sketch
      .flush(4, 0x200, 0x200)
      .inv(...page(0x200, 9n, 0n))
      .map(4, 0x200, 0x200, 0x400);
    sketch
      .unmap(4, 0x200, 0x200)
      .flush(4, 0x200, 0x200)
      .inv(...page(0x200, 9n));
    sketch
      .map(4, 0x400, 0x200, 0x401)
      .unmap(4, 0x400, 0x200)
      .flush(4, 0x400, 0x200)
      .inv(...page(0x400, 9n, 0n));
    const outcome = verifyInv(sketch.trace);
    expect(outcome?.divergences).toEqual([]);
    expect(flushes(outcome)).toEqual({ checked: 4, agreed: 4, diverged: 0 });
  });

  test('missing and extra flushes are found', () => {
    const sketch = new SketchedTrace()
      .tag(4)
      .unmap(4, 1)
      .unmap(4, 0x100)
      .flush(4, 0x100)
      .inv(...page(0x100));
    sketch.inv(...page(0x300));
    const outcome = verifyInv(sketch.trace);
    expect(outcome?.divergences.map(({ what }) => what)).toEqual(['missing', 'extra']);
    expect(flushes(outcome)).toEqual({ checked: 3, agreed: 1, diverged: 2 });
  });

  test('what no unmap implies is skipped with a reason', () => {
    const sketch = new SketchedTrace()
      .tag(4)
      .unmap(4, 1)
      .flush(4, 1)
      .inv(...page(1));
    sketch.inv(0x100000014n, 0n).inv(0x701000019n, 8n);
    sketch.tag(4, -1, 0, 'unassign').inv(0x3800040031n, 0n).inv(0x400e2n, 0n);
    // the domain goes without caches
    sketch.unmap(4, 2, 100).unmap(4, 0x1000);
    sketch.inv(0x900f2n, 0x1040n);
    const outcome = verifyInv(sketch.trace);
    expect(flushes(outcome)).toEqual({ checked: 1, agreed: 1, diverged: 0 });
    expect(outcome?.skipped).toEqual({
      'interrupt-entry-cache command: not about translations': 1,
      'page group response: answers a page request': 1,
      'context-cache command: implied by an attachment, not by an unmap': 1,
      'whole-domain flush of a context or PASID entry that was changed': 1,
      'unmap in a domain that no cache holds': 2,
      'flush for a domain or device that was attached before the trace began': 1,
    });
  });

  test('waits follow the queue', () => {
    const sketch = new SketchedTrace().queue().tag(4);
    for (let i = 0; i < 300; i++) {
      sketch
        .unmap(4, i)
        .flush(4, i)
        .inv(...page(i))
        .inv(0x200000025n, 0x5000n + 4n * BigInt((2 * i + 1) % 256));
    }
    const outcome = verifyInv(sketch.trace);
    expect(outcome?.parts).toEqual({
      'inv.flush': { checked: 300, agreed: 300, diverged: 0 },
      'inv.wait': { checked: 299, agreed: 299, diverged: 0 },
    });
    expect(outcome?.notes.some((note) => note.includes('0x5004, learned'))).toBe(true);
  });

  test('nothing to check is nothing', () => {
    expect(verifyInv(new SketchedTrace().tag(4).unmap(4, 1).trace)).toBeUndefined();
    expect(verifyInv(new SketchedTrace().inv(...page(1)).trace)).toBeUndefined();
    expect(() => verifyInv(new SketchedTrace().unmap(4, 1).inv(...page(1)).trace, { design: 'nope' })).toThrow(/nope/);
  });

  test('k altered commands are exactly k divergences', () => {
    const unmap = fc.record({
      first: fc.integer({ min: 0, max: 2 ** 36 - 512 }),
      pages: fc.integer({ min: 1, max: 512 }),
      altered: fc.boolean(),
      task: fc.integer({ min: 1, max: 3 }),
      low: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(unmap, { minLength: 1, maxLength: 40 }), (unmaps) => {
        const sketch = new SketchedTrace().tag(4);
        for (const { first, pages, altered, task, low } of unmaps) {
          const last = first + pages - 1;
          let mask = 0;
          while (Math.floor(first / 2 ** mask) !== Math.floor(last / 2 ** mask)) mask++;
          const size = 2 ** mask;
          const words: [bigint, bigint] =
            mask > 18 ? [0x400e2n, 0n] : page(Math.floor(first / size) * size, BigInt(mask), 0x40n);
          sketch.by(0, task).unmap(4, first, pages);
          sketch.flush(4, first, pages);
          if (altered) words[low ? 0 : 1] ^= low ? 0x40000000n : 0x8000000000000000n;
          sketch.inv(words[0], words[1]);
        }
        const outcome = verifyInv(sketch.trace, { design: 'linux-strict' });
        const count = unmaps.filter(({ altered }) => altered).length;
        expect(flushes(outcome)).toEqual({ checked: unmaps.length, agreed: unmaps.length - count, diverged: count });
      }),
    );
  });
});

describe('verify inv, lazy', () => {
  const WHOLE: [bigint, bigint] = [0xb00e2n, 0n];
  const DEVICE: [bigint, bigint] = [0x10000000003n, 0x7ffffffffffff001n];

  function lazy(): SketchedTrace {
    return new SketchedTrace().tag(11).tag(11, 0x100);
  }

  test('a full ring is predicted at its unmap, a timer is explained by its delay', () => {
    const sketch = lazy();
    for (let i = 0; i < 256; i++) sketch.after(1000).unmap(11, i);
    sketch
      .flush(11, 0, 1, 'all')
      .inv(...WHOLE)
      .inv(...DEVICE);
    // armed by the first unmap of all
    sketch
      .after(13e6)
      .by(1, 0)
      .flush(11, 0, 1, 'all')
      .inv(...WHOLE)
      .inv(...DEVICE);
    const outcome = verifyInv(sketch.trace);
    expect(outcome?.divergences).toEqual([]);
    expect(outcome?.parts).toEqual({
      'inv.cause': { checked: 2, agreed: 2, diverged: 0 },
      'inv.flush': { checked: 4, agreed: 4, diverged: 0 },
    });
    expect(outcome?.notes).toContain('1 flushes because a ring of 255 was full, 1 by a timer');
  });

  test('one unmap too early or a timer too soon is a divergence', () => {
    const sketch = lazy();
    for (let i = 0; i < 255; i++) sketch.after(1000).unmap(11, i);
    sketch
      .flush(11, 0, 1, 'all')
      .inv(...WHOLE)
      .inv(...DEVICE);
    const outcome = verifyInv(sketch.trace);
    expect(outcome?.parts['inv.cause']).toEqual({ checked: 1, agreed: 0, diverged: 1 });
    expect(outcome?.divergences[0]?.model).toContain('no ring full, the timer was armed 0.254 ms before');
  });

  test('a timer may run out early while the CPU that counts jiffies is silent, however long', () => {
    const sketch = lazy().by(1, 2).unmap(11, 1).after(14e6);
    sketch
      .flush(11, 0, 1, 'all')
      .inv(...WHOLE)
      .inv(...DEVICE);
    for (const silence of [20e6, 400e6]) {
      sketch.after(silence).by(0, 1).unmap(11, 2).after(3e6);
      sketch
        .flush(11, 0, 1, 'all')
        .inv(...WHOLE)
        .inv(...DEVICE);
    }
    const outcome = verifyInv(sketch.trace);
    expect(outcome?.divergences).toEqual([]);
    expect(outcome?.parts['inv.cause']).toEqual({ checked: 3, agreed: 3, diverged: 0 });
    expect(outcome?.notes).toContain(
      '2 of them came before their time, while a CPU was silent: jiffies can have stood still',
    );
  });

  test('without flush events the commands themselves tell', () => {
    const sketch = lazy()
      .unmap(11, 1)
      .after(14e6)
      .inv(...WHOLE)
      .inv(...DEVICE);
    sketch
      .unmap(11, 2)
      .after(15e6)
      .inv(...WHOLE)
      .inv(...DEVICE);
    expect(verifyInv(sketch.trace)?.parts).toEqual({
      'inv.cause': { checked: 2, agreed: 2, diverged: 0 },
      'inv.flush': { checked: 4, agreed: 4, diverged: 0 },
    });
  });

  test('unmaps without a domain leave the cause open, not wrong', () => {
    const sketch = lazy()
      .unmap(-1, 1)
      .after(14e6)
      .flush(11, 0, 1, 'all')
      .inv(...WHOLE)
      .inv(...DEVICE);
    const outcome = verifyInv(sketch.trace);
    expect(outcome?.parts).toEqual({ 'inv.flush': { checked: 2, agreed: 2, diverged: 0 } });
    expect(outcome?.skipped['cause of a flush that unmaps of unknown domain may explain']).toBe(1);
  });
});

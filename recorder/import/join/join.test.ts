import { describe, expect, test } from 'vitest';
import { OUTCOME, STREAM_NAMES } from '../../../traces/schema.ts';
import { MemoryTrace } from '../../../traces/memory-trace.ts';
import type { Trace } from '../../../traces/trace.ts';
import { joinHeaders, joinTraces } from './join.ts';
import type { JoinReport } from './join.ts';
import { GuestTrace, HostTrace } from './testing/synthetic-traces.ts';

const NIC = 0x18;
const DISK = 0x20;
const HIT = OUTCOME.known | OUTCOME.hit;

interface Joined {
  readonly report: JoinReport;
  readonly trace: MemoryTrace;
  /** `stream@microseconds` of each event. */
  readonly order: string[];
}

function joined(guest: GuestTrace, host: HostTrace): Joined {
  const trace = new MemoryTrace(joinHeaders(guest.trace.header, host.trace.header));
  const report = joinTraces(guest.trace, host.trace, trace);
  const order: string[] = [];
  for (const { count, stream, time } of trace.segments()) {
    for (let i = 0; i < count; i++) order.push(`${STREAM_NAMES[stream[i]!]}@${time[i]! / 1000}`);
  }
  return { report, trace, order };
}

function column(trace: Trace, stream: 'map' | 'unmap' | 'inv' | 'dma', name: string): number[] {
  return [...trace.segments()].flatMap(({ rows }) => [
    ...(rows[stream].columns as unknown as Record<string, Int32Array>)[name]!,
  ]);
}

/**
 * A NIC that uses a page and has it unmapped and flushed, `n` times, on CPU 1: map at 0, access at 20 us, unmap at 40, submission
 * at 42, execution `delay` later, its wait 1 us after it, the next event at 60; once each 100 us.
 */
function busy(n: number, delay: number, offset: number, hostPage = (i: number) => 0x100 + (i % 7)) {
  const guest = new GuestTrace();
  const host = new HostTrace(offset);
  guest.attach({ at: 1, task: 100 }, NIC, 4);
  for (let i = 0; i < n; i++) {
    const t = 1000 + 100 * i;
    const page = 0x100 + (i % 7);
    guest.map({ at: t, cpu: 1, task: 7 }, page);
    host.access(t + 20, NIC, page, page + 0x5000, OUTCOME.known, 4);
    guest.unmap({ at: t + 40, cpu: 1, task: 7 }, page);
    guest.submit({ at: t + 42, cpu: 1, task: 7 }, 4, page);
    host.doorbell(t + 42 + delay, (2 * i + 2) % 256);
    host.command(t + 42 + delay, 4, hostPage(i));
    host.wait(t + 43 + delay);
    guest.flush({ at: t + 60, cpu: 1, task: 7 }, 4, page);
  }
  return { guest, host };
}

describe('one trace of two', () => {
  test('each command is one event at the hardware, with its submitter and delay', () => {
    const { guest, host } = busy(300, 3, 5_000_000);
    const { report, trace } = joined(guest, host);
    expect(report.commands).toEqual({
      by: 'commands',
      matched: 300,
      guestOnly: { before: 0, between: 0, after: 0 },
      hostOnly: { before: 0, between: 0, after: 0 },
    });
    expect(report.clock.pieces).toBe(1);
    expect(trace.streamCounts).toMatchObject({ inv: 900, dma: 300, map: 300, unmap: 300, flush: 300 });
    const [segment] = [...trace.segments()];
    const cpus = new Set<number>();
    const tasks = new Set<number>();
    const sources = new Set<number>();
    segment!.stream.forEach((stream, i) => {
      if (STREAM_NAMES[stream] !== 'inv') return;
      cpus.add(segment!.cpu[i]!);
      tasks.add(segment!.task[i]!);
      sources.add(segment!.source[i]!);
    });
    expect([[...cpus], [...tasks], [...sources]]).toEqual([[1], [7], [1]]);
    expect(trace.strings[column(trace, 'inv', 'unit')[1]!]).toBe('dmar0');
    expect(report.accesses).toMatchObject({ translations: 300, walks: 300, unexplainedWalks: 0, unexplainedHits: 0 });
    expect(new Set(column(trace, 'map', 'domain'))).toEqual(new Set([4]));
    expect(new Set(column(trace, 'unmap', 'device'))).toEqual(new Set([NIC]));
  });

  test('every command of a batch behind one doorbell has its submitter', () => {
    const guest = new GuestTrace();
    const host = new HostTrace(7_000_000);
    for (let i = 0; i < 300; i++) {
      const at = 1000 + 100 * i;
      const from = { at: at + 42, cpu: 1, task: 7 };
      guest.map({ at, cpu: 1, task: 7 }, 0x100 + i);
      guest.unmap({ at: at + 40, cpu: 1, task: 7 }, 0x100 + i);
      for (const domain of [4, 5, 6]) guest.submit(from, domain, 0x100 + i);
      host.doorbell(at + 44, (4 * i + 4) % 256);
      for (const domain of [4, 5, 6]) host.command(at + 45, domain, 0x100 + i);
      host.wait(at + 46);
    }
    const { report, trace } = joined(guest, host);
    expect(report.commands).toMatchObject({ matched: 900, guestOnly: { between: 0 }, hostOnly: { between: 0 } });
    const rows = [...trace.segments()].flatMap(({ stream, task }) => {
      return [...task].filter((_, i) => STREAM_NAMES[stream[i]!] === 'inv');
    });
    expect(rows).toEqual(Array.from({ length: 300 * 5 }, () => 7));
  });

  test('a late command keeps its delay', () => {
    const { guest, host } = busy(300, 3, 0);
    guest.map({ at: 50_000, cpu: 1, task: 7 }, 0x900);
    guest.unmap({ at: 50_001, cpu: 1, task: 7 }, 0x900);
    guest.submit({ at: 50_002, cpu: 1, task: 7 }, 4, 0x900);
    host.command(52_505, 4, 0x900);
    host.wait(52_506);
    const { trace } = joined(guest, host);
    const lags = column(trace, 'inv', 'lagLo');
    expect(Math.max(...lags)).toBe(2_501_000);
  });

  test('times never go back, and both sides keep their order', () => {
    const { guest, host } = busy(200, 2, 123_456);
    const { trace } = joined(guest, host);
    let last = 0;
    for (const { time } of trace.segments()) {
      for (const t of time) {
        expect(t).toBeGreaterThanOrEqual(last);
        last = t;
      }
    }
    expect(column(trace, 'inv', 'w0Lo').filter((w) => w === 0x25).length).toBe(200);
  });

  test('what only one log holds stays, at its own time', () => {
    const { guest, host } = busy(300, 3, 0);
    guest.submit({ at: 40_000, cpu: 1, task: 7 }, 9, 0x777);
    guest.submit({ at: 40_010, cpu: 1, task: 7 }, 9, 0x778);
    const { report, trace } = joined(guest, host);
    expect(report.commands.guestOnly.after).toBe(2);
    expect(column(trace, 'inv', 'w0Lo').filter((w) => w >>> 16 === 9).length).toBe(2);
  });
});

describe('order', () => {
  /** A run long enough to fit clocks, then the case. */
  function after(offset = 0) {
    const pair = busy(100, 3, offset);
    return { ...pair, t: 20_000 };
  }

  test('a command comes before the next event of the CPU that waits for it', () => {
    const { guest, host, t } = after();
    guest.submit({ at: t, cpu: 1, task: 7 }, 4, 0x800);
    guest.map({ at: t + 5, cpu: 0, task: 9 }, 0x900);
    guest.map({ at: t + 10, cpu: 1, task: 7 }, 0x901);
    // The host's clock says 40 us: longer than the CPU waited.
    host.command(t + 43, 4, 0x800);
    host.wait(t + 44);
    const { order, report } = joined(guest, host);
    expect(order.slice(-4)).toEqual([`map@${t + 5}`, `inv@${t + 10}`, `inv@${t + 10}`, `map@${t + 10}`]);
    expect(report.clock).toMatchObject({ earlier: 2, later: 0 });
  });

  test('a command does not come before its submission, nor what the host saw after it', () => {
    const { guest, host, t } = after();
    guest.map({ at: t - 5, cpu: 1, task: 7 }, 0x900);
    guest.submit({ at: t, cpu: 1, task: 7 }, 4, 0x800);
    host.command(t - 200, 4, 0x800);
    host.wait(t - 199);
    host.access(t - 198, NIC, 0x900, 0x5900, OUTCOME.known, 4);
    const { order } = joined(guest, host);
    expect(order.slice(-4)).toEqual([`map@${t - 5}`, `inv@${t}`, `inv@${t}`, `dma@${t}`]);
  });

  test('the commands of one batch don\u2019t wait for each other', () => {
    const { guest, host, t } = after();
    guest.submit({ at: t, cpu: 1, task: 7 }, 4, 0x800);
    guest.submit({ at: t + 1, cpu: 1, task: 7 }, 4, 0x801);
    host.command(t + 8, 4, 0x800);
    host.command(t + 9, 4, 0x801);
    host.wait(t + 10);
    const { order, report } = joined(guest, host);
    expect(order.slice(-3)).toEqual([`inv@${t + 5}`, `inv@${t + 6}`, `inv@${t + 7}`]);
    expect(report.clock).toMatchObject({ earlier: 0 });
  });

  test('an access waits for the map that it goes through', () => {
    const { guest, host, t } = after();
    guest.map({ at: t, cpu: 0, task: 9 }, 0x900, 4);
    guest.map({ at: t + 1, cpu: 0, task: 9 }, 0x910);
    host.access(t - 2, NIC, 0x902, 0x5902, OUTCOME.known, 4);
    const { order, report } = joined(guest, host);
    // The host's clock is early by the 3 us of the quickest command.
    expect(order.slice(-3)).toEqual([`map@${t}`, `dma@${t}`, `map@${t + 1}`]);
    expect(report.accesses).toMatchObject({ held: 1, unexplainedWalks: 0 });
  });

  test('at one time: the map, then the access, then the unmap', () => {
    const { guest, host, t } = after();
    guest.map({ at: t, cpu: 0, task: 9 }, 0x900);
    guest.unmap({ at: t + 10, cpu: 0, task: 9 }, 0x900);
    host.access(t + 3, NIC, 0x900, 0x5900, OUTCOME.known, 4);
    host.access(t + 13, NIC, 0x900, 0x5900, HIT);
    const { order } = joined(guest, host);
    expect(order.slice(-4)).toEqual([`map@${t}`, `dma@${t}`, `dma@${t + 10}`, `unmap@${t + 10}`]);
  });

  test('host events from before the guest\u2019s clock come at 0', () => {
    const { guest, host } = busy(50, 3, 0);
    const early = new HostTrace(0);
    early.doorbell(-5000, 0);
    for (const { count, stream, time, rows } of host.trace.segments()) {
      let dma = 0;
      let inv = 0;
      for (let i = 0; i < count; i++) {
        const at = time[i]! / 1000;
        if (STREAM_NAMES[stream[i]!] === 'dma') {
          const page = rows.dma.columns.iovaLo[dma++]! >>> 12;
          early.access(at, NIC, page, page + 0x5000, OUTCOME.known, 4);
          continue;
        }
        const w0 = rows.inv.columns.w0Lo[inv]!;
        if (rows.inv.columns.form[inv] !== 0) early.doorbell(at, w0);
        else if (w0 === 0x25) early.wait(at);
        else early.command(at, 4, rows.inv.columns.w1Lo[inv]! >>> 12);
        inv++;
      }
    }
    const { order, report } = joined(guest, early);
    expect(order[0]).toBe('inv@0');
    expect(report.clock.beforeClock).toBe(1);
  });
});

describe('owners by accesses', () => {
  test('two domains hold a page: each access finds its own, and the unmap the one that was not used afterwards', () => {
    const { guest, host } = busy(100, 3, 0);
    const t = 20_000;
    guest.attach({ at: t - 10, task: 100 }, DISK, 5);
    guest.map({ at: t, cpu: 0, task: 9 }, 0x900, 1, 0x111);
    guest.map({ at: t + 1, cpu: 0, task: 8 }, 0x900, 1, 0x222);
    host.access(t + 20, NIC, 0x900, 0x111, OUTCOME.known, 4);
    host.access(t + 30, DISK, 0x900, 0x222, OUTCOME.known, 5);
    guest.unmap({ at: t + 100, cpu: 0, task: 6 }, 0x900);
    host.access(t + 200, NIC, 0x900, 0x111);
    guest.unmap({ at: t + 300, cpu: 0, task: 6 }, 0x900);
    const { report, trace } = joined(guest, host);
    expect(column(trace, 'map', 'domain').slice(-2)).toEqual([4, 5]);
    expect(column(trace, 'unmap', 'domain').slice(-2)).toEqual([5, 4]);
    expect(report.attribution.settled.alive).toBe(1);
    expect(report.attribution.maps.byEvidence['access']).toBe(102);
  });

  test('a domain maps the page again: its older map was closed before', () => {
    const { guest, host } = busy(100, 3, 0);
    const t = 20_000;
    guest.attach({ at: t - 10, task: 100 }, DISK, 5);
    guest.map({ at: t, cpu: 0, task: 9 }, 0x900, 1, 0x111);
    guest.map({ at: t + 1, cpu: 0, task: 8 }, 0x900, 1, 0x222);
    host.access(t + 20, NIC, 0x900, 0x111, OUTCOME.known, 4);
    host.access(t + 30, DISK, 0x900, 0x222, OUTCOME.known, 5);
    guest.unmap({ at: t + 100, cpu: 0, task: 6 }, 0x900);
    guest.map({ at: t + 110, cpu: 0, task: 9 }, 0x900, 1, 0x333);
    host.access(t + 150, DISK, 0x900, 0x333, OUTCOME.known, 5);
    const { report, trace } = joined(guest, host);
    expect(column(trace, 'unmap', 'domain').at(-1)).toBe(5);
    expect(report.attribution.settled.remapped).toBe(1);
  });

  test('accesses that no map explains are counted, refused ones are not', () => {
    const { guest, host } = busy(100, 3, 0);
    host.access(20_000, NIC, 0xabc, 0xdef, OUTCOME.known, 4);
    host.access(20_010, NIC, 0xabc, 0xdef, HIT);
    host.access(20_020, NIC, 0xabc, 0, OUTCOME.fault);
    const { report } = joined(guest, host);
    expect(report.accesses).toMatchObject({ translations: 102, unexplainedWalks: 1, unexplainedHits: 1 });
  });
});

describe('what can\u2019t be joined', () => {
  test('no command in common', () => {
    const { guest, host } = busy(50, 3, 0, () => 0x1234);
    expect(() => joined(guest, host)).toThrow(
      expect.objectContaining({ code: 'JOIN_IMPOSSIBLE', message: expect.stringContaining('50') as unknown }),
    );
  });

  test('two different runs', () => {
    const one = busy(400, 3, 0);
    const other = busy(400, 3, 0, (i) => (i < 5 ? 0x100 + i : 0x2000 + i));
    expect(() => joined(one.guest, other.host)).toThrow(expect.objectContaining({ code: 'JOIN_IMPOSSIBLE' }));
  });

  test('two of the same side', () => {
    const { guest, host } = busy(50, 3, 0);
    const sink = new MemoryTrace(guest.trace.header);
    expect(() => joinTraces(guest.trace, guest.trace, sink)).toThrow(
      expect.objectContaining({ code: 'JOIN_IMPOSSIBLE', hint: expect.stringContaining('each side') as unknown }),
    );
    expect(() => joinTraces(host.trace, guest.trace, sink)).toThrow(
      expect.objectContaining({ code: 'JOIN_IMPOSSIBLE' }),
    );
  });
});

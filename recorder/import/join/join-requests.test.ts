import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AMD_COMMAND } from '../../../traces/dialects/amd-fields.ts';
import { SMMUV3_OPCODE } from '../../../traces/dialects/smmuv3-fields.ts';
import { VIRTIO_REQUEST } from '../../../traces/dialects/virtio-fields.ts';
import { MemoryTrace } from '../../../traces/memory-trace.ts';
import { DIALECT, INV_FORM, OUTCOME } from '../../../traces/schema.ts';
import type { Trace } from '../../../traces/trace.ts';
import { joinHeaders, joinTraces } from './join.ts';
import type { JoinReport } from './join.ts';
import { adoptPieces, piecesOf, readGuestRequests, readHostRequests, requestSchemes } from './requests.ts';
import { GuestTrace, HostTrace } from './testing/synthetic-traces.ts';

const OFFSET = 7_000_000;
const DEVICES = [
  { rid: 0x18, domain: 1, cpu: 0, task: 7 },
  { rid: 0x20, domain: 2, cpu: 1, task: 8 },
  { rid: 0x28, domain: 3, cpu: 1, task: 9 },
] as const;
type Device = (typeof DEVICES)[number];

/** One buffer's life, times in microseconds. */
interface Life {
  readonly device: Device;
  readonly page: number;
  readonly pages: number;
  readonly phys: number;
  readonly mapped: number;
  readonly accessed: number;
  readonly unmapped: number;
  readonly flushed: number;
}

function randomOf(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 0) / 0x100000000;
  };
}

/** Buffers of three devices whose address spaces overlap; each device has a buffer of a page at a time. */
function lives(n: number, seed: number): Life[] {
  const random = randomOf(seed);
  const free = DEVICES.map(() => 1000);
  return Array.from({ length: n }, (_, i) => {
    const k = Math.floor(random() * 3);
    const mapped = free[k]! + 10 + Math.floor(random() * 200);
    const accessed = mapped + 12 + Math.floor(random() ** 4 * 300);
    const unmapped = accessed + 8 + Math.floor(random() * 60);
    const flushed = unmapped + 1 + Math.floor(random() ** 6 * 30);
    free[k] = flushed + 1;
    const page = 0x100 + 16 * Math.floor(random() * 12);
    return {
      device: DEVICES[k]!,
      page,
      pages: 1 + Math.floor(random() ** 3 * 14),
      phys: 0x10000 + 16 * i,
      mapped,
      accessed,
      unmapped,
      flushed,
    };
  });
}

/** Both logs, from things that happen at their times. */
class Run {
  readonly guest = new GuestTrace();
  readonly host = new HostTrace(OFFSET);
  readonly #happenings: { readonly at: number; readonly log: () => void }[] = [];

  at(at: number, log: () => void): void {
    this.#happenings.push({ at, log });
  }

  /** A buffer's map, access and unmap; how it is flushed is the caller's. */
  live({ device, page, pages, phys, mapped, accessed, unmapped }: Life): void {
    const { cpu, task, rid, domain } = device;
    this.at(mapped, () => this.guest.map({ at: mapped, cpu, task }, page, pages, phys));
    this.at(accessed, () => this.host.access(accessed, rid, page, phys, OUTCOME.known, domain));
    this.at(unmapped, () => this.guest.unmap({ at: unmapped, cpu, task }, page, pages));
  }

  join(): { readonly report: JoinReport; readonly trace: MemoryTrace } {
    for (const { log } of this.#happenings.toSorted((a, b) => a.at - b.at)) log();
    const trace = new MemoryTrace(joinHeaders(this.guest.trace.header, this.host.trace.header));
    return { report: joinTraces(this.guest.trace, this.host.trace, trace), trace };
  }

  smmu(at: number, op: number, domain: number, page = 0, size = 0): void {
    const low = size === 0 ? op : op | ((size - 1) << 12);
    const w1 = op === SMMUV3_OPCODE.tlbiNhVa ? ((page << 12) | 0x701) >>> 0 : 0;
    this.host.words(at, DIALECT.smmuv3, INV_FORM.decoded, [low, domain << 16, w1 | 0, page >>> 20]);
  }
}

/** Per map: the domain found, by the buffer's physical page. */
function ownersOf(trace: Trace): Map<number, number> {
  const found = new Map<number, number>();
  for (const { rows } of trace.segments()) {
    const { physLo, domain } = rows.map.columns;
    physLo.forEach((phys, row) => found.set(phys >>> 12, domain[row]!));
  }
  return found;
}

function unmapOwners(trace: Trace): number[] {
  return [...trace.segments()].flatMap(({ rows }) => [...rows.unmap.columns.domain]);
}

/** Each command of this opcode with its submitter, its delay and the number of unmaps before it. */
function commandsOf(trace: Trace, opcode: number): { cpu: number; task: number; lag: number; unmaps: number }[] {
  const result: { cpu: number; task: number; lag: number; unmaps: number }[] = [];
  let unmaps = 0;
  for (const { count, stream, cpu, task, rows } of trace.segments()) {
    const row = new Map<number, number>();
    for (let i = 0; i < count; i++) {
      const id = stream[i]!;
      const r = row.get(id) ?? 0;
      row.set(id, r + 1);
      if (id === 2) unmaps++;
      const { w0Lo, lagLo } = rows.inv.columns;
      if (id === 4 && (w0Lo[r]! & 0xff) === opcode)
        result.push({ cpu: cpu[i]!, task: task[i]!, lag: lagLo[r]!, unmaps });
    }
  }
  return result;
}

function smmuStrict(all: readonly Life[], lost: (i: number) => boolean = () => false): Run {
  const run = new Run();
  all.forEach((life, i) => {
    run.live(life);
    const { device, page, pages, flushed } = life;
    if (lost(i)) return;
    run.at(flushed, () => {
      run.smmu(flushed, SMMUV3_OPCODE.tlbiNhVa, device.domain, page, pages);
      run.smmu(flushed, SMMUV3_OPCODE.sync, 0);
    });
  });
  return run;
}

describe('unmaps and the invalidations that follow them', () => {
  test('name the owner of every map, and the submitter and delay of every command', () => {
    const all = lives(2000, 5);
    const { report, trace } = smmuStrict(all).join();
    expect(report.commands).toMatchObject({ by: 'requests', matched: 2000 });
    expect(report.accesses).toMatchObject({ unexplainedWalks: 0, unexplainedHits: 0 });
    const owners = ownersOf(trace);
    for (const { phys, device } of all) expect(owners.get(phys)).toBe(device.domain);
    const commands = commandsOf(trace, SMMUV3_OPCODE.tlbiNhVa);
    expect(commands).toHaveLength(2000);
    const inOrder = all.toSorted((a, b) => a.flushed - b.flushed);
    // Where two devices unmap the same page at the same time, either may be meant.
    const wrong = commands.filter(({ cpu, task, lag }, k) => {
      const { device, flushed, unmapped } = inOrder[k]!;
      return cpu !== device.cpu || task !== device.task || Math.abs(lag / 1000 - (flushed - unmapped - 1)) > 3;
    });
    expect(wrong.length).toBeLessThan(20);
    expect(commandsOf(trace, SMMUV3_OPCODE.sync).every(({ cpu }) => cpu >= 0)).toBe(true);
  });

  test('accesses that name no domain are of the one that their device has', () => {
    const run = new Run();
    const all = lives(400, 17);
    for (const life of all) {
      const { device, page, pages, phys, mapped, accessed, unmapped, flushed } = life;
      const { cpu, task, rid, domain } = device;
      run.at(mapped, () => run.guest.map({ at: mapped, cpu, task }, page, pages, phys));
      run.at(mapped + 1, () => run.guest.dmaMap({ at: mapped + 1, cpu, task }, rid, page, pages));
      run.at(accessed, () => run.host.access(accessed, rid, page, phys, 0, -1));
      run.at(unmapped, () => run.guest.unmap({ at: unmapped, cpu, task }, page, pages));
      run.at(flushed, () => {
        run.smmu(flushed, SMMUV3_OPCODE.tlbiNhVa, domain, page, pages);
        run.smmu(flushed, SMMUV3_OPCODE.sync, 0);
      });
    }
    const { trace } = run.join();
    const domainOf = new Map<number, number>(DEVICES.map(({ rid, domain }) => [rid, domain]));
    for (const { rows } of trace.segments()) {
      const { rid, domain } = rows.dma.columns;
      for (let row = 0; row < rows.dma.count; row++) expect(domain[row]).toBe(domainOf.get(rid[row]!));
    }
    expect(trace.streamCounts.dma).toBe(400);
  });

  test('one lost here and there does not put the others out of step', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e9 }), (seed) => {
        const random = randomOf(seed ^ 0x5bd1e995);
        const all = lives(800, seed);
        const lost = new Set(all.map((_, i) => i).filter(() => random() < 0.02));
        const { trace, report } = smmuStrict(all, (i) => lost.has(i)).join();
        expect(report.commands.matched).toBeGreaterThanOrEqual(800 - lost.size - 4);
        const owners = ownersOf(trace);
        // What lost its own evidence is judged by circumstances.
        expect(all.filter(({ phys, device }) => owners.get(phys) !== device.domain).length).toBeLessThanOrEqual(
          lost.size,
        );
      }),
      { numRuns: 8 },
    );
  });

  test('several commands for one unmap are one batch', () => {
    const run = new Run();
    const all = lives(300, 3);
    for (const life of all) {
      run.live(life);
      run.at(life.flushed, () => {
        for (let k = 0; k < life.pages; k++) {
          run.smmu(life.flushed, SMMUV3_OPCODE.tlbiNhVa, life.device.domain, life.page + k, 1);
        }
        run.smmu(life.flushed, SMMUV3_OPCODE.sync, 0);
      });
    }
    const { trace, report } = run.join();
    expect(report.commands.matched).toBe(300);
    expect(commandsOf(trace, SMMUV3_OPCODE.tlbiNhVa).every(({ cpu }) => cpu >= 0)).toBe(true);
  });
});

test('VT-d descriptors of unmaps where the guest recorded none', () => {
  const all = lives(600, 31);
  const run = new Run();
  for (const life of all) {
    run.live(life);
    const { device, page, pages, flushed } = life;
    // One descriptor covers the range: an aligned power of two.
    let size = 1;
    while (Math.floor(page / size) !== Math.floor((page + pages - 1) / size)) size *= 2;
    const start = page - (page % size);
    run.at(flushed, () => {
      const words = [0xf2 | (device.domain << 16), 0, (start << 12) | 0x40 | Math.log2(size), start >>> 20];
      run.host.words(flushed, DIALECT.vtd, INV_FORM.words, words);
      run.host.wait(flushed);
    });
  }
  const { trace, report } = run.join();
  expect(report.commands).toMatchObject({ by: 'requests', matched: 600 });
  const owners = ownersOf(trace);
  for (const { phys, device } of all) expect(owners.get(phys)).toBe(device.domain);
});

describe('flush queues', () => {
  test('accesses give the clocks, full queues the rest', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e9 }), (seed) => {
        const all = lives(3000, seed);
        const run = new Run();
        const inOrder = all.toSorted((a, b) => a.unmapped - b.unmapped);
        const queued = new Map<number, number>();
        const full = new Set<number>();
        for (const life of all) run.live(life);
        inOrder.forEach(({ device, unmapped }, k) => {
          const length = (queued.get(device.domain) ?? 0) + 1;
          queued.set(device.domain, length % 40);
          if (length < 40) return;
          full.add(k + 1);
          run.at(unmapped + 1, () => {
            run.smmu(unmapped + 1, SMMUV3_OPCODE.tlbiNhAsid, device.domain);
            run.smmu(unmapped + 1, SMMUV3_OPCODE.sync, 0);
          });
        });
        const { report, trace } = run.join();
        expect(report.commands.by).toBe('accesses');
        const flushes = commandsOf(trace, SMMUV3_OPCODE.tlbiNhAsid);
        expect(flushes).toHaveLength(full.size);
        expect(flushes.filter(({ unmaps }) => !full.has(unmaps)).length).toBeLessThanOrEqual(full.size / 10);
        expect(flushes.filter(({ cpu }) => cpu < 0).length).toBeLessThanOrEqual(full.size / 10);
        const owners = ownersOf(trace);
        const wrong = all.filter(({ phys, device }) => owners.get(phys) !== device.domain);
        expect(wrong.length).toBeLessThanOrEqual(3);
        expect(unmapOwners(trace).filter((domain) => domain < 0)).toEqual([]);
      }),
      { numRuns: 4 },
    );
  });
});

describe('requests', () => {
  /** Two CPUs' requests reach the queue in another order than they are logged: the log comes late. */
  function virtio(all: readonly Life[], cut: boolean): Run {
    const run = new Run();
    const request = (at: number, type: number, domain: number, page: number, pages: number, phys: number): void => {
      run.at(at, () => {
        const end = page + pages - 1;
        const words = [type | (type === VIRTIO_REQUEST.map ? 0x300 : 0), domain, page << 12, page >>> 20];
        run.host.words(at, DIALECT.virtio, INV_FORM.words, [
          ...words,
          (end << 12) | 0xfff,
          end >>> 20,
          phys << 12,
          phys >>> 20,
        ]);
      });
    };
    all.forEach((life, i) => {
      run.live({ ...life, mapped: life.mapped + (i % 5 === 0 ? 8 : 0) });
      const { device, page, pages, phys } = life;
      const first = cut && pages > 2 ? 2 : pages;
      request(life.mapped, VIRTIO_REQUEST.map, device.domain, page, first, phys);
      if (first < pages)
        request(life.mapped, VIRTIO_REQUEST.map, device.domain, page + first, pages - first, phys + first);
      request(life.flushed, VIRTIO_REQUEST.unmap, device.domain, page, first, 0);
      if (first < pages) request(life.flushed, VIRTIO_REQUEST.unmap, device.domain, page + first, pages - first, 0);
    });
    return run;
  }

  test.each([false, true])('are maps and unmaps, cut (%s) or not, in whatever order', (cut) => {
    const all = lives(1500, 11);
    const { report, trace } = virtio(all, cut).join();
    expect(report.commands).toMatchObject({ by: 'requests', matched: 3000 });
    expect(report.attribution.maps).toMatchObject({ rows: 1500, unattributed: 0 });
    const owners = ownersOf(trace);
    for (const { phys, device } of all) expect(owners.get(phys)).toBe(device.domain);
    const { cpu, stream } = [...trace.segments()][0]!;
    expect([...cpu].filter((of, i) => stream[i] === 4 && of < 0)).toEqual([]);
  });

  test('a piece is part of the request in whose range it lies', () => {
    const guest = new GuestTrace();
    guest.map({ at: 10 }, 0x100, 6, 0x900);
    guest.map({ at: 20 }, 0x106, 2, 0x906);
    const host = new HostTrace();
    for (const [page, pages] of [
      [0x100, 4],
      [0x104, 2],
      [0x106, 2],
    ] as const) {
      const words = [0x303, 1, page << 12, 0, ((page + pages) << 12) - 1, 0, (page + 0x800) << 12, 0];
      host.words(12, DIALECT.virtio, INV_FORM.words, words);
    }
    const [scheme] = requestSchemes(DIALECT.virtio);
    const requests = readGuestRequests(guest.trace, scheme!);
    const log = readHostRequests(host.trace, scheme!);
    expect([...adoptPieces(requests, log, Int32Array.of(0, 2))]).toEqual([0, 0, 2]);
  });
});

describe('commands that name no address', () => {
  test('naturally aligned powers of two', () => {
    expect([piecesOf(0x300000, 15), piecesOf(0x300000, 8), piecesOf(1, 2), piecesOf(0, 0x4000)]).toEqual([4, 1, 2, 1]);
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 30 }), fc.integer({ min: 1, max: 5000 }), (page, pages) => {
        let at = page;
        for (let left = piecesOf(page, pages); left > 0; left--) {
          let size = 1;
          while (at % (2 * size) === 0 && at + 2 * size <= page + pages) size *= 2;
          at += size;
        }
        expect(at).toBe(page + pages);
      }),
    );
  });

  test('are known by their number and time; outputs by the first byte of a large page', () => {
    const random = randomOf(9);
    const run = new Run();
    let at = 1000;
    const all = Array.from({ length: 400 }, (_, i) => {
      const device = DEVICES[Math.floor(random() * 3)]!;
      const pages = 1 + Math.floor(random() * 30);
      const page = 0x100000 + 0x100 * Math.floor(random() * 40);
      return { device, page, pages, phys: 0x40000 + 0x200 * i };
    });
    for (const { device, page, pages, phys } of all) {
      const invalidate = (): void => {
        const time = at + 3;
        run.at(time, () => {
          for (let k = piecesOf(page, pages); k > 0; k--) {
            const words = [0, device.domain | (AMD_COMMAND.pages << 28), 0xfffff001 | 0, 0x7fffffff];
            run.host.words(time, DIALECT.amd, INV_FORM.decoded, words);
          }
          run.host.words(time, DIALECT.amd, INV_FORM.decoded, [1, AMD_COMMAND.completionWait << 28, 1, 0]);
        });
      };
      const { cpu, task } = device;
      const mapped = at;
      run.at(mapped, () => run.guest.map({ at: mapped, cpu, task }, page, pages, phys));
      invalidate();
      const used = at + 30;
      run.at(used, () => run.host.access(used, device.rid, page + pages - 1, phys, OUTCOME.known, device.domain));
      at += 50 + Math.floor(random() * 80);
      const unmapped = at;
      run.at(unmapped, () => run.guest.unmap({ at: unmapped, cpu, task }, page, pages));
      invalidate();
      at += 50 + Math.floor(random() * 80);
    }
    // The source does not name the page's size.
    const { report, trace } = run.join();
    expect(report.commands).toMatchObject({ by: 'requests', matched: 800 });
    const owners = ownersOf(trace);
    for (const { phys, device } of all) expect(owners.get(phys)).toBe(device.domain);
  });
});

describe('commands of a list, and late ones', () => {
  /** What AMD's driver sends at a time: commands of a domain, and a wait. */
  function flush(run: Run, at: number, domain: number, commands = 1): void {
    run.at(at, () => {
      for (let k = 0; k < commands; k++) {
        const words = [0, domain | (AMD_COMMAND.pages << 28), 0xfffff001 | 0, 0x7fffffff];
        run.host.words(at, DIALECT.amd, INV_FORM.decoded, words);
      }
      run.host.words(at, DIALECT.amd, INV_FORM.decoded, [1, AMD_COMMAND.completionWait << 28, 1, 0]);
    });
  }

  /** Per command its submitter and the time after its submission, in microseconds. */
  function submitters(trace: Trace): { task: number; lag: number }[] {
    const pages = [...trace.segments()].flatMap(({ stream, task, rows }) => {
      const { w0Hi, lagLo } = rows.inv.columns;
      const tasks = [...task].filter((_, i) => stream[i] === 4);
      return tasks.map((one, row) => ({ task: one, lag: lagLo[row]! / 1000, command: w0Hi[row]! >>> 28 }));
    });
    return pages.filter(({ command }) => command === AMD_COMMAND.pages).map(({ task, lag }) => ({ task, lag }));
  }

  test('a list is one request, behind its last piece', () => {
    const run = new Run();
    const expected: number[] = [];
    // Two tasks whose lists lie within each other in time: 5 pages from an odd one on are 3 aligned powers of two.
    const random = randomOf(15);
    let start = 1000;
    for (let round = 0; round < 60; round++) {
      start += 200 + Math.floor(random() * 900);
      const [one, two] = [DEVICES[0], DEVICES[1]];
      for (let piece = 0; piece < 5; piece++) {
        const at = start + 4 * piece;
        const phys = 0x9000 + round * 64 + piece;
        run.at(at, () => run.guest.map({ at, cpu: 0, task: one.task }, 0x101 + piece, 1, phys));
        run.at(at + 2, () => run.guest.map({ at: at + 2, cpu: 1, task: two.task }, 0x200 + piece, 1, phys + 0x10000));
      }
      flush(run, start + 20, one.domain, piecesOf(0x101, 5));
      flush(run, start + 40, two.domain, piecesOf(0x200, 5));
      for (const [{ rid, task, cpu }, page, after] of [
        [one, 0x101, 60],
        [two, 0x200, 62],
      ] as const) {
        const at = start + after;
        run.at(at, () => run.guest.dmaMap({ at, cpu, task }, rid, page, 5));
        run.at(at + 30, () => run.guest.unmap({ at: at + 30, cpu, task }, page, 5));
      }
      flush(run, start + 92, one.domain, piecesOf(0x101, 5));
      flush(run, start + 94, two.domain, piecesOf(0x200, 5));
      for (const { task } of [one, two, one, two]) {
        const count = task === one.task ? piecesOf(0x101, 5) : piecesOf(0x200, 5);
        for (let k = 0; k < count; k++) expected.push(task);
      }
    }
    const { report, trace } = run.join();
    expect(report.commands).toMatchObject({ by: 'requests', matched: 240 });
    expect(submitters(trace).map(({ task }) => task)).toEqual(expected);
  });

  test('a command that comes late is that of the request which waits for it', () => {
    const run = new Run();
    const { cpu, task, domain } = DEVICES[0];
    let at = 1000;
    const stalled = new Set([100, 101, 250]);
    for (let i = 0; i < 400; i++) {
      const mapped = at;
      run.at(mapped, () => run.guest.map({ at: mapped, cpu, task }, 0x100 + 2 * i, 1, 0x9000 + i));
      const late = stalled.has(i) ? 700 : 2;
      flush(run, mapped + late, domain);
      at += 18 + late;
    }
    const { report, trace } = run.join();
    expect(report.commands).toMatchObject({ by: 'requests', matched: 400 });
    submitters(trace).forEach(({ lag }, i) => {
      if (stalled.has(i)) expect(lag).toBeGreaterThan(600);
      else expect(lag).toBeLessThan(18);
    });
  });
});

test('logs of two runs have nothing in common', () => {
  const run = smmuStrict(lives(400, 21));
  const other = smmuStrict(
    lives(400, 22).map((life) => ({ ...life, page: life.page + 0x10000, phys: life.phys + 0x99999 })),
  );
  run.join();
  other.join();
  const trace = new MemoryTrace(joinHeaders(run.guest.trace.header, other.host.trace.header));
  expect(() => joinTraces(run.guest.trace, other.host.trace, trace)).toThrow(/no command is in both captures/);
});

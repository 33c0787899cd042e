import { describe, expect, test } from 'vitest';
import { vtdDialect } from '../../traces/dialects/vtd.ts';
import { highWord, lowWord } from '../../traces/units.ts';
import { qemuVtd } from '../hardware/qemu-vtd.ts';
import { withSettings } from '../hardware/profiles.ts';
import { vtdServer } from '../hardware/vtd-server.ts';
import { ACCESS_RESULT, MAP_RESULT, UNMAP_RESULT } from './machine.ts';
import type { Machine, MachineOptions } from './machine.ts';
import { createMachine } from './create-machine.ts';

const RW = 3;
const { hit, stale, fault, reset } = ACCESS_RESULT;
const PAGE = 4096;

/** A machine driven with bigint addresses, one device 0x18 in domain 4, one 0x20 in domain 5. */
class Rig {
  readonly machine: Machine;

  constructor(settings: readonly string[] = [], options: MachineOptions = {}, profile = qemuVtd) {
    this.machine = createMachine(withSettings(profile, settings), options);
    this.machine.attach(0x18, -1, 4);
    this.machine.attach(0x20, -1, 5);
  }

  map(time: number, iova: bigint, phys: bigint, pages = 1, domain = 4, prot = RW): number {
    const size = BigInt(pages * PAGE);
    return this.machine.map(
      time,
      domain,
      lowWord(iova),
      highWord(iova),
      lowWord(phys),
      highWord(phys),
      lowWord(size),
      highWord(size),
      prot,
    );
  }

  unmap(time: number, iova: bigint, pages = 1, domain = 4, event = -1): number {
    const size = BigInt(pages * PAGE);
    return this.machine.unmap(time, domain, lowWord(iova), highWord(iova), lowWord(size), highWord(size), event);
  }

  access(time: number, iova: bigint, rid = 0x18, access = 0, pasid = -1, domain = -1): number {
    return this.machine.access(time, rid, pasid, domain, lowWord(iova), highWord(iova), access, 0);
  }

  command(time: number, w0: bigint, w1 = 0n): number {
    return this.machine.command(time, lowWord(w0), highWord(w0), lowWord(w1), highWord(w1));
  }
}

const common = { problems: [] };
function iotlb(granularity: number, domain = 0, address = 0n, mask = 0, leafOnly = true): [bigint, bigint] {
  const [w0 = 0n, w1 = 0n] = vtdDialect.encode({
    type: 'iotlb',
    granularity,
    domain,
    address,
    mask,
    leafOnly,
    drainReads: true,
    drainWrites: true,
    ...common,
  });
  return [w0, w1];
}

describe('what each descriptor drops', () => {
  /** Three pages of domain 4, one of domain 5, cached. */
  function filled(profile = qemuVtd): Rig {
    const rig = new Rig([], {}, profile);
    for (const page of [0x10_0000n, 0x10_1000n, 0x20_0000n]) {
      rig.map(0, page, page + 0x100_0000n);
      rig.access(1, page);
    }
    rig.map(0, 0x10_0000n, 0x77_0000n, 1, 5);
    rig.access(1, 0x10_0000n, 0x20);
    return rig;
  }
  const [qemu, server] = [qemuVtd, vtdServer];

  test.each([
    ['iotlb global', iotlb(1), 4, 4],
    ['iotlb domain', iotlb(2, 4), 3, 3],
    ['iotlb domain of another', iotlb(2, 9), 0, 0],
    ['iotlb page', iotlb(3, 4, 0x10_0000n), 1, 1],
    ['iotlb two pages', iotlb(3, 4, 0x10_0000n, 1), 2, 2],
    ['iotlb two pages, address not aligned', iotlb(3, 4, 0x10_1000n, 1), 2, 2],
    ['iotlb page of another domain', iotlb(3, 5, 0x10_1000n), 0, 0],
    ['iotlb 2^18 pages', iotlb(3, 4, 0n, 18), 3, 3],
    ['iotlb larger than the maximum mask', iotlb(3, 4, 0n, 19), -1, -1],
    ['iotlb of undefined granularity', iotlb(0, 4), -1, -1],
    ['context global', [0x11n, 0n], 0, 2],
    ['context domain', [0x5_0021n, 0n], 0, 1],
    ['context device', [0x18_0000_0031n, 0n], 0, 1],
    ['context device with function mask', [(3n << 48n) | 0x1f_0000_0031n, 0n], 0, 1],
    ['pasid-iotlb of the domain', [0x4_0026n, 0n], 3, 3],
    ['pasid-iotlb page', [0x4_0036n, 0x10_0000n], 1, 1],
    ['pasid-iotlb of undefined granularity', [0x4_0016n, 0n], -1, -1],
    ['pasid-cache global, where no requester has a PASID', [0x37n, 0n], 0, 0],
    ['device TLB', [0x18_0000_0003n, 0x7fff_ffff_ffff_f001n], 0, 0],
    ['interrupt entries', [4n, 0n], 0, 0],
    ['wait', [0x2_0000_0025n, 0n], 0, 0],
    ['undefined', [0xfn, 0n], -1, -1],
  ] as const)('%s', (_, [w0, w1], translations, contexts) => {
    const rig = filled(qemu);
    const before = rig.machine.entries.count;
    const count = rig.command(2, w0, w1);
    expect(before - rig.machine.entries.count).toBe(Math.max(0, translations));
    expect(count).toBe(translations === contexts ? translations : contexts);
  });

  test('pointers to tables stay with the hint, and go without it', () => {
    const reads = (leafOnly: boolean): number => {
      const rig = filled(server);
      rig.command(2, ...iotlb(3, 4, 0x10_0000n, 0, leafOnly));
      rig.access(3, 0x10_0000n);
      return rig.machine.finish(4).walkReads;
    };
    // 4 reads for the first walk of each domain, 1 below a cached pointer to the last table, 2 below one to the table above it
    expect(reads(true)).toBe(4 + 1 + 2 + 4 + 1);
    expect(reads(false)).toBe(4 + 1 + 2 + 4 + 4);
  });

  test('a reset of the unit empties the cache and keeps tables and attachments', () => {
    const rig = filled();
    rig.machine.reset(2);
    expect(rig.machine.entries.count).toBe(0);
    expect(rig.access(3, 0x10_0000n)).toBe(0);
    expect(rig.machine.last).toMatchObject({ translated: true, outLo: 0x1100 });
  });
});

describe('accesses', () => {
  test('an unmapped page faults and is not cached; with `fill` it is cached without output', () => {
    const rig = new Rig();
    rig.map(0, 0x1000n, 0x9000n);
    expect(rig.access(1, 0x5000n)).toBe(fault);
    expect(rig.access(2, 0x5000n)).toBe(fault);
    expect(rig.access(2, 0x1000n)).toBe(0);
    expect(rig.access(2, 0x1fffn)).toBe(hit);
    expect(rig.machine.finish(3)).toMatchObject({ faults: 2, unbacked: 0, iotlb: { lookups: 4, hits: 1, misses: 3 } });
    const lenient = new Rig([], { unmappedAccess: 'fill' });
    lenient.map(0, 0x1000n, 0x9000n);
    expect(lenient.access(1, 0x5000n)).toBe(0);
    expect(lenient.machine.last.translated).toBe(false);
    expect(lenient.access(2, 0x5000n)).toBe(hit);
    expect(lenient.machine.finish(3)).toMatchObject({ faults: 0, unbacked: 1 });
  });

  test('a write to a page mapped for reads only faults', () => {
    const rig = new Rig();
    rig.map(0, 0x1000n, 0x9000n, 1, 4, 1);
    expect(rig.access(1, 0x1000n, 0x18, 2)).toBe(fault);
    expect(rig.access(1, 0x1000n, 0x18, 1)).toBe(0);
  });

  test('a requester without a domain is cached on its own, and says so', () => {
    const rig = new Rig();
    expect(rig.access(1, 0x1000n, 0x99)).toBe(ACCESS_RESULT.unknownDomain);
    expect(rig.access(1, 0x1000n, 0x99)).toBe(hit);
    expect(rig.command(2, ...iotlb(2, 4))).toBe(0);
    expect(rig.command(2, ...iotlb(1))).toBe(1);
  });

  test('a large leaf is one entry for all its pages, dropped by a command for any of them', () => {
    const rig = new Rig();
    rig.map(0, 0x4000_0000n, 0x8000_0000n, 512);
    expect(rig.access(1, 0x4000_5000n)).toBe(0);
    expect(rig.machine.last).toMatchObject({ order: 9, outLo: 0x80000 });
    expect(rig.access(1, 0x401f_f000n)).toBe(hit);
    expect(rig.command(2, ...iotlb(3, 4, 0x4000_3000n))).toBe(1);
  });

  test('two requesters of a domain: one entry by domain, two in a cache by requester', () => {
    for (const [profile, entries] of [
      [vtdServer, 1],
      [qemuVtd, 2],
    ] as const) {
      const rig = new Rig([], {}, profile);
      rig.machine.attach(0x28, -1, 4);
      rig.map(0, 0x1000n, 0x9000n);
      rig.access(1, 0x1000n, 0x18);
      rig.access(1, 0x1000n, 0x28);
      expect(rig.machine.entries.count).toBe(entries);
    }
  });

  test('PASIDs are told apart, and dropped by their own commands', () => {
    const rig = new Rig();
    rig.access(1, 0x1000n, 0x18, 0, 7, 4);
    rig.access(1, 0x1000n, 0x18, 0, 8, 4);
    expect(rig.machine.entries.count).toBe(2);
    expect(rig.command(2, (7n << 32n) | 0x4_0026n)).toBe(1);
    expect(rig.access(3, 0x1000n, 0x18, 0, 8)).toBe(hit);
  });

  test('the whole cache goes with the insertion that finds it full', () => {
    const rig = new Rig(['capacity=3']);
    for (let i = 0n; i < 6n; i++) rig.map(0, i * 0x1000n, i * 0x1000n);
    const results = [0n, 1n, 2n, 3n, 0n, 1n, 2n].map((page) => rig.access(1, page * 0x1000n));
    expect(results).toEqual([0, 0, 0, reset, 0, 0, reset]);
  });
});

describe('causes of misses', () => {
  test('compulsory, invalidation, conflict and capacity', () => {
    const rig = new Rig(['sets=2', 'ways=1'], {}, vtdServer);
    for (let i = 0n; i < 8n; i++) rig.map(0, i * 0x1000n, i * 0x1000n);
    const touch = (...pages: bigint[]): void => {
      for (const page of pages) rig.access(1, page * 0x1000n);
    };
    touch(0n);
    rig.command(1, ...iotlb(3, 4, 0n));
    touch(0n, 2n, 0n, 4n, 6n, 0n);
    expect(rig.machine.finish(2).iotlb).toEqual({
      lookups: 7,
      hits: 0,
      misses: 7,
      // 0 2 4 6 new; 0 after its command; 0 after 2 (same set, room elsewhere); 0 after 4 and 6 (no room at all)
      causes: { compulsory: 4, invalidation: 1, conflict: 1, capacity: 1 },
    });
  });
});

describe('exposure', () => {
  test('from the unmap to the command that drops the page', () => {
    const rig = new Rig();
    rig.map(0, 0x1000n, 0x9000n, 3);
    rig.access(10, 0x1000n);
    rig.access(10, 0x2000n);
    rig.unmap(1000, 0x1000n, 3, 4, 77);
    expect(rig.machine.exposedPages).toBe(2);
    rig.command(3000, ...iotlb(3, 4, 0x1000n));
    rig.command(6000, ...iotlb(2, 4));
    const { exposure, wasted } = rig.machine.finish(9000);
    expect(exposure).toEqual({
      pages: 2,
      unmappedPages: 3,
      pageSeconds: 7000 / 1e9,
      ns: { p50: 2000, p95: 5000, p99: 5000, max: 5000 },
      maxAtOnce: 2,
      endedBy: { command: 2, replacement: 0, overflow: 0, remap: 0, open: 0 },
      histogram: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1],
    });
    expect(wasted).toBe(0);
  });

  test('ended by overflow, replacement, a new map, or nothing', () => {
    const overflow = new Rig(['capacity=1']);
    overflow.map(0, 0x1000n, 0x9000n, 2);
    overflow.access(1, 0x1000n);
    overflow.unmap(100, 0x1000n);
    overflow.access(150, 0x2000n);
    expect(overflow.machine.finish(900).exposure).toMatchObject({ endedBy: { overflow: 1 }, ns: { max: 50 } });

    const replaced = new Rig(['sets=1', 'ways=1'], {}, vtdServer);
    replaced.map(0, 0x1000n, 0x9000n, 2);
    replaced.access(1, 0x1000n);
    replaced.unmap(100, 0x1000n);
    replaced.access(130, 0x2000n);
    expect(replaced.machine.finish(900).exposure).toMatchObject({ endedBy: { replacement: 1 }, ns: { max: 30 } });

    const again = new Rig();
    again.map(0, 0x1000n, 0x9000n);
    again.access(1, 0x1000n);
    again.unmap(100, 0x1000n);
    again.map(120, 0x1000n, 0x9000n);
    expect(again.access(130, 0x1000n)).toBe(hit);
    expect(again.machine.finish(900).exposure).toMatchObject({ endedBy: { remap: 1 }, ns: { max: 20 } });

    const open = new Rig();
    open.map(0, 0x1000n, 0x9000n);
    open.access(1, 0x1000n);
    open.unmap(100, 0x1000n);
    open.unmap(200, 0x1000n);
    expect(open.machine.finish(900).exposure).toMatchObject({ pages: 1, endedBy: { open: 1 }, ns: { max: 800 } });
  });

  test('a large entry is exposed by the pages that were unmapped', () => {
    const rig = new Rig(['leafs=1']);
    rig.map(0, 0x20_0000n, 0x4000_0000n, 512);
    rig.access(1, 0x20_0000n);
    const whole = new Rig();
    whole.map(0, 0x20_0000n, 0x4000_0000n, 512);
    whole.access(1, 0x20_7000n);
    for (const one of [rig, whole]) one.unmap(10, 0x20_0000n, 512);
    expect(rig.machine.exposedPages).toBe(1);
    expect(whole.machine.exposedPages).toBe(512);
    whole.map(20, 0x20_0000n, 0x4000_0000n, 12);
    expect(whole.machine.exposedPages).toBe(500);
    whole.command(30, ...iotlb(3, 4, 0x20_0000n, 9));
    expect(whole.machine.finish(40).exposure).toMatchObject({ pages: 512, endedBy: { remap: 12, command: 500 } });
  });

  test('two cached translations of a page are two exposed pages', () => {
    const rig = new Rig();
    rig.machine.attach(0x28, -1, 4);
    rig.map(0, 0x1000n, 0x9000n);
    rig.access(1, 0x1000n, 0x18);
    rig.access(1, 0x1000n, 0x28);
    rig.unmap(10, 0x1000n);
    expect(rig.machine.takePeakExposed()).toBe(2);
    rig.command(20, ...iotlb(2, 4));
    expect(rig.machine.takePeakExposed()).toBe(2);
    expect(rig.machine.takePeakExposed()).toBe(0);
    expect(rig.machine.finish(30).exposure).toMatchObject({ pages: 2, unmappedPages: 1, maxAtOnce: 2 });
  });
});

describe('stale hits', () => {
  test('a hit after the unmap is stale, with its age and the unmap that lacks its command', () => {
    const rig = new Rig();
    rig.map(0, 0x1000n, 0x9000n);
    rig.access(1, 0x1000n);
    rig.unmap(100, 0x1000n, 1, 4, 77);
    expect(rig.access(150, 0x1abcn)).toBe(hit | stale);
    expect(rig.access(180, 0x1000n)).toBe(hit | stale);
    const { stale: counts, staleFindings } = rig.machine.finish(200);
    expect(counts).toEqual({ translations: 2, maxAgeNs: 80 });
    expect(staleFindings[0]).toEqual({
      cache: 'iotlb',
      time: 150,
      rid: 0x18,
      domain: 4,
      iovaLo: 0x1000,
      iovaHi: 0,
      ageNs: 50,
      unmapEvent: 77,
    });
  });

  test('a page mapped again elsewhere is still stale, one mapped as before is not', () => {
    const rig = new Rig();
    rig.map(0, 0x1000n, 0x9000n);
    rig.access(1, 0x1000n);
    rig.unmap(100, 0x1000n);
    rig.map(110, 0x1000n, 0xa000n);
    expect(rig.access(120, 0x1000n)).toBe(hit | stale);
    rig.unmap(130, 0x1000n);
    rig.map(140, 0x1000n, 0x9000n);
    expect(rig.access(150, 0x1000n)).toBe(hit);
    expect(rig.machine.finish(200).stale).toEqual({ translations: 1, maxAgeNs: 20 });
  });

  test('a command that drops nothing is wasted; other descriptors are not', () => {
    const rig = new Rig();
    rig.command(1, ...iotlb(2, 4));
    rig.command(1, ...iotlb(3, 4, 0x1000n));
    rig.command(1, 4n);
    rig.command(1, 0x2_0000_0025n);
    rig.command(1, 0xfn);
    expect(rig.machine.finish(2)).toMatchObject({ wasted: 2, malformed: 1 });
  });
});

describe('tables', () => {
  test('maps over maps and unmaps of nothing are told and counted', () => {
    const rig = new Rig();
    expect(rig.map(0, 0x1000n, 0x9000n, 2)).toBe(0);
    expect(rig.map(0, 0x2000n, 0x9000n)).toBe(MAP_RESULT.overlap);
    expect(rig.unmap(0, 0x2000n, 2)).toBe(UNMAP_RESULT.missing);
    expect(rig.unmap(0, 0n, 512)).toBe(UNMAP_RESULT.freedTable | UNMAP_RESULT.missing);
    expect(rig.map(0, 0n, 0n, 512)).toBe(0);
    expect(rig.unmap(0, 0x1000n)).toBe(UNMAP_RESULT.split);
    expect(rig.machine.finish(1)).toMatchObject({ overlaps: 1, missing: 2 });
  });

  test('times that run backwards count as no time', () => {
    const rig = new Rig();
    rig.map(0, 0x1000n, 0x9000n);
    rig.access(500, 0x1000n);
    rig.unmap(400, 0x1000n);
    rig.command(300, ...iotlb(2, 4));
    expect(rig.machine.finish(0).exposure).toMatchObject({ pages: 1, pageSeconds: 0, ns: { max: 0 } });
  });
});

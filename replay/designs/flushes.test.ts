import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dialectById } from '../../traces/dialects/dialects.ts';
import { DIALECT } from '../../traces/schema.ts';
import { CacheTags } from './cache-tags.ts';
import { DEFAULT_CONTEXT } from './design.ts';
import type { CacheTag, CommandEmitter, DesignContext } from './design.ts';
import type { DomainFlush } from './domain-flush.ts';
import { createFlush } from './flushes.ts';
import { MappingList } from './mapping-list.ts';
import { EVERY_SIZE, PageSizes } from './page-sizes.ts';

const word = (lo: number, hi: number): bigint => (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);

/** What is emitted, as the dialect's disassembler reads it; `;` is a wait, `,` a batch handed over without one. */
function scene(
  dialect: keyof typeof DIALECT,
  tags: readonly Partial<CacheTag>[] = [{}],
  context: Partial<DesignContext> = {},
): { flush: DomainFlush; lines: string[]; take: () => string[] } {
  const lines: string[] = [];
  const reader = dialectById(DIALECT[dialect]);
  const emit: CommandEmitter = {
    command: (_unit, a, b, c, d, e, f, g, h) => {
      const words = [word(a, b), word(c, d), word(e, f), word(g, h)].slice(0, reader?.words ?? 4);
      lines.push(reader?.disassemble(words) ?? '');
    },
    submit: () => void lines.push(';'),
    publish: () => void lines.push(','),
    defer: () => 0,
    release: () => undefined,
    arm: () => undefined,
  };
  const held = new CacheTags();
  for (const tag of tags) held.assign({ domain: 5, unit: 0, type: 0, device: -1, pasid: 0, ...tag });
  const flush = createFlush(emit, { ...DEFAULT_CONTEXT, dialect: DIALECT[dialect], ...context }, held);
  return { flush, lines, take: () => lines.splice(0) };
}

const WHO = { cpu: 0, task: 1, time: 0 };

function unmap(flush: DomainFlush, first: number, pages = 1, more: object = {}): void {
  flush.unmap({ domain: 5, first, last: first + pages - 1, freedTable: 0, ...WHO, ...more });
}

/** An unmap and its sync. */
function gone(flush: DomainFlush, first: number, pages = 1, domain = 5): void {
  unmap(flush, first, pages, { domain });
  flush.sync(domain, 0, 1);
}

function map(flush: DomainFlush, first: number, pages = 1, offset = 0x100_0001, more: object = {}): void {
  const replaced = { replacedFirst: -1, replacedLast: -1 };
  flush.map({ domain: 5, first, last: first + pages - 1, offset, prot: 3, ...replaced, ...WHO, ...more });
}

describe('VT-d', () => {
  test('the hint that only leaves changed reaches the queue from 6.19 on, and in the stable releases that took its mend', () => {
    const hinted = [600, 611, 612, 613, 616, 617, 618, 619, 702].filter((kernel) => {
      const { flush, take } = scene('vtd', [{}], { kernel });
      gone(flush, 0x1000);
      const [command = ''] = take();
      expect(command).toContain('0x1000000');
      return / ih\b| leaf/i.test(command);
    });
    expect(hinted).toEqual([612, 617, 618, 619, 702]);
  });
});

describe('SMMUv3', () => {
  test('the worked example: 513 pages are 1 and 1 x 2^9', () => {
    const { flush, take } = scene('smmuv3');
    gone(flush, 0x1001, 513);
    expect(take()).toEqual([
      'tlbi-nh-va vmid 0 asid 5 addr 0x1001000 pages 1 of 4K ttl 3 leaf',
      'tlbi-nh-va vmid 0 asid 5 addr 0x1002000 pages 512 of 4K ttl 3 leaf',
      ';',
    ]);
  });

  test('blocks have their level as hint, and another leaf size ends a gather', () => {
    const { flush, take } = scene('smmuv3');
    gone(flush, 0x200, 0x401);
    expect(take()).toEqual([
      'tlbi-nh-va vmid 0 asid 5 addr 0x200000 pages 1024 of 4K ttl 2 leaf',
      ';',
      'tlbi-nh-va vmid 0 asid 5 addr 0x600000 pages 1 of 4K ttl 3 leaf',
      ';',
    ]);
    gone(flush, 0x4_0000, 0x4_0000);
    expect(take()[0]).toBe('tlbi-nh-va vmid 0 asid 5 addr 0x40000000 pages 262144 of 4K ttl 1 leaf');
  });

  test('a table that goes is flushed at once and not as a leaf; Linux 6.13 began to gather its block too', () => {
    const walk = 'tlbi-nh-va vmid 0 asid 5 addr 0x200000 pages 512 of 4K';
    for (const [kernel, more] of [
      [612, []],
      [702, ['tlbi-nh-va vmid 0 asid 5 addr 0x200000 pages 512 of 4K ttl 2 leaf', ';']],
    ] as const) {
      const { flush, take } = scene('smmuv3', [{}], { kernel });
      map(flush, 0x210);
      expect(take()).toEqual([]);
      gone(flush, 0x200, 0x200);
      expect(take()).toEqual([walk, ';', ...more]);
      // put off: the table still goes at once
      map(flush, 0x210);
      flush.defer({ domain: 5, first: 0x200, last: 0x3ff, freedTable: 0, ...WHO });
      expect(take()).toEqual([walk, ';']);
      // a block over an empty table
      map(flush, 0x210);
      map(flush, 0x200, 0x200, 0x1000);
      expect(take()).toEqual([walk, ';']);
    }
  });

  test('without ranges page by page; 7.2 gives up at one table of them, 6.12 does not', () => {
    const { flush, take } = scene('smmuv3', [{}], { rangeInvalidation: false });
    gone(flush, 0x1000, 3);
    expect(take()).toEqual([
      'tlbi-nh-va vmid 0 asid 5 addr 0x1000000 leaf',
      'tlbi-nh-va vmid 0 asid 5 addr 0x1001000 leaf',
      'tlbi-nh-va vmid 0 asid 5 addr 0x1002000 leaf',
      ';',
    ]);
    gone(flush, 0x1001, 511);
    expect(take().filter((line) => line === ';' || line === ',')).toEqual([',', ',', ',', ',', ',', ',', ',', ';']);
    gone(flush, 0x1001, 512);
    expect(take()).toEqual(['tlbi-nh-asid vmid 0 asid 5', ';']);
    const old = scene('smmuv3', [{}], { rangeInvalidation: false, kernel: 612 });
    gone(old.flush, 0x1001, 512);
    expect(old.take()).toHaveLength(512 + 7 + 1);
  });

  test('64 commands are handed over without a SYNC', () => {
    const { flush, take } = scene('smmuv3', [{}], { rangeInvalidation: false });
    gone(flush, 0x1000, 65);
    const lines = take();
    expect([lines[64], lines.at(-1), lines.length]).toEqual([',', ';', 67]);
  });

  test('device TLBs come behind a SYNC; a nesting parent drops stage 1 and all of its devices', () => {
    const ats = scene('smmuv3', [{}, { type: 1, device: 0x100 }, { type: 1, device: 0x108, pasid: 3 }]);
    gone(ats.flush, 0x1003, 2);
    expect(ats.take()).toEqual([
      'tlbi-nh-va vmid 0 asid 5 addr 0x1003000 pages 2 of 4K ttl 3 leaf',
      ';',
      'atc-inv sid 0000:01:00.0 addr 0x1000000 pages 8',
      'atc-inv sid 0000:01:01.0 ssid 3 addr 0x1000000 pages 8',
      ';',
    ]);
    ats.flush.all(5);
    expect(ats.take()).toEqual([
      'tlbi-nh-asid vmid 0 asid 5',
      ';',
      'atc-inv sid 0000:01:00.0 everything',
      'atc-inv sid 0000:01:01.0 ssid 3 everything',
      ';',
    ]);
    const domain = 7 << 16;
    const parent = scene('smmuv3', [
      { domain, type: 2 },
      { domain, type: 3, device: 0x100 },
    ]);
    gone(parent.flush, 0x1000, 1, domain);
    expect(parent.take()).toEqual([
      'tlbi-s2-ipa vmid 7 addr 0x1000000 pages 1 of 4K ttl 3 leaf',
      ';',
      'tlbi-nh-all vmid 7',
      ';',
      'atc-inv sid 0000:01:00.0 everything',
      ';',
    ]);
    // the wide form drops stage 1 with it
    parent.flush.all(domain);
    expect(parent.take()).toEqual(['tlbi-s12-vmall vmid 7', ';', 'atc-inv sid 0000:01:00.0 everything', ';']);
  });

  test('granules and EL2', () => {
    const wide = scene('smmuv3', [{}], { granuleShift: 16, el2: true });
    gone(wide.flush, 0x100, 0x30);
    expect(wide.take()).toEqual(['tlbi-el2-va asid 5 addr 0x100000 pages 3 of 64K ttl 3 leaf', ';']);
    wide.flush.all(5);
    expect(wide.take()).toEqual(['tlbi-el2-asid asid 5', ';']);
    const middle = scene('smmuv3', [{}], { granuleShift: 14 });
    gone(middle.flush, 0x2000, 0x2000);
    expect(middle.take()[0]).toBe('tlbi-nh-va vmid 0 asid 5 addr 0x2000000 pages 2048 of 16K ttl 2 leaf');
  });

  test('the commands of a range cover it exactly, without overlap', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 30 }), fc.integer({ min: 1, max: 100_000 }), (first, pages) => {
        const { flush, take } = scene('smmuv3');
        gone(flush, first, pages);
        let page = first;
        for (const line of take()) {
          // tlbi-nh-va vmid 0 asid 5 addr 0x1001000 pages 1 of 4K ttl 3 leaf
          const found = /addr (0x[0-9a-f]+) pages (\d+) of 4K/.exec(line);
          if (found === null) continue;
          expect(Number(found[1])).toBe(page * 4096);
          page += Number(found[2]);
        }
        expect(page).toBe(first + pages);
      }),
    );
  });
});

describe('AMD', () => {
  test('one command over the smallest aligned power of two; PDE where a table went; 6.x always', () => {
    const { flush, take } = scene('amd');
    gone(flush, 0x1000);
    gone(flush, 0x1003, 2);
    unmap(flush, 0x200, 0x200, { freedTable: 1 });
    flush.sync(5, 0, 1);
    flush.all(5);
    expect(take()).toEqual([
      'invalidate-iommu-pages did 5 addr 0x1000000 pages 1',
      ';',
      'invalidate-iommu-pages did 5 addr 0x1000000 pages 8',
      ';',
      'invalidate-iommu-pages did 5 addr 0x200000 pages 512 pde',
      ';',
      'invalidate-iommu-pages did 5 everything pde',
      ';',
    ]);
    // bit 51 of the address differs
    gone(flush, 2 ** 39 - 1, 2);
    expect(take()[0]).toBe('invalidate-iommu-pages did 5 addr 0x0 pages 1099511627776');
    gone(flush, 2 ** 40 - 1, 2);
    expect(take()[0]).toBe('invalidate-iommu-pages did 5 everything');
    const old = scene('amd', [{}], { kernel: 612 });
    gone(old.flush, 0x1000);
    expect(old.take()[0]).toBe('invalidate-iommu-pages did 5 addr 0x1000000 pages 1 pde');
  });

  test('NpCache: pieces of their own alignment, nothing between, and new mappings too', () => {
    const { flush, take } = scene('amd', [{}], { cachingMode: true });
    gone(flush, 0x1003, 6);
    expect(take()).toEqual([
      'invalidate-iommu-pages did 5 addr 0x1003000 pages 1',
      'invalidate-iommu-pages did 5 addr 0x1004000 pages 4',
      'invalidate-iommu-pages did 5 addr 0x1008000 pages 1',
      ';',
    ]);
    unmap(flush, 0x10);
    unmap(flush, 0x11);
    unmap(flush, 0x14);
    flush.sync(5, 0, 1);
    expect(take()).toEqual([
      'invalidate-iommu-pages did 5 addr 0x10000 pages 2',
      ';',
      'invalidate-iommu-pages did 5 addr 0x14000 pages 1',
      ';',
    ]);
    map(flush, 0x10, 2);
    map(flush, 0x12, 2);
    expect(take()).toEqual([]);
    flush.syncMap(0);
    expect(take()).toEqual(['invalidate-iommu-pages did 5 addr 0x10000 pages 4 pde', ';']);
    flush.all(5);
    expect(take()).toEqual(['invalidate-iommu-pages did 5 everything pde', ';']);
  });

  test('device TLBs, PASIDs and units', () => {
    const tags = [{}, { type: 1, device: 0x100 }, { unit: 1 }, { type: 1, device: 0x108, unit: 1, pasid: 0x123 }];
    const { flush, take } = scene('amd', tags, { deviceBits: new Map([[0x100, { lo: 32 << 24, hi: 0 }]]) });
    gone(flush, 0x1000);
    expect(take()).toEqual([
      'invalidate-iommu-pages did 5 addr 0x1000000 pages 1',
      'invalidate-iotlb-pages dev 0000:01:00.0 addr 0x1000000 pages 1 queue 256 qdep 32',
      ';',
      'invalidate-iommu-pages did 5 addr 0x1000000 pages 1',
      'invalidate-iotlb-pages dev 0000:01:01.0 pasid 291 addr 0x1000000 pages 1 queue 264 qdep 0',
      ';',
    ]);
    const guest = scene('amd', [{ pasid: 7 }], { firstStage: new Set([5]) });
    gone(guest.flush, 0x1000);
    expect(guest.take()[0]).toBe('invalidate-iommu-pages did 5 pasid 7 addr 0x1000000 pages 1');
  });
});

describe('virtio-iommu', () => {
  test('requests are sent at once and the device is told at the sync; a domain without endpoint has none', () => {
    const { flush, take } = scene('virtio');
    map(flush, 0x101, 3, 0x400, { prot: 1 });
    expect(take()).toEqual([
      'map did 5 0x101000..0x101fff -> 0x501000 read',
      'map did 5 0x102000..0x103fff -> 0x502000 read',
    ]);
    flush.syncMap(0);
    flush.syncMap(0);
    expect(take()).toEqual([';']);
    flush.defer({ domain: 5, first: 0x101, last: 0x103, freedTable: 0, ...WHO });
    expect(take()).toEqual(['unmap did 5 0x101000..0x101fff', 'unmap did 5 0x102000..0x103fff']);
    flush.all(5);
    expect(take()).toEqual([';']);
    map(flush, 0x101, 3, 0x400, { domain: 6 });
    flush.syncMap(0);
    expect(take()).toEqual([]);
  });

  test('a hole ends an unmap, as in the driver', () => {
    const { flush, take } = scene('virtio');
    map(flush, 0x100, 2, 1);
    map(flush, 0x104, 4, 1);
    flush.syncMap(0);
    take();
    gone(flush, 0x100, 8);
    expect(take()).toEqual([]);
    gone(flush, 0x104, 4);
    // what the first call took away is gone
    expect(take()).toEqual([]);
  });
});

describe('RISC-V', () => {
  test('page by page up to 2 MiB, else the address space; a fence behind', () => {
    const { flush, take } = scene('riscv');
    gone(flush, 0xf_ffff_ffff, 2);
    expect(take()).toEqual([
      'iotinval-vma pscid 5 addr 0xfffffffff000',
      'iotinval-vma pscid 5 addr 0x1000000000000',
      ';',
    ]);
    gone(flush, 0x1000, 512);
    expect(take()).toEqual(['iotinval-vma pscid 5', ';']);
    unmap(flush, 0x1000, 1, { freedTable: 1 });
    flush.sync(5, 0, 1);
    expect(take()).toEqual(['iotinval-vma pscid 5', ';']);
  });
});

/** drivers/iommu/iommu.c, iommu_pgsize, on byte addresses. */
function slowPageSize(sizes: readonly number[], iova: bigint, phys: bigint, size: bigint): [bigint, bigint] {
  const fitting = sizes.map((order) => 1n << BigInt(order + 12)).filter((s) => s <= size && (iova | phys) % s === 0n);
  const page = fitting.at(-1) ?? 4096n;
  const next = sizes.map((order) => 1n << BigInt(order + 12)).find((s) => s > page);
  let span = size;
  if (next !== undefined && (iova ^ phys) % next === 0n) {
    const to = next - (iova % next);
    if (to + next <= size) span = to;
  }
  return [page, span / page];
}

test('page sizes are those of the IOMMU core', () => {
  const page = fc.integer({ min: 0, max: 2 ** 36 });
  fc.assert(
    fc.property(
      fc.constantFrom(EVERY_SIZE, [0, 9, 18], [0]),
      fc.oneof(
        page,
        page.map((p) => p * 512),
      ),
      fc.oneof(
        fc.integer({ min: 0, max: 1000 }),
        fc.integer({ min: 0, max: 1000 }).map((n) => n * 512),
      ),
      fc.integer({ min: 1, max: 2 ** 20 }),
      (orders, first, offset, pages) => {
        const sizes = new PageSizes(orders);
        sizes.next(first, offset, pages);
        const bytes = (n: number): bigint => BigInt(n) << 12n;
        const [size, count] = slowPageSize(orders, bytes(first), bytes(first + offset), bytes(pages));
        expect([bytes(2 ** sizes.order), bytes(sizes.pages)]).toEqual([size, size * count]);
      },
    ),
    { numRuns: 2000 },
  );
});

test('a mapping list gives back what was put in', () => {
  const list = new MappingList();
  for (const [first, last] of [
    [8, 11],
    [0, 3],
    [12, 12],
    [4, 7],
  ] as const) {
    list.add(first, last);
  }
  expect(list.remove(5, 6)).toBe(0);
  expect(list.remove(4, 8)).toBe(8);
  expect(list.remove(4, 11)).toBe(0);
  expect(list.remove(0, 100)).toBe(5);
  expect(list.remove(0, 100)).toBe(0);
});

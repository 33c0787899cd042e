import { describe, expect, test } from 'vitest';
import { ATTACH, CALL, ORIGIN } from '../../../traces/schema.ts';
import { MemoryTrace } from '../../../traces/memory-trace.ts';
import type { Trace } from '../../../traces/trace.ts';
import { attributeTrace, writeAttributed } from './attribute.ts';
import type { Attribution } from './attribution.ts';
import { GuestTrace } from './testing/synthetic-traces.ts';

const NIC = 0x18;
const DISK = 0x20;

/** Two devices in domains 4 and 5. */
function booted(): GuestTrace {
  const guest = new GuestTrace();
  guest.attach({ at: 1, task: 100 }, NIC, 4);
  guest.attach({ at: 2, task: 100 }, DISK, 5);
  return guest;
}

/** Domains of the maps and unmaps of the iommu core, in order. */
function found(trace: Trace, { mapDomain, unmapDomain }: Attribution): { maps: number[]; unmaps: number[] } {
  const maps: number[] = [];
  const unmaps: number[] = [];
  let m = 0;
  let u = 0;
  for (const { rows } of trace.segments()) {
    for (let r = 0; r < rows.map.count; r++, m++) {
      if (rows.map.columns.origin[r] === ORIGIN.iommu) maps.push(mapDomain[m]!);
    }
    for (let r = 0; r < rows.unmap.count; r++, u++) {
      if (rows.unmap.columns.origin[r] === ORIGIN.iommu) unmaps.push(unmapDomain[u]!);
    }
  }
  return { maps, unmaps };
}

function attributed(guest: GuestTrace, flush = true): ReturnType<typeof found> & { report: Attribution['report'] } {
  const attribution = attributeTrace(guest.trace, { flush });
  return { ...found(guest.trace, attribution), report: attribution.report };
}

describe('dma:* neighbours', () => {
  test('name the device of the map before them and of the unmap before them', () => {
    const guest = booted();
    guest.map({ at: 10 }, 0xfffff);
    guest.dmaMap({ at: 11 }, NIC, 0xfffff);
    guest.map({ at: 12 }, 0xffffe);
    guest.dmaMap({ at: 13 }, DISK, 0xffffe);
    guest.unmap({ at: 20 }, 0xfffff);
    guest.dmaUnmap({ at: 21 }, NIC, 0xfffff);
    const { maps, unmaps, report } = attributed(guest, false);
    expect(maps).toEqual([4, 5]);
    expect(unmaps).toEqual([4]);
    expect(report.maps.byEvidence).toEqual({ dmaApi: 2 });
    expect(report.dmaApi).toEqual({ events: 3, unclaimed: 0 });
  });

  test('an interrupt between a map and its event takes its own, the latest that fits', () => {
    const guest = booted();
    guest.map({ at: 10 }, 0x100);
    // The handler runs as the interrupted task, and its domain holds the same page.
    guest.map({ at: 11 }, 0x100, 1, 0x9000);
    guest.dmaMap({ at: 12 }, DISK, 0x100);
    guest.dmaMap({ at: 13 }, NIC, 0x100);
    expect(attributed(guest).maps).toEqual([4, 5]);
  });

  test('task 0 runs on every CPU', () => {
    const guest = booted();
    guest.map({ at: 10, cpu: 0, task: 0 }, 0x100);
    guest.map({ at: 11, cpu: 1, task: 0 }, 0x100, 1, 0x9000);
    guest.dmaMap({ at: 12, cpu: 0, task: 0 }, NIC, 0x100);
    guest.dmaMap({ at: 13, cpu: 1, task: 0 }, DISK, 0x100);
    expect(attributed(guest).maps).toEqual([4, 5]);
  });

  test('an unmap of a list is found by the physical addresses of its map', () => {
    const guest = booted();
    const phys = [0x7001, 0x7005];
    guest.map({ at: 9 }, 0x200, 1, 0x3333);
    guest.dmaMap({ at: 9 }, NIC, 0x200);
    guest.map({ at: 10 }, 0x200, 1, 0x7001);
    guest.map({ at: 11 }, 0x201, 1, 0x7005);
    guest.dmaMapSg({ at: 12 }, DISK, [[0x200, 2]], phys);
    guest.unmap({ at: 20, task: 9 }, 0x200, 2);
    guest.dmaUnmapSg({ at: 21, task: 9 }, DISK, phys);
    const { maps, unmaps } = attributed(guest, false);
    expect(maps).toEqual([4, 5, 5]);
    expect(unmaps).toEqual([5]);
  });

  test('dma_free is announced before its unmap', () => {
    const guest = booted();
    guest.map({ at: 10 }, 0x300, 2);
    guest.map({ at: 11, cpu: 1 }, 0x300, 2, 0x9000);
    guest.dmaUnmap({ at: 20 }, DISK, 0x300, 2, CALL.alloc);
    guest.unmap({ at: 21 }, 0x300, 2);
    expect(attributed(guest, false).unmaps).toEqual([5]);
  });

  test('too late is too late', () => {
    const guest = booted();
    guest.map({ at: 10 }, 0x100);
    guest.dmaMap({ at: 300_000 }, NIC, 0x100);
    const { maps, report } = attributed(guest);
    expect(maps).toEqual([-1]);
    expect(report.dmaApi.unclaimed).toBe(1);
  });

  test('the domain of a device whose attachment was not recorded is the one that its flushes name', () => {
    const guest = new GuestTrace();
    for (let i = 0; i < 20; i++) {
      guest.map({ at: 100 * i }, 0x100 + i);
      guest.dmaMap({ at: 100 * i + 1 }, NIC, 0x100 + i);
      guest.unmap({ at: 100 * i + 10 }, 0x100 + i);
      guest.flush({ at: 100 * i + 11 }, 7, 0x100 + i);
      guest.dmaUnmap({ at: 100 * i + 12 }, NIC, 0x100 + i);
    }
    const { maps } = attributed(guest);
    expect(new Set(maps)).toEqual(new Set([7]));
  });
});

describe('the page-owner table', () => {
  test('what is known of a map is known of its unmap, and the other way round', () => {
    const guest = booted();
    guest.map({ at: 10 }, 0x100);
    guest.dmaMap({ at: 11 }, NIC, 0x100);
    guest.map({ at: 12, task: 2 }, 0x200);
    guest.unmap({ at: 20, task: 3 }, 0x100);
    guest.unmap({ at: 21, task: 4 }, 0x200);
    guest.dmaUnmap({ at: 22, task: 4 }, DISK, 0x200);
    const { maps, unmaps, report } = attributed(guest);
    expect(maps).toEqual([4, 5]);
    expect(unmaps).toEqual([4, 5]);
    expect(report.unmaps.byEvidence).toEqual({ pair: 1, dmaApi: 1 });
  });

  test('two domains hold the page: the unmap that no event claims closed the map that none claimed', () => {
    const guest = booted();
    guest.map({ at: 10 }, 0x100);
    guest.dmaMap({ at: 11 }, NIC, 0x100);
    guest.map({ at: 12, task: 2 }, 0x100, 1, 0x9000);
    guest.unmap({ at: 20, task: 2 }, 0x100);
    guest.flush({ at: 21, task: 2 }, 5, 0x100);
    guest.unmap({ at: 30 }, 0x100);
    guest.flush({ at: 31 }, 4, 0x100);
    guest.dmaUnmap({ at: 32 }, NIC, 0x100);
    const { maps, unmaps, report } = attributed(guest, false);
    expect(maps).toEqual([4, 5]);
    expect(unmaps).toEqual([5, 4]);
    expect(report.maps.byEvidence).toEqual({ dmaApi: 1, elimination: 1 });
  });

  test('one unmap closes all pieces of a list, and only maps that fill its range', () => {
    const guest = booted();
    guest.map({ at: 5 }, 0x201, 1, 0x9000);
    guest.dmaMap({ at: 6 }, NIC, 0x201);
    guest.map({ at: 10 }, 0x200, 2);
    guest.map({ at: 11 }, 0x202, 1, 0x8000);
    guest.map({ at: 12 }, 0x203, 5, 0x8100);
    guest.dmaMap({ at: 13 }, DISK, 0x200, 8);
    guest.unmap({ at: 20, task: 7 }, 0x200, 8);
    const { maps, unmaps, report } = attributed(guest, false);
    expect(maps).toEqual([4, 5, 5, 5]);
    expect(unmaps).toEqual([5]);
    expect(report.settled.tiling).toBe(1);
  });

  test('an unmap of another domain than the map that it seemed to close leaves that one alone', () => {
    const guest = booted();
    guest.map({ at: 10 }, 0x100);
    guest.dmaMap({ at: 11 }, NIC, 0x100);
    // The disk's map of the page was made before the recording.
    guest.unmap({ at: 20 }, 0x100);
    guest.dmaUnmap({ at: 21 }, DISK, 0x100);
    guest.unmap({ at: 30, task: 3 }, 0x100);
    const { unmaps, report } = attributed(guest, false);
    expect(unmaps).toEqual([5, 4]);
    expect(report.settled.unmatched).toBe(1);
  });

  test('an unmap inside a larger map ends that part', () => {
    const guest = new GuestTrace();
    guest.attach({ at: 1, task: 8 }, DISK, 6);
    guest.map({ at: 10, task: 8 }, 0x1000, 1024);
    guest.unmap({ at: 20, task: 8 }, 0x1100, 256);
    guest.flush({ at: 21, task: 8 }, 6, 0x1100, 256);
    guest.unmap({ at: 30, task: 8 }, 0x1000, 256);
    guest.flush({ at: 31, task: 8 }, 6, 0x1000, 256);
    guest.unmap({ at: 40, task: 8 }, 0x1200, 512);
    guest.flush({ at: 41, task: 8 }, 6, 0x1200, 512);
    const { unmaps, report } = attributed(guest);
    expect(unmaps).toEqual([6, 6, 6]);
    expect(report.settled).toMatchObject({ ragged: 1, only: 2, unmatched: 0 });
  });

  test('many lost events about one page stay cheap and settle', () => {
    const guest = booted();
    guest.map({ at: 1 }, 0x100, 1, 0x1);
    for (let i = 0; i < 2000; i++) {
      guest.map({ at: 10 + 10 * i, task: 2 }, 0x100, 1, 0x9000 + i);
      guest.dmaMap({ at: 11 + 10 * i, task: 2 }, NIC, 0x100);
      guest.unmap({ at: 15 + 10 * i, task: 3 }, 0x100);
    }
    const { unmaps } = attributed(guest, false);
    expect(unmaps.filter((domain) => domain === 4).length).toBeGreaterThan(1990);
  });
});

describe('attachments', () => {
  test('an identity map made before an attachment is of the domain attached next', () => {
    const guest = booted();
    guest.map({ at: 10 }, 0, 4096, 0);
    guest.attach({ at: 11 }, 0xf8, 10);
    guest.attach({ at: 12 }, 0xfa, 10);
    const { maps, report } = attributed(guest);
    expect(maps).toEqual([10]);
    expect(report.maps.byEvidence).toEqual({ attach: 1 });
  });

  test('a task that attached one device itself maps into its domain', () => {
    const guest = booted();
    guest.attach({ at: 9, task: 50 }, DISK, 6);
    guest.map({ at: 10, task: 50 }, 0x100);
    guest.unmap({ at: 20, task: 50 }, 0x100);
    guest.flush({ at: 21, task: 50 }, 6, 0x100);
    const { maps, unmaps, report } = attributed(guest);
    expect([maps, unmaps]).toEqual([[6], [6]]);
    expect(report.unmaps.byEvidence).toEqual({ attach: 1 });
  });

  test('an unmap after the domain gave its id back is of no domain', () => {
    const guest = new GuestTrace();
    guest.attach({ at: 9, task: 50 }, DISK, 6);
    guest.map({ at: 10, task: 50 }, 0x100);
    guest.map({ at: 11, task: 50 }, 0x200);
    guest.unmap({ at: 12, task: 50 }, 0x200);
    guest.flush({ at: 13, task: 50 }, 6, 0x200);
    guest.tag({ at: 15, task: 50 }, ATTACH.tagUnassign, -1, 6);
    guest.attach({ at: 16, task: 50 }, DISK, 6);
    guest.unmap({ at: 20, task: 50 }, 0x100);
    const { maps, unmaps, report } = attributed(guest);
    expect(maps).toEqual([6, 6]);
    expect(unmaps).toEqual([6, -1]);
    expect(report.settled.released).toBe(1);
  });

  test('a task with two domains maps a page into each: one known, the other follows', () => {
    const guest = new GuestTrace();
    guest.attach({ at: 1, task: 50 }, DISK, 9);
    guest.tag({ at: 2, task: 50 }, ATTACH.tagAssign, -1, 10, 7);
    guest.map({ at: 10, task: 50 }, 0x100, 1, 0x7000);
    guest.map({ at: 11, task: 50 }, 0x100, 1, 0x7000);
    guest.unmap({ at: 20, task: 50 }, 0x100);
    guest.flush({ at: 21, task: 50 }, 9, 0x100);
    guest.unmap({ at: 22, task: 50 }, 0x100);
    guest.flush({ at: 23, task: 50 }, 10, 0x100);
    const { maps, unmaps } = attributed(guest);
    expect(new Set(maps)).toEqual(new Set([9, 10]));
    expect(unmaps).toEqual([9, 10]);
  });
});

describe('flushes and neighbours', () => {
  test('a flush names the domain of the unmaps before it, as the last resort', () => {
    const guest = booted();
    guest.map({ at: 10 }, 0x100);
    guest.unmap({ at: 20 }, 0x100);
    guest.flush({ at: 21 }, 4, 0x100);
    expect(attributed(guest).maps).toEqual([4]);
    expect(attributed(guest).report.unmaps.byEvidence).toEqual({ flush: 1 });
    expect(attributed(guest, false).unmaps).toEqual([-1]);
  });

  test('the descriptor itself where no flush event was recorded; several unmaps, one flush', () => {
    const guest = booted();
    guest.map({ at: 10 }, 0x100);
    guest.map({ at: 11 }, 0x200);
    guest.unmap({ at: 20 }, 0x100);
    guest.submit({ at: 21 }, 5, 0x100);
    guest.unmap({ at: 30, task: 2 }, 0x200);
    expect(attributed(guest).unmaps).toEqual([5, -1]);
  });

  test('between neighbours of one domain', () => {
    const guest = booted();
    for (let i = 0; i < 5; i++) {
      guest.map({ at: 10 + 2 * i }, 0x100 + i);
      if (i !== 2) guest.dmaMap({ at: 11 + 2 * i }, NIC, 0x100 + i);
    }
    const { maps, report } = attributed(guest, false);
    expect(maps).toEqual([4, 4, 4, 4, 4]);
    expect(report.maps.byEvidence).toEqual({ dmaApi: 4, burst: 1 });
  });

  test('neighbours of different domains say nothing', () => {
    const guest = booted();
    guest.map({ at: 10 }, 0x100);
    guest.dmaMap({ at: 11 }, NIC, 0x100);
    guest.map({ at: 12 }, 0x101);
    guest.map({ at: 14 }, 0x102);
    guest.dmaMap({ at: 15 }, DISK, 0x102);
    expect(attributed(guest, false).maps).toEqual([4, -1, 5]);
  });
});

test('a copy keeps every event and fills domain and device', () => {
  const guest = booted();
  guest.map({ at: 10 }, 0x100);
  guest.dmaMapSg({ at: 11 }, DISK, [[0x100, 1]], [0x5100]);
  guest.unmap({ at: 20 }, 0x100);
  guest.submit({ at: 21 }, 5, 0x100);
  const copy = new MemoryTrace(guest.trace.header);
  // Other texts come first: those of the copy have other numbers.
  copy.intern('elsewhere');
  writeAttributed(guest.trace, attributeTrace(guest.trace), copy);
  expect(copy.eventCount).toBe(guest.trace.eventCount);
  const [segment] = [...copy.segments()];
  const { rows } = segment!;
  expect([...rows.map.columns.domain]).toEqual([5, -1]);
  expect([...rows.map.columns.device]).toEqual([DISK, DISK]);
  expect([...rows.unmap.columns.domain]).toEqual([5]);
  expect(copy.strings[rows.inv.columns.unit[0]!]).toBe('dmar0');
  const [original] = [...guest.trace.segments()];
  expect(rows.map.columns.list).toEqual(original!.rows.map.columns.list);
  expect(rows.map.columns.physLo).toEqual(original!.rows.map.columns.physLo);
  expect(segment!.time).toEqual(original!.time);
});

test('an empty trace has nothing to attribute', () => {
  const { report } = attributeTrace(new GuestTrace().trace);
  expect(report.maps).toEqual({ rows: 0, attributed: 0, unattributed: 0, byEvidence: {} });
});

import { describe, expect, test } from 'vitest';
import { SMMUV3_OPCODE, smmuOpcode } from '../../../traces/dialects/smmuv3-fields.ts';
import { FLUSH, INV_FORM, ORIGIN, OUTCOME, STREAM_ID } from '../../../traces/schema.ts';
import { MemoryTrace } from '../../../traces/memory-trace.ts';
import type { Segment } from '../../../traces/segment.ts';
import type { Trace } from '../../../traces/trace.ts';
import { pageNumber } from '../../../traces/units.ts';
import { CAPTURES_ARE_READ, loadCapture } from '../testing/load-capture.ts';
import { attributeTrace } from './attribute.ts';
import { createRowCopier } from '../../../traces/row-copier.ts';
import { EventCursor } from './event-cursor.ts';
import { joinHeaders, joinTraces } from './join.ts';
import type { JoinOptions, JoinReport } from './join.ts';

/** Whole captures of both sides, where they are at hand: IORR_FULL=1 and the captures beside the repository. */

interface Joined {
  readonly trace: MemoryTrace;
  readonly report: JoinReport;
}

function joined(guest: Trace, host: Trace, options?: JoinOptions): Joined {
  const trace = new MemoryTrace(joinHeaders(guest.header, host.header));
  return { trace, report: joinTraces(guest, host, trace, options) };
}

/** A part of a trace: the events that pass. */
function part(trace: Trace, keep: (cursor: EventCursor) => boolean): MemoryTrace {
  const result = new MemoryTrace(trace.header);
  const copy = createRowCopier(trace, result);
  const cursor = new EventCursor(trace);
  while (cursor.next()) {
    if (!keep(cursor)) continue;
    const row = result.begin(cursor.stream, cursor.time, cursor.cpu, cursor.task);
    copy(cursor.segment!, cursor.stream, cursor.row, row);
  }
  return result;
}

function range(segment: Segment, stream: 'map' | 'unmap', row: number): { page: number; pages: number } {
  const { columns } = segment.rows[stream];
  return {
    page: pageNumber(columns.iovaLo[row]!, columns.iovaHi[row]!),
    pages: pageNumber(columns.sizeLo[row]!, columns.sizeHi[row]!),
  };
}

/** Unmaps whose domain is, or is not, that of the range flush after them on the same CPU and task. */
function judge(trace: Trace, domains?: Int32Array): { right: number; wrong: number; missing: number } {
  const counts = { right: 0, wrong: 0, missing: 0 };
  const waiting = new Map<string, { domain: number; page: number; flushed: boolean }[]>();
  const cursor = new EventCursor(trace);
  while (cursor.next()) {
    const key = `${cursor.cpu} ${cursor.task}`;
    const segment = cursor.segment!;
    if (cursor.stream === STREAM_ID.unmap) {
      const { columns } = segment.rows.unmap;
      if (columns.origin[cursor.row] !== ORIGIN.iommu) continue;
      const domain = domains?.[cursor.streamRow] ?? columns.domain[cursor.row]!;
      const list = (waiting.get(key) ?? []).filter((unmap) => !unmap.flushed);
      waiting.set(key, [...list, { domain, page: range(segment, 'unmap', cursor.row).page, flushed: false }]);
    } else if (cursor.stream === STREAM_ID.flush && segment.rows.flush.columns.op[cursor.row] === FLUSH.range) {
      const { columns } = segment.rows.flush;
      const start = pageNumber(columns.startLo[cursor.row]!, columns.startHi[cursor.row]!);
      const end = pageNumber(columns.endLo[cursor.row]!, columns.endHi[cursor.row]!);
      for (const unmap of waiting.get(key) ?? []) {
        if (unmap.flushed || unmap.page < start || unmap.page > end) continue;
        unmap.flushed = true;
        if (unmap.domain < 0) counts.missing++;
        else if (unmap.domain === columns.domain[cursor.row]) counts.right++;
        else counts.wrong++;
      }
    }
  }
  return counts;
}

/**
 * Replays a joined trace of 4 KiB pages: each access against the maps of its domain, and how long pages stay in QEMU's IOTLB
 * (1,024 entries, emptied whole when full) after their unmap.
 */
function replay(trace: Trace) {
  const table = new Map<string, number>();
  const cached = new Map<string, { domain: number; page: number; unmapped: number }>();
  const holders = new Map<string, Set<string>>();
  const domainOf = new Map<number, number>();
  const ages: number[] = [];
  const counts = { walks: 0, agreed: 0, hits: 0, hitsAgreed: 0, outOfOrder: 0 };
  let last = 0;
  const drop = (key: string, time: number): void => {
    const entry = cached.get(key)!;
    cached.delete(key);
    holders.get(`${entry.domain} ${entry.page}`)?.delete(key);
    if (entry.unmapped >= 0) ages.push(time - entry.unmapped);
  };
  const cursor = new EventCursor(trace);
  while (cursor.next()) {
    const { row, time } = cursor;
    const segment = cursor.segment!;
    if (time < last) counts.outOfOrder++;
    last = time;
    if (cursor.stream === STREAM_ID.map || cursor.stream === STREAM_ID.unmap) {
      const stream = cursor.stream === STREAM_ID.map ? 'map' : 'unmap';
      const { columns } = segment.rows[stream];
      if (columns.origin[row] !== ORIGIN.iommu) continue;
      const { page, pages } = range(segment, stream, row);
      const { physLo, physHi } = segment.rows.map.columns;
      for (let k = 0; k < pages; k++) {
        const key = `${columns.domain[row]} ${page + k}`;
        if (stream === 'map') table.set(key, pageNumber(physLo[row]!, physHi[row]!) + k);
        else {
          table.delete(key);
          for (const holder of holders.get(key) ?? []) {
            const entry = cached.get(holder)!;
            if (entry.unmapped < 0) entry.unmapped = time;
          }
        }
      }
    } else if (cursor.stream === STREAM_ID.dma) {
      const { columns } = segment.rows.dma;
      const rid = columns.rid[row]!;
      if (columns.domain[row]! >= 0) domainOf.set(rid, columns.domain[row]!);
      const domain = domainOf.get(rid)!;
      const page = pageNumber(columns.iovaLo[row]!, columns.iovaHi[row]!);
      const agrees = table.get(`${domain} ${page}`) === pageNumber(columns.outLo[row]!, columns.outHi[row]!);
      if ((columns.outcome[row]! & OUTCOME.hit) !== 0) {
        counts.hits++;
        if (agrees) counts.hitsAgreed++;
        continue;
      }
      counts.walks++;
      if (agrees) counts.agreed++;
      if (cached.size >= 1024) for (const key of cached.keys()) drop(key, time);
      const key = `${rid} ${page}`;
      cached.set(key, { domain, page, unmapped: -1 });
      const holder = `${domain} ${page}`;
      if (!holders.has(holder)) holders.set(holder, new Set());
      holders.get(holder)!.add(key);
    } else if (cursor.stream === STREAM_ID.inv) {
      const { columns } = segment.rows.inv;
      const w0 = columns.w0Lo[row]!;
      if (columns.form[row] === INV_FORM.reset) for (const key of cached.keys()) drop(key, time);
      if (columns.form[row] !== INV_FORM.words || (w0 & 0xf) !== 2) continue;
      const domain = w0 >>> 16;
      if (((w0 >>> 4) & 3) === 2) {
        for (const [key, entry] of cached) if (entry.domain === domain) drop(key, time);
      } else {
        const pages = 2 ** (columns.w1Lo[row]! & 0x3f);
        const first = Math.floor(pageNumber(columns.w1Lo[row]!, columns.w1Hi[row]!) / pages) * pages;
        for (let k = 0; k < pages; k++) {
          for (const key of holders.get(`${domain} ${first + k}`) ?? []) drop(key, time);
        }
      }
    }
  }
  ages.sort((a, b) => a - b);
  return {
    ...counts,
    exposed: ages.length,
    pageSeconds: ages.reduce((sum, age) => sum + age, 0) / 1e9,
    medianNs: ages[ages.length >> 1]!,
    maxNs: ages[ages.length - 1]!,
  };
}

/** Of the range invalidations of an SMMUv3 each `every`th, as a flush of the whole ASID; the rest goes with its SYNC. */
function lazily(host: Trace, every: number): MemoryTrace {
  const result = new MemoryTrace(host.header);
  const copy = createRowCopier(host, result);
  const cursor = new EventCursor(host);
  let ranges = -1;
  let dropped = false;
  while (cursor.next()) {
    let flush = -1;
    if (cursor.stream === STREAM_ID.inv) {
      const { form, w0Lo, w0Hi } = cursor.segment!.rows.inv.columns;
      const opcode = form[cursor.row] === INV_FORM.decoded ? smmuOpcode(w0Lo[cursor.row]!) : -1;
      if (opcode < 0) dropped = false;
      if (opcode === SMMUV3_OPCODE.tlbiNhVa) {
        dropped = ++ranges % every !== 0;
        flush = w0Hi[cursor.row]!;
      }
      if (dropped && (opcode === SMMUV3_OPCODE.tlbiNhVa || opcode === SMMUV3_OPCODE.sync)) continue;
    }
    const row = result.begin(cursor.stream, cursor.time, cursor.cpu, cursor.task);
    copy(cursor.segment!, cursor.stream, cursor.row, row);
    if (flush < 0) continue;
    const { columns } = result.rows.inv;
    columns.w0Lo[row] = SMMUV3_OPCODE.tlbiNhAsid;
    columns.w1Lo[row] = 0;
    columns.w1Hi[row] = 0;
  }
  return result;
}

function unmapDomains(trace: Trace): number[] {
  return [...trace.segments()].flatMap(({ rows }) => [...rows.unmap.columns.domain]);
}

/** Ring-full flushes of the lazy mode: predicted from the unmaps (a ring of 256 holds 255), and seen where predicted. */
function ringFull(trace: Trace): { predicted: number; seen: number; missed: number } {
  const counts = { predicted: 0, seen: 0, missed: 0 };
  const rings = new Map<string, number[]>();
  const flushes = new Map<number, number>();
  const expected = new Set<string>();
  const cursor = new EventCursor(trace);
  while (cursor.next()) {
    const { row, cpu } = cursor;
    const { rows } = cursor.segment!;
    if (cursor.stream === STREAM_ID.unmap) {
      const domain = rows.unmap.columns.domain[row]!;
      const key = `${cpu} ${domain}`;
      const finished = flushes.get(domain) ?? 0;
      const ring = (rings.get(key) ?? []).filter((started) => started >= finished);
      if (expected.delete(key)) counts.missed++;
      if (ring.length >= 255) {
        counts.predicted++;
        expected.add(key);
      }
      ring.push(expected.has(key) ? finished + 1 : finished);
      rings.set(key, ring);
    } else if (cursor.stream === STREAM_ID.flush && rows.flush.columns.type[row] === 0) {
      const domain = rows.flush.columns.domain[row]!;
      flushes.set(domain, (flushes.get(domain) ?? 0) + 1);
      if (expected.delete(`${cpu} ${domain}`)) counts.seen++;
    }
  }
  return counts;
}

describe.skipIf(!CAPTURES_ARE_READ)('whole captures (IORR_FULL=1, captures beside the repository)', () => {
  test('strict: commands, owners, accesses, exposure', async () => {
    const { trace: guest } = await loadCapture('vtd-strict-6.12/trace.txt.zst');
    const { trace: host } = await loadCapture('vtd-strict-6.12/qemu_trace.log.zst');
    const alone = attributeTrace(guest, { flush: false });
    expect(alone.report.maps.unattributed + alone.report.unmaps.unattributed + alone.report.conflicts).toBe(0);
    expect(judge(guest, alone.unmapDomain)).toEqual({ right: 183_114, wrong: 0, missing: 0 });

    const { trace, report } = joined(guest, host);
    expect(report.commands).toMatchObject({ matched: 183_191, hostOnly: { before: 0, between: 0, after: 10 } });
    expect(Math.abs(report.clock.driftPpm)).toBeLessThan(10);
    expect(report.clock.residualNs.median).toBeLessThan(4_000);
    expect(report.clock.residualNs.p99).toBeLessThan(200_000);
    expect(report.accesses).toMatchObject({ translations: 1_108_678, unexplainedWalks: 0, unexplainedHits: 0 });
    const result = replay(trace);
    expect(result).toMatchObject({
      walks: 377_200,
      agreed: 377_200,
      hits: 731_478,
      hitsAgreed: 731_478,
      outOfOrder: 0,
    });
    expect(Math.abs(result.pageSeconds / 7.0 - 1)).toBeLessThan(0.01);

    // Without the dma:* events, by the accesses alone.
    const bare = part(guest, ({ stream, row, segment }) => {
      if (stream === STREAM_ID.map) return segment!.rows.map.columns.origin[row] === ORIGIN.iommu;
      return stream !== STREAM_ID.unmap || segment!.rows.unmap.columns.origin[row] === ORIGIN.iommu;
    });
    const byAccess = judge(joined(bare, host, { flush: false }).trace);
    expect(byAccess.wrong).toBe(0);
    expect(byAccess.right).toBeGreaterThanOrEqual(183_114 * 0.9999);
  });

  test('lazy: owners by accesses alone, exposure, ring-full flushes', async () => {
    const { trace: guest } = await loadCapture('vtd-lazy-ats-6.12/trace.txt.zst');
    const { trace: host } = await loadCapture('vtd-lazy-ats-6.12/qemu_trace.log.zst');
    const { trace, report } = joined(guest, host);
    expect(report.commands.matched).toBe(1_844);
    expect(report.accesses).toMatchObject({ walks: 430_575, unexplainedWalks: 0, unexplainedHits: 0 });
    expect(report.attribution.unmaps).toMatchObject({ rows: 157_247, unattributed: 0 });
    expect(report.attribution.conflicts).toBe(0);
    const result = replay(trace);
    expect(result).toMatchObject({ agreed: 430_575, hitsAgreed: 729_375, outOfOrder: 0 });
    expect(Math.abs(result.pageSeconds / 2386 - 1)).toBeLessThan(0.01);
    expect(Math.abs(result.exposed / 371_498 - 1)).toBeLessThan(0.0001);
    expect(Math.abs(result.maxNs / 95.8e6 - 1)).toBeLessThan(0.01);
    expect(ringFull(trace)).toEqual({ predicted: 180, seen: 180, missed: 0 });
  });

  test.each([
    ['vtd-vfio-7.2', 870, 854],
    ['vtd-first-stage-vfio-7.2', 658, 623],
    ['vtd-pri-pasid-7.2', 2701, 956],
    ['nested-qemu-vfio-7.2', 212, 359],
  ])('%s: every command, every flushed unmap', async (name, commands, flushed) => {
    const { trace: guest } = await loadCapture(`${name}/trace.txt.zst`);
    const { trace: host } = await loadCapture(`${name}/qemu_trace.log.zst`);
    const { trace, report } = joined(guest, host);
    expect(report.commands.matched).toBe(commands);
    expect(report.accesses).toMatchObject({ unexplainedWalks: 0, unexplainedHits: 0 });
    expect(judge(trace)).toEqual({ right: flushed, wrong: 0, missing: 0 });
  });

  test('SMMUv3: every unmap and its invalidation, every access', async () => {
    const { trace: guest } = await loadCapture('smmuv3-strict-6.12/trace.txt.zst');
    const { trace: host } = await loadCapture('smmuv3-strict-6.12/qemu_trace.log.zst');
    const { trace, report } = joined(guest, host);
    expect(report.commands).toMatchObject({
      by: 'requests',
      matched: 100_380,
      guestOnly: { before: 0, between: 0, after: 0 },
    });
    expect(report.clock.residualNs.median).toBeLessThan(4_000);
    expect(report.accesses).toMatchObject({ translations: 678_649, unexplainedWalks: 0, unexplainedHits: 0 });
    expect(report.attribution.unmaps.unattributed).toBe(0);
    expect(report.attribution.maps.attributed / 119_063).toBeGreaterThan(0.999);
    expect(report.attribution.conflicts).toBe(0);

    // The same run flushed lazily: each 250th range is a flush of its ASID, the others were never sent.
    const lazy = lazily(host, 250);
    const { trace: flushed, report: byAccess } = joined(guest, lazy);
    expect(byAccess.commands.by).toBe('accesses');
    expect(byAccess.commands.matched).toBeGreaterThan(380);
    expect(byAccess.accesses).toMatchObject({ unexplainedWalks: 0, unexplainedHits: 0 });
    const truth = unmapDomains(trace);
    const wrong = unmapDomains(flushed).filter((domain, row) => domain !== truth[row]);
    expect(wrong.length / truth.length).toBeLessThan(0.0001);
  });

  test('virtio-iommu: every request', async () => {
    const { trace: guest } = await loadCapture('virtio-iommu-6.12/trace.txt.zst');
    const { trace: host } = await loadCapture('virtio-iommu-6.12/qemu_trace.log.zst');
    const { report } = joined(guest, host);
    expect(report.commands).toMatchObject({
      by: 'requests',
      matched: 442_197,
      guestOnly: { before: 0, between: 0, after: 0 },
    });
    expect(report.attribution.maps.unattributed + report.attribution.unmaps.unattributed).toBe(0);
    expect(report.attribution.conflicts).toBe(0);
  });

  test('AMD: maps and unmaps by the number of their invalidations', async () => {
    const { trace: guest } = await loadCapture('amd-vfio-7.2/trace.txt.zst');
    const { trace: host } = await loadCapture('amd-vfio-7.2/qemu_trace.log.zst');
    const { report } = joined(guest, host);
    expect(report.commands.matched).toBeGreaterThan(1_450);
    expect(report.accesses).toMatchObject({ translations: 256, unexplainedWalks: 0, unexplainedHits: 0 });
  });

  test('a late start, holes and scattered losses cost only what is missing', async () => {
    const { trace: guest } = await loadCapture('vtd-strict-6.12/trace.txt.zst');
    const { trace: host } = await loadCapture('vtd-strict-6.12/qemu_trace.log.zst');
    const late = joined(
      part(guest, ({ time }) => time > 20e9),
      host,
    );
    expect(late.report.commands.guestOnly).toEqual({ before: 0, between: 0, after: 0 });
    expect(judge(late.trace)).toMatchObject({ wrong: 0, missing: 0 });
    const holes = joined(
      guest,
      part(host, ({ time }) => !(time > 30e9 && time < 31e9) && !(time > 14e9 && time < 14.01e9)),
    );
    expect(holes.report.commands).toMatchObject({ guestOnly: { between: 157 }, hostOnly: { between: 0 } });
    const lossy = joined(
      part(guest, ({ ordinal }) => ordinal % 5000 > 40),
      host,
    );
    expect(lossy.report.clock.residualNs.median).toBeLessThan(4_000);
    const { right, wrong } = judge(lossy.trace);
    expect(wrong / right).toBeLessThan(0.0001);
  });
});

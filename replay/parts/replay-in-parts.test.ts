import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { VTD_GRANULARITY, VTD_TYPE } from '../../traces/dialects/vtd-fields.ts';
import { openTrace } from '../../traces/file.ts';
import { EMPTY_HEALTH } from '../../traces/header.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { Random } from '../../traces/random.ts';
import { ACCESS, ATTACH, DIALECT, INV_FORM, ORIGIN, RESET, STREAM_ID } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import { ABSENT } from '../../traces/units.ts';
import { testHeader } from '../../traces/testing/test-header.ts';
import { replayTrace } from '../engine/replay.ts';
import { parameterOf } from '../hardware/profile.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { HARDWARE, withSettings } from '../hardware/profiles.ts';
import { amdGeneric } from '../hardware/amd-generic.ts';
import { vtdServer } from '../hardware/vtd-server.ts';
import { inlineLanes, workerLanes } from './part-lanes.ts';
import { replayInParts } from './replay-in-parts.ts';
import type { PartsAnswer } from './replay-in-parts.ts';

const full = process.env['IORR_FULL'] === '1';
const corpus = join(import.meta.dirname, '../../traces/corpus');
const files = readdirSync(corpus).filter((name) => name.endsWith('.iorr'));
const never = new AbortController().signal;
/** Any number of parts has the same answer. */
const PARTS = [1, 2, 3, 8, 64];

function inParts(trace: Trace, hardware: HardwareProfile, parts: number, repeat = 1): Promise<PartsAnswer> {
  return replayInParts(trace, { hardware, repeat, signal: never, lanes: (profile) => inlineLanes(profile, parts) });
}

/** The bytes, so that the order of names counts too. */
function bytesOf(answer: unknown): string {
  return JSON.stringify(answer);
}

describe('corpus traces in parts: the same bytes, or what is in the way', () => {
  const split = HARDWARE.filter((one) => one.iotlb === 'set-associative' && parameterOf(one, 'iotlb.sets') > 1);

  test.each(files)('%s', async (name) => {
    const trace = openTrace(join(corpus, name));
    try {
      const own = split.find(({ architecture }) => architecture === trace.header.host.iommu) ?? vtdServer;
      const withDevices = withSettings(own, ['device-tlb.entries=64']);
      for (const hardware of full ? [own, withDevices, vtdServer] : [withDevices]) {
        const whole = bytesOf({ result: replayTrace(trace, { hardware }) });
        for (const parts of full ? PARTS : [3]) {
          const answer = await inParts(trace, hardware, parts);
          if ('refused' in answer)
            expect(answer.refused).toMatch(/larger than 4 KiB|device|no accesses|for each page size/);
          else expect(bytesOf(answer) === whole, `${hardware.name}, ${parts} parts`).toBe(true);
        }
      }
    } finally {
      trace.close();
    }
  });
});

const PAGES = 600;
const DEVICES = 4;
const FAR = 1000;

/**
 * Accesses of some devices with popular pages, some with a PASID; pages come and go, commands come late or never. Two of the devices
 * may have caches of their own; with `tidy` no page is unmapped or mapped anew, so that those are never given what is stale. Event
 * `far` maps a page that needs one more level of tables; all ranges are of one page then.
 */
function randomTrace(seed: number, events: number, { devices = false, tidy = false, far = -1 } = {}): MemoryTrace {
  const random = new Random(seed);
  const trace = new MemoryTrace(testHeader({ host: { iommu: 'vtd' } }));
  trace.health = EMPTY_HEALTH;
  const { rows } = trace;
  let time = 0;
  const popular = (): number => Math.floor(PAGES * random.unit() ** 3);
  for (let i = 0; i < events; i++) {
    time += random.below(2000);
    const what = i === far ? FAR : random.below(1000);
    const domain = 1 + random.below(3);
    const begin = (stream: 'dma' | 'map' | 'unmap' | 'attach' | 'inv'): number =>
      trace.begin(STREAM_ID[stream], time, 0, 0);
    if (what < 900) {
      const row = begin('dma');
      const { columns } = rows.dma;
      columns.rid[row] = 8 + random.below(DEVICES);
      columns.pasid[row] = random.below(20) === 0 ? 5 : ABSENT;
      columns.domain[row] = random.below(50) === 0 ? domain : ABSENT;
      columns.iovaLo[row] = popular() << 12;
      columns.access[row] = random.below(2) === 0 ? ACCESS.read : ACCESS.write;
    } else if (what < 960 || what === FAR) {
      const stream = what < 935 || what === FAR || tidy ? 'map' : 'unmap';
      if (tidy && i > 2000) continue;
      const row = begin(stream);
      const page = popular();
      rows[stream].columns.origin[row] = ORIGIN.iommu;
      rows[stream].columns.domain[row] = domain;
      rows[stream].columns.iovaLo[row] = page << 12;
      rows[stream].columns.iovaHi[row] = what === FAR ? 1 << 8 : 0;
      rows[stream].columns.sizeLo[row] = (far < 0 ? 1 + random.below(24) : 1) << 12;
      if (stream === 'map') {
        rows.map.columns.physLo[row] = (page + 5000 * domain + (tidy ? 0 : random.below(2))) << 12;
        rows.map.columns.prot[row] = ACCESS.read | ACCESS.write;
      }
    } else if (what < 970) {
      const row = begin('attach');
      const { columns } = rows.attach;
      columns.kind[row] = devices && random.below(2) === 0 ? ATTACH.tagAssign : ATTACH.attach;
      columns.type[row] = columns.kind[row] === ATTACH.tagAssign ? random.below(2) : 0;
      columns.device[row] = 8 + random.below(DEVICES - 1);
      columns.pasid[row] = random.below(3) === 0 ? 5 : ABSENT;
      columns.domain[row] = domain;
    } else {
      const row = begin('inv');
      const { columns } = rows.inv;
      columns.dialect[row] = DIALECT.vtd;
      columns.form[row] = what === 999 && random.below(20) === 0 ? INV_FORM.reset : INV_FORM.words;
      if (columns.form[row] === INV_FORM.reset) {
        columns.w0Lo[row] = RESET.queueSetup + 1;
        continue;
      }
      const kind = random.below(20);
      if (kind === 0) columns.w0Lo[row] = VTD_TYPE.context | (VTD_GRANULARITY.domain << 4) | (domain << 16);
      else if (kind === 1) columns.w0Lo[row] = VTD_TYPE.iotlb | (VTD_GRANULARITY.global << 4);
      else if (kind === 2) columns.w0Lo[row] = 0;
      else if (devices && kind < 6) {
        columns.w0Lo[row] = VTD_TYPE.deviceTlb;
        columns.w0Hi[row] = 8 + random.below(DEVICES);
        columns.w1Lo[row] = popular() << 12;
      } else {
        const granularity = kind < 5 ? VTD_GRANULARITY.domain : VTD_GRANULARITY.page;
        columns.w0Lo[row] = VTD_TYPE.iotlb | (granularity << 4) | (domain << 16);
        // the mask, and whether only leaves changed
        columns.w1Lo[row] = (popular() << 12) | (random.below(2) << 6) | random.below(6);
      }
    }
  }
  return trace;
}

/** Random geometries and replacement policies. */
function randomHardware(random: Random): HardwareProfile {
  return withSettings(vtdServer, [
    `iotlb.sets=${2 + random.below(40)}`,
    `iotlb.ways=${1 + random.below(6)}`,
    `iotlb.hashed=${random.below(3)}`,
    `iotlb.replacement=${random.below(3)}`,
    `iotlb.refill-invalid-first=${random.below(2)}`,
    `walk-cache.l1=${random.below(3) * 4}`,
    `context.entries=${random.below(2) * 2}`,
  ]);
}

describe('random traces in parts', () => {
  // several segments, so that caches and exposures reach from one to the next
  const runs = full ? 12 : 1;
  test.each(Array.from({ length: runs }, (_, i) => i + 1))('seed %d: the same bytes', async (seed) => {
    const trace = randomTrace(seed, full ? 200_000 : 80_000);
    const random = new Random(seed);
    let conflicts = 0;
    for (let round = 0; round < (full ? 2 : 1); round++) {
      const hardware = randomHardware(random);
      const result = replayTrace(trace, { hardware });
      expect(
        [result.exposure?.pages, result.stale?.translations, result.wasted].every((count) => (count ?? 0) > 0),
      ).toBe(true);
      conflicts += result.iotlb?.causes.conflict ?? 0;
      for (const parts of PARTS) {
        const answer = await inParts(trace, hardware, parts);
        expect(bytesOf(answer) === bytesOf({ result }), `${parts} parts of ${bytesOf(hardware.parameters)}`).toBe(true);
      }
    }
    expect(conflicts).toBeGreaterThan(0);
  });

  test('roots of page tables that grow: the same bytes', async () => {
    const trace = randomTrace(8, 20_000, { far: 5000 });
    const none = [1, 2, 3, 4].map((level) => `walk-cache.l${level}=0`);
    for (const settings of [none, []]) {
      const hardware = withSettings(amdGeneric, settings);
      const result = replayTrace(trace, { hardware });
      const usual = parameterOf(hardware, 'page-table.levels') * (result.walks ?? 0);
      if (settings === none) expect(result.walkReads).toBeGreaterThan(usual);
      for (const parts of PARTS)
        expect(bytesOf(await inParts(trace, hardware, parts)) === bytesOf({ result })).toBe(true);
    }
  });

  test('a repeated trace, and parts in workers', async () => {
    const trace = randomTrace(7, 70_000);
    const whole = bytesOf({ result: replayTrace(trace, { hardware: vtdServer, repeat: 2 }) });
    expect(bytesOf(await inParts(trace, vtdServer, 2, 2)) === whole).toBe(true);
    for (const parts of [1, 3]) {
      const lanes = (profile: HardwareProfile) => workerLanes(profile, parts);
      const answer = await replayInParts(trace, { hardware: vtdServer, repeat: 2, signal: never, lanes });
      expect(bytesOf(answer) === whole, `${parts} workers`).toBe(true);
    }
    const lanes = (profile: HardwareProfile) => workerLanes(profile, 2);
    const aborted = await replayInParts(trace, { hardware: vtdServer, signal: AbortSignal.abort(), lanes });
    expect(aborted).toEqual({ aborted: true });
  });
});

describe('devices with caches of their own', () => {
  const hardware = withSettings(vtdServer, ['iotlb.sets=8', 'iotlb.ways=2', 'device-tlb.entries=16']);

  test.each([1, 2, 3, 8])('%d parts: the same bytes', async (parts) => {
    const trace = randomTrace(3, 70_000, { devices: true, tidy: true });
    const result = replayTrace(trace, { hardware });
    expect(result.caches?.['atc']?.causes.invalidation).toBeGreaterThan(0);
    expect(bytesOf(await inParts(trace, hardware, parts)) === bytesOf({ result })).toBe(true);
  });

  test('one that is given what is stale is for one part alone', async () => {
    const trace = randomTrace(4, 70_000, { devices: true });
    const result = replayTrace(trace, { hardware });
    expect(result.deviceExposure?.pages).toBeGreaterThan(0);
    expect(bytesOf(await inParts(trace, hardware, 1)) === bytesOf({ result })).toBe(true);
    expect(await inParts(trace, hardware, 2)).toEqual({
      refused: expect.stringMatching(/a device was given/) as unknown,
    });
  });
});

describe("what can't be split is named", () => {
  test.each([
    ['iotlb.sets=1', /fully associative/],
    ['iotlb.replacement=3', /random replacement/],
  ])('%s', async (setting, reason) => {
    const answer = await inParts(randomTrace(1, 100), withSettings(vtdServer, [setting]), 2);
    expect(answer).toEqual({ refused: expect.stringMatching(reason) as unknown });
  });
});

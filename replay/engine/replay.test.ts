import { describe, expect, test } from 'vitest';
import { EMPTY_HEALTH } from '../../traces/header.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { ATTACH, DIALECT, INV_FORM, ORIGIN, OUTCOME, RESET, STREAM_ID } from '../../traces/schema.ts';
import { testHeader } from '../../traces/testing/test-header.ts';
import { accessModel } from '../access/access-models.ts';
import { vtdServer } from '../hardware/vtd-server.ts';
import { replayTrace } from './replay.ts';

/** Writes small traces: one device 0x18 in domain 4. */
class Script {
  readonly trace: MemoryTrace;
  time = 0;

  constructor() {
    this.trace = new MemoryTrace(
      testHeader({ sources: [{ format: 'qemu-log', producer: 'QEMU' }], host: { iommu: 'vtd', emulated: true } }),
    );
    this.trace.health = EMPTY_HEALTH;
  }

  attach(domain: number, device = 0x18): this {
    const row = this.trace.begin(STREAM_ID.attach, this.time, 0, 1);
    const { columns } = this.trace.rows.attach;
    columns.kind[row] = ATTACH.attach;
    columns.device[row] = device;
    columns.domain[row] = domain;
    return this;
  }

  change(stream: 'map' | 'unmap', iova: number, pages: number, domain = 4, origin: number = ORIGIN.iommu): this {
    const row = this.trace.begin(STREAM_ID[stream], this.time, 0, 1);
    const { columns } = this.trace.rows[stream];
    columns.origin[row] = origin;
    columns.domain[row] = domain;
    columns.iovaLo[row] = iova;
    columns.sizeLo[row] = pages * 4096;
    return this;
  }

  command(w0Lo: number, w1Lo = 0, form: number = INV_FORM.words, dialect: number = DIALECT.vtd): this {
    const row = this.trace.begin(STREAM_ID.inv, this.time, 0, 1);
    const { columns } = this.trace.rows.inv;
    columns.dialect[row] = dialect;
    columns.form[row] = form;
    columns.w0Lo[row] = w0Lo;
    columns.w1Lo[row] = w1Lo;
    return this;
  }

  dma(iova: number, outcome: number = OUTCOME.known, domain = -1): this {
    const row = this.trace.begin(STREAM_ID.dma, this.time, -1, -1);
    const { columns } = this.trace.rows.dma;
    columns.rid[row] = 0x18;
    columns.domain[row] = domain;
    columns.iovaLo[row] = iova;
    columns.outcome[row] = outcome;
    columns.pageShift[row] = 12;
    return this;
  }

  at(time: number): this {
    this.time = time;
    return this;
  }
}

/** Two pages used, unmapped at 2 us, dropped at 3 us and (by the domain command) 5 us. */
function twoPages(): Script {
  return new Script()
    .attach(4)
    .change('map', 0x10000, 2)
    .change('map', 0x10000, 2, 4, ORIGIN.dmaApi)
    .at(1000)
    .dma(0x10000)
    .dma(0x11000)
    .dma(0x10800)
    .at(2000)
    .change('unmap', 0x10000, 2)
    .at(3000)
    .command(0x400f2, 0x10040)
    .command(0x25)
    .command(2, 0, INV_FORM.doorbell)
    .at(5000)
    .command(0x400e2)
    .command(0x400f2, 0x10040);
}

describe('replay', () => {
  test('as recorded: hits, causes, commands, exposure', () => {
    const result = replayTrace(twoPages().trace);
    expect(result).toMatchObject({
      hardware: 'qemu-vtd',
      events: 12,
      durationNs: 5000,
      iotlb: { lookups: 3, hits: 1, misses: 2, causes: { compulsory: 2 } },
      walks: 2,
      walkReads: 8,
      commands: 3,
      commandsByType: { iotlb: 3 },
      syncs: 1,
      doorbells: 1,
      wasted: 1,
      exposure: { pages: 2, unmappedPages: 2, ns: { p50: 1000, max: 3000 }, endedBy: { command: 2 } },
      stale: { translations: 0, maxAgeNs: 0 },
      caveats: [],
      wallNs: 0,
      eventsPerSecond: 0,
    });
  });

  test('without accesses hits, exposure, stale and wasted are unknown, not 0', () => {
    const script = new Script().attach(4).change('map', 0, 1).at(10).change('unmap', 0, 1).command(0x400e2);
    const result = replayTrace(script.trace);
    expect(result).toMatchObject({
      iotlb: null,
      walks: null,
      walkReads: null,
      exposure: null,
      stale: null,
      wasted: null,
    });
    expect(result.commands).toBe(1);
    expect(result.caveats.join()).toMatch(/no accesses.*--access.*,.*does not show waits/);
  });

  test('without maps exposure and stale are unknown, hits are not', () => {
    const result = replayTrace(new Script().dma(0x1000, OUTCOME.known, 4).dma(0x1000, OUTCOME.known, 4).trace);
    expect(result).toMatchObject({ iotlb: { lookups: 2, hits: 1 }, exposure: null, stale: null, wasted: 0 });
    expect(result.caveats.join()).toContain('no maps');
  });

  test('maps without a domain are left out, and said so', () => {
    const script = new Script().attach(4).change('map', 0x1000, 1, -1).change('map', 0x2000, 1).dma(0x2000);
    const { caveats, exposure } = replayTrace(script.trace);
    expect(caveats).toEqual(['1 of 2 maps and unmaps have no domain and are left out']);
    expect(exposure).toMatchObject({ pages: 0 });
  });

  test('a map that names only its device belongs to the domain of the device', () => {
    const script = new Script().attach(4).change('map', 0x1000, 1, -1);
    script.trace.rows.map.columns.device[0] = 0x18;
    const { caveats } = replayTrace(script.dma(0x1000).trace);
    expect(caveats).toEqual([]);
  });

  test('accesses that were passed through or refused are no lookups; other dialects are not applied', () => {
    const script = twoPages().dma(0x5000, OUTCOME.bypass).dma(0x6000, OUTCOME.fault);
    const result = replayTrace(script.command(0x12, 0, INV_FORM.words, DIALECT.smmuv3).trace);
    expect(result).toMatchObject({ iotlb: { lookups: 3 }, faults: 1, commands: 3 });
    expect(result.caveats).toEqual([
      '1 commands of a dialect that this hardware does not take were not applied',
      '1 accesses were passed through untranslated and are no lookups',
    ]);
  });

  test('resets of the unit empty the cache, the queue base does not', () => {
    const script = new Script().attach(4).change('map', 0x1000, 1).dma(0x1000);
    script.command(RESET.queueSetup, 0, INV_FORM.reset).dma(0x1000);
    script.command(RESET.translationEnabled, 0, INV_FORM.reset).dma(0x1000);
    expect(replayTrace(script.trace).iotlb).toMatchObject({
      hits: 1,
      misses: 2,
      causes: { compulsory: 1, invalidation: 1 },
    });
  });

  test('what the hardware would refuse is reported by its error, and drops nothing', () => {
    const script = twoPages().command(RESET.queueSetup, 0, INV_FORM.reset);
    const { inv } = script.trace.rows;
    inv.columns.w2Lo[inv.count - 1] = 4;
    script.command(0xf).command(0xc2).command(3, 0, INV_FORM.doorbell).command(4, 0, INV_FORM.doorbell);
    const { commandErrors, caveats, caches, iotlb } = replayTrace(script.trace);
    expect(commandErrors).toEqual([
      { error: 'IQE', what: 'undefined command', count: 1 },
      { error: 'IQE', what: 'undefined granularity', count: 1 },
      { error: 'IQE', what: 'tail beyond the queue', count: 1 },
    ]);
    expect(caveats.filter((caveat) => caveat.includes('the hardware would stop there: IQE'))).toHaveLength(3);
    expect(caches?.['iotlb']).toMatchObject({ ...iotlb });
    expect(caches?.['context']?.misses).toBe(1);
  });

  test('repeated: one long trace, later passes later in time', () => {
    const once = replayTrace(twoPages().trace);
    const thrice = replayTrace(twoPages().trace, { repeat: 3 });
    expect(thrice.events).toBe(once.events * 3);
    expect(thrice.durationNs).toBe(3 * 5000 + 2 * 1000);
    expect(thrice.iotlb).toMatchObject({ lookups: 9, hits: 3, causes: { compulsory: 2, invalidation: 4 } });
    expect(thrice.exposure).toMatchObject({ pages: 6, ns: { max: 3000 }, endedBy: { command: 6 } });
    expect(thrice.series.lookups.reduce((a, b) => a + b, 0)).toBe(9);
  });

  test('wall time is that of the clock handed in', () => {
    let now = 0;
    const clock = (): number => (now += 500_000_000);
    expect(replayTrace(twoPages().trace, { clock })).toMatchObject({ wallNs: 500_000_000, eventsPerSecond: 24 });
  });

  test('a model can stand in for the device; results say so', () => {
    const script = new Script().attach(4).change('map', 0x10000, 4).at(1000).change('unmap', 0x10000, 4);
    script.at(4000).command(0x400e2);
    const accesses = { factory: accessModel('touch-once'), seed: 1 };
    const result = replayTrace(script.trace, { accesses, hardware: vtdServer });
    expect(result.iotlb?.lookups).toBeGreaterThan(0);
    expect(result.exposure).toMatchObject({ pages: 4, ns: { max: 3000 } });
    expect(result.caveats[0]).toContain("accesses are those of the model 'touch-once' (seed 1)");
    expect(replayTrace(script.trace, { accesses, hardware: vtdServer })).toEqual(result);
  });

  test('an empty trace gives an empty result', () => {
    expect(replayTrace(new Script().trace)).toMatchObject({ events: 0, durationNs: 0, commands: 0, iotlb: null });
  });
});

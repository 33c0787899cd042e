import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openTrace } from '../../traces/file.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { Random } from '../../traces/random.ts';
import { ATTACH, DIALECT, INV_FORM, OUTCOME, STREAM_ID } from '../../traces/schema.ts';
import { testHeader } from '../../traces/testing/test-header.ts';
import { withSettings } from '../hardware/profiles.ts';
import { qemuAmd } from '../hardware/qemu-amd.ts';
import { qemuSmmuv3 } from '../hardware/qemu-smmuv3.ts';
import { verifyTrace } from './verify.ts';

const CAPACITY = 16;
const DEVICES = [0x40, 0x48, 0x50] as const;
/** The first two devices share an address space. */
const DOMAINS = [5, 5, 6] as const;
const PAGES = 48;

interface Unit {
  readonly iommu: 'smmuv3' | 'amd';
  /** Name of the entry that serves a device's page. */
  key(device: number, page: number): string;
  /** Words of a command for a page of a domain, and whether it drops an entry. */
  command(domain: number, page: number): readonly [number, number, number];
  drops(key: string, domain: number, page: number): boolean;
  /** What the source logs as output, where a 64 KiB leaf of AMD has only its first page. */
  logged(page: number): number;
}

const smmuv3: Unit = {
  iommu: 'smmuv3',
  key: (device, page) => `${DOMAINS[device]} ${page}`,
  // TLBI_NH_VA of one page with a range
  command: (domain, page) => [0x12, domain << 16, (page << 12) | 0x701],
  drops: (key, domain, page) => key === `${domain} ${page}`,
  logged: (page) => page,
};

const amd: Unit = {
  iommu: 'amd',
  key: (device, page) => `${DOMAINS[device]}/${device} ${page}`,
  // INVALIDATE_IOMMU_PAGES
  command: (domain, page) => [0, (3 << 28) | domain, page << 12],
  drops: (key, domain) => key.startsWith(`${domain}/`),
  logged: (page) => page & ~15,
};

/** A run of a little emulated unit that knows nothing but its rules; pages 0 to 47 are mapped in 64 KiB, to 0x1000 up. */
function record(unit: Unit, maps: boolean): { readonly trace: MemoryTrace; readonly rows: number[] } {
  const trace = new MemoryTrace(
    testHeader({
      sources: [{ format: 'qemu-log', producer: 'QEMU' }],
      host: { iommu: unit.iommu, emulated: true },
      clock: { epochNs: '0', name: 'realtime', resolutionNs: 1000 },
    }),
  );
  const random = new Random(7);
  const { rows } = trace;
  for (const [i, device] of DEVICES.entries()) {
    const row = trace.begin(STREAM_ID.attach, 0, -1, -1);
    rows.attach.columns.kind[row] = ATTACH.attach;
    rows.attach.columns.device[row] = device;
    rows.attach.columns.domain[row] = DOMAINS[i] ?? 0;
  }
  for (const domain of maps ? [5, 6] : []) {
    const row = trace.begin(STREAM_ID.map, 0, -1, -1);
    const { columns } = rows.map;
    columns.domain[row] = domain;
    columns.physLo[row] = 0x100_0000;
    columns.sizeLo[row] = PAGES << 12;
  }
  const cache = new Set<string>();
  const events: number[] = [];
  for (let time = 1; time < 3000; time++) {
    const page = random.below(PAGES);
    if (random.below(8) === 0) {
      const domain = 5 + random.below(2);
      const [w0Lo, w0Hi, w1Lo] = unit.command(domain, page);
      const row = trace.begin(STREAM_ID.inv, time, -1, -1);
      const { columns } = rows.inv;
      columns.dialect[row] = DIALECT[unit.iommu];
      columns.form[row] = INV_FORM.decoded;
      columns.w0Lo[row] = w0Lo;
      columns.w0Hi[row] = w0Hi;
      columns.w1Lo[row] = w1Lo;
      for (const key of cache) if (unit.drops(key, domain, page)) cache.delete(key);
      continue;
    }
    const device = random.below(3);
    const key = unit.key(device, page);
    const hit = cache.has(key);
    const reset = !hit && cache.size >= CAPACITY;
    if (reset) cache.clear();
    cache.add(key);
    events.push(trace.eventCount);
    const row = trace.begin(STREAM_ID.dma, time, -1, -1);
    const { columns } = rows.dma;
    columns.rid[row] = DEVICES[device] ?? 0;
    columns.iovaLo[row] = (page << 12) | 0x40;
    columns.outLo[row] = maps ? (0x1000 + unit.logged(page)) << 12 : (0x1000 + page) << 12;
    columns.pageShift[row] = 12;
    columns.outcome[row] = OUTCOME.known | (hit ? OUTCOME.hit : 0) | (reset ? OUTCOME.reset : 0);
  }
  return { trace, rows: events };
}

describe.each([
  ["QEMU's SMMUv3", smmuv3, qemuSmmuv3],
  ["QEMU's AMD IOMMU", amd, qemuAmd],
] as const)('accesses of %s', (_, unit, profile) => {
  const hardware = withSettings(profile, [`capacity=${CAPACITY}`]);

  test.each([true, false])('are predicted, each of them, from commands alone; with maps: %s', (maps) => {
    const { trace, rows } = record(unit, maps);
    const result = verifyTrace(trace, { only: ['dma'], hardware });
    expect(result).toMatchObject({ checked: rows.length, diverged: 0 });
    expect(result.byPart['dma.reset']?.checked).toBeGreaterThan(10);
    if (maps) expect(result.byPart['dma.output']?.checked).toBe(rows.length);
  });

  test('one that is altered diverges alone', () => {
    const { trace, rows } = record(unit, true);
    const [segment] = trace.segments();
    if (segment === undefined) throw new Error('nothing was recorded');
    const { outcome, outLo } = segment.rows.dma.columns;
    const altered = [100, 500, 900];
    for (const row of altered) outcome[row]! ^= OUTCOME.hit;
    outLo[1200]! ^= 0x4_0000;
    const result = verifyTrace(trace, { only: ['dma'], hardware });
    expect(result.divergences.map(({ event }) => event)).toEqual([...altered, 1200].map((row) => rows[row]));
  });

  test('another capacity diverges', () => {
    const { trace } = record(unit, true);
    const larger = withSettings(profile, [`capacity=${CAPACITY + 1}`]);
    expect(verifyTrace(trace, { only: ['dma'], hardware: larger }).diverged).toBeGreaterThan(10);
  });
});

describe('the corpus', () => {
  const file = (name: string): string => fileURLToPath(new URL(`../../traces/corpus/${name}.iorr`, import.meta.url));

  test.each(['smmuv3-strict-6.12', 'amd-vfio-7.2'])('%s: every access is predicted', (name) => {
    const result = verifyTrace(openTrace(file(name)), { only: ['dma'] });
    expect(result.diverged).toBe(0);
    expect(result.checked).toBeGreaterThan(200);
    expect(result.byPart['dma.output']?.checked).toBeGreaterThan(100);
  });
});

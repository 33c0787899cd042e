import { FORMAT_VERSION } from '../../traces/header.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { DIALECT, INV_FORM, STREAM_ID } from '../../traces/schema.ts';

const DOMAIN = 4;
const FIRST_PAGE = 0x10_0000;

/** Mappings that come and go one after the other, on one CPU. */
export interface Intents {
  /** `vtd`, `smmuv3`. */
  readonly iommu: string;
  readonly kernel: string;
  /** Times that something is mapped, used and unmapped. */
  readonly times: number;
  /** 4 KiB pages of each. */
  readonly pages: number;
  /** From one to the next, ns. */
  readonly gapNs: number;
  /** SMMUv3 without range commands: the trace begins with a command for one page, as only such hardware is given. */
  readonly pagewise?: boolean;
}

/** TLBI_NH_VA of one page, without a granule (Arm IHI 0070, 4.4.1). */
const TLBI_NH_VA = 0x12;

/** A trace of nothing but maps and unmaps. */
export function intentTrace({ iommu, kernel, times, pages, gapNs, pagewise = false }: Intents): MemoryTrace {
  const trace = new MemoryTrace({
    formatVersion: FORMAT_VERSION,
    tool: 'iorr',
    toolVersion: '0',
    sources: [{ format: 'made', producer: 'validation' }],
    host: { iommu, kernel },
    clock: { epochNs: '0', name: 'boot', resolutionNs: 1 },
    fidelity: { map: 'full', unmap: 'full' },
  });
  if (pagewise) {
    const row = trace.begin(STREAM_ID.inv, 0, 0, 1);
    const { columns } = trace.rows.inv;
    columns.dialect[row] = DIALECT.smmuv3;
    columns.form[row] = INV_FORM.decoded;
    columns.w0Lo[row] = TLBI_NH_VA;
    columns.w0Hi[row] = DOMAIN << 16;
    columns.w1Lo[row] = 0x1001;
    columns.w1Hi[row] = 0;
  }
  const bytes = pages * 4096;
  for (let i = 0; i < times; i++) {
    const page = FIRST_PAGE + (i % 64) * Math.max(512, pages);
    const low = (page * 4096) | 0;
    const high = Math.floor((page * 4096) / 2 ** 32);
    let row = trace.begin(STREAM_ID.map, 1000 + i * gapNs, 0, 1);
    const { map, unmap } = trace.rows;
    map.columns.domain[row] = DOMAIN;
    map.columns.iovaLo[row] = low;
    map.columns.iovaHi[row] = high;
    // not contiguous with the address in any larger unit: leaves are 4 KiB
    map.columns.physLo[row] = (low + 0x9000_1000) | 0;
    map.columns.physHi[row] = high;
    map.columns.sizeLo[row] = bytes;
    map.columns.prot[row] = 3;
    row = trace.begin(STREAM_ID.unmap, 1000 + i * gapNs + gapNs / 2, 0, 1);
    unmap.columns.domain[row] = DOMAIN;
    unmap.columns.iovaLo[row] = low;
    unmap.columns.iovaHi[row] = high;
    unmap.columns.sizeLo[row] = bytes;
    unmap.columns.unmappedLo[row] = bytes;
  }
  return trace;
}

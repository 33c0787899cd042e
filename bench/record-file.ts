import { plainEvents } from '../traces/event.ts';
import type { PlainEvent } from '../traces/event.ts';
import { FLUSH, INV_FORM, ORIGIN } from '../traces/schema.ts';
import type { Trace } from '../traces/trace.ts';
import { formatRequester } from '../traces/units.ts';
import { formatText, makeFormat, makeRecord } from './records/record-builder.ts';
import type { FieldValue } from './records/record-builder.ts';
import { SubBufferWriter } from './records/sub-buffer-writer.ts';
import type { WrittenEvent } from './records/sub-buffer-writer.ts';
import { writeDat6, writeDat7 } from './records/trace-dat-writer.ts';
import type { DatCompressor } from './records/trace-dat-writer.ts';

/** A simulated trace as the records that a kernel would have written: inputs of any size for `trace-dat`. */

const EVENTS = {
  map: ['u64 iova', 'u64 paddr', 'size_t size'],
  unmap: ['u64 iova', 'size_t size', 'size_t unmapped_size'],
  dma_map_page: [
    '__data_loc char[] device',
    'u64 phys_addr',
    'u64 dma_addr',
    'size_t size',
    'enum dma_data_direction dir',
    'unsigned long attrs',
  ],
  dma_unmap_page: [
    '__data_loc char[] device',
    'u64 addr',
    'size_t size',
    'enum dma_data_direction dir',
    'unsigned long attrs',
  ],
  qi_submit: ['u64 qw0', 'u64 qw1', 'u64 qw2', 'u64 qw3', '__data_loc char[] iommu'],
  cache_tag_flush_range: [
    '__data_loc char[] iommu',
    '__data_loc char[] dev',
    'u16 type',
    'u16 domain_id',
    'u32 pasid',
    'unsigned long start',
    'unsigned long end',
    'unsigned long addr',
    'unsigned long mask',
  ],
} as const;
type EventName = keyof typeof EVENTS;
const SYSTEMS: { readonly [E in EventName]: string } = {
  map: 'iommu',
  unmap: 'iommu',
  dma_map_page: 'dma',
  dma_unmap_page: 'dma',
  qi_submit: 'intel_iommu',
  cache_tag_flush_range: 'intel_iommu',
};
const NAMES = Object.keys(EVENTS) as readonly EventName[];
/** Numbers that a kernel gave to its events; any will do. */
const FIRST_ID = 400;

type Values = { readonly [field: string]: FieldValue };

/** The kernel's event and its fields; undefined for what a kernel can't see. */
function guestEvent({ stream, fields }: PlainEvent): readonly [EventName, Values] | undefined {
  const value = (name: string): FieldValue => (fields[name] ?? 0n) as FieldValue;
  switch (stream) {
    case 'map':
      return fields['origin'] === ORIGIN.iommu
        ? ['map', { iova: value('iova'), paddr: value('phys'), size: value('size') }]
        : ['dma_map_page', { ...dmaValues(fields), phys_addr: value('phys'), dma_addr: value('iova') }];
    case 'unmap':
      return fields['origin'] === ORIGIN.iommu
        ? ['unmap', { iova: value('iova'), size: value('size'), unmapped_size: value('unmapped') }]
        : ['dma_unmap_page', { ...dmaValues(fields), addr: value('iova') }];
    case 'flush': {
      if (fields['op'] !== FLUSH.range) return undefined;
      const range = { start: value('start'), end: value('end'), addr: value('addr'), mask: value('mask') };
      return ['cache_tag_flush_range', { iommu: 'dmar0', dev: 'dmar0', domain_id: value('domain'), ...range }];
    }
    case 'inv': {
      const { form, w0, w1 } = fields;
      // qi_submit is not called for wait descriptors (type 5).
      if (form !== INV_FORM.words || typeof w0 !== 'bigint' || (w0 & 0xfn) === 5n) return undefined;
      return ['qi_submit', { iommu: 'dmar0', qw0: w0, qw1: w1 as bigint }];
    }
    default:
      return undefined;
  }
}

function dmaValues(fields: PlainEvent['fields']): Values {
  return { device: formatRequester(Number(fields['device'])), size: fields['size'] as bigint, dir: 0 };
}

export interface RecordFile {
  readonly bytes: Uint8Array;
  readonly records: number;
}

/** The guest's side of a simulated trace as a trace.dat: of version 6, or of version 7 if there is a compressor. */
export function guestRecords(trace: Trace, compressor?: DatCompressor): RecordFile {
  const formats = Object.fromEntries(
    NAMES.map((name, i) => [name, makeFormat(`${SYSTEMS[name]}:${name}`, FIRST_ID + i, EVENTS[name])]),
  );
  const cpus: WrittenEvent[][] = [];
  let records = 0;
  for (const segment of trace.segments()) {
    for (const event of plainEvents(segment, trace.strings)) {
      const found = guestEvent(event);
      const format = found === undefined ? undefined : formats[found[0]];
      if (found === undefined || format === undefined) continue;
      const cpu = Math.max(event.cpu, 0);
      while (cpus.length <= cpu) cpus.push([]);
      const record = makeRecord(format, Math.max(event.task, 0), found[1]);
      cpus[cpu]?.push({ time: BigInt(event.time), record });
      records++;
    }
  }
  const events: Record<string, string[]> = {};
  NAMES.forEach((name, i) => {
    (events[SYSTEMS[name]] ??= []).push(formatText(name, FIRST_ID + i, EVENTS[name]));
  });
  const writer = new SubBufferWriter({ littleEndian: true });
  const data = cpus.map((list, cpu) => ({ cpu, data: writer.write(list) }));
  const content = { events, buffers: [{ name: '', clock: 'mono', cpus: data }] };
  return { bytes: compressor === undefined ? writeDat6(content) : writeDat7(content, compressor), records };
}

import { CALL, ORIGIN } from '../../../traces/schema.ts';
import { ABSENT } from '../../../traces/units.ts';
import type { ComputedNumber } from '../copied-row.ts';
import type { EventRecord, Extent, FieldReader, NumberReader, RecordConverter } from '../event-record.ts';
import { NO_NAME } from '../name-reader.ts';
import { PrintFlags } from '../print-flags.ts';
import type { AddressList } from '../rows/address-list.ts';
import { DIRECTIONS, MAX_LIST, sgLists, writeAllocSgt, writeMapSg, writeUnmapSg } from '../rows/dma-rows.ts';
import { copiedEvent, eventConverter } from './event-converter.ts';
import type { EventConverter } from './event-converter.ts';

/** Events of the DMA API (include/trace/events/dma.h). They name the device, and no domain. */

const found: Extent = { start: 0, end: 0 };

/** Linux before 6.13 has no direction in some of the events. */
const direction: ComputedNumber = (fields) => {
  if (!fields.has('dir')) return () => 0;
  const dir = fields.int('dir');
  return (record) => DIRECTIONS[dir(record)]?.prot ?? 0;
};

/** String-table index of the attributes' names; some events have none. */
const attributes: ComputedNumber = (fields) => {
  if (!fields.has('attrs')) return () => ABSENT;
  const { lo, hi } = fields.long('attrs');
  const flags = new PrintFlags(fields.printFormat, 'attrs');
  return (record, out) => flags.ref(out, lo(record), hi(record));
};

function mapEvents(names: readonly string[], call: number): EventConverter[] {
  const plan = {
    device: { device: 'device' },
    prot: direction,
    iova: 'dma_addr',
    size: 'size',
    attrs: attributes,
    origin: ORIGIN.dmaApi,
    call,
  } as const;
  // An allocation has a virtual address instead of a physical one.
  const all = call === CALL.alloc ? plan : ({ ...plan, phys: 'phys_addr' } as const);
  return names.map((name) => copiedEvent('dma', name, 'map', all));
}

function unmapEvents(names: readonly string[], call: number, iova: string): EventConverter[] {
  const plan = {
    device: { device: 'device' },
    iova,
    size: 'size',
    attrs: attributes,
    origin: ORIGIN.dmaApi,
    call,
  } as const;
  return names.map((name) => copiedEvent('dma', name, 'unmap', plan));
}

/** Lists lie where the string before them ends: at no multiple of 4. */
let listBytes: Uint8Array = new Uint8Array(0);
let listView = new DataView(listBytes.buffer);

/** Reads an array of u64 or u32 into a list. */
function listReader(
  fields: FieldReader,
  name: string,
  elementSize: 4 | 8,
): (r: EventRecord, to: AddressList) => boolean {
  const array = fields.array(name, elementSize);
  const little = fields.littleEndian;
  const low = little || elementSize === 4 ? 0 : 4;
  return (record, list) => {
    list.clear();
    if (!array(record, found)) return false;
    const { bytes } = record;
    if (bytes !== listBytes) {
      listBytes = bytes;
      listView = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    const view = listView;
    const count = Math.floor((found.end - found.start) / elementSize);
    if (count > MAX_LIST) return false;
    for (let i = 0, at = found.start; i < count; i++, at += elementSize) {
      list.add(view.getInt32(at + low, little), elementSize === 8 ? view.getInt32(at + 4 - low, little) : 0);
    }
    return true;
  };
}

function compileMapSg(fields: FieldReader): RecordConverter {
  const device = fields.device('device');
  const prot = direction(fields);
  const attrs = attributes(fields);
  const dma = listReader(fields, 'dma_addrs', 8);
  const sizes = listReader(fields, 'lengths', 4);
  const phys = listReader(fields, 'phys_addrs', 8);
  // The kernel cuts the lists at 128 elements and says so; older kernels do neither.
  const truncated: NumberReader = fields.has('truncated') ? fields.int('truncated') : () => 0;
  return (record, out) => {
    const { dma: addresses, sizes: lengths, phys: pages } = sgLists;
    if (!dma(record, addresses) || !sizes(record, lengths) || !phys(record, pages)) return false;
    if (addresses.count !== lengths.count) return false;
    const rid = device.read(record, out);
    if (rid === NO_NAME) return false;
    writeMapSg(out, rid, prot(record, out), attrs(record, out), truncated(record) !== 0);
    return true;
  };
}

function compileUnmapSg(fields: FieldReader): RecordConverter {
  const device = fields.device('device');
  const attrs = attributes(fields);
  const phys = listReader(fields, 'addrs', 8);
  return (record, out) => {
    if (!phys(record, sgLists.phys)) return false;
    const rid = device.read(record, out);
    if (rid === NO_NAME) return false;
    writeUnmapSg(out, rid, attrs(record, out));
    return true;
  };
}

function compileAllocSgt(fields: FieldReader): RecordConverter {
  const device = fields.device('device');
  const prot = direction(fields);
  const iova = fields.long('dma_addr');
  const size = fields.long('size');
  const attrs = attributes(fields);
  const phys = listReader(fields, 'phys_addrs', 8);
  return (record, out) => {
    if (!phys(record, sgLists.phys)) return false;
    const rid = device.read(record, out);
    if (rid === NO_NAME) return false;
    writeAllocSgt(
      out,
      rid,
      prot(record, out),
      iova.lo(record),
      iova.hi(record),
      size.lo(record),
      size.hi(record),
      attrs(record, out),
    );
    return true;
  };
}

/** dma_map_page and dma_unmap_page are dma_map_phys and dma_unmap_phys since Linux 6.18. */
export const DMA_CONVERTERS: readonly EventConverter[] = [
  ...mapEvents(['dma_map_page', 'dma_map_phys'], CALL.page),
  ...mapEvents(['dma_map_resource'], CALL.resource),
  ...mapEvents(['dma_alloc', 'dma_alloc_pages'], CALL.alloc),
  eventConverter('dma', 'dma_alloc_sgt', compileAllocSgt),
  eventConverter('dma', 'dma_map_sg', compileMapSg),
  ...unmapEvents(['dma_unmap_page', 'dma_unmap_phys'], CALL.page, 'addr'),
  ...unmapEvents(['dma_unmap_resource'], CALL.resource, 'addr'),
  ...unmapEvents(['dma_free', 'dma_free_pages', 'dma_free_sgt'], CALL.alloc, 'dma_addr'),
  eventConverter('dma', 'dma_unmap_sg', compileUnmapSg),
];

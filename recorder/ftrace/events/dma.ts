import { CALL } from '../../../traces/schema.ts';
import { ABSENT } from '../../../traces/units.ts';
import type { EventOutput } from '../event-output.ts';
import type { EventRecord, Extent, FieldReader, NumberReader, RecordConverter } from '../event-record.ts';
import { NO_NAME } from '../name-reader.ts';
import { PrintFlags } from '../print-flags.ts';
import type { AddressList } from '../rows/address-list.ts';
import {
  DIRECTIONS,
  MAX_LIST,
  sgLists,
  writeAllocSgt,
  writeDmaMap,
  writeDmaUnmap,
  writeMapSg,
  writeUnmapSg,
} from '../rows/dma-rows.ts';
import { eventConverter } from './event-converter.ts';
import type { EventConverter } from './event-converter.ts';

/** Events of the DMA API (include/trace/events/dma.h). They name the device, and no domain. */

const found: Extent = { start: 0, end: 0 };

/** Linux before 6.13 has no direction in some of the events. */
function direction(fields: FieldReader): NumberReader {
  if (!fields.has('dir')) return () => 0;
  const dir = fields.int('dir');
  return (record) => DIRECTIONS[dir(record)]?.prot ?? 0;
}

type AttributeReader = (record: EventRecord, out: EventOutput) => number;

/** String-table index of the attributes' names; some events have none. */
function attributes(fields: FieldReader): AttributeReader {
  if (!fields.has('attrs')) return () => ABSENT;
  const attrs = fields.long('attrs');
  const flags = new PrintFlags(fields.printFormat, 'attrs');
  return (record, out) => flags.ref(out, attrs.lo(record), attrs.hi(record));
}

function compileMap(fields: FieldReader, call: number): RecordConverter {
  const device = fields.device('device');
  const prot = direction(fields);
  const iova = fields.long('dma_addr');
  const size = fields.long('size');
  const attrs = attributes(fields);
  // An allocation has a virtual address instead of a physical one.
  const phys = call === CALL.alloc ? { lo: () => 0, hi: () => 0 } : fields.long('phys_addr');
  return (record, out) => {
    const rid = device(record, out);
    if (rid === NO_NAME) return false;
    writeDmaMap(
      out,
      call,
      rid,
      prot(record),
      iova.lo(record),
      iova.hi(record),
      phys.lo(record),
      phys.hi(record),
      size.lo(record),
      size.hi(record),
      attrs(record, out),
    );
    return true;
  };
}

function compileUnmap(fields: FieldReader, call: number, address: string): RecordConverter {
  const device = fields.device('device');
  const iova = fields.long(address);
  const size = fields.long('size');
  const attrs = attributes(fields);
  return (record, out) => {
    const rid = device(record, out);
    if (rid === NO_NAME) return false;
    writeDmaUnmap(
      out,
      call,
      rid,
      iova.lo(record),
      iova.hi(record),
      size.lo(record),
      size.hi(record),
      attrs(record, out),
    );
    return true;
  };
}

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
    const { view } = record;
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
    const rid = device(record, out);
    if (rid === NO_NAME) return false;
    writeMapSg(out, rid, prot(record), attrs(record, out), truncated(record) !== 0);
    return true;
  };
}

function compileUnmapSg(fields: FieldReader): RecordConverter {
  const device = fields.device('device');
  const attrs = attributes(fields);
  const phys = listReader(fields, 'addrs', 8);
  return (record, out) => {
    if (!phys(record, sgLists.phys)) return false;
    const rid = device(record, out);
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
    const rid = device(record, out);
    if (rid === NO_NAME) return false;
    writeAllocSgt(
      out,
      rid,
      prot(record),
      iova.lo(record),
      iova.hi(record),
      size.lo(record),
      size.hi(record),
      attrs(record, out),
    );
    return true;
  };
}

function events(names: readonly string[], compile: EventConverter['compile']): EventConverter[] {
  return names.map((name) => eventConverter('dma', name, compile));
}

/** dma_map_page and dma_unmap_page are dma_map_phys and dma_unmap_phys since Linux 6.18. */
export const DMA_CONVERTERS: readonly EventConverter[] = [
  ...events(['dma_map_page', 'dma_map_phys'], (fields) => compileMap(fields, CALL.page)),
  ...events(['dma_map_resource'], (fields) => compileMap(fields, CALL.resource)),
  ...events(['dma_alloc', 'dma_alloc_pages'], (fields) => compileMap(fields, CALL.alloc)),
  ...events(['dma_alloc_sgt'], compileAllocSgt),
  ...events(['dma_map_sg'], compileMapSg),
  ...events(['dma_unmap_page', 'dma_unmap_phys'], (fields) => compileUnmap(fields, CALL.page, 'addr')),
  ...events(['dma_unmap_resource'], (fields) => compileUnmap(fields, CALL.resource, 'addr')),
  ...events(['dma_free', 'dma_free_pages', 'dma_free_sgt'], (fields) => compileUnmap(fields, CALL.alloc, 'dma_addr')),
  ...events(['dma_unmap_sg'], compileUnmapSg),
];

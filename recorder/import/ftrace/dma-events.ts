import { ABSENT } from '../../../traces/units.ts';
import { CALL } from '../../../traces/schema.ts';
import {
  DIRECTIONS as KERNEL_DIRECTIONS,
  sgLists,
  writeAllocSgt,
  writeDmaMap,
  writeDmaUnmap,
  writeMapSg,
  writeUnmapSg,
} from '../../ftrace/rows/dma-rows.ts';
import { ascii } from '../byte-cursor.ts';
import { readAddressList } from './address-list.ts';
import { eventParser } from './event-line.ts';
import type { EventLine, EventParser } from './event-line.ts';

/** Events of the DMA API (include/trace/events/dma.h). They name the device, and no domain. */

const DIR = ascii(' dir=');
const DMA_ADDR = ascii(' dma_addr=');
const SIZE = ascii(' size=');
const PHYS_ADDR = ascii(' phys_addr=');
const ATTRS = ascii(' attrs=');
const TRUNCATED = ascii('[TRUNCATED]');
const DMA_ADDRS = ascii(' dma_addrs=');
const SIZES = ascii(' sizes=');
const PHYS_ADDRS = ascii(' phys_addrs=');

const DIRECTIONS = KERNEL_DIRECTIONS.map(({ name, prot }) => ({ name: ascii(name), prot }));

/** What every event of the DMA API begins with; read by `readDevice`. */
const common = { device: 0, prot: 0 };

/** `0000:00:03.0 dir=TO_DEVICE`; Linux before 6.13 prints no direction for allocations. */
function readDevice(line: EventLine): boolean {
  const { cursor } = line;
  if (!cursor.token()) return false;
  common.device = line.tokenDevice();
  common.prot = 0;
  const { pos } = cursor;
  if (!cursor.literal(DIR)) {
    cursor.pos = pos;
    return true;
  }
  const word = cursor.pos;
  for (const { name, prot } of DIRECTIONS) {
    cursor.pos = word;
    if (cursor.literal(name) && cursor.atBoundary()) {
      common.prot = prot;
      return true;
    }
  }
  return false;
}

/** ` attrs=SKIP_CPU_SYNC|NO_WARN`, anywhere in what is left; its string-table index, absent if there are none. */
function readAttributes(line: EventLine): number {
  const { cursor } = line;
  return cursor.find(ATTRS) && cursor.token() ? line.tokenRef() : ABSENT;
}

// 0000:00:03.0 dir=FROM_DEVICE dma_addr=ffffa000 size=4096 phys_addr=10ee60000 attrs=                  (map)
// 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=ffffe000 size=6726 virt_addr=0000000002ff1407 flags=GFP_KERNEL attrs=NO_WARN  (alloc)
function parseMap(line: EventLine, call: number): boolean {
  const { cursor } = line;
  if (!readDevice(line) || !cursor.literal(DMA_ADDR) || !cursor.hex()) return false;
  const iovaLo = cursor.lo;
  const iovaHi = cursor.hi;
  if (!cursor.literal(SIZE) || !cursor.decimal() || !cursor.atBoundary()) return false;
  const sizeLo = cursor.lo;
  const sizeHi = cursor.hi;
  let physLo = 0;
  let physHi = 0;
  // An allocation prints a hashed virtual address instead of a physical one.
  if (call !== CALL.alloc) {
    if (!cursor.literal(PHYS_ADDR) || !cursor.hex()) return false;
    physLo = cursor.lo;
    physHi = cursor.hi;
  }
  const attrs = readAttributes(line);
  const { device, prot } = common;
  writeDmaMap(line.out, call, device, prot, iovaLo, iovaHi, physLo, physHi, sizeLo, sizeHi, attrs);
  return true;
}

// 0000:00:03.0 dir=TO_DEVICE dma_addr=ffff82c0 size=48 attrs=                                           (unmap)
// 0000:00:06.0 dir=BIDIRECTIONAL dma_addr=fffff000 size=4096 virt_addr=00000000fa0ba37b attrs=          (free)
function parseUnmap(line: EventLine, call: number): boolean {
  const { cursor } = line;
  if (!readDevice(line) || !cursor.literal(DMA_ADDR) || !cursor.hex()) return false;
  const iovaLo = cursor.lo;
  const iovaHi = cursor.hi;
  if (!cursor.literal(SIZE) || !cursor.decimal() || !cursor.atBoundary()) return false;
  const sizeLo = cursor.lo;
  const sizeHi = cursor.hi;
  const attrs = readAttributes(line);
  writeDmaUnmap(line.out, call, common.device, iovaLo, iovaHi, sizeLo, sizeHi, attrs);
  return true;
}

const { dma, sizes, phys } = sgLists;

// 0000:00:04.0 dir=FROM_DEVICE nents=22/22 ents=1/1 dma_addrs={0xfff80000} sizes={0x20000} phys_addrs={0x111ea3000,...} attrs=NO_WARN
// The kernel cuts the lists at 128 elements and says so; an event of Linux 6.12 has no counts.
function parseMapSg(line: EventLine): boolean {
  const { cursor } = line;
  if (!readDevice(line)) return false;
  const { pos } = cursor;
  const cut = cursor.find(TRUNCATED);
  cursor.pos = pos;
  if (
    !cursor.find(DMA_ADDRS) ||
    !readAddressList(cursor, dma) ||
    !cursor.literal(SIZES) ||
    !readAddressList(cursor, sizes)
  )
    return false;
  if (dma.count !== sizes.count || !cursor.literal(PHYS_ADDRS) || !readAddressList(cursor, phys)) return false;
  const attrs = readAttributes(line);
  writeMapSg(line.out, common.device, common.prot, attrs, cut);
  return true;
}

// 0000:00:04.0 dir=FROM_DEVICE phys_addrs={0x111ea3000,0x11093d000,0x110938000} attrs=
// Only physical addresses: which mapping it was is found by those of its dma_map_sg.
function parseUnmapSg(line: EventLine): boolean {
  const { cursor } = line;
  if (!readDevice(line) || !cursor.literal(PHYS_ADDRS) || !readAddressList(cursor, phys)) return false;
  const attrs = readAttributes(line);
  writeUnmapSg(line.out, common.device, attrs);
  return true;
}

// 0000:00:04.0 dir=BIDIRECTIONAL dma_addr=fffc0000 size=65536 phys_addrs={0x10a000000,0x10b000000} flags=... attrs=
function parseAllocSgt(line: EventLine): boolean {
  const { cursor } = line;
  if (!readDevice(line) || !cursor.literal(DMA_ADDR) || !cursor.hex()) return false;
  const iovaLo = cursor.lo;
  const iovaHi = cursor.hi;
  if (!cursor.literal(SIZE) || !cursor.decimal()) return false;
  const sizeLo = cursor.lo;
  const sizeHi = cursor.hi;
  if (!cursor.find(PHYS_ADDRS) || !readAddressList(cursor, phys)) return false;
  const attrs = readAttributes(line);
  const { device, prot } = common;
  writeAllocSgt(line.out, device, prot, iovaLo, iovaHi, sizeLo, sizeHi, attrs);
  return true;
}

/** dma_map_page and dma_unmap_page are dma_map_phys and dma_unmap_phys since Linux 6.18. */
export const DMA_EVENTS: readonly EventParser[] = [
  eventParser('dma', ['dma_map_page', 'dma_map_phys'], (line) => parseMap(line, CALL.page)),
  eventParser('dma', ['dma_map_resource'], (line) => parseMap(line, CALL.resource)),
  eventParser('dma', ['dma_alloc', 'dma_alloc_pages'], (line) => parseMap(line, CALL.alloc)),
  eventParser('dma', ['dma_alloc_sgt'], parseAllocSgt),
  eventParser('dma', ['dma_map_sg'], parseMapSg),
  eventParser('dma', ['dma_unmap_page', 'dma_unmap_phys'], (line) => parseUnmap(line, CALL.page)),
  eventParser('dma', ['dma_unmap_resource'], (line) => parseUnmap(line, CALL.resource)),
  eventParser('dma', ['dma_free', 'dma_free_pages', 'dma_free_sgt'], (line) => parseUnmap(line, CALL.alloc)),
  eventParser('dma', ['dma_unmap_sg'], parseUnmapSg),
];

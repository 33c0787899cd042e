import { ACCESS, CALL, ORIGIN, STREAM_ID } from '../../../traces/schema.ts';
import type { EventOutput } from '../event-output.ts';
import { AddressList, SgBytes } from './address-list.ts';

/** Rows of the DMA API's events (include/trace/events/dma.h). `attrs` is a string-table index; `call` one of `CALL`. */

/** Names of enum dma_data_direction by number, and what the device may then do to the pages. */
export const DIRECTIONS = [
  { name: 'BIDIRECTIONAL', prot: ACCESS.read | ACCESS.write },
  { name: 'TO_DEVICE', prot: ACCESS.read },
  { name: 'FROM_DEVICE', prot: ACCESS.write },
  { name: 'NONE', prot: 0 },
] as const;

/** The kernel prints at most 128 elements of an array; what holds more than this many is damage. */
export const MAX_LIST = 65536;

/** The lists of the scatter-gather event at hand; readers fill them, the writers below take them from here. */
export const sgLists = { dma: new AddressList(), sizes: new AddressList(), phys: new AddressList() };
const sgBytes = new SgBytes();

export function writeDmaMap(
  out: EventOutput,
  call: number,
  device: number,
  prot: number,
  iovaLo: number,
  iovaHi: number,
  physLo: number,
  physHi: number,
  sizeLo: number,
  sizeHi: number,
  attrs: number,
): number {
  const row = out.begin(STREAM_ID.map);
  const columns = out.sink.rows.map.columns;
  columns.origin[row] = ORIGIN.dmaApi;
  columns.call[row] = call;
  columns.device[row] = device;
  columns.prot[row] = prot;
  columns.iovaLo[row] = iovaLo;
  columns.iovaHi[row] = iovaHi;
  columns.physLo[row] = physLo;
  columns.physHi[row] = physHi;
  columns.sizeLo[row] = sizeLo;
  columns.sizeHi[row] = sizeHi;
  columns.attrs[row] = attrs;
  return row;
}

export function writeDmaUnmap(
  out: EventOutput,
  call: number,
  device: number,
  iovaLo: number,
  iovaHi: number,
  sizeLo: number,
  sizeHi: number,
  attrs: number,
): number {
  const row = out.begin(STREAM_ID.unmap);
  const columns = out.sink.rows.unmap.columns;
  columns.origin[row] = ORIGIN.dmaApi;
  columns.call[row] = call;
  columns.device[row] = device;
  columns.iovaLo[row] = iovaLo;
  columns.iovaHi[row] = iovaHi;
  columns.sizeLo[row] = sizeLo;
  columns.sizeHi[row] = sizeHi;
  columns.attrs[row] = attrs;
  return row;
}

/** Takes all three `sgLists`; `dma` and `sizes` have the same number of elements. `cut`: the kernel left some out. */
export function writeMapSg(out: EventOutput, device: number, prot: number, attrs: number, cut: boolean): void {
  const { dma, sizes, phys } = sgLists;
  sizes.sum();
  const { sumLo, sumHi } = sizes;
  const row = writeDmaMap(
    out,
    CALL.sg,
    device,
    prot,
    dma.firstLo,
    dma.firstHi,
    phys.firstLo,
    phys.firstHi,
    sumLo,
    sumHi,
    attrs,
  );
  out.sink.setBytes(out.sink.rows.map.columns.list, row, sgBytes.encode(dma, sizes, phys));
  if (cut) out.health.add('truncated', 'dma_map_sg list', out.place());
}

/** Takes `phys` of `sgLists`. Only physical addresses: which mapping it was is found by those of its dma_map_sg. */
export function writeUnmapSg(out: EventOutput, device: number, attrs: number): void {
  const { dma, sizes, phys } = sgLists;
  dma.clear();
  sizes.clear();
  const row = writeDmaUnmap(out, CALL.sg, device, 0, 0, 0, 0, attrs);
  out.sink.setBytes(out.sink.rows.unmap.columns.list, row, sgBytes.encode(dma, sizes, phys));
}

/** Takes `phys` of `sgLists`: an allocation that is contiguous for the device and in pieces in memory. */
export function writeAllocSgt(
  out: EventOutput,
  device: number,
  prot: number,
  iovaLo: number,
  iovaHi: number,
  sizeLo: number,
  sizeHi: number,
  attrs: number,
): void {
  const { dma, sizes, phys } = sgLists;
  dma.clear();
  sizes.clear();
  dma.add(iovaLo, iovaHi);
  sizes.add(sizeLo, sizeHi);
  const { firstLo, firstHi } = phys;
  const row = writeDmaMap(out, CALL.alloc, device, prot, iovaLo, iovaHi, firstLo, firstHi, sizeLo, sizeHi, attrs);
  out.sink.setBytes(out.sink.rows.map.columns.list, row, sgBytes.encode(dma, sizes, phys));
}

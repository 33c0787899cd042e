import { ACCESS, ATTACH, CALL, ORIGIN, STREAM_ID } from '../../../traces/schema.ts';
import type { EventOutput } from '../event-output.ts';

/** Rows of the IOMMU core's events (include/trace/events/iommu.h). 64-bit values are given as low and high word. */

export function writeMap(
  out: EventOutput,
  iovaLo: number,
  iovaHi: number,
  physLo: number,
  physHi: number,
  sizeLo: number,
  sizeHi: number,
): void {
  const row = out.begin(STREAM_ID.map);
  const columns = out.sink.rows.map.columns;
  columns.origin[row] = ORIGIN.iommu;
  columns.call[row] = CALL.iommu;
  columns.iovaLo[row] = iovaLo;
  columns.iovaHi[row] = iovaHi;
  columns.physLo[row] = physLo;
  columns.physHi[row] = physHi;
  columns.sizeLo[row] = sizeLo;
  columns.sizeHi[row] = sizeHi;
}

export function writeUnmap(
  out: EventOutput,
  iovaLo: number,
  iovaHi: number,
  sizeLo: number,
  sizeHi: number,
  unmappedLo: number,
  unmappedHi: number,
): void {
  const row = out.begin(STREAM_ID.unmap);
  const columns = out.sink.rows.unmap.columns;
  columns.origin[row] = ORIGIN.iommu;
  columns.call[row] = CALL.iommu;
  columns.iovaLo[row] = iovaLo;
  columns.iovaHi[row] = iovaHi;
  columns.sizeLo[row] = sizeLo;
  columns.sizeHi[row] = sizeHi;
  columns.unmappedLo[row] = unmappedLo;
  columns.unmappedHi[row] = unmappedHi;
}

export function writeAttach(out: EventOutput, device: number): void {
  const row = out.begin(STREAM_ID.attach);
  const columns = out.sink.rows.attach.columns;
  columns.kind[row] = ATTACH.attach;
  columns.device[row] = device;
}

/** `kind`: `groupAdd` or `groupRemove` of `ATTACH`. */
export function writeGroup(out: EventOutput, kind: number, group: number, device: number): void {
  const row = out.begin(STREAM_ID.attach);
  const columns = out.sink.rows.attach.columns;
  columns.kind[row] = kind;
  columns.device[row] = device;
  columns.refs[row] = group;
}

/** `driver` is a string-table index. */
export function writeFault(
  out: EventOutput,
  driver: number,
  device: number,
  iovaLo: number,
  iovaHi: number,
  flags: number,
): void {
  const row = out.begin(STREAM_ID.fault);
  const columns = out.sink.rows.fault.columns;
  columns.unit[row] = driver;
  columns.rid[row] = device;
  columns.iovaLo[row] = iovaLo;
  columns.iovaHi[row] = iovaHi;
  columns.access[row] = accessOf(flags);
}

/** IOMMU_FAULT_READ is 0, IOMMU_FAULT_WRITE 1 (include/linux/iommu.h). */
export function accessOf(flags: number): number {
  return (flags & 1) === 1 ? ACCESS.write : ACCESS.read;
}

import { ATTACH } from '../../../traces/schema.ts';
import { writeAttach, writeFault, writeGroup, writeMap, writeUnmap } from '../../ftrace/rows/iommu-rows.ts';
import { ascii } from '../byte-cursor.ts';
import { eventParser } from './event-line.ts';
import type { EventLine, EventParser } from './event-line.ts';

/** Events of the IOMMU core (include/trace/events/iommu.h). They name no domain, and maps no device. */

const IOVA = ascii('IOMMU: iova=0x');
const TO = ascii(' - 0x');
const PADDR = ascii(' paddr=0x');
const SIZE = ascii(' size=');
const UNMAPPED = ascii(' unmapped_size=');
const DEVICE = ascii('IOMMU: device=');
const GROUP = ascii('IOMMU: groupID=');
const GROUP_DEVICE = ascii(' device=');
const FAULT = ascii('IOMMU:');
const FAULT_IOVA = ascii(' iova=0x');
const FAULT_FLAGS = ascii(' flags=0x');

// IOMMU: iova=0x00000000fff26000 - 0x00000000fff27000 paddr=0x000000010b496000 size=4096
function parseMap(line: EventLine): boolean {
  const { cursor } = line;
  if (!cursor.literal(IOVA) || !cursor.hex()) return false;
  const iovaLo = cursor.lo;
  const iovaHi = cursor.hi;
  if (!cursor.literal(TO) || !cursor.hex() || !cursor.literal(PADDR) || !cursor.hex()) return false;
  const physLo = cursor.lo;
  const physHi = cursor.hi;
  if (!cursor.literal(SIZE) || !cursor.decimal() || !cursor.atBoundary()) return false;
  writeMap(line.out, iovaLo, iovaHi, physLo, physHi, cursor.lo, cursor.hi);
  return true;
}

// IOMMU: iova=0x00000000ffff8000 - 0x00000000ffff9000 size=4096 unmapped_size=4096
function parseUnmap(line: EventLine): boolean {
  const { cursor } = line;
  if (!cursor.literal(IOVA) || !cursor.hex()) return false;
  const iovaLo = cursor.lo;
  const iovaHi = cursor.hi;
  if (!cursor.literal(TO) || !cursor.hex() || !cursor.literal(SIZE) || !cursor.decimal()) return false;
  const sizeLo = cursor.lo;
  const sizeHi = cursor.hi;
  if (!cursor.literal(UNMAPPED) || !cursor.decimal() || !cursor.atBoundary()) return false;
  writeUnmap(line.out, iovaLo, iovaHi, sizeLo, sizeHi, cursor.lo, cursor.hi);
  return true;
}

// IOMMU: device=0000:00:03.0
function parseAttach(line: EventLine): boolean {
  const { cursor } = line;
  if (!cursor.literal(DEVICE) || !cursor.token()) return false;
  writeAttach(line.out, line.tokenDevice());
  return true;
}

// IOMMU: groupID=8 device=0000:00:1f.2
function parseGroup(line: EventLine, kind: number): boolean {
  const { cursor } = line;
  if (!cursor.literal(GROUP) || !cursor.int()) return false;
  const group = cursor.lo;
  if (!cursor.literal(GROUP_DEVICE) || !cursor.token()) return false;
  writeGroup(line.out, kind, group, line.tokenDevice());
  return true;
}

// IOMMU:vfio-pci 0000:01:00.0 iova=0x0000000012345000 flags=0x0001
function parseFault(line: EventLine): boolean {
  const { cursor } = line;
  if (!cursor.literal(FAULT)) return false;
  cursor.skipSpaces();
  if (!cursor.token()) return false;
  const driver = line.tokenRef();
  cursor.skipSpaces();
  if (!cursor.token()) return false;
  const device = line.tokenDevice();
  if (!cursor.literal(FAULT_IOVA) || !cursor.hex()) return false;
  const iovaLo = cursor.lo;
  const iovaHi = cursor.hi;
  if (!cursor.literal(FAULT_FLAGS) || !cursor.hex() || !cursor.atBoundary()) return false;
  writeFault(line.out, driver, device, iovaLo, iovaHi, cursor.lo);
  return true;
}

export const IOMMU_EVENTS: readonly EventParser[] = [
  eventParser('iommu', ['map'], parseMap),
  eventParser('iommu', ['unmap'], parseUnmap),
  eventParser('iommu', ['attach_device_to_domain'], parseAttach),
  eventParser('iommu', ['add_device_to_group'], (line) => parseGroup(line, ATTACH.groupAdd)),
  eventParser('iommu', ['remove_device_from_group'], (line) => parseGroup(line, ATTACH.groupRemove)),
  eventParser('iommu', ['io_page_fault'], parseFault),
];

import { VIRTIO_REQUEST } from '../../../traces/dialects/virtio-fields.ts';
import { ACCESS, ATTACH, DIALECT, INV_FORM, RESET, STREAM_ID } from '../../../traces/schema.ts';
import { ABSENT } from '../../../traces/units.ts';
import { ascii } from '../byte-cursor.ts';
import type { ByteCursor } from '../byte-cursor.ts';
import { LINE } from './device-model.ts';
import type { DeviceModel, DeviceModelRun, QemuLine } from './device-model.ts';
import { EventTable } from './event-table.ts';
import { CommandWords, writeInv, writeReset } from './inv-rows.ts';

const DOMAIN = ascii('domain=');
const ENDPOINT = ascii(' endpoint=');
const START = ascii(' virt_start=0x');
const END = ascii(' virt_end=0x');
const PHYS = ascii(' phys_start=0x');
const FLAGS = ascii(' flags=');
const REASON = ascii('FAULT reason=');
const ADDRESS = ascii(' address =0x');
const ARROW = ascii(' -> 0x');
const FOR_SID = ascii(' for sid=');
/** Flag of a fault: its address means something (virtio 1.2, 5.13.6.9). */
const ADDRESS_VALID = 0x100;

class VirtioState {
  /** The newest DETACH, whose effect has a line too. */
  detachedDomain = -1;
  detachedEndpoint = -1;
}

const words = new CommandWords();

/** `domain=6`; unsigned, but printed as signed. */
function readDomain(cursor: ByteCursor): boolean {
  return cursor.literal(DOMAIN) && cursor.int();
}

function writeRequest(line: QemuLine): number {
  writeInv(line, line.time, DIALECT.virtio, INV_FORM.words, words);
  return LINE.event;
}

// domain=6 virt_start=0xffffe000 virt_end=0xffffffff phys_start=0x108af8000 flags=3
function parseRange(line: QemuLine, type: number): number {
  const { cursor } = line;
  words.clear();
  if (!readDomain(cursor)) return LINE.malformed;
  words.w0Lo = type;
  words.w0Hi = cursor.lo;
  if (!cursor.literal(START) || !cursor.hex()) return LINE.malformed;
  words.w1Lo = cursor.lo;
  words.w1Hi = cursor.hi;
  if (!cursor.literal(END) || !cursor.hex()) return LINE.malformed;
  words.w2Lo = cursor.lo;
  words.w2Hi = cursor.hi;
  if (type === VIRTIO_REQUEST.map) {
    if (!cursor.literal(PHYS) || !cursor.hex()) return LINE.malformed;
    words.w3Lo = cursor.lo;
    words.w3Hi = cursor.hi;
    if (!cursor.literal(FLAGS) || !cursor.int() || cursor.lo >>> 24 !== 0) return LINE.malformed;
    words.w0Lo |= cursor.lo << 8;
  }
  return cursor.atBoundary() ? writeRequest(line) : LINE.malformed;
}

// domain=6 endpoint=256
function readPair(cursor: ByteCursor): boolean {
  words.clear();
  if (!readDomain(cursor)) return false;
  words.w0Hi = cursor.lo;
  if (!cursor.literal(ENDPOINT) || !cursor.int() || !cursor.atBoundary()) return false;
  words.w1Lo = cursor.lo;
  return true;
}

function writeAttach(line: QemuLine, kind: number): void {
  const row = line.sink.begin(STREAM_ID.attach, line.time, ABSENT, line.task, line.source);
  const { columns } = line.sink.rows.attach;
  columns.kind[row] = kind;
  columns.device[row] = words.w1Lo;
  columns.domain[row] = words.w0Hi;
}

function parseAttach(_state: VirtioState, line: QemuLine): number {
  if (!readPair(line.cursor)) return LINE.malformed;
  words.w0Lo = VIRTIO_REQUEST.attach;
  writeRequest(line);
  writeAttach(line, ATTACH.attach);
  return LINE.event;
}

function parseDetach(state: VirtioState, line: QemuLine): number {
  if (!readPair(line.cursor)) return LINE.malformed;
  words.w0Lo = VIRTIO_REQUEST.detach;
  state.detachedDomain = words.w0Hi;
  state.detachedEndpoint = words.w1Lo;
  writeRequest(line);
  writeAttach(line, ATTACH.detach);
  return LINE.event;
}

// domain=6 endpoint=256
// By a DETACH, by the ATTACH to another domain, or by a reset.
function parseDetached(state: VirtioState, line: QemuLine): number {
  if (!readPair(line.cursor)) return LINE.malformed;
  const asked = state.detachedDomain === words.w0Hi && state.detachedEndpoint === words.w1Lo;
  state.detachedEndpoint = -1;
  state.detachedDomain = -1;
  if (asked) return LINE.folded;
  writeAttach(line, ATTACH.detach);
  return LINE.event;
}

// domain=6 virt_start=0xffff8000 virt_end=0xffff8fff
// Each mapping that a request removed: the effect of its request.
function parseUnmapDone(_state: VirtioState, line: QemuLine): number {
  const { cursor } = line;
  if (!readDomain(cursor) || !cursor.literal(START) || !cursor.hex()) return LINE.malformed;
  return cursor.literal(END) && cursor.hex() && cursor.atBoundary() ? LINE.folded : LINE.malformed;
}

// FAULT reason=2 flags=257 endpoint=256 address =0x900000000
function parseFault(_state: VirtioState, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.literal(REASON) || !cursor.int()) return LINE.malformed;
  const reason = cursor.lo;
  if (!cursor.literal(FLAGS) || !cursor.int()) return LINE.malformed;
  const flags = cursor.lo;
  if (!cursor.literal(ENDPOINT) || !cursor.int()) return LINE.malformed;
  const endpoint = cursor.lo;
  if (!cursor.literal(ADDRESS) || !cursor.hex() || !cursor.atBoundary()) return LINE.malformed;
  const row = line.sink.begin(STREAM_ID.fault, line.time, ABSENT, line.task, line.source);
  const { columns } = line.sink.rows.fault;
  columns.rid[row] = endpoint;
  columns.reason[row] = reason;
  columns.iovaLo[row] = (flags & ADDRESS_VALID) !== 0 ? cursor.lo : 0;
  columns.iovaHi[row] = (flags & ADDRESS_VALID) !== 0 ? cursor.hi : 0;
  // Flags 1, 2 and 4 are read, write and execute, as in `ACCESS`.
  columns.access[row] = flags & (ACCESS.read | ACCESS.write | ACCESS.execute);
  return LINE.event;
}

// 0xffffe040 -> 0x108af8040 for sid=256
// There is no cache: hit or miss means nothing.
function parseTranslated(_state: VirtioState, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.hex0x()) return LINE.malformed;
  const iovaLo = cursor.lo;
  const iovaHi = cursor.hi;
  if (!cursor.literal(ARROW) || !cursor.hex()) return LINE.malformed;
  const outLo = cursor.lo;
  const outHi = cursor.hi;
  if (!cursor.literal(FOR_SID) || !cursor.int() || !cursor.atBoundary()) return LINE.malformed;
  const row = line.sink.begin(STREAM_ID.dma, line.time, ABSENT, line.task, line.source);
  const { columns } = line.sink.rows.dma;
  columns.rid[row] = cursor.lo;
  columns.iovaLo[row] = iovaLo;
  columns.iovaHi[row] = iovaHi;
  columns.outLo[row] = outLo & ~0xfff;
  columns.outHi[row] = outHi;
  columns.pageShift[row] = 12;
  return LINE.event;
}

function parseReset(_state: VirtioState, line: QemuLine): number {
  writeReset(line, line.time, DIALECT.virtio, RESET.unitReset);
  return LINE.event;
}

/** hw/virtio/trace-events. */
const EVENTS = new EventTable<VirtioState>(
  {
    virtio_iommu_map: (_state, line) => parseRange(line, VIRTIO_REQUEST.map),
    virtio_iommu_unmap: (_state, line) => parseRange(line, VIRTIO_REQUEST.unmap),
    virtio_iommu_unmap_done: parseUnmapDone,
    virtio_iommu_attach: parseAttach,
    virtio_iommu_detach: parseDetach,
    virtio_iommu_detach_endpoint_from_domain: parseDetached,
    virtio_iommu_translate_out: parseTranslated,
    virtio_iommu_report_fault: parseFault,
    virtio_iommu_device_reset_exit: parseReset,
    virtio_iommu_device_reset: parseReset,
    virtio_iommu_system_reset: parseReset,
  },
  [
    'virtio_iommu_get_features',
    'virtio_iommu_device_status',
    'virtio_iommu_get_config',
    'virtio_iommu_set_config',
    'virtio_iommu_translate',
    'virtio_iommu_init_iommu_mr',
    'virtio_iommu_get_endpoint',
    'virtio_iommu_put_endpoint',
    'virtio_iommu_get_domain',
    'virtio_iommu_put_domain',
    'virtio_iommu_fill_resv_property',
    'virtio_iommu_notify_map',
    'virtio_iommu_notify_unmap',
    'virtio_iommu_remap',
    'virtio_iommu_update_page_size_mask',
    'virtio_iommu_set_page_size_mask',
    'virtio_iommu_notify_flag_add',
    'virtio_iommu_notify_flag_del',
    'virtio_iommu_switch_address_space',
    'virtio_iommu_freeze_granule',
    'virtio_iommu_host_resv_regions',
  ],
);

/** QEMU's virtio-iommu: the requests, which are its maps, unmaps and invalidations in one. */
export const virtioIommu: DeviceModel = {
  prefixes: ['virtio_iommu_'],
  iommu: 'virtio',
  fidelity: { inv: 'full', fault: 'full', attach: 'full' },
  create: () => new VirtioIommuRun(),
};

class VirtioIommuRun implements DeviceModelRun {
  readonly #state = new VirtioState();

  parse(line: QemuLine, bytes: Uint8Array, nameStart: number, nameEnd: number): number {
    return EVENTS.parse(this.#state, line, bytes, nameStart, nameEnd);
  }

  end(): ReadonlyMap<string, number> {
    return new Map();
  }
}

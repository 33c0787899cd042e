import { CALL_EVENT, ORIGIN, STREAM_ID } from '../../../traces/schema.ts';
import { ABSENT } from '../../../traces/units.ts';
import { eventRecord, writeCall, writeIoctl } from '../calls/call-rows.ts';
import { fileKind } from '../calls/file-kind.ts';
import { VFIO_FILES } from '../calls/vfio-files.ts';
import { parseHexWords, wordsOf } from '../calls/words.ts';
import { LINE } from './device-model.ts';
import type { DeviceModel, DeviceModelRun, QemuLine } from './device-model.ts';
import { VMM_CALLS } from './vmm-calls.ts';
import type { VmmCall, VmmFields } from './vmm-calls.ts';

const PAIR = /\b(\w+)=(0x[0-9a-f]{1,16}|-?\d{1,20})\b/g;
/** Result of the call: ` (0)`, ` (-1)`. */
const RESULT = / \((-?\d{1,9})\)$/;
/** `region_add [ram] 0x0 - 0xfffffff [0x7fcfb8e00000]`, `region_del 0x0 - 0xfffffff`. */
const REGION = /^region_(?:add \[ram\]|del) (0x[0-9a-f]{1,16}) - (0x[0-9a-f]{1,16})(?: \[(0x[0-9a-f]{1,16})\])?$/;

/**
 * QEMU as a user of VFIO: what its IOMMUFD back-end asked the kernel (`iommufd_backend_*`, `iommufd_cdev_*`), as the ioctls
 * that these calls are, with structs rebuilt from the fields that the lines print. The legacy back-end has no such lines: its
 * maps and unmaps are those of the memory listener (`vfio_listener_region_*`). All else of `vfio_*` is known and not carried.
 */
export const vmm: DeviceModel = {
  prefixes: ['iommufd_', 'vfio_', 'iommu_backend_'],
  fidelity: { ioctl: 'partial', call: 'partial', map: 'partial', unmap: 'partial' },
  create: () => new VmmRun(),
};

class VmmRun implements DeviceModelRun {
  /** Structs are asked of an iommufd: the listener's lines say nothing more. */
  #iommufd = false;
  #begun = false;

  parse(line: QemuLine, bytes: Uint8Array, nameStart: number, nameEnd: number): number {
    const name = text(bytes, nameStart, nameEnd);
    if (name.startsWith('iommufd_backend_connect')) this.#iommufd = true;
    const call = VMM_CALLS.get(name);
    if (call !== undefined) {
      this.#begin(line);
      return writeVmmCall(line, call, text(bytes, line.cursor.pos, line.cursor.end).trim());
    }
    if (name === 'vfio_listener_region_add_ram' || name === 'vfio_listener_region_del') {
      if (this.#iommufd) return LINE.ignored;
      return writeRegion(line, text(bytes, line.cursor.pos, line.cursor.end).trim());
    }
    return LINE.ignored;
  }

  /** A VMM's log begins with the VMM. */
  #begin(line: QemuLine): void {
    if (this.#begun) return;
    this.#begun = true;
    const who = { time: line.time, pid: ABSENT, tid: line.task };
    writeCall(line.sink, line.source, eventRecord(CALL_EVENT.start, 'start', who));
  }

  end(): ReadonlyMap<string, number> {
    return new Map();
  }
}

function text(bytes: Uint8Array, start: number, end: number): string {
  return new TextDecoder('latin1').decode(bytes.subarray(start, end));
}

function readFields(line: string, call: VmmCall): VmmFields | undefined {
  const fields = new Map<string, bigint>();
  for (const [, name = '', value = ''] of line.matchAll(PAIR)) fields.set(name, BigInt(value));
  const positional = call.pattern?.exec(line);
  if (positional === null) return undefined;
  for (const [name, value] of Object.entries(positional?.groups ?? {})) {
    if (/^-?\d{1,19}$/.test(value)) fields.set(name, BigInt(value));
  }
  return call.needs.every((name) => fields.has(name)) ? fields : undefined;
}

function writeVmmCall(line: QemuLine, call: VmmCall, args: string): number {
  const fields = readFields(args, call);
  if (fields === undefined) return LINE.malformed;
  const result = RESULT.exec(args)?.[1];
  const failed = result !== undefined && result !== '0';
  const who = { time: line.time, pid: ABSENT, tid: line.task };
  if (call.what === 'open' || call.what === 'close') {
    const fd = Number(fields.get('fd') ?? -1n);
    if (call.what === 'close' && fields.get('users') !== 0n) return LINE.ignored;
    if (call.what === 'open' && (fields.get('users') ?? 1n) !== 1n) return LINE.ignored;
    const kind = call.pattern === undefined ? VFIO_FILES.iommufd : fileKind(args.split(' ')[0] ?? '', ABSENT);
    const name = call.what === 'open' ? 'openat' : 'close';
    const record = eventRecord(CALL_EVENT.syscall, name, who, call.what === 'open' ? fd : 0);
    writeCall(line.sink, line.source, { ...record, kind, fd: call.what === 'open' ? ABSENT : fd });
    return LINE.event;
  }
  // The log says that a call failed, seldom why.
  const errno = failed ? (call.errno ?? -1) : 0;
  const { before, after } = call.structs(fields);
  writeIoctl(line.sink, line.source, {
    ...who,
    fd: Number(BigInt.asIntN(32, fields.get(call.fdField) ?? -1n)),
    duration: 0,
    ret: wordsOf(errno > 0 ? -errno : failed ? -1 : 0),
    errno,
    kind: call.fdField === 'iommufd' ? VFIO_FILES.iommufd : '/dev/vfio/devices/vfio0',
    memory: [],
    request: call.request,
    argument: undefined,
    before,
    after: failed ? before : after,
  });
  return LINE.event;
}

function writeRegion(line: QemuLine, args: string): number {
  const match = REGION.exec(args);
  const first = parseHexWords(match?.[1] ?? '');
  if (first === undefined) return LINE.malformed;
  const size = BigInt(match?.[2] ?? 0) - BigInt(match?.[1] ?? 0) + 1n;
  if (size <= 0n) return LINE.malformed;
  const added = match?.[3] !== undefined;
  const { sink, source, time, task } = line;
  const row = sink.begin(added ? STREAM_ID.map : STREAM_ID.unmap, time, ABSENT, task, source);
  const { columns } = added ? sink.rows.map : sink.rows.unmap;
  columns.origin[row] = ORIGIN.vfio;
  columns.iovaLo[row] = first.lo;
  columns.iovaHi[row] = first.hi;
  columns.sizeLo[row] = Number(BigInt.asIntN(32, size));
  columns.sizeHi[row] = Number(BigInt.asIntN(32, size >> 32n));
  return LINE.event;
}

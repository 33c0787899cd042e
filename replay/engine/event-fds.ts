import { errnoName } from '../../traces/errno-names.ts';
import type { AddressSpace } from '../model/iommufd/address-space.ts';
import { PROT } from '../model/iommufd/address-space.ts';
import { PAGE_SIZE } from '../model/iommufd/backing.ts';
import type { IommufdFile, Process } from '../model/iommufd/process.ts';
import type { SystemCall } from '../model/iommufd/system-calls.ts';

/** What a read or write of an event fd returned: recorded, and by the model. */
export interface EventTransfer {
  readonly name: string;
  readonly recorded: string;
  readonly model: string;
}

const READS = new Set(['read', 'pread64']);
const WRITES = new Set(['write', 'pwrite64']);

const FROM_DEVICE = 'page requests of a device: they are held against what the hardware recorded (pri)';

const POLLS = new Set(['poll', 'ppoll']);
/** struct pollfd {i32 fd, i16 events, i16 revents}. */
const POLLFD_BYTES = 8;
/** MAP_PRIVATE, MAP_TYPE, MAP_FIXED, MAP_FIXED_NOREPLACE. */
const MAP = { private: 2, type: 3, places: 0x10_0010 } as const;

function text(ret: number, bytes?: Uint8Array): string {
  if (ret < 0 || bytes === undefined) return String(ret);
  return `${ret}: ${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

function writable(memory: AddressSpace, at: number): (offset: number, length: number) => boolean {
  return (offset, length) => memory.accessible(at + offset, length, PROT.write);
}

/** What poll found on the fds of queues among those that it was asked for. */
function pollEvents(process: Process, { name, ret, memory }: SystemCall): EventTransfer | undefined {
  const bytes = memory?.find(({ field }) => field === 'fds')?.bytes;
  if (ret < 0 || bytes === undefined) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const recorded: string[] = [];
  const model: string[] = [];
  let title = name;
  for (let at = 0; at + POLLFD_BYTES <= bytes.length; at += POLLFD_BYTES) {
    const fd = view.getInt32(at, true);
    const file = process.fds.get(fd);
    const found = file?.poll?.();
    if (file === undefined || found === undefined) continue;
    title = `${file.kind} ${name}`;
    recorded.push(`fd ${fd} 0x${view.getUint16(at + 6, true).toString(16)}`);
    model.push(`fd ${fd} 0x${(found & view.getUint16(at + 4, true)).toString(16)}`);
  }
  return recorded.length === 0 ? undefined : { name: title, recorded: recorded.join(', '), model: model.join(', ') };
}

/** mmap of /dev/iommu: where it lands is the process's affair, whether it may is the context's. */
function mapRegion(process: Process, { args, fd, ret }: SystemCall): EventTransfer | undefined {
  const [, length = 0, prot = 0, flags = 0, , offset = 0] = args;
  const file = process.fds.get(fd < 0 ? (args[4] ?? -1) | 0 : fd);
  if (file?.kind !== 'iommufd' || (flags & MAP.places) !== 0 || length === 0 || offset % PAGE_SIZE !== 0)
    return undefined;
  const { context } = file as IommufdFile;
  if (context.partial) return undefined;
  const pages = Math.ceil(length / PAGE_SIZE) * PAGE_SIZE;
  const region = context.mmapRegions.map(offset, pages, prot, (flags & MAP.type) !== MAP.private);
  const outcome = (errno: number): string => (errno < 0 ? errnoName(-errno) : 'mapped');
  const failed = ret < 0 && ret > -4096;
  return {
    name: 'iommufd mmap',
    recorded: outcome(failed ? ret : 0),
    model: outcome(typeof region === 'number' ? region : 0),
  };
}

/**
 * Reads and writes of the fds of fault queues and event queues, done by the model too: the queue changes with them; polls of them;
 * maps of an iommufd's regions. Undefined for any other call; a text: why the call can't be judged. `devices`: page requests come
 * from devices, and not from calls that the model does.
 */
export function transferEvents(
  process: Process,
  call: SystemCall,
  devices = false,
): EventTransfer | string | undefined {
  const { name, ret } = call;
  if (POLLS.has(name)) {
    const found = pollEvents(process, call);
    return devices && found?.name.startsWith('fault') === true ? FROM_DEVICE : found;
  }
  if (name === 'mmap') return mapRegion(process, call);
  const reads = READS.has(name);
  if (!reads && !WRITES.has(name)) return undefined;
  const file = process.fds.get(call.fd);
  if (file?.kind !== 'fault' && file?.kind !== 'veventq') return undefined;
  if (devices && file.kind === 'fault') return FROM_DEVICE;
  const [, address = 0, count = 0, offset = 0] = call.args;
  const position = name.startsWith('p') ? BigInt(offset) : undefined;
  const title = `${file.kind} ${name}`;
  if (reads) {
    const model = file.read?.(count, position, writable(process.memory, address));
    if (model === undefined) return 'not modelled';
    if (typeof model === 'number') return { name: title, recorded: text(ret), model: text(model) };
    const recorded = ret >= 0 && call.data?.length === ret ? call.data : undefined;
    if (ret > 0 && recorded === undefined) return 'bytes read were not recorded';
    return { name: title, recorded: text(ret, recorded ?? new Uint8Array(0)), model: text(model.length, model) };
  }
  const { data } = call;
  const length = data?.length ?? 0;
  // What can't be read is refused without a look at it, and so recorded without bytes.
  if (length !== count && ret >= 0) return 'bytes written were not recorded';
  const bytes = length === count && data !== undefined ? data : new Uint8Array(count);
  if (length !== count && !process.memory.accessible(address, count, PROT.read))
    return 'memory written from is not known';
  const model = file.write?.(bytes, position);
  return model === undefined ? 'not modelled' : { name: title, recorded: text(ret), model: text(model) };
}

import type { AddressSpace } from '../model/iommufd/address-space.ts';
import { PROT } from '../model/iommufd/address-space.ts';
import type { Process } from '../model/iommufd/process.ts';
import type { SystemCall } from '../model/iommufd/system-calls.ts';

/** What a read or write of an event fd returned: recorded, and by the model. */
export interface EventTransfer {
  readonly name: string;
  readonly recorded: string;
  readonly model: string;
}

const READS = new Set(['read', 'pread64']);
const WRITES = new Set(['write', 'pwrite64']);

function text(ret: number, bytes?: Uint8Array): string {
  if (ret < 0 || bytes === undefined) return String(ret);
  return `${ret}: ${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

function writable(memory: AddressSpace, at: number): (offset: number, length: number) => boolean {
  return (offset, length) => memory.accessible(at + offset, length, PROT.write);
}

/**
 * Reads and writes of the fds of fault queues and event queues, done by the model too: the queue changes with them. Undefined
 * for any other call; a text: why the call can't be judged.
 */
export function transferEvents(process: Process, call: SystemCall): EventTransfer | string | undefined {
  const { name, ret } = call;
  const reads = READS.has(name);
  if (!reads && !WRITES.has(name)) return undefined;
  const file = process.fds.get(call.fd);
  if (file?.kind !== 'fault' && file?.kind !== 'veventq') return undefined;
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

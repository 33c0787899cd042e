import type { UserMemory } from '../../traces/user-memory.ts';
import type { MemoryRegion } from '../model/iommufd/address-space.ts';
import { errnoName } from '../../traces/errno-names.ts';
import type { Process } from '../model/iommufd/process.ts';
import { structField } from '../model/iommufd/struct-fields.ts';

/** Recorded results of one ioctl. */
export interface Recorded {
  readonly event: number;
  /** Negative where the source has no fds. */
  readonly fd: number;
  /** Kind of file, which some requests' meaning depends on. */
  readonly file: string | undefined;
  readonly request: number;
  /** Return value of the system call: negative for an errno. */
  readonly ret: number;
  readonly after: Uint8Array | undefined;
  readonly memory: readonly UserMemory[];
}

/** Where a region of a call's memory came from. */
export interface CallRegion extends MemoryRegion {
  readonly field: string;
}

export interface Difference {
  readonly field: string;
  readonly recorded: string;
  readonly model: string;
}

/** What differs, or why the call can't be judged whole. */
export function differences(
  recorded: Recorded,
  regions: readonly CallRegion[],
  model: number,
  process: Process,
): Difference[] | string {
  const found: Difference[] = [];
  if (recorded.ret !== model) found.push({ field: 'ret', recorded: retText(recorded.ret), model: retText(model) });
  let unseen: string | undefined;
  for (const region of regions) {
    const { bytes } = region;
    if (bytes === null) continue;
    const after = region.field === '' ? recorded.after : afterOf(recorded.memory, region);
    const expected = region.after ?? bytes;
    if (region.unknown) {
      unseen = 'data read from memory whose contents were not recorded';
      continue;
    }
    if (after === undefined || after === null) {
      if (region.after !== undefined) unseen = 'result not recorded';
      continue;
    }
    const at = firstDifference(after, expected);
    if (at < 0) continue;
    if (region.recalled) {
      unseen = 'data read is not what was last seen there: the program may have written meanwhile';
      continue;
    }
    const field =
      region.field === ''
        ? structField(recorded.request, bytes, at)
        : { name: region.field, offset: at & ~7, length: 8 };
    found.push({
      field: region.field === '' ? field.name : `${field.name}+${field.offset}`,
      recorded: hex(after, field.offset, field.length),
      model: hex(expected, field.offset, field.length),
    });
  }
  if (found.length > 0) return found;
  if (process.memory.unrecordedWrites > 0) return 'memory that the call wrote was not recorded';
  return unseen ?? found;
}

function afterOf(memory: readonly UserMemory[], region: CallRegion): Uint8Array | null | undefined {
  return memory.find(
    (item) => item.field === region.field && unsignedWords(item.addressLo, item.addressHi) === region.address,
  )?.after;
}

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i;
  return -1;
}

function hex(bytes: Uint8Array, offset: number, length: number): string {
  const part = bytes.slice(offset, offset + length).reverse();
  return `0x${[...part]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')
    .replace(/^0+(?=.)/, '')}`;
}

function retText(ret: number): string {
  return ret < 0 ? errnoName(-ret) : String(ret);
}

export function regionOf(item: UserMemory): CallRegion {
  const address = unsignedWords(item.addressLo, item.addressHi);
  return { field: item.field, address, bytes: item.before, after: undefined, unknown: false };
}

/** A 64-bit address or length of user memory: below 2^53 there. */
export function unsignedWords(lo: number, hi: number): number {
  return (hi >>> 0) * 2 ** 32 + (lo >>> 0);
}

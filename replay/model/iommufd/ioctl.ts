import type { Context } from './context.ts';
import { ERRNO } from './errno.ts';
import type { Process } from './process.ts';
import { StructView } from './struct-view.ts';

const EMPTY = new Uint8Array(0);

/** One ioctl on an iommufd, as its handler sees it. */
export interface IoctlCall {
  readonly context: Context;
  readonly process: Process;
  readonly request: number;
  /** The third argument: an address, or a value for the few calls that take one. */
  readonly argument: bigint;
  /** The kernel's zero-extended copy of the struct; empty for compat calls, which read for themselves. */
  readonly struct: StructView;
  /**
   * Copies the struct back: 0, or -EFAULT after `undo`. Only a handler that calls it changes the user's struct; min(user's
   * size, struct) bytes are written (iommufd_ucmd_respond).
   */
  respond(undo?: () => void): number;
}

/** 0 or positive: what the call returns; negative: an errno. */
export type IoctlHandler = (call: IoctlCall) => number;

/** An entry of the dispatch table (drivers/iommu/iommufd/main.c, iommufd_ioctl_ops). */
export interface IoctlSpec {
  readonly request: number;
  readonly name: string;
  /** Bytes up to which a caller must give the struct; less is EINVAL. */
  readonly minSize: number;
  readonly size: number;
  readonly handle: IoctlHandler;
}

/** Table by request number; throws on a double entry. */
export function ioctlTable(families: readonly (readonly IoctlSpec[])[]): ReadonlyMap<number, IoctlSpec> {
  const table = new Map<number, IoctlSpec>();
  for (const spec of families.flat()) {
    if (table.has(spec.request)) throw new Error(`request ${spec.request} is in the table twice`);
    table.set(spec.request, spec);
  }
  return table;
}

/** The kernel's copy of a struct lives as long as the call, and calls don't nest: one zeroed copy for each size. */
const SCRATCH = new Map<number, StructView>();

function scratch(size: number): StructView {
  let struct = SCRATCH.get(size);
  if (struct === undefined) {
    struct = new StructView(new Uint8Array(size));
    SCRATCH.set(size, struct);
  }
  struct.bytes.fill(0);
  return struct;
}

/** iommufd_fops_ioctl: copies the struct in, checks its size, calls the handler. */
export function runIoctl(
  table: ReadonlyMap<number, IoctlSpec>,
  compat: IoctlHandler,
  context: Context,
  process: Process,
  request: number,
  argument: bigint,
): number {
  const nr = request & 0xff;
  const { memory } = process;
  if (nr < 0x80 || nr > 0xa0) {
    const struct = new StructView(EMPTY);
    return compat({ context, process, request, argument, struct, respond: () => 0 });
  }
  const userSize = memory.readWord(argument);
  if (userSize === undefined) return -ERRNO.EFAULT;
  const spec = table.get(request);
  if (spec === undefined) return -ERRNO.ENOTTY;
  if (userSize < spec.minSize) return -ERRNO.EINVAL;
  const struct = scratch(spec.size);
  const { bytes } = struct;
  const ret = copyStruct(memory, argument, userSize, bytes);
  if (ret !== 0) return ret;
  const respond = (undo?: () => void): number => {
    if (memory.write(argument, userSize >= spec.size ? bytes : bytes.subarray(0, userSize))) return 0;
    undo?.();
    return -ERRNO.EFAULT;
  };
  return spec.handle({ context, process, request, argument, struct, respond });
}

/** copy_struct_from_user: a longer struct is accepted where what is beyond is zero, a shorter one is zero-extended. */
function copyStruct(memory: Process['memory'], address: bigint, userSize: number, into: Uint8Array): number {
  if (userSize > into.length) {
    const tail = memory.zeroTail(address + BigInt(into.length), userSize - into.length);
    if (tail !== 0) return tail;
  }
  return memory.readInto(address, userSize, into) ? 0 : -ERRNO.EFAULT;
}

import { PROT } from '../address-space.ts';
import { ERRNO } from '../errno.ts';
import type { Process } from '../process.ts';
import { StructView } from '../struct-view.ts';

/**
 * The first `bytes` of a VFIO struct, whose first word says how long the caller's is (argsz), or a negative errno: EFAULT
 * where they can't be read, EINVAL where the caller's is shorter. The kernel reads all the same, but a recording holds no more
 * than the struct says that it is long.
 */
export function readArgsz(process: Process, argument: bigint, bytes: number): StructView | number {
  const { memory } = process;
  const size = memory.read(argument, 4);
  if (size === undefined) return -ERRNO.EFAULT;
  if (new StructView(size).u32(0) < bytes) {
    return memory.accessible(Number(argument), bytes, PROT.read) ? -ERRNO.EINVAL : -ERRNO.EFAULT;
  }
  const head = memory.read(argument, bytes);
  return head === undefined ? -ERRNO.EFAULT : new StructView(head.slice());
}

/** Writes one u32 of a user's struct. */
export function writeWord(process: Process, address: bigint, value: number): boolean {
  const word = new StructView(new Uint8Array(4));
  word.setU32(0, value);
  return process.memory.write(address, word.bytes);
}

import { ReusedArrays } from '../array-pool.ts';
import { ColumnMachine, MACHINE_BYTES, fixedMemory } from './column-machine.ts';

/** Room for the arrays of nearly all segments; those that exceed it get some of their arrays elsewhere. */
const ARRAY_BYTES = 24 * 1024 * 1024;

/** Arrays in the memory of the machine that decodes into them. Plain ones without WebAssembly. */
export function decodingArrays(): ReusedArrays {
  const first = Math.ceil(MACHINE_BYTES / 64) * 64;
  const memory = fixedMemory(first + ARRAY_BYTES);
  if (memory === undefined) return new ReusedArrays();
  const { buffer } = memory;
  let top = first;
  return new ReusedArrays(
    (bytes) => {
      const at = top;
      if (at + bytes > buffer.byteLength) return [new ArrayBuffer(bytes), 0];
      top += Math.ceil(bytes / 64) * 64;
      return [buffer, at];
    },
    () => new ColumnMachine(memory, 0, false, (array) => array.buffer === buffer),
  );
}

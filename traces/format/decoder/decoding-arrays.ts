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

/** Arrays that were returned: the system provides a memory more slowly than segments are decoded into it. */
let spare: ReusedArrays | undefined;

/** Arrays to read a trace with, until they are returned; the reader of another trace gets others meanwhile. */
export function borrowArrays(): ReusedArrays {
  const arrays = spare ?? decodingArrays();
  spare = undefined;
  return arrays;
}

/** Nobody may look at them any more. */
export function returnArrays(arrays: ReusedArrays): void {
  spare = arrays;
}

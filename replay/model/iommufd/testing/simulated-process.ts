import { AddressSpace } from '../address-space.ts';
import { Backing } from '../backing.ts';
import type { Machine } from '../machine.ts';
import { Process } from '../process.ts';
import { StructView } from '../struct-view.ts';

/** Where `struct` puts a call's argument. */
export const ARGUMENT = 0x10_0000n;

/** A process with known memory: readable and writable from 1 MiB to 256 MiB. For tests. */
export function simulatedProcess(machine: Machine, pid = 1): Process {
  const memory = new AddressSpace({ complete: true, trusted: true });
  memory.map({ start: 0x10_0000, end: 0x1000_0000, prot: 3, shared: false, backing: new Backing(), page: 0 });
  const process = new Process(pid, memory);
  machine.processes.set(pid, process);
  return process;
}

/** Puts little-endian words, each of 4 bytes or (bigint) 8, at `ARGUMENT`. */
export function putStruct(process: Process, ...words: readonly (number | bigint)[]): void {
  const view = new StructView(
    new Uint8Array(words.reduce<number>((sum, word) => sum + (typeof word === 'number' ? 4 : 8), 0)),
  );
  let at = 0;
  for (const word of words) {
    if (typeof word === 'number') view.setU32(at, word);
    else view.setU64(at, word);
    at += typeof word === 'number' ? 4 : 8;
  }
  process.memory.remember(Number(ARGUMENT), view.bytes);
}

export function readStruct(process: Process, bytes: number): StructView {
  return new StructView(process.memory.recall(Number(ARGUMENT), bytes) ?? new Uint8Array(0));
}

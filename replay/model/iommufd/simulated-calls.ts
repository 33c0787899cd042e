import { AddressSpace } from './address-space.ts';
import { Backing, PAGE_SIZE } from './backing.ts';
import type { Backend } from './backend.ts';
import type { Context } from './context.ts';
import { iommufdIoctls } from './families.ts';
import { runIoctl } from './ioctl.ts';
import { Machine } from './machine.ts';
import { Process } from './process.ts';
import type { QuirkName } from './quirks.ts';
import { StructView } from './struct-view.ts';
import { openIommufd } from './iommufd-file.ts';
import { vfioCompat } from './vfio/compat.ts';

/** Where the simulated process has its call's struct, and what it can map. */
const ARGUMENT = 0x7000_0000;
export const BUFFER = 0x1000_0000;
export const BUFFER_BYTES = 0x1000_0000;

/** What a simulated call returned, and the struct afterwards. */
export interface SimulatedResult {
  readonly ret: number;
  readonly struct: StructView;
  readonly before: Uint8Array;
}

/** A process with an open /dev/iommu, whose calls are made by code instead of read from a recording. */
export class SimulatedCalls {
  readonly machine: Machine;
  readonly process: Process;
  readonly context: Context;
  /** The fd of /dev/iommu. */
  readonly fd: number;

  constructor(backend: Backend, quirks: readonly QuirkName[] = []) {
    this.machine = new Machine(backend, quirks);
    const memory = new AddressSpace({ complete: true, trusted: true });
    const map = (start: number, bytes: number, shared: boolean): void => {
      const backing = new Backing();
      backing.zeroed = true;
      memory.map({ start, end: start + bytes, prot: 3, shared, backing, page: 0 });
    };
    map(BUFFER, BUFFER_BYTES, true);
    map(ARGUMENT, PAGE_SIZE, false);
    this.process = new Process(1, memory);
    this.machine.processes.set(1, this.process);
    const file = openIommufd(this.machine);
    this.context = file.context;
    this.fd = this.process.install(file);
  }

  /** An ioctl with these 32-bit words of its struct; the first is its size, filled in. */
  call(request: number, ...words: readonly number[]): SimulatedResult {
    const before = new Uint8Array(4 + words.length * 4);
    const view = new StructView(before);
    view.setU32(0, before.length);
    for (let i = 0; i < words.length; i++) view.setU32(4 + i * 4, words[i] ?? 0);
    const region = { address: ARGUMENT, bytes: before, after: undefined as Uint8Array | undefined, unknown: false };
    const { memory } = this.process;
    memory.begin([region]);
    const ret = runIoctl(iommufdIoctls, vfioCompat, this.context, this.process, request, BigInt(ARGUMENT));
    memory.end();
    return { ret, struct: new StructView(region.after ?? before), before };
  }

  /** An ioctl of another process that has the context's fd, with what is at `argument` in its memory. */
  callBy(process: Process, request: number): number {
    return runIoctl(iommufdIoctls, vfioCompat, this.context, process, request, BigInt(ARGUMENT));
  }

  /** IOMMU_TEST_CMD: the id, and the words of the union from offset 16 on. */
  mock(op: number, id: number, ...words: readonly number[]): SimulatedResult {
    const rest = [...words, ...new Array<number>(14 - words.length).fill(0)];
    return this.call(0x3ba0, op, id, 0, ...rest);
  }

  get argument(): number {
    return ARGUMENT;
  }
}

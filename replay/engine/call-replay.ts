import { CALL_EVENT } from '../../traces/schema.ts';
import type { Columns } from '../../traces/schema.ts';
import { decodeMappings } from '../../traces/user-memory.ts';
import { AddressSpace } from '../model/iommufd/address-space.ts';
import { Backing } from '../model/iommufd/backing.ts';
import type { Machine } from '../model/iommufd/machine.ts';
import type { Process } from '../model/iommufd/process.ts';
import { applySystemCall, exec, exit, fork, processOf } from '../model/iommufd/system-calls.ts';
import type { SystemCall } from '../model/iommufd/system-calls.ts';
import { sameKernel } from '../model/iommufd/vfio/build-options.ts';
import { unsignedWords } from './ioctl-comparison.ts';
import { Doubts } from './ioctl-doubts.ts';
import { bytesOf, memoryOf, signed, unsigned } from './ioctl-events.ts';
import type { Births } from './ioctl-events.ts';

/** What a replay of calls needs besides the calls. */
export interface CallReplayOptions {
  readonly births: Births;
  /** Whether the source tells of other calls than ioctls. */
  readonly told: boolean;
  /** A machine on which nothing has run: a recording of several runs begins anew with each. */
  readonly newMachine: () => Machine;
}

/**
 * The processes of a recording and what its `call` events do to them: births and ends, files, memory, limits. Ioctls are run by
 * whoever holds this, on `process`.
 */
export class CallReplay {
  readonly doubts: Doubts;
  readonly #births: Births;
  readonly #newMachine: () => Machine;
  #machine: Machine;

  constructor({ births, told, newMachine }: CallReplayOptions) {
    this.#births = births;
    this.#newMachine = newMachine;
    this.#machine = newMachine();
    this.doubts = new Doubts(told);
  }

  get machine(): Machine {
    return this.#machine;
  }

  /** The process of an event; made from its parent where its first calls came before the note of its birth. */
  process(pid: number, event: number, execs = false): Process {
    if (!this.#machine.processes.has(pid)) {
      const parent = this.#births.parent(pid, event);
      if (parent !== undefined && parent !== pid) {
        this.process(parent, event);
        this.#fork(parent, pid);
      } else this.doubts.appeared(pid, execs);
    }
    return processOf(this.#machine, pid);
  }

  /** One `call` event of thread `task` (negative: not known). `watch` sees a system call before it has its effect on files and memory. */
  call(
    event: number,
    columns: Columns<'call'>,
    row: number,
    strings: readonly string[],
    task: number,
    watch?: (call: SystemCall) => void,
  ): void {
    const pid = columns.pid[row] ?? 0;
    const ret = signed(columns.retLo, columns.retHi, row);
    const name = strings[columns.name[row] ?? -1] ?? '';
    const execs = columns.event[row] === CALL_EVENT.exec || name === 'execve';
    if (columns.event[row] !== CALL_EVENT.start) this.process(pid, event, execs);
    switch (columns.event[row]) {
      case CALL_EVENT.start:
        this.#machine = sameKernel(this.#newMachine(), this.#machine);
        this.doubts.start(pid);
        break;
      case CALL_EVENT.fork:
        if (!this.#machine.processes.has(ret)) this.#fork(pid, ret);
        break;
      case CALL_EVENT.exec:
        exec(this.#machine, pid);
        break;
      case CALL_EVENT.exit:
        // Its other threads go on.
        if (task < 0 || task === pid) exit(this.#machine, pid);
        break;
      case CALL_EVENT.maps:
        processOf(this.#machine, pid).memory = mappedMemory(bytesOf(columns.data, row));
        break;
      case CALL_EVENT.syscall: {
        const call = systemCall(columns, row, name, strings);
        watch?.(call);
        if (OPENS.has(name) && ret >= 0) this.doubts.descriptor(pid, ret, lowestFree(processOf(this.#machine, pid)));
        applySystemCall(this.#machine, call);
        break;
      }
      default:
    }
  }

  /** What was lost may have written any memory, and made or removed objects. */
  lost(): void {
    for (const process of this.#machine.processes.values()) process.memory.forget();
    this.doubts.lost(this.#machine.processes.values());
  }

  #fork(parent: number, child: number): void {
    fork(this.#machine, parent, child);
    this.doubts.forked(parent, child);
  }
}

/** Calls that give the lowest free descriptor. */
const OPENS = new Set(['open', 'openat', 'memfd_create', 'eventfd2', 'socket', 'pidfd_open', 'dup', 'timerfd_create']);

function lowestFree({ fds }: Process): number {
  let fd = 0;
  while (fds.has(fd)) fd++;
  return fd;
}

function systemCall(columns: Columns<'call'>, row: number, name: string, strings: readonly string[]): SystemCall {
  const errno = columns.errno[row] ?? 0;
  const memory = memoryOf(columns.memory, row);
  const data = bytesOf(columns.data, row);
  return {
    name,
    pid: columns.pid[row] ?? 0,
    fd: columns.fd[row] ?? -1,
    args: [
      unsigned(columns.a0Lo, columns.a0Hi, row),
      unsigned(columns.a1Lo, columns.a1Hi, row),
      unsigned(columns.a2Lo, columns.a2Hi, row),
      unsigned(columns.a3Lo, columns.a3Hi, row),
      unsigned(columns.a4Lo, columns.a4Hi, row),
      unsigned(columns.a5Lo, columns.a5Hi, row),
    ],
    ret: errno > 0 ? -errno : signed(columns.retLo, columns.retHi, row),
    path: strings[columns.path[row] ?? -1],
    data: data.length > 0 ? data : (memory[0]?.before ?? undefined),
    memory: memory.map(({ field, addressLo, addressHi, before, after }) => ({
      field,
      address: unsignedWords(addressLo, addressHi),
      bytes: after ?? before ?? undefined,
    })),
  };
}

function mappedMemory(data: Uint8Array): AddressSpace {
  const memory = new AddressSpace({ complete: true });
  for (const mapping of decodeMappings(data)) {
    memory.map({
      start: unsignedWords(mapping.startLo, mapping.startHi),
      end: unsignedWords(mapping.endLo, mapping.endHi),
      prot: mapping.prot & 7,
      shared: (mapping.flags & 1) !== 0,
      backing: new Backing(),
      page: 0,
    });
  }
  return memory;
}

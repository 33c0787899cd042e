import { CALL_EVENT, SEEN, STREAM_ID } from '../../../traces/schema.ts';
import { ABSENT } from '../../../traces/units.ts';
import { isContainerOnly, vfioFile } from '../../import/calls/vfio-files.ts';
import type { EventOutput } from '../event-output.ts';
import { TaskTable } from '../task-table.ts';

/**
 * Rows of system calls: `raw_syscalls:sys_enter` and `sys_exit`, `syscalls:sys_enter_NAME` and `sys_exit_NAME`. A call is one
 * row, written when it returned. A kernel may have both kinds of events enabled; then they tell of the same call twice.
 */

/** Which of the two kinds of events told of a call. */
export const TOLD = { raw: 1, named: 2 } as const;

const MAX_ERRNO = 4095;
const ARGUMENTS = 6;

/** Calls whose first argument is an fd, of those that take part in what a model follows; `mmap` has it as the fifth. */
const FD_CALLS: ReadonlySet<string> = new Set(
  (
    'read write close fstat lseek ioctl pread64 pwrite64 readv writev fcntl dup dup2 dup3 ftruncate fallocate ' +
    'preadv pwritev preadv2 pwritev2 fsync fdatasync getdents64'
  ).split(' '),
);
const MMAP_FD = 4;

/** The arguments of the enter event at hand, as int32 words; readers fill them before `enter`. */
export const callArguments = { lo: new Int32Array(ARGUMENTS), hi: new Int32Array(ARGUMENTS) };

/** Events that a set of `TOLD` bits stands for. */
function eventsOf(told: number): number {
  return (told & 1) + (told >> 1);
}

/** Pairs what tasks enter with what they return from. */
export class SyscallPairs {
  readonly #tasks = new TaskTable(ARGUMENTS * 2);
  /** Per call number: string-table index of its name, and position of its fd argument (-1: none). */
  readonly #names = new Map<string, { readonly ref: number; readonly fd: number; readonly ioctl: boolean }>();
  #containerSeen = false;
  /** `TOLD` bits of the kinds of events that came. */
  told = 0;
  /** Events that are part of another event's row. */
  folded = 0;
  /** Returns whose beginning was not seen. */
  orphans = 0;
  /** Entered, and not returned from before the task entered the next call. */
  unfinished = 0;

  /** `name` is the call's (`ioctl`). Takes `callArguments`. Always folded: the row is written on return. */
  enter(out: EventOutput, name: string, told: number): void {
    const tasks = this.#tasks;
    const slot = tasks.slot(out.task);
    this.folded++;
    this.told |= told;
    if (tasks.entered[slot] !== 0) {
      if ((tasks.entered[slot]! & told) === 0 && tasks.left[slot] === 0 && tasks.name[slot] === name) {
        tasks.entered[slot]! |= told;
        return;
      }
      if (tasks.left[slot] === 0) {
        const events = eventsOf(tasks.entered[slot]!);
        this.unfinished += events;
        this.folded -= events;
      }
    }
    tasks.entered[slot] = told;
    tasks.left[slot] = 0;
    tasks.name[slot] = name;
    tasks.time[slot] = out.time;
    tasks.words.set(callArguments.lo, slot * ARGUMENTS * 2);
    tasks.words.set(callArguments.hi, slot * ARGUMENTS * 2 + ARGUMENTS);
  }

  /** True where a row was written. Every event is in one count: rows, `folded`, `orphans`, `unfinished`. */
  exit(out: EventOutput, name: string, told: number, retLo: number, retHi: number): boolean {
    const tasks = this.#tasks;
    const slot = tasks.find(out.task);
    if (slot < 0 || (tasks.entered[slot]! & told) === 0 || tasks.name[slot] !== name) {
      this.orphans++;
      return false;
    }
    const first = tasks.left[slot] === 0;
    tasks.left[slot]! |= told;
    const at = slot * ARGUMENTS * 2;
    if (first) this.#write(out, name, tasks.time[slot]!, tasks.words, at, retLo, retHi);
    else this.folded++;
    if (tasks.left[slot] === tasks.entered[slot]) tasks.entered[slot] = 0;
    return first;
  }

  /** Calls that never returned become `unfinished`; to be called once, at the end. */
  finish(): void {
    const tasks = this.#tasks;
    let open = 0;
    for (let slot = 0; slot < tasks.size; slot++) {
      if (tasks.left[slot] === 0) open += eventsOf(tasks.entered[slot]!);
    }
    this.unfinished += open + tasks.dropped;
    this.folded -= open + tasks.dropped;
  }

  #write(
    out: EventOutput,
    name: string,
    entered: number,
    words: Int32Array,
    at: number,
    retLo: number,
    retHi: number,
  ): void {
    const known = this.#known(out, name);
    const duration = Math.max(0, out.time - entered);
    const durationHi = Math.floor(duration / 4294967296);
    const failed = retHi === -1 && retLo < 0 && retLo >= -MAX_ERRNO;
    const fd = known.fd < 0 ? ABSENT : words[at + known.fd]!;
    if (known.ioctl) {
      const request = words[at + 1]!;
      this.#containerSeen ||= isContainerOnly(request);
      const kind = vfioFile(request, this.#containerSeen);
      const row = out.begin(STREAM_ID.ioctl);
      const columns = out.sink.rows.ioctl.columns;
      columns.fd[row] = fd;
      columns.request[row] = request;
      columns.durationLo[row] = duration | 0;
      columns.durationHi[row] = durationHi;
      columns.retLo[row] = retLo;
      columns.retHi[row] = retHi;
      columns.errno[row] = failed ? -retLo : 0;
      columns.path[row] = kind === undefined ? ABSENT : out.sink.intern(kind);
      columns.argLo[row] = words[at + 2]!;
      columns.argHi[row] = words[at + ARGUMENTS + 2]!;
      columns.seen[row] = SEEN.argument;
      return;
    }
    const row = out.begin(STREAM_ID.call);
    const columns = out.sink.rows.call.columns;
    columns.event[row] = CALL_EVENT.syscall;
    columns.name[row] = known.ref;
    columns.fd[row] = fd;
    columns.a0Lo[row] = words[at]!;
    columns.a0Hi[row] = words[at + 6]!;
    columns.a1Lo[row] = words[at + 1]!;
    columns.a1Hi[row] = words[at + 7]!;
    columns.a2Lo[row] = words[at + 2]!;
    columns.a2Hi[row] = words[at + 8]!;
    columns.a3Lo[row] = words[at + 3]!;
    columns.a3Hi[row] = words[at + 9]!;
    columns.a4Lo[row] = words[at + 4]!;
    columns.a4Hi[row] = words[at + 10]!;
    columns.a5Lo[row] = words[at + 5]!;
    columns.a5Hi[row] = words[at + 11]!;
    columns.durationLo[row] = duration | 0;
    columns.durationHi[row] = durationHi;
    columns.retLo[row] = retLo;
    columns.retHi[row] = retHi;
    columns.errno[row] = failed ? -retLo : 0;
  }

  #known(out: EventOutput, name: string): { readonly ref: number; readonly fd: number; readonly ioctl: boolean } {
    let known = this.#names.get(name);
    if (known === undefined) {
      const fd = name === 'mmap' ? MMAP_FD : FD_CALLS.has(name) ? 0 : -1;
      known = { ref: out.sink.intern(name), fd, ioctl: name === 'ioctl' };
      this.#names.set(name, known);
    }
    return known;
  }
}

import {
  GET_DEVICE_FD,
  NO_STRUCT,
  POINTER_FIELDS,
  QUEUE_FDS,
  SET_MEM_TABLE,
  VFIO_TYPE,
  VHOST_TYPE,
} from './struct-memory.ts';
import type { PointerField } from './struct-memory.ts';

/**
 * The program that bpftrace runs for us. It prints one line per step, in words that `bpftrace-lines.ts` reads:
 *
 *     S NSECS CPUS PROBES                          it begins; names of probes with commas between them, or -
 *     T NSECS CPU                                  five times a second: what CPU did before has been printed
 *     B|A TID ENTERED OFFSET WORDS                 struct before|after, a chunk of it
 *     M|N TID ENTERED FIELD ADDRESS LENGTH         a pointer of the struct, before|after
 *     m|n TID ENTERED OFFSET WORDS                 a chunk of what it points to
 *     E ENTERED PID TID CPU FD REQUEST ARGUMENT SIZE MODE FOLDER NAME    it came; all of its chunks went before
 *     X ENTERED TID NSECS CPU RESULT SIZE          it returned
 *     D TID ENTERED OFFSET WORDS                   bytes read from or written to a fault queue
 *     R ENTERED PID TID NSECS CPU FD RESULT read|write ADDRESS COUNT
 *     K NSECS PID TID CPU RESULT FLAGS             memfd_create: MAP_FILE maps such files
 *     O, C, F, Z                                   a file was opened, closed; a process was made, ended
 *
 * OFFSET counts from the last multiple of 8 at or before the address. ENTERED, with the thread, tells which call a line belongs to: lines of different CPUs come in any order. Memory that can't
 * be read gives zeros: bpftrace 0.17 tells only with a message for each look-up of any map that finds nothing (-kk).
 */

/** Bytes of a struct that are read; those of IOMMUFD have at most 128, VFIO's carry lists of their own. */
export const STRUCT_BYTES = 4096;
/** Bytes of what a pointer points to: a bit for each page of 8 GiB. Twice as much is beyond what the kernel verifies. */
export const POINTED_BYTES = 256 * 1024;
/** Bytes of a fault queue that one call reads or writes. */
export const QUEUE_BYTES = 4096;
/** Bytes in one line, as words: `buf()` takes bpftrace ten times as long to print, and zeros tell no less. */
export const CHUNK_BYTES = 128;
const CHUNK_FORMAT = ' %llx'.repeat(CHUNK_BYTES / 8);
const CHUNK_WORDS = Array.from({ length: CHUNK_BYTES / 8 }, (_, i) => `*(uint64*)uptr($a + ${i * 8})`).join(', ');

export interface ProgramOptions {
  /** Undefined: everybody. */
  readonly pids: readonly number[] | undefined;
  /** CPUs of the machine; 0: it is not known on which it will run. */
  readonly cpus: number;
  /** Types of ioctls that are recorded as well; `undefined` in place of them: all. */
  readonly types: readonly number[] | 'all';
  /** The kernel tells the layout of its structs (BTF): files are known by name, however they came to be open. */
  readonly btf: boolean;
  /** Probes of kernel functions. */
  readonly probes: string;
  readonly probeNames: readonly string[];
}

class ProgramText {
  readonly #types: readonly number[] | 'all';

  constructor({ types }: ProgramOptions) {
    this.#types = types;
  }

  /**
   * A loop over memory, from the last multiple of 8 at or before `from`: words that don't cross a page are there or not. The last
   * line goes beyond the end. `from` and `length` are variables. Conditions are few: the kernel's verifier walks through all
   * rounds.
   */
  chunks(tag: string, entered: string, from: string, length: string, limit: number): string {
    return `
  $at = (uint64)0; $base = ${from} & 0xfffffffffffffff8; $end = ${length} + (${from} & 7);
  while ($at < ${limit}) {
    if ($at >= $end) { break; }
    $a = $base + $at;
    printf("${tag} %d %llx %llx${CHUNK_FORMAT}\\n", tid, ${entered}, $at, ${CHUNK_WORDS});
    $at = $at + ${CHUNK_BYTES};
  }`;
  }

  /**
   * Two programs: one that looks for the pointer, and one with a single loop for all of them. What is handed over in a map is a
   * plain number to the verifier, which else would walk through the loop once for each kind of pointer.
   */
  pointers(when: 'before' | 'after', probe: string): string {
    const tag = when === 'before' ? 'M' : 'N';
    const fields = POINTER_FIELDS.map((field, i) => pointed(field, i, tag)).join('');
    return `
${probe} /@time[tid]/ {
  ${OF_CALL}${fields}
}
${probe} /@bytes[tid]/ {
  $t = @time[tid]; $p = @from[tid]; $n = @bytes[tid];${this.chunks(tag.toLowerCase(), '$t', '$p', '$n', POINTED_BYTES)}
  delete(@from[tid]); delete(@bytes[tid]);
}`;
  }

  /** Which requests are recorded. */
  get wanted(): string {
    if (this.#types === 'all') return '1';
    const types = [...new Set([VFIO_TYPE, VHOST_TYPE, ...this.#types])];
    return `(${types.map((type) => `((args->cmd >> 8) & 0xff) == ${type}`).join(' || ')})`;
  }
}

/** Beyond the 32 bits of the flags: a map has no key whose value is 0. */
const MEMFD_SEEN = '0x100000000';

/** What the first program of a call kept for the others: the stack of one is too small for all (512 bytes). */
const OF_CALL = '$t = @time[tid]; $cmd = @cmd[tid]; $arg = @arg[tid];';

function requestOf(nr: number): number {
  return (VFIO_TYPE << 8) | nr;
}

/** `u32(8)` becomes a read of the struct that `$arg` points to. */
function readFields(expression: string): string {
  return expression.replace(/u(32|64)\((\d+)\)/g, (_, bits: string, at: string) => {
    return `(uint64)*(uint${bits}*)uptr($arg + ${at})`;
  });
}

/** Twice: what only the user writes may not be in memory when the call comes, and what the kernel writes may add to what is there. */
function pointed({ nr, offset, length, only }: PointerField, index: number, tag: string): string {
  const which = only === undefined ? '' : ` && ${readFields(only)}`;
  return `
  if ($cmd == ${requestOf(nr)}${which}) {
    $p = *(uint64*)uptr($arg + ${offset}); $n = ${readFields(length)};
    @from[tid] = $p; @bytes[tid] = $n;
    printf("${tag} %d %llx ${index} %llx %llx\\n", tid, $t, $p, $n);
  }`;
}

const NO_STRUCT_SIZES = NO_STRUCT.map(
  ({ nr, bytes }) => `
    if ($cmd == ${requestOf(nr)}) { $size = (uint64)${bytes}; }`,
).join('');

/** The size of the struct: in the request's own number (`_IOC_SIZE`), else, of type 0x3b, in its first word. */
const SIZE = `
  $size = ($cmd >> 16) & 0x3fff;
  if ($cmd == ${SET_MEM_TABLE}) { $size = (uint64)8 + (uint64)*(uint32*)uptr($arg) * 32; }
  if ((($cmd >> 8) & 0xffffff) == ${VFIO_TYPE}) {
    $size = (uint64)*(uint32*)uptr($arg);${NO_STRUCT_SIZES}
  }`;

/**
 * The file of `args->fd`: what `stat` calls its mode, and its last name. Each struct is named: bpftrace 0.23 looks up the fields of
 * those alone that it meets by name.
 */
const FILE = `
  $file = (struct file *)*(((struct task_struct *)curtask)->files->fdt->fd + args->fd);
  $mode = (uint64)$file->f_inode->i_mode;
  $dentry = (struct dentry *)$file->f_path.dentry;
  $name = (uint64)$dentry->d_name.name;
  $parent = (struct dentry *)$dentry->d_parent;
  $folder = (uint64)$parent->d_name.name;`;
/** The folder's name, then its own, as words: a text of bpftrace takes half of the stack. */
const NAME_WORDS = 5;
const NAME = ['$folder', '$name', '$name + 8', '$name + 16', '$name + 24']
  .map((at) => `*(uint64*)kptr(${at})`)
  .join(', ');

/** Files that a call made: of queues, reads and writes are told, of all of them the close. */
const QUEUES = `
  if ($cmd == ${GET_DEVICE_FD} && (int64)args->ret >= 0) { @open[pid, (uint64)args->ret] = 1; }
  if ((int64)args->ret == 0) {${QUEUE_FDS.map(
    ({ nr, offset, only }) => `
    if ($cmd == ${requestOf(nr)}${only === undefined ? '' : ` && ${readFields(only)}`}) { @queue[pid, (uint64)*(uint32*)uptr($arg + ${offset})] = 1; }`,
  ).join('')}
  }`;

function queueProbes(text: ProgramText, ours: string): string {
  const probes = (['read', 'write'] as const).map((name) => {
    // What is written is there before, what was read behind.
    const bytes = text.chunks('D', '$t', '$p', '$n', QUEUE_BYTES);
    const before = name === 'write' ? `\n  $t = nsecs; $p = (uint64)args->buf; $n = (uint64)args->count;${bytes}` : '';
    const behind =
      name === 'read'
        ? `\n  $p = @qbuf[tid]; $n = (uint64)0; if ((int64)args->ret > 0) { $n = (uint64)args->ret; }${bytes}`
        : '';
    return `
tracepoint:syscalls:sys_enter_${name} /${ours} && @queue[pid, (uint64)args->fd]/ {${before === '' ? '\n  $t = nsecs;' : before}
  @qtime[tid] = $t; @qfd[tid] = (uint64)args->fd; @qbuf[tid] = (uint64)args->buf; @qcount[tid] = (uint64)args->count;
}
tracepoint:syscalls:sys_exit_${name} /@qtime[tid]/ {
  $t = @qtime[tid];${behind}
  printf("R %llx %d %d %llx %d %d %llx ${name} %llx %llx\\n", $t, pid, tid, nsecs, cpu, @qfd[tid], args->ret, @qbuf[tid], @qcount[tid]);
  delete(@qtime[tid]); delete(@qfd[tid]); delete(@qbuf[tid]); delete(@qcount[tid]);
}`;
  });
  return probes.join('');
}

function followers(pids: readonly number[] | undefined): string {
  if (pids === undefined) return '';
  return `
tracepoint:task:task_newtask /@tree[pid]/ {
  @tree[args->pid] = 1;
  printf("F %llx %d %d %d %d\\n", nsecs, pid, tid, cpu, args->pid);
}
tracepoint:sched:sched_process_exit /pid == tid && @tree[pid]/ {
  delete(@tree[pid]);
  printf("Z %llx %d %d\\n", nsecs, pid, cpu);
}`;
}

/** Program text. Pure: the same options give the same text. */
export function bpftraceProgram(options: ProgramOptions): string {
  const { pids, btf, probes } = options;
  const text = new ProgramText(options);
  const ours = pids === undefined ? '1' : '@tree[pid]';
  const begin = (pids ?? []).map((pid) => ` @tree[${pid}] = 1;`).join('');
  const [file, mode, name] = btf
    ? [FILE, '$mode', NAME]
    : ['', '0', Array.from({ length: NAME_WORDS }, () => '0').join(', ')];
  const maps = [
    'cmd',
    'arg',
    'time',
    'now',
    'from',
    'bytes',
    'path',
    'open',
    'queue',
    'qtime',
    'qfd',
    'qbuf',
    'qcount',
    'flags',
  ];
  const all = pids === undefined ? maps : [...maps, 'tree'];
  return `BEGIN {${begin} printf("S %llx ${options.cpus} ${options.probeNames.join(',') || '-'}\\n", nsecs); }
profile:hz:5 { printf("T %llx %d\\n", nsecs, cpu); }${followers(pids)}
tracepoint:syscalls:sys_enter_openat /${ours}/ { @path[tid] = (uint64)args->filename; }
tracepoint:syscalls:sys_exit_openat /@path[tid] && strncmp(str(uptr((uint8*)@path[tid])), "/dev/", 5) == 0/ {
  if (args->ret >= 0) { @open[pid, (uint64)args->ret] = 1; }
  printf("O %llx %d %d %d %lld %s\\n", nsecs, pid, tid, cpu, args->ret, str(uptr((uint8*)@path[tid])));
}
tracepoint:syscalls:sys_exit_openat /@path[tid]/ { delete(@path[tid]); }
tracepoint:syscalls:sys_enter_memfd_create /${ours}/ { @flags[tid] = (uint64)args->flags | ${MEMFD_SEEN}; }
tracepoint:syscalls:sys_exit_memfd_create /@flags[tid]/ {
  if (args->ret >= 0) { @open[pid, (uint64)args->ret] = 1; }
  printf("K %llx %d %d %d %lld %llx\\n", nsecs, pid, tid, cpu, args->ret, @flags[tid]);
  delete(@flags[tid]);
}
tracepoint:syscalls:sys_enter_close /${ours} && (@open[pid, (uint64)args->fd] || @queue[pid, (uint64)args->fd])/ {
  delete(@open[pid, (uint64)args->fd]);
  delete(@queue[pid, (uint64)args->fd]);
  printf("C %llx %d %d %d %d\\n", nsecs, pid, tid, cpu, args->fd);
}
tracepoint:syscalls:sys_enter_ioctl /${ours} && ${text.wanted}/ {
  $t = nsecs; $cmd = (uint64)args->cmd; $arg = (uint64)args->arg;
  @cmd[tid] = $cmd; @arg[tid] = $arg; @time[tid] = $t;${SIZE}${text.chunks('B', '$t', '$arg', '$size', STRUCT_BYTES)}
}${text.pointers('before', 'tracepoint:syscalls:sys_enter_ioctl')}
tracepoint:syscalls:sys_enter_ioctl /@time[tid]/ {
  ${OF_CALL}${SIZE}${file}
  printf("E %llx %d %d %d %d %llx %llx %llx %llx${' %llx'.repeat(NAME_WORDS)}\\n", $t, pid, tid, cpu, args->fd, $cmd, $arg, $size, ${mode}, ${name});
}
tracepoint:syscalls:sys_exit_ioctl /@time[tid]/ {
  @now[tid] = nsecs;
  ${OF_CALL}${SIZE}${text.chunks('A', '$t', '$arg', '$size', STRUCT_BYTES)}
}${text.pointers('after', 'tracepoint:syscalls:sys_exit_ioctl')}
tracepoint:syscalls:sys_exit_ioctl /@time[tid]/ {
  ${OF_CALL}${SIZE}
  ${QUEUES}
  printf("X %llx %d %llx %d %llx %llx\\n", $t, tid, @now[tid], cpu, args->ret, $size);
  delete(@cmd[tid]); delete(@arg[tid]); delete(@time[tid]); delete(@now[tid]);
}${queueProbes(text, ours)}
${probes}END { ${all.map((map) => `clear(@${map});`).join(' ')} }
`;
}

import { NO_STRUCT, POINTER_FIELDS, VFIO_TYPE, VHOST_TYPE } from './struct-memory.ts';
import type { PointerField } from './struct-memory.ts';

/**
 * The program that bpftrace runs for us. It prints one line per step, in words that `bpftrace-lines.ts` reads. Memory is read
 * as 64-bit words: bpftrace prints them without any doubt, and each that can't be read is 0.
 */

/** Bytes in one line. */
export const PIECE_BYTES = 64;
/** Bytes of a struct that are read; the largest of IOMMUFD and VFIO have 128. */
export const STRUCT_BYTES = 256;
/** Bytes of what a pointer points to. */
export const POINTED_BYTES = 512;

const WORDS = PIECE_BYTES / 8;
const WORD_FORMAT = ' %llx'.repeat(WORDS);

function wordsAt(address: string): string {
  return Array.from({ length: WORDS }, (_, i) => `*(uint64*)uptr(${address} + ${i * 8})`).join(', ');
}

/** Lines for the pieces of memory from `from` on; each only where the memory is that long. */
function pieces(tag: string, address: string, length: string, from: number, to: number): string {
  let text = '';
  for (let at = from; at < to; at += PIECE_BYTES) {
    text += `  if (${length} > ${at}) { printf("${tag} %d %d${WORD_FORMAT}\\n", tid, ${at}, ${wordsAt(`${address} + ${at}`)}); }\n`;
  }
  return text;
}

/** `u32(8)` becomes a read of the struct that `$arg` points to. */
function readFields(expression: string): string {
  return expression.replace(/u(32|64)\((\d+)\)/g, (_, bits: string, at: string) => `*(uint${bits}*)uptr($arg + ${at})`);
}

function pointed({ nr, offset, length }: PointerField, index: number, when: 'before' | 'after'): string {
  const tag = when === 'before' ? 'M' : 'N';
  return `
  if ($cmd == ${(VFIO_TYPE << 8) | nr}) {
  $p = *(uint64*)uptr($arg + ${offset});
  $n = (uint64)${readFields(length)};
  printf("${tag} %d ${index} %llx %llx\\n", tid, $p, $n);
${pieces(tag.toLowerCase(), '$p', '$n', 0, POINTED_BYTES)}  }`;
}

function pointers(when: 'before' | 'after'): string {
  return POINTER_FIELDS.map((field, i) => (field.when.includes(when) ? pointed(field, i, when) : '')).join('');
}

const NO_STRUCT_TEST = NO_STRUCT.map((nr) => `$cmd == ${(VFIO_TYPE << 8) | nr}`).join(' || ');

/** The size of the struct: in the request's own number (`_IOC_SIZE`), else in its first word. */
const SIZE = `
  $size = ($cmd >> 16) & 0x3fff;
  if ($size == 0) { $size = (uint64)*(uint32*)uptr($arg); }
  if (${NO_STRUCT_TEST}) { $size = (uint64)0; }`;

/** `pids` undefined: everybody. */
export function bpftraceProgram(pids: readonly number[] | undefined): string {
  const ours = pids === undefined ? '1' : '@tree[pid]';
  const begin = (pids ?? []).map((pid) => ` @tree[${pid}] = 1;`).join('');
  const follow =
    pids === undefined
      ? ''
      : `
tracepoint:task:task_newtask /@tree[pid]/ { @tree[args->pid] = 1; printf("F %llx %d %d %d\\n", nsecs, pid, tid, args->pid); }
tracepoint:sched:sched_process_exit /pid == tid && @tree[pid]/ { delete(@tree[pid]); printf("Z %llx %d\\n", nsecs, pid); }`;
  return `BEGIN {${begin} printf("S %llx\\n", nsecs); }
${follow}
tracepoint:syscalls:sys_enter_openat /${ours} && strncmp(str(args->filename), "/dev/", 5) == 0/ {
  @path[tid] = str(args->filename);
}
tracepoint:syscalls:sys_exit_openat /@path[tid] != ""/ {
  if (args->ret >= 0) { @open[pid, (uint64)args->ret] = 1; }
  printf("O %llx %d %d %lld %s\\n", nsecs, pid, tid, args->ret, @path[tid]);
  delete(@path[tid]);
}
tracepoint:syscalls:sys_enter_close /@open[pid, (uint64)args->fd]/ {
  delete(@open[pid, (uint64)args->fd]);
  printf("C %llx %d %d %d\\n", nsecs, pid, tid, args->fd);
}
tracepoint:syscalls:sys_enter_ioctl
/${ours} && (((args->cmd >> 8) & 0xff) == ${VFIO_TYPE} || ((args->cmd >> 8) & 0xff) == ${VHOST_TYPE})/ {
  $cmd = (uint64)args->cmd;
  $arg = (uint64)args->arg;
  @cmd[tid] = $cmd; @arg[tid] = $arg; @time[tid] = nsecs;${SIZE}
  printf("E %llx %d %d %d %d %llx %llx %llx${WORD_FORMAT}\\n", nsecs, pid, tid, cpu, args->fd, $cmd, $arg, $size, ${wordsAt('$arg')});
${pieces('P', '$arg', '$size', PIECE_BYTES, STRUCT_BYTES)}${pointers('before')}
}
tracepoint:syscalls:sys_exit_ioctl /@time[tid]/ {
  $cmd = @cmd[tid];
  $arg = @arg[tid];${SIZE}
${pieces('Q', '$arg', '$size', PIECE_BYTES, STRUCT_BYTES)}${pointers('after')}
  printf("X %llx %d %d %llx %llx${WORD_FORMAT}\\n", nsecs, tid, cpu, args->ret, $size, ${wordsAt('$arg')});
  delete(@cmd[tid]); delete(@arg[tid]); delete(@time[tid]);
}
END { clear(@cmd); clear(@arg); clear(@time); clear(@path); clear(@open);${pids === undefined ? '' : ' clear(@tree);'} }
`;
}

/** Names that strace prints for numbers of Linux on x86-64 and arm64 (include/uapi). */

const SIGNAL_NAMES = (
  'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU ' +
  'XFSZ VTALRM PROF WINCH IO PWR SYS'
).split(' ');

function numbered(names: readonly string[], prefix: string): ReadonlyMap<string, number> {
  return new Map(names.map((name, i) => [prefix + name, i + 1]));
}

/** Signal by name. */
export const SIGNALS: ReadonlyMap<string, number> = numbered(SIGNAL_NAMES, 'SIG');

/** Flags of the calls that decide what memory is mapped and what a file is (asm-generic/mman.h, fcntl.h, sched.h). */
export const FLAGS: ReadonlyMap<string, number> = new Map([
  ['AT_FDCWD', -100],
  ['PROT_NONE', 0],
  ['PROT_READ', 1],
  ['PROT_WRITE', 2],
  ['PROT_EXEC', 4],
  ['MAP_SHARED', 1],
  ['MAP_PRIVATE', 2],
  ['MAP_SHARED_VALIDATE', 3],
  ['MAP_FIXED', 0x10],
  ['MAP_ANONYMOUS', 0x20],
  ['MAP_32BIT', 0x40],
  ['MAP_GROWSDOWN', 0x100],
  ['MAP_DENYWRITE', 0x800],
  ['MAP_EXECUTABLE', 0x1000],
  ['MAP_LOCKED', 0x2000],
  ['MAP_NORESERVE', 0x4000],
  ['MAP_POPULATE', 0x8000],
  ['MAP_NONBLOCK', 0x10000],
  ['MAP_STACK', 0x20000],
  ['MAP_HUGETLB', 0x40000],
  ['MAP_SYNC', 0x80000],
  ['MAP_FIXED_NOREPLACE', 0x100000],
  ['MREMAP_MAYMOVE', 1],
  ['MREMAP_FIXED', 2],
  ['MREMAP_DONTUNMAP', 4],
  ['MADV_NORMAL', 0],
  ['MADV_DONTNEED', 4],
  ['MADV_FREE', 8],
  ['MADV_REMOVE', 9],
  ['MADV_DONTFORK', 10],
  ['MADV_DOFORK', 11],
  ['MADV_MERGEABLE', 12],
  ['MADV_HUGEPAGE', 14],
  ['MADV_NOHUGEPAGE', 15],
  ['O_RDONLY', 0],
  ['O_WRONLY', 1],
  ['O_RDWR', 2],
  ['O_CREAT', 0o100],
  ['O_EXCL', 0o200],
  ['O_TRUNC', 0o1000],
  ['O_APPEND', 0o2000],
  ['O_NONBLOCK', 0o4000],
  ['O_CLOEXEC', 0o2000000],
  ['MFD_CLOEXEC', 1],
  ['MFD_ALLOW_SEALING', 2],
  ['MFD_HUGETLB', 4],
  ['EFD_CLOEXEC', 0o2000000],
  ['EFD_NONBLOCK', 0o4000],
  ['FD_CLOEXEC', 1],
  ['F_DUPFD', 0],
  ['F_GETFD', 1],
  ['F_SETFD', 2],
  ['F_GETFL', 3],
  ['F_SETFL', 4],
  ['F_DUPFD_CLOEXEC', 1030],
  ['CLONE_VM', 0x100],
  ['CLONE_FS', 0x200],
  ['CLONE_FILES', 0x400],
  ['CLONE_SIGHAND', 0x800],
  ['CLONE_VFORK', 0x4000],
  ['CLONE_THREAD', 0x10000],
  ['SEEK_SET', 0],
  ['SEEK_CUR', 1],
  ['SEEK_END', 2],
]);

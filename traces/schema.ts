/**
 * The streams of a trace and their columns. The one place that says what an event is; the codec, the reader, `cat` and the
 * exporters all walk this table. Stream and column numbers are part of the file format: append, never renumber.
 *
 * Every event also has the common columns of `Segment`: stream, time, cpu, task, source.
 */

/**
 * - `int`: 32 bits, signed in memory; fields that are unsigned are read with `>>> 0`. -1 where the source gave none.
 * - `long`: 64 bits, held as two int32 columns `NAMELo` and `NAMEHi`.
 * - `ref`: index into the trace's string table; -1 for none.
 * - `bytes`: a byte string.
 */
export type ColumnKind = 'int' | 'long' | 'ref' | 'bytes';

/** Every stream with its columns and their kinds, in the order of their numbers (docs/format.md). */
export const STREAMS = {
  /**
   * One ioctl. Its time is when it returned, in the order in which the source saw calls return; it was entered `duration`
   * earlier. `task` is the thread, `pid` its process. `ret` is what the kernel returned: -errno where it failed, with the
   * positive `errno` beside it; errno is -1 where the result is not known. `path` names the kind of file that `fd` was;
   * where the source has no fds, `fd` is -1 and `path` what the request says of it. `before` and `after` are the bytes of the struct that `arg` points to, `SEEN` says what their lack means;
   * `memory` is what pointers in the struct point to (`traces/user-memory.ts`).
   */
  ioctl: {
    pid: 'int',
    fd: 'int',
    request: 'int',
    duration: 'long',
    ret: 'long',
    errno: 'int',
    path: 'ref',
    before: 'bytes',
    after: 'bytes',
    memory: 'bytes',
    arg: 'long',
    seen: 'int',
  },
  map: {
    origin: 'int',
    domain: 'int',
    device: 'int',
    iova: 'long',
    phys: 'long',
    size: 'long',
    prot: 'int',
    attrs: 'ref',
    list: 'bytes',
    call: 'int',
  },
  unmap: {
    origin: 'int',
    domain: 'int',
    device: 'int',
    iova: 'long',
    size: 'long',
    unmapped: 'long',
    attrs: 'ref',
    list: 'bytes',
    call: 'int',
  },
  attach: {
    kind: 'int',
    unit: 'ref',
    device: 'int',
    pasid: 'int',
    domain: 'int',
    type: 'int',
    refs: 'int',
    result: 'int',
  },
  inv: {
    unit: 'ref',
    queue: 'int',
    dialect: 'int',
    form: 'int',
    w0: 'long',
    w1: 'long',
    w2: 'long',
    w3: 'long',
    more: 'bytes',
    lag: 'long',
  },
  dma: {
    rid: 'int',
    pasid: 'int',
    domain: 'int',
    iova: 'long',
    length: 'int',
    access: 'int',
    outcome: 'int',
    out: 'long',
    pageShift: 'int',
    perm: 'int',
  },
  fault: { unit: 'ref', rid: 'int', pasid: 'int', iova: 'long', reason: 'int', access: 'int' },
  prq: { unit: 'ref', rid: 'int', pasid: 'int', group: 'int', iova: 'long', access: 'int', seq: 'int', data: 'bytes' },
  prs: { unit: 'ref', rid: 'int', pasid: 'int', group: 'int', code: 'int', latency: 'long' },
  /** Who wrote which memory, what was done to find out, and what a migration made of it (`DIRTY_OP`). */
  dirty: {
    op: 'int',
    hwpt: 'int',
    iova: 'long',
    length: 'long',
    pageSize: 'long',
    flags: 'int',
    duration: 'long',
    bitmap: 'bytes',
    space: 'int',
    name: 'ref',
    count: 'long',
  },
  lost: { count: 'long' },
  mark: { text: 'ref' },
  /** What a driver decided to flush, above the native commands (`intel_iommu:cache_tag_flush_*`). */
  flush: {
    op: 'int',
    unit: 'ref',
    device: 'int',
    type: 'int',
    domain: 'int',
    pasid: 'int',
    start: 'long',
    end: 'long',
    addr: 'long',
    mask: 'int',
  },
  /**
   * Other system calls, and what else happens to a process (`CALL_EVENT`): all that decides which file an fd is and what user
   * memory is mapped when an ioctl comes. Time, `task`, `pid`, `ret`, `errno` and `path` are as in `ioctl`; `path` is of `fd`,
   * or what `open` was given. `name` is the call's (`mmap`), not its number, which depends on the architecture. `data` holds
   * bytes read or written (fewer than `ret` where the source cut them), the two ints of `pipe`, or the mappings of a `maps`
   * event; `memory` is as in `ioctl`.
   */
  call: {
    event: 'int',
    pid: 'int',
    name: 'ref',
    fd: 'int',
    a0: 'long',
    a1: 'long',
    a2: 'long',
    a3: 'long',
    a4: 'long',
    a5: 'long',
    duration: 'long',
    ret: 'long',
    errno: 'int',
    path: 'ref',
    data: 'bytes',
    memory: 'bytes',
  },
  /**
   * An event that no other stream is for, kept because it was asked for. `name` is `SYSTEM:NAME`, or what a text calls it.
   * `data` is the kernel's record as it was, and `layout` says where its fields are (`traces/event-layout.ts`); without a
   * layout it is the text that the kernel printed.
   */
  event: { name: 'ref', layout: 'ref', data: 'bytes' },
} as const satisfies Record<string, Record<string, ColumnKind>>;

/** `ioctl`, `map`, `dma` and so on. */
export type StreamName = keyof typeof STREAMS;

/** Stream names by stream number. */
export const STREAM_NAMES = Object.keys(STREAMS) as readonly StreamName[];

/** Stream number by name. */
export const STREAM_ID = Object.fromEntries(STREAM_NAMES.map((name, id) => [name, id])) as Readonly<
  Record<StreamName, number>
>;

/** A column of byte strings: row i is `data[offsets[i] .. offsets[i + 1])`. */
export interface BytesColumn {
  offsets: Int32Array;
  data: Uint8Array;
}

type ColumnProperties<C extends Record<string, ColumnKind>> = {
  [K in keyof C as C[K] extends 'long' ? `${string & K}Lo` | `${string & K}Hi` : K]: C[K] extends 'bytes'
    ? BytesColumn
    : Int32Array;
};

/** The columns of one stream as typed arrays: `iova: 'long'` becomes `iovaLo` and `iovaHi`. */
export type Columns<S extends StreamName> = ColumnProperties<(typeof STREAMS)[S]>;

/** Where a map or unmap was seen. */
export const ORIGIN = { iommu: 0, dmaApi: 1, vfio: 2, iommufd: 3, virtio: 4, vdpa: 5 } as const;
/** Names of `ORIGIN`, by number: who changed a mapping. */
export const ORIGIN_NAMES = ['iommu', 'dma-api', 'vfio', 'iommufd', 'virtio-iommu', 'vdpa'] as const;

/**
 * `call` of a map or unmap of origin `dma-api`: which kernel call it was. For `sg`, `iova`, `phys` and `size` are the first
 * address and the sum; `list` has every segment (`traces/sg-list.ts`).
 */
export const CALL = { iommu: 0, page: 1, sg: 2, alloc: 3, resource: 4 } as const;
/** Names of `CALL`, by number: by which call of the DMA API. */
export const CALL_NAMES = ['iommu', 'page', 'sg', 'alloc', 'resource'] as const;

/** `prot` of a map, `access` of a dma, fault or page request. 0 means that the source did not say. */
export const ACCESS = { read: 1, write: 2, execute: 4, privileged: 8, last: 16 } as const;

/** `kind` of an attach event. */
export const ATTACH = { groupAdd: 0, groupRemove: 1, attach: 2, detach: 3, tagAssign: 4, tagUnassign: 5 } as const;
/** Names of `ATTACH`, by number. */
export const ATTACH_NAMES = ['group-add', 'group-remove', 'attach', 'detach', 'tag-assign', 'tag-unassign'] as const;

/**
 * `type` of an attach or detach that a model of the calls derived: what kind of domain it is. `device` is then a number of the
 * model's own, from `DERIVED_DEVICE` on: calls don't name requesters.
 */
export const DOMAIN_KIND = { paging: 0, nested: 1 } as const;
/** Device numbers from here on are not requester ids: they stand for devices that a trace does not name by one. */
export const DERIVED_DEVICE = 0x2000_0000;

/**
 * `op` of a dirty event. Of the IOMMU: `stop`, `start` (tracking off, on) and `harvest`, one reading of the dirty state. Of a
 * virtual machine, as QEMU tells it:
 * - `write`: `length` bytes at `iova` were written, in a page whose writes are watched because it is clean or holds code;
 * - `set`: with that write the page became dirty, and its writes are not seen until it is clean again. A `set` follows its
 *   `write` and names the same bytes;
 * - `start`, `stop`: tracking of all memory; `flags` says for what (1 migration, 2 dirty rate, 4 dirty limit);
 * - `syncStart`, `sync`: QEMU begins to collect the dirty pages, and has done so `duration` later. `count` pages, by a counter
 *   that starts again at 0 with the first sync after more than a second, not by this sync alone;
 * - `clear`: a part of RAM block `name` is to be tracked anew;
 * - `send`: the page at `iova` of RAM block `name` was sent, with its contents;
 * - `sent`: `count` bytes in the last `duration`; `throttle`: CPUs of the machine are held back for `count` percent of the time;
 * - `rate`: dirtied memory by QEMU's own measurement, `count` bytes a second;
 * - `state`: the migration, or the machine, is now `name`; `pass`: the migration begins with its pass number `count`;
 * - `report`: `name` is QEMU's answer, as JSON, to a question of its management; it took `duration`. `count`: syncs by then. Or
 *   what its management set: `migrate-set-parameters`, `migrate-set-capabilities`.
 */
export const DIRTY_OP = {
  stop: 0,
  start: 1,
  harvest: 2,
  write: 3,
  set: 4,
  syncStart: 5,
  sync: 6,
  clear: 7,
  send: 8,
  sent: 9,
  throttle: 10,
  rate: 11,
  state: 12,
  pass: 13,
  report: 14,
} as const;

/**
 * `space` of a dirty event: what `iova` is an address of. `ram`: the machine's memory in the order in which QEMU allocated its
 * RAM blocks (`ram_addr_t`); `block`: an offset into RAM block `name`.
 */
export const DIRTY_SPACE = { iova: 0, ram: 1, block: 2 } as const;

/** `type` of a VT-d cache tag (drivers/iommu/intel/iommu.h, enum cache_tag_type). */
export const TAG_TYPE_NAMES = ['iotlb', 'devtlb', 'nesting_iotlb', 'nesting_devtlb'] as const;

/** `op` of a flush event. */
export const FLUSH = { range: 0, rangeNotPresent: 1, all: 2 } as const;
/** Names of `FLUSH`, by number. */
export const FLUSH_NAMES = ['range', 'range-np', 'all'] as const;

/** `dialect` of an inv event. */
export const DIALECT = { vtd: 0, smmuv3: 1, amd: 2, riscv: 3, virtio: 4 } as const;
/** Names of `DIALECT`, by number: whose native commands. */
export const DIALECT_NAMES = ['vtd', 'smmuv3', 'amd', 'riscv', 'virtio'] as const;

/**
 * `form` of an inv event: `words` holds what the hardware reads in w0..w3 (w4..w7 in `more`); `doorbell` is a tail write,
 * with the new tail index in w0; `reset` is an action on the whole unit that no command asks for, its `RESET` reason in w0
 * (`queueSetup`: base address in w1, entries in w2); `decoded` is a command whose words were rebuilt from decoded fields, so
 * that bits which the source did not print (drains, hints) are 0.
 *
 * The time of an inv event is when the hardware took it, where the source could see that, else when it was submitted. `lag` is
 * the time from submission to there in ns (0: not known). `cpu` and `task` are those of the submitter.
 */
export const INV_FORM = { words: 0, doorbell: 1, reset: 2, decoded: 3 } as const;
/** Names of `INV_FORM`, by number: what a row of `inv` holds. */
export const INV_FORM_NAMES = ['words', 'doorbell', 'reset', 'decoded'] as const;

/** w0 of an inv event of form `reset`. */
export const RESET = { translationEnabled: 1, translationDisabled: 2, unitReset: 3, queueSetup: 4 } as const;
/** Names of `RESET`, by number. */
export const RESET_NAMES = ['', 'translation-enabled', 'translation-disabled', 'unit-reset', 'queue-setup'] as const;

/**
 * Bits of `outcome` of a dma event. `known`: the source tells hit from miss. `reset`: the source logged that its whole cache
 * was emptied for this insertion. `fault`: the access was refused. `bypass`: it was passed through untranslated.
 * `inconsistent`: two lines of the source disagree about this translation's output.
 */
export const OUTCOME = { known: 1, hit: 2, reset: 4, fault: 8, bypass: 16, inconsistent: 32 } as const;

/**
 * Bits of `seen` of an ioctl. `argument`: `arg` is known. `before`, `after`: these bytes were read. `unreadable`: the source
 * tried to read the struct and could not: the address is not mapped. With none of the last three the source did not look, or
 * the argument is a number.
 */
export const SEEN = { argument: 1, before: 2, after: 4, unreadable: 8 } as const;

/**
 * `event` of a call. `syscall`: a system call that returned, or (errno -1) never did. `start`: a recording begins here, and
 * what came before says nothing about what follows. `fork`: `pid` made the process (or thread) `ret`; sources
 * may learn of it after the child's first calls. `exec`: fds with close-on-exec are closed, user memory is gone. `exit`: of `task`, with status `ret`;
 * the process is gone with its last thread. `signal`: number `ret` was delivered. `maps`: `data` has all user memory of `pid`
 * (`decodeMappings` of `traces/user-memory.ts`).
 */
export const CALL_EVENT = { syscall: 0, start: 1, fork: 2, exec: 3, exit: 4, signal: 5, maps: 6 } as const;
/** Names of `CALL_EVENT`, by number. */
export const CALL_EVENT_NAMES = ['syscall', 'start', 'fork', 'exec', 'exit', 'signal', 'maps'] as const;

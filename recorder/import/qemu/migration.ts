import { DIRTY_OP, DIRTY_SPACE, STREAM_ID } from '../../../traces/schema.ts';
import { ABSENT } from '../../../traces/units.ts';
import { ascii } from '../byte-cursor.ts';
import { ByteTable } from '../byte-table.ts';
import { printable } from '../counted-names.ts';
import { LINE } from './device-model.ts';
import type { DeviceModel, DeviceModelRun, QemuLine } from './device-model.ts';
import { EventTable } from './event-table.ts';

const RAM_ADDR = ascii(' ram_addr ');
const SIZE = ascii(' size ');
const START = ascii(' start ');
const BLOCK = ascii('rb ');
const OFFSET = ascii('offset: ');
const DIRTY_PAGES = ascii('dirty_pages ');
const TRANSFERRED = ascii('transferred ');
const TIME_SPENT = ascii(' time_spent ');
const THROTTLED = ascii('set guest CPU throttled by ');
const RATE = ascii('dirty rate: ');
const NEW_STATE = ascii('new state ');
const BITMASK = ascii('bitmask ');
const COLON = 0x3a;
const PERCENT = 0x25;

/** RAM blocks and states that a log may name; what comes after has none. */
const MAX_NAMES = 4096;
const MIB = 1048576;
const MILLISECOND = 1_000_000;

/** Writes that may still be followed by their `set_dirty`: one of each CPU that is in the middle of it. */
const PENDING = 64;

/** What lines say of lines before them. */
class MigrationState {
  /** The newest writes by the guest's virtual address, which is all that a `set_dirty` line repeats; size 0: none, or taken. */
  readonly #virtLo = new Int32Array(PENDING);
  readonly #virtHi = new Int32Array(PENDING);
  readonly #ramLo = new Int32Array(PENDING);
  readonly #ramHi = new Int32Array(PENDING);
  readonly #size = new Int32Array(PENDING);
  #newest = 0;
  /** The write that `take` found. */
  ramLo = 0;
  ramHi = 0;
  size = 0;
  /** Since when a synchronisation runs; -1: none does. */
  syncStart = -1;
  readonly names = new ByteTable(MAX_NAMES);
  readonly nameRefs: number[] = [];

  keep(virtLo: number, virtHi: number, ramLo: number, ramHi: number, size: number): void {
    const slot = (this.#newest + 1) % PENDING;
    this.#newest = slot;
    this.#virtLo[slot] = virtLo;
    this.#virtHi[slot] = virtHi;
    this.#ramLo[slot] = ramLo;
    this.#ramHi[slot] = ramHi;
    this.#size[slot] = size;
  }

  /** Finds the newest write to an address that was not taken before. */
  take(virtLo: number, virtHi: number): boolean {
    for (let back = 0; back < PENDING; back++) {
      const slot = (this.#newest - back + PENDING) % PENDING;
      if (this.#virtLo[slot] !== virtLo || this.#virtHi[slot] !== virtHi || this.#size[slot] === 0) continue;
      this.ramLo = this.#ramLo[slot]!;
      this.ramHi = this.#ramHi[slot]!;
      this.size = this.#size[slot]!;
      this.#size[slot] = 0;
      return true;
    }
    return false;
  }

  /** String-table index of a RAM block or a state. */
  ref(line: QemuLine, start: number, end: number): number {
    const id = this.names.add(line.cursor.bytes, start, Math.min(end, start + 256));
    if (id < 0) return ABSENT;
    return (this.nameRefs[id] ??= line.sink.intern(printable(this.names.text(id))));
  }
}

function begin(line: QemuLine, op: number, space: number): number {
  const row = line.sink.begin(STREAM_ID.dirty, line.time, ABSENT, line.task, line.source);
  const { columns } = line.sink.rows.dirty;
  columns.op[row] = op;
  columns.space[row] = space;
  return row;
}

function writeCount(line: QemuLine, op: number, countLo: number, countHi: number): number {
  const row = begin(line, op, DIRTY_SPACE.ram);
  const { columns } = line.sink.rows.dirty;
  columns.countLo[row] = countLo;
  columns.countHi[row] = countHi;
  return row;
}

function writeDuration(line: QemuLine, row: number, duration: number): void {
  const { columns } = line.sink.rows.dirty;
  columns.durationLo[row] = duration | 0;
  columns.durationHi[row] = Math.floor(duration / 4294967296);
}

// 0xffffffff81241ed2 ram_addr 0x1241ed2 size 4
function parseWrite(state: MigrationState, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.hex0x()) return LINE.malformed;
  const { lo, hi } = cursor;
  if (!cursor.literal(RAM_ADDR) || !cursor.hex0x()) return LINE.malformed;
  const { lo: ramLo, hi: ramHi } = cursor;
  if (!cursor.literal(SIZE) || !cursor.int() || !cursor.atBoundary()) return LINE.malformed;
  state.keep(lo, hi, ramLo, ramHi, cursor.lo);
  return writeAccess(line, DIRTY_OP.write, ramLo, ramHi, cursor.lo);
}

// 0xffffffff81241ed2: the address of a write line before it, of the same CPU (accel/tcg/cputlb.c, notdirty_write)
function parseSetDirty(state: MigrationState, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.hex0x() || !cursor.atBoundary()) return LINE.malformed;
  // Without that line, as where the log begins between the two, which memory it was can't be known.
  if (!state.take(cursor.lo, cursor.hi)) return LINE.unknown;
  return writeAccess(line, DIRTY_OP.set, state.ramLo, state.ramHi, state.size);
}

function writeAccess(line: QemuLine, op: number, ramLo: number, ramHi: number, size: number): number {
  const row = begin(line, op, DIRTY_SPACE.ram);
  const { columns } = line.sink.rows.dirty;
  columns.iovaLo[row] = ramLo;
  columns.iovaHi[row] = ramHi;
  columns.lengthLo[row] = size;
  return LINE.event;
}

function parseSyncStart(state: MigrationState, line: QemuLine): number {
  begin(line, DIRTY_OP.syncStart, DIRTY_SPACE.ram);
  state.syncStart = line.time;
  return LINE.event;
}

// dirty_pages 16833
function parseSyncEnd(state: MigrationState, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.literal(DIRTY_PAGES) || !cursor.decimal() || !cursor.atBoundary()) return LINE.malformed;
  const row = writeCount(line, DIRTY_OP.sync, cursor.lo, cursor.hi);
  if (state.syncStart >= 0) writeDuration(line, row, line.time - state.syncStart);
  state.syncStart = -1;
  return LINE.event;
}

// rb 0000:00:01.0/vga.vram start 0x0 size 0x40000000 page 0x0
function parseClear(state: MigrationState, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.literal(BLOCK) || !cursor.token()) return LINE.malformed;
  const { tokenStart, tokenEnd } = cursor;
  if (!cursor.literal(START) || !cursor.hex0x()) return LINE.malformed;
  const { lo, hi } = cursor;
  if (!cursor.literal(SIZE) || !cursor.hex0x()) return LINE.malformed;
  const name = state.ref(line, tokenStart, tokenEnd);
  const row = begin(line, DIRTY_OP.clear, DIRTY_SPACE.block);
  const { columns } = line.sink.rows.dirty;
  columns.name[row] = name;
  columns.iovaLo[row] = lo;
  columns.iovaHi[row] = hi;
  columns.lengthLo[row] = cursor.lo;
  columns.lengthHi[row] = cursor.hi;
  return LINE.event;
}

// pc.ram: offset: 0x6000 host: 0x7fb877e06000; the block's name may hold colons: 0000:00:02.0/vga.vram
function parseSavePage(state: MigrationState, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.token()) return LINE.malformed;
  const { tokenStart, tokenEnd, bytes } = cursor;
  cursor.skipSpaces();
  if (bytes[tokenEnd - 1] !== COLON || !cursor.literal(OFFSET) || !cursor.hex0x()) return LINE.malformed;
  const name = state.ref(line, tokenStart, tokenEnd - 1);
  const row = begin(line, DIRTY_OP.send, DIRTY_SPACE.block);
  const { columns } = line.sink.rows.dirty;
  columns.name[row] = name;
  columns.iovaLo[row] = cursor.lo;
  columns.iovaHi[row] = cursor.hi;
  return LINE.event;
}

// transferred 2629151 time_spent 107 bandwidth 196 switchover_bw 24571 max_size 491430; time in ms
function parseTransferred(_state: MigrationState, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.literal(TRANSFERRED) || !cursor.decimal()) return LINE.malformed;
  const { lo, hi } = cursor;
  if (!cursor.literal(TIME_SPENT) || !cursor.int()) return LINE.malformed;
  const row = writeCount(line, DIRTY_OP.sent, lo, hi);
  writeDuration(line, row, (cursor.lo >>> 0) * MILLISECOND);
  return LINE.event;
}

// set guest CPU throttled by 30%
function parseThrottle(_state: MigrationState, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.literal(THROTTLED) || !cursor.int() || !cursor.byte(PERCENT)) return LINE.malformed;
  writeCount(line, DIRTY_OP.throttle, cursor.lo, 0);
  return LINE.event;
}

// dirty rate: 15 MB/s; of 2^20 bytes, -1 if nothing was measured
function parseRate(_state: MigrationState, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.literal(RATE) || !cursor.int()) return LINE.malformed;
  const bytes = Math.max(0, cursor.lo) * MIB;
  writeCount(line, DIRTY_OP.rate, bytes | 0, Math.floor(bytes / 4294967296));
  return LINE.event;
}

// new state pre-switchover
function parseState(state: MigrationState, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.literal(NEW_STATE) || cursor.pos >= cursor.end) return LINE.malformed;
  const name = state.ref(line, cursor.pos, cursor.end);
  const row = begin(line, DIRTY_OP.state, DIRTY_SPACE.ram);
  line.sink.rows.dirty.columns.name[row] = name;
  return LINE.event;
}

// bitmask 0x2
function parseTracking(_state: MigrationState, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.literal(BITMASK) || !cursor.hex0x() || cursor.hi !== 0) return LINE.malformed;
  const row = begin(line, cursor.lo === 0 ? DIRTY_OP.stop : DIRTY_OP.start, DIRTY_SPACE.ram);
  line.sink.rows.dirty.columns.flags[row] = cursor.lo;
  return LINE.event;
}

const EVENTS = new EventTable<MigrationState>(
  {
    memory_notdirty_write_access: parseWrite,
    memory_notdirty_set_dirty: parseSetDirty,
    migration_bitmap_sync_start: parseSyncStart,
    migration_bitmap_sync_end: parseSyncEnd,
    migration_bitmap_clear_dirty: parseClear,
    ram_save_page: parseSavePage,
    migrate_transferred: parseTransferred,
    cpu_throttle_set: parseThrottle,
    dirtyrate_calculate: parseRate,
    migrate_set_state: parseState,
    global_dirty_changed: parseTracking,
  },
  [],
  [],
  LINE.ignored,
);

/**
 * QEMU's dirty tracking and live migration, as the source: writes to clean pages as its TCG sees them, synchronisations of the
 * dirty bitmap, pages sent, throttling, states. The other events of these parts are known and not carried.
 */
export const migration: DeviceModel = {
  prefixes: [
    'memory_notdirty_',
    'memory_region_',
    'ram_',
    'migration_',
    'migrate_',
    'savevm_',
    'qemu_savevm_',
    'vmstate_',
    'dirtyrate_',
    'dirtylimit_',
    'dirty_',
    'global_dirty_',
    'calc_page_dirty_rate',
    'query_dirty_rate',
    'get_ramblock_vfn_hash',
    'find_page_matched',
    'skip_sample_ramblock',
    'cpu_throttle_',
    'multifd_',
    'postcopy_',
    'save_xbzrle_',
    'get_queued_page',
    'unqueue_page',
  ],
  // TCG shows writes to clean pages; other accelerators show none.
  fidelity: { dirty: 'partial' },
  create: () => new MigrationRun(),
};

class MigrationRun implements DeviceModelRun {
  readonly #state = new MigrationState();

  parse(line: QemuLine, bytes: Uint8Array, nameStart: number, nameEnd: number): number {
    return EVENTS.parse(this.#state, line, bytes, nameStart, nameEnd);
  }

  end(): ReadonlyMap<string, number> {
    return new Map();
  }
}

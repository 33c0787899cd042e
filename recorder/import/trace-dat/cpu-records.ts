import type { ByteSource } from '../../../traces/format/bytes-io.ts';
import { SubBufferReader } from '../../ftrace/ring-buffer.ts';
import { readPiece } from './codec.ts';
import { DatCursor, DatDamage } from './dat-cursor.ts';
import type { CpuData, DatBuffer } from './dat-file.ts';

/** Bytes that are read at once of data that is not compressed, and of all CPUs together. */
const WINDOW_BYTES = 256 * 1024;
const WINDOWS_BYTES = 64 * 1024 * 1024;
/** A compressed chunk holds 10 sub-buffers (trace-cmd, lib/trace-cmd/trace-compress.c); a larger one than this is damage. */
const CHUNK_SUB_BUFFERS = 64;
/** What the chunks of all CPUs may hold together: what is tiny in a file can be large. */
const HELD_BYTES = 1024 * 1024 * 1024;

/** What all CPUs of a file share. */
export interface SharedRoom {
  readonly cpus: number;
  held: number;
}

const NOTHING = new Uint8Array(0);

/** Told of what can't be read, and where in the file. */
export type DamageReport = (what: string, offset: number) => void;

/**
 * The records of one CPU, one after the other: sub-buffers are read from the file, or decompressed, some at a time. After a
 * damaged sub-buffer the next one is read; behind a damaged chunk nothing can be found.
 */
export class CpuRecords {
  readonly cpu: number;
  readonly reader: SubBufferReader;
  /** The bytes that `reader` stands in. */
  #bytes: Uint8Array = NOTHING;
  /** It stands on a record. */
  live = true;
  /** Events lost before the record that it stands on; -1 where nobody knows how many. 0 once it was asked. */
  missed = 0;
  readonly #cursor: DatCursor;
  readonly #buffer: DatBuffer;
  readonly #damaged: DamageReport;
  readonly #room: SharedRoom;
  /** Compressed chunks that are left; -1 before the first. */
  #chunks = -1;
  #next = 0;

  constructor(
    source: ByteSource,
    littleEndian: boolean,
    buffer: DatBuffer,
    data: CpuData,
    epochLo: number,
    epochHi: number,
    room: SharedRoom,
    damaged: DamageReport,
  ) {
    const { cpu, offset, size } = data;
    this.cpu = cpu;
    this.reader = new SubBufferReader(buffer.layout, epochLo, epochHi);
    this.#buffer = buffer;
    this.#damaged = damaged;
    this.#room = room;
    this.#cursor = new DatCursor(source, littleEndian, offset, offset + size);
    if (offset + size > source.size) damaged(`data of CPU ${cpu} is cut`, source.size);
    this.advance();
  }

  /** Clock units since the epoch, of the record that it stands on. */
  get time(): number {
    return this.reader.time;
  }

  /** Goes to the next record; `live` turns false at the end. */
  advance(): void {
    const { reader } = this;
    while (!reader.next()) {
      if (reader.damage !== undefined) this.#damaged(reader.damage, this.#cursor.pos);
      if (!this.#open()) {
        this.live = false;
        return;
      }
    }
  }

  /** The next sub-buffer. */
  #open(): boolean {
    const { bytes: size } = this.#buffer.layout;
    for (;;) {
      if (this.#next >= this.#bytes.length && !this.#load()) return false;
      const at = this.#next;
      const end = Math.min(at + size, this.#bytes.length);
      this.#next = end;
      if (this.reader.open(this.#bytes, at, end)) {
        const { missed } = this.reader;
        if (missed !== 0) this.missed = missed < 0 || this.missed < 0 ? -1 : this.missed + missed;
        return true;
      }
      this.#damaged(this.reader.damage ?? 'sub-buffer', this.#cursor.pos);
    }
  }

  /** More bytes: whole sub-buffers, but for the last. */
  #load(): boolean {
    this.#next = 0;
    const cursor = this.#cursor;
    const room = this.#room;
    room.held -= this.#bytes.length;
    // Chunks are of one size: the last one's memory serves for the next.
    const last = this.#bytes;
    this.#bytes = NOTHING;
    try {
      const { codec, layout } = this.#buffer;
      if (codec === undefined) {
        const window = Math.min(WINDOW_BYTES, Math.floor(WINDOWS_BYTES / room.cpus));
        const step = Math.max(1, Math.floor(window / layout.bytes)) * layout.bytes;
        this.#bytes = cursor.bytes(Math.min(step, cursor.left));
      } else {
        if (this.#chunks < 0) this.#chunks = cursor.left === 0 ? 0 : cursor.u32();
        const most = Math.min(CHUNK_SUB_BUFFERS * layout.bytes, HELD_BYTES - room.held);
        this.#bytes = this.#chunks-- > 0 ? readPiece(cursor, codec, most, last) : NOTHING;
      }
    } catch (error) {
      if (!(error instanceof DatDamage)) throw error;
      this.#damaged(error.message, error.offset);
      this.#chunks = 0;
      cursor.skip(cursor.left);
    }
    // Records are read word by word.
    if (this.#bytes.byteOffset % 4 !== 0) this.#bytes = new Uint8Array(this.#bytes);
    room.held += this.#bytes.length;
    return this.#bytes.length > 0;
  }
}

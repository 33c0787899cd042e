import type { CycleScale } from './dat-file.ts';
import { DatDamage } from './dat-cursor.ts';
import type { DatCursor } from './dat-cursor.ts';

/** Numbers of options and of sections (trace-cmd, trace-cmd-private.h). */
export const OPTION = {
  done: 0,
  date: 1,
  cpuStat: 2,
  buffer: 3,
  traceClock: 4,
  uname: 5,
  hook: 6,
  offset: 7,
  cpuCount: 8,
  version: 9,
  procMaps: 10,
  traceId: 11,
  timeShift: 12,
  guest: 13,
  tsc2nsec: 14,
  strings: 15,
  headerInfo: 16,
  ftraceEvents: 17,
  eventFormats: 18,
  kallsyms: 19,
  printk: 20,
  cmdlines: 21,
  bufferText: 22,
  btfFile: 23,
  lastBootInfo: 24,
  modulesFile: 25,
} as const;

const MAX_KNOWN = OPTION.modulesFile;
const MAX_OPTIONS = 65536;
/** Options are short; process maps of a large program are the longest. */
const MAX_OPTION = 64 * 1024 * 1024;
/** Lines that are kept of statistics: a few per CPU. */
const MAX_STATISTICS = 4096;

/** What options say, collected over all sections of them. */
export class Options {
  clock = '';
  uname = '';
  recorder = '';
  cpus = 0;
  scale: CycleScale | undefined = undefined;
  timeOffset = 0;
  readonly statistics: string[] = [];
  readonly unknown: number[] = [];
  /** Version 7: sections by their option's number, the first of each kind; and data of buffer options. */
  readonly sections = new Map<number, number>();
  readonly buffers: DatCursor[] = [];
  #count = 0;

  /** Reads options of version 6 up to their end: u16 id, u32 size, data; an id of 0 ends them. */
  readAll(cursor: DatCursor): void {
    for (;;) {
      const id = cursor.u16();
      if (id === OPTION.done) return;
      this.#option(id, this.#data(cursor, id));
    }
  }

  /** Reads a section of options of version 7; returns the offset of the next one, 0 if this was the last. */
  readSection(cursor: DatCursor): number {
    while (cursor.left >= 6) {
      const id = cursor.u16();
      const data = this.#data(cursor, id);
      if (id === OPTION.done) return data.left >= 8 ? data.u64() : 0;
      this.#option(id, data);
    }
    return 0;
  }

  #data(cursor: DatCursor, id: number): DatCursor {
    const from = cursor.pos;
    const size = cursor.u32();
    if (size > MAX_OPTION || ++this.#count > MAX_OPTIONS) throw new DatDamage(`option ${id} of ${size} bytes`, from);
    return cursor.part(size);
  }

  #option(id: number, data: DatCursor): void {
    switch (id) {
      case OPTION.traceClock:
        this.clock = currentClock(plainText(data));
        return;
      case OPTION.uname:
        this.uname = plainText(data);
        return;
      case OPTION.version:
        this.recorder = plainText(data);
        return;
      case OPTION.cpuCount:
        if (data.left >= 4) this.cpus = data.u32();
        return;
      case OPTION.cpuStat:
        if (this.statistics.length < MAX_STATISTICS) this.statistics.push(plainText(data));
        return;
      case OPTION.offset:
        this.timeOffset += parseOffset(plainText(data));
        return;
      case OPTION.tsc2nsec:
        if (data.left >= 16) this.scale = { mult: data.u32(), shift: data.u32() };
        return;
      case OPTION.buffer:
        this.buffers.push(data);
        return;
      default:
        if (id > MAX_KNOWN) this.unknown.push(id);
        else if (id >= OPTION.strings && data.left >= 8 && !this.sections.has(id)) this.sections.set(id, data.u64());
    }
  }
}

function plainText(data: DatCursor): string {
  return data.text(Math.min(data.left, 4096)).replace(/\0.*$/s, '').trim();
}

/** `[local] global counter` or, from a buffer, `mono`. */
export function currentClock(text: string): string {
  return /\[([\w-]+)\]/.exec(text)?.[1] ?? (/^[\w-]+$/.test(text) ? text : '');
}

/** As a user gave it: `-1000`, `0x10`. */
function parseOffset(text: string): number {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : 0;
}

const ZERO = 0x30;
const SPACE = 0x20;

/** What stands before the event's name. `none`: no time stamp; `invalid`: not a line of QEMU's log. */
export type PrefixKind = 'iso' | 'pid' | 'none' | 'invalid';

/**
 * The beginning of a line of QEMU's `log` trace backend. One object is reused.
 *
 *     2026-11-22T05:34:58.625086Z vtd_dmar_translate dev 00:03.00 ...     -msg timestamp=on
 *     2026-11-22T05:34:37Z vtd_inv_qi_fetch                               the same when the microseconds are zero
 *     18013@1795327572.161096:vtd_dmar_translate dev 00:03.00 ...         QEMU 7.2
 *     vtd_dmar_translate dev 00:03.00 ...                                 without time stamps
 */
export class LinePrefix {
  /** Seconds since 1970, and nanoseconds; 0 without a time stamp. */
  seconds = 0;
  nanoseconds = 0;
  /** Thread id, -1 if the line has none. */
  task = -1;
  nameStart = 0;
  nameEnd = 0;
  /** Where the event's text begins, blanks skipped. */
  argsStart = 0;
  /** Of the newest ISO date: its digits as a number, and its first second. */
  #date = -1;
  #dateSeconds = 0;

  parse(bytes: Uint8Array, start: number, end: number): PrefixKind {
    const first = bytes[start];
    let kind: PrefixKind = 'none';
    let pos = start;
    this.task = -1;
    if (first !== undefined && first >= ZERO && first <= 0x39) {
      if (bytes[start + 4] === 0x2d && bytes[start + 10] === 0x54) {
        pos = this.#iso(bytes, start, end);
        kind = 'iso';
      } else {
        pos = this.#pid(bytes, start, end);
        kind = 'pid';
      }
      if (pos < 0) return 'invalid';
    }
    return this.#name(bytes, pos, end) ? kind : 'invalid';
  }

  /** `2026-11-22T05:34:58.625086Z `: position behind it, -1 if it is something else. */
  #iso(bytes: Uint8Array, start: number, end: number): number {
    if (end - start < 21) return -1;
    const year = digits(bytes, start, 4);
    const month = digits(bytes, start + 5, 2);
    const day = digits(bytes, start + 8, 2);
    const hour = digits(bytes, start + 11, 2);
    const minute = digits(bytes, start + 14, 2);
    const second = digits(bytes, start + 17, 2);
    if (year < 0 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 || minute < 0 || second < 0) return -1;
    if (bytes[start + 7] !== 0x2d || bytes[start + 13] !== 0x3a || bytes[start + 16] !== 0x3a) return -1;
    const date = (year * 100 + month) * 100 + day;
    if (date !== this.#date) {
      this.#date = date;
      this.#dateSeconds = Date.UTC(year, month - 1, day) / 1000;
    }
    this.seconds = this.#dateSeconds + hour * 3600 + minute * 60 + second;
    this.nanoseconds = 0;
    let pos = start + 19;
    if (bytes[pos] === 0x2e) pos = this.#fraction(bytes, pos + 1, end);
    if (pos < 0 || bytes[pos] !== 0x5a || bytes[pos + 1] !== SPACE) return -1;
    return pos + 2;
  }

  /** `18013@1795327572.161096:`: position behind it, -1 if it is something else. */
  #pid(bytes: Uint8Array, start: number, end: number): number {
    let pos = start;
    let task = 0;
    while (pos < end && pos < start + 10) {
      const digit = bytes[pos]! - ZERO;
      if (digit < 0 || digit > 9) break;
      task = task * 10 + digit;
      pos++;
    }
    if (pos >= end || bytes[pos] !== 0x40 || task > 0x7fffffff) return -1;
    pos++;
    const from = pos;
    let seconds = 0;
    while (pos < end && pos < from + 12) {
      const digit = bytes[pos]! - ZERO;
      if (digit < 0 || digit > 9) break;
      seconds = seconds * 10 + digit;
      pos++;
    }
    if (pos === from || pos >= end || bytes[pos] !== 0x2e) return -1;
    pos = this.#fraction(bytes, pos + 1, end);
    if (pos < 0 || pos >= end || bytes[pos] !== 0x3a) return -1;
    this.task = task;
    this.seconds = seconds;
    return pos + 1;
  }

  /** 1 to 9 digits behind a point, to `nanoseconds`. */
  #fraction(bytes: Uint8Array, from: number, end: number): number {
    let pos = from;
    let part = 0;
    while (pos < end && pos < from + 9) {
      const digit = bytes[pos]! - ZERO;
      if (digit < 0 || digit > 9) break;
      part = part * 10 + digit;
      pos++;
    }
    const places = pos - from;
    if (places === 0) return -1;
    this.nanoseconds = places === 6 ? part * 1000 : part * 10 ** (9 - places);
    return pos;
  }

  /** An event's name: lower-case words joined by underscores. Other output of QEMU (`qemu: warning: ...`) has none. */
  #name(bytes: Uint8Array, from: number, end: number): boolean {
    let pos = from;
    let underscore = false;
    while (pos < end) {
      const byte = bytes[pos]!;
      if (byte === 0x5f) underscore = true;
      else if ((byte < 0x61 || byte > 0x7a) && (byte < ZERO || byte > 0x39)) break;
      pos++;
    }
    this.nameStart = from;
    this.nameEnd = pos;
    if (!underscore || (pos < end && bytes[pos] !== SPACE)) return false;
    while (pos < end && bytes[pos] === SPACE) pos++;
    this.argsStart = pos;
    return true;
  }
}

function digits(bytes: Uint8Array, start: number, count: number): number {
  let value = 0;
  for (let i = start; i < start + count; i++) {
    const digit = bytes[i]! - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

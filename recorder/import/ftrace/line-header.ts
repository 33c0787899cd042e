const SPACE = 0x20;
const ZERO = 0x30;
const NINE = 0x39;

/**
 * The part of a line before the event. One object is reused.
 *
 *     "            fio-385   ( 385) [001] d.h2.    22.665593: qi_submit: iotlb_inv dmar0: ..."   tracefs, with tgid
 *     "          <idle>-0     [000] d..2.     0.008000: qi_submit:            iec_inv ..."       trace-cmd report
 *     "             fio     366 [000]    20.129599:                iommu:map: IOMMU: iova=..."   perf script
 *
 * The command may hold spaces, dashes and brackets; so the line is read from the first `[cpu]` that a time follows, outwards.
 */
export class LineHeader {
  cpu = 0;
  task = 0;
  /** The time stamp: whole seconds (or 10^9 counts), and nanoseconds (or counts) below that. */
  seconds = 0;
  nanoseconds = 0;
  /** Digits after the point; 0 for raw counts. */
  fraction = 0;
  /** The event's name: `map`, `iommu:map`, `sys_ioctl`. */
  nameStart = 0;
  nameEnd = 0;
  /** Where the event's arguments begin, blanks skipped. */
  argsStart = 0;

  parse(bytes: Uint8Array, start: number, end: number): boolean {
    // Commands are printed right-aligned in 16 columns: no bracket of interest stands there behind a leading blank.
    const from = bytes[start] === SPACE && end - start > 16 ? start + 16 : start;
    for (let at = from; at < end; at++) {
      if (bytes[at] !== 0x5b) continue;
      let pos = at + 1;
      let cpu = 0;
      while (pos < end && pos < at + 8) {
        const digit = bytes[pos]! - ZERO;
        if (digit < 0 || digit > 9) break;
        cpu = cpu * 10 + digit;
        pos++;
      }
      if (pos === at + 1 || pos >= end || bytes[pos] !== 0x5d) continue;
      pos = this.#time(bytes, pos + 1, end);
      if (pos < 0) continue;
      this.cpu = cpu;
      return this.#task(bytes, start, at) && this.#name(bytes, pos, end);
    }
    return false;
  }

  /** Reads ` d..2.     0.008000:` or `    20.129599:` and returns the position behind it, -1 if it is something else. */
  #time(bytes: Uint8Array, from: number, end: number): number {
    let pos = from;
    while (pos < end && bytes[pos] === SPACE) pos++;
    const behind = this.#stamp(bytes, pos, end);
    if (behind >= 0) return behind;
    while (pos < end && bytes[pos] !== SPACE) pos++;
    while (pos < end && bytes[pos] === SPACE) pos++;
    return this.#stamp(bytes, pos, end);
  }

  /** `22.665593:`, `22.665593123:` or, by a clock that counts, `22665593123:`. */
  #stamp(bytes: Uint8Array, from: number, end: number): number {
    let pos = from;
    let whole = 0;
    while (pos < end) {
      const digit = bytes[pos]! - ZERO;
      if (digit < 0 || digit > 9) break;
      whole = whole * 10 + digit;
      pos++;
    }
    const digits = pos - from;
    if (digits === 0 || digits > 20 || pos >= end) return -1;
    if (bytes[pos] === 0x3a) return this.#count(bytes, from, pos);
    if (bytes[pos] !== 0x2e || digits > 15) return -1;
    pos++;
    const point = pos;
    let part = 0;
    while (pos < end) {
      const digit = bytes[pos]! - ZERO;
      if (digit < 0 || digit > 9) break;
      part = part * 10 + digit;
      pos++;
    }
    const places = pos - point;
    if (places === 0 || places > 9 || pos >= end || bytes[pos] !== 0x3a) return -1;
    this.seconds = whole;
    this.nanoseconds = places === 6 ? part * 1000 : part * 10 ** (9 - places);
    this.fraction = places;
    return pos + 1;
  }

  /** A raw count, split at 10^9 so that 20 digits stay exact. */
  #count(bytes: Uint8Array, from: number, to: number): number {
    const split = Math.max(from, to - 9);
    this.seconds = number(bytes, from, split);
    this.nanoseconds = number(bytes, split, to);
    this.fraction = 0;
    return to + 1;
  }

  /** `fio-385   `, `fio-385   ( 385) `, `fio     366 ` or `fio   366/367 ` before the bracket. */
  #task(bytes: Uint8Array, start: number, bracket: number): boolean {
    let pos = bracket - 1;
    while (pos > start && bytes[pos] === SPACE) pos--;
    if (bytes[pos] === 0x29) {
      while (pos > start && bytes[pos] !== 0x28) pos--;
      pos--;
      while (pos > start && bytes[pos] === SPACE) pos--;
    }
    let task = 0;
    let scale = 1;
    const last = pos;
    while (pos >= start && last - pos < 10) {
      const byte = bytes[pos]!;
      if (byte < ZERO || byte > NINE) break;
      task += (byte - ZERO) * scale;
      scale *= 10;
      pos--;
    }
    if (pos === last || pos < start || task > 0x7fffffff) return false;
    const before = bytes[pos];
    this.task = task;
    return before === 0x2d || before === SPACE || before === 0x2f;
  }

  /** ` qi_submit: ...`, `   iommu:map: ...`, ` sys_ioctl(fd: 3, ...` or ` sys_ioctl -> 0x0`. */
  #name(bytes: Uint8Array, from: number, end: number): boolean {
    let pos = from;
    while (pos < end && bytes[pos] === SPACE) pos++;
    this.nameStart = pos;
    while (pos < end && bytes[pos] !== SPACE && bytes[pos] !== 0x28) pos++;
    let nameEnd = pos;
    if (nameEnd > this.nameStart && bytes[nameEnd - 1] === 0x3a) nameEnd--;
    this.nameEnd = nameEnd;
    while (pos < end && bytes[pos] === SPACE) pos++;
    this.argsStart = pos;
    return nameEnd > this.nameStart;
  }
}

function number(bytes: Uint8Array, from: number, to: number): number {
  let value = 0;
  for (let i = from; i < to; i++) value = value * 10 + (bytes[i]! - ZERO);
  return value;
}

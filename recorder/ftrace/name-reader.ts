import type { EventOutput } from './event-output.ts';
import type { EventRecord, Extent, ExtentReader } from './event-record.ts';
import { LITTLE_HOST } from './record-words.ts';

/** What a name's reader returns where the name does not lie inside the record. */
export const NO_NAME = -2;

/** Finds a name's number by its bytes: a requester id or a string-table index, -1 where it has none; not below that. */
export type NameLookup = (out: EventOutput, bytes: Uint8Array, start: number, end: number) => number;

/** Names kept by one reader, in slots found by their last word. A power of two. */
const SLOTS = 16;
const SLOT_SHIFT = 28;
/** Words of a slot: the name's number, its length and where in a word it begins, and the words that it touches. */
const SLOT_WORDS = 16;
/** Names that touch more words are always looked up. */
const MOST_WORDS = SLOT_WORDS - 2;

const found: Extent = { start: 0, end: 0 };

/**
 * Reads a name that repeats from record to record, as devices and units do: the words that it touches are compared with what
 * stood there lately, and its bytes are gone through only if it is another.
 */
export class NameReader {
  readonly #whole: ExtentReader;
  readonly #text: ExtentReader;
  readonly #lookup: NameLookup;
  readonly #known = new Int32Array(SLOTS * SLOT_WORDS);
  #owner: EventOutput | undefined;

  /** `whole` gives the name with the NULs behind it, `text` without. */
  constructor(whole: ExtentReader, text: ExtentReader, lookup: NameLookup) {
    this.#whole = whole;
    this.#text = text;
    this.#lookup = lookup;
  }

  /** The name's number, -1 where it has none, or `NO_NAME`. */
  read(record: EventRecord, out: EventOutput): number {
    if (!this.#whole(record, found)) return NO_NAME;
    const { start, end } = found;
    const { words } = record;
    const first = start >> 2;
    const last = (end - 1) >> 2;
    const more = last - first;
    if (end <= start || more >= MOST_WORDS || last >= words.length || !LITTLE_HOST) return this.#lookUp(record, out);
    // What stands before it in its first word and behind it in its last one is another field's.
    const tail = -1 >>> ((-end & 3) << 3);
    const head = (more === 0 ? tail : -1) & (-1 << ((start & 3) << 3));
    const firstWord = words[first]! & head;
    const lastWord = more === 0 ? firstWord : words[last]! & tail;
    const key = ((end - start) << 2) | (start & 3);
    const known = this.#known;
    const at = (Math.imul(lastWord ^ key, 0x9e3779b1) >>> SLOT_SHIFT) * SLOT_WORDS;
    // Numbers are those of one trace.
    let same =
      this.#owner === out && known[at + 1] === key && known[at + 2] === firstWord && known[at + 2 + more] === lastWord;
    for (let k = 1; same && k < more; k++) same = known[at + 2 + k] === words[first + k]!;
    if (same) return known[at]!;
    if (this.#owner !== out) {
      known.fill(0);
      this.#owner = out;
    }
    const number = this.#lookUp(record, out);
    known[at] = number;
    known[at + 1] = key;
    for (let k = 1; k < more; k++) known[at + 2 + k] = words[first + k]!;
    known[at + 2] = firstWord;
    known[at + 2 + more] = lastWord;
    return number;
  }

  #lookUp(record: EventRecord, out: EventOutput): number {
    if (!this.#text(record, found)) return NO_NAME;
    return this.#lookup(out, record.bytes, found.start, found.end);
  }
}

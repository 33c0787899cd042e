import { ABSENT } from '../../traces/units.ts';
import type { EventOutput } from './event-output.ts';

interface Flag {
  readonly mask: bigint;
  readonly name: string;
}

/** Different values kept; flag fields have few. */
const MAX_VALUES = 4096;
const MAX_FLAGS = 128;

//   { (1UL << 1), "WEAK_ORDERING" }      { 0x20, "NAME" }
const FLAG = /\{\s*\(?\s*(?:(\d+)U?L{0,2}\s*<<\s*(\d+)|(0x[0-9a-fA-F]+|\d+)U?L{0,2})\s*\)?\s*,\s*"([^"]*)"\s*\}/g;

/** The list of `__print_flags(REC->NAME, "|", {...}, ...)` in a print format. */
function parseFlags(printFormat: string, field: string): readonly Flag[] {
  const head = `__print_flags(REC->${field}, "|",`;
  const from = printFormat.indexOf(head);
  if (from < 0) return [];
  const end = printFormat.indexOf('})', from);
  const list = printFormat.slice(from + head.length, end < 0 ? undefined : end + 1);
  return [...list.matchAll(FLAG)].slice(0, MAX_FLAGS).map(([, one, shift, plain, name = '']) => {
    const mask = plain === undefined ? BigInt(one ?? 1) << BigInt(Math.min(63, Number(shift))) : BigInt(plain);
    return { mask: BigInt.asUintN(64, mask), name };
  });
}

/**
 * Names of the bits of a field, as the kernel prints them: `SKIP_CPU_SYNC|NO_WARN`, what has no name as `0x40000`
 * (kernel/trace/trace_output.c, trace_print_flags_seq). Values repeat, so each becomes a string once.
 */
export class PrintFlags {
  readonly #flags: readonly Flag[];
  readonly #refs = new Map<number, number>();

  constructor(printFormat: string, field: string) {
    this.#flags = parseFlags(printFormat, field);
  }

  /** String-table index; absent if no bit is set. `hi` is the upper half of a 64-bit field. */
  ref(out: EventOutput, lo: number, hi: number): number {
    if (lo === 0 && hi === 0) return ABSENT;
    const key = (hi >>> 0) * 4294967296 + (lo >>> 0);
    const known = this.#refs.get(key);
    if (known !== undefined) return known;
    const bytes = Buffer.from(this.#text(lo, hi), 'latin1');
    const ref = out.ref(bytes, 0, bytes.length);
    // Above 2^53 the key is not exact; such values are rare.
    if (this.#refs.size < MAX_VALUES && Number.isSafeInteger(key)) this.#refs.set(key, ref);
    return ref;
  }

  #text(lo: number, hi: number): string {
    let left = (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
    const names: string[] = [];
    for (const { mask, name } of this.#flags) {
      if (mask === 0n || (left & mask) !== mask) continue;
      names.push(name);
      left &= ~mask;
    }
    if (left !== 0n) names.push(`0x${left.toString(16)}`);
    return names.join('|');
  }
}

import type { Health, HealthKind } from '../../traces/health.ts';
import { ByteTable } from './byte-table.ts';

/** First places kept per name; `Health` keeps no more. */
const PLACES = 5;

/** Counts lines by name without making a string per line, and hands the counts to a `Health` at the end. */
export class CountedNames {
  readonly #kind: HealthKind;
  readonly #table = new ByteTable(2000);
  readonly #counts: number[] = [];
  readonly #lines: number[][] = [];
  #others = 0;
  total = 0;

  constructor(kind: HealthKind) {
    this.#kind = kind;
  }

  add(bytes: Uint8Array, start: number, end: number, line: number): void {
    this.total++;
    const id = this.#table.add(bytes, start, Math.min(end, start + 64));
    if (id < 0) {
      this.#others++;
      return;
    }
    const count = (this.#counts[id] ?? 0) + 1;
    this.#counts[id] = count;
    if (count === 1) this.#lines[id] = [line];
    else if (count <= PLACES) this.#lines[id]?.push(line);
  }

  /** Adds everything to a health record; call once. */
  report(health: Health, file: string): void {
    for (let id = 0; id < this.#table.size; id++) {
      const name = printable(this.#table.text(id));
      let left = this.#counts[id] ?? 0;
      for (const line of this.#lines[id] ?? []) {
        health.add(this.#kind, name, `${file}:${line}`);
        left--;
      }
      if (left > 0) health.add(this.#kind, name, undefined, left);
    }
    if (this.#others > 0) health.add(this.#kind, '(other)', undefined, this.#others);
  }
}

/** A name as it may be shown on a terminal: control characters, and those that turn or hide text, become `?`. */
export function printable(text: string): string {
  return Array.from(text, (character) => {
    const code = character.codePointAt(0) ?? 0;
    const turns =
      (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x206f);
    return turns || code < 0x20 || (code >= 0x7f && code < 0xa0) ? '?' : character;
  }).join('');
}

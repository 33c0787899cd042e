import { ByteTable } from '../byte-table.ts';
import { ascii } from '../byte-cursor.ts';
import { LINE, beginsWith } from './device-model.ts';
import type { QemuLine } from './device-model.ts';

/** Reads one line's text into the state of its device model; returns a `LINE` value. */
export type LineParser<State> = (state: State, line: QemuLine) => number;

/** The events of a device model by name: those that are read, those known and not carried, those about interrupts. */
export class EventTable<State> {
  readonly #names = new ByteTable();
  readonly #parsers: readonly LineParser<State>[];
  readonly #interruptPrefixes: readonly Uint8Array[];
  readonly #otherwise: number;

  /** `otherwise`: the `LINE` value of events that are not named here. */
  constructor(
    parsers: Readonly<Record<string, LineParser<State>>>,
    ignored: readonly string[],
    interruptPrefixes: readonly string[] = [],
    otherwise: number = LINE.unknown,
  ) {
    this.#otherwise = otherwise;
    const skip: LineParser<State> = () => LINE.ignored;
    const names = [...Object.keys(parsers), ...ignored];
    this.#parsers = names.map((name) => {
      const bytes = ascii(name);
      this.#names.add(bytes, 0, bytes.length);
      return parsers[name] ?? skip;
    });
    this.#interruptPrefixes = interruptPrefixes.map(ascii);
  }

  parse(state: State, line: QemuLine, bytes: Uint8Array, nameStart: number, nameEnd: number): number {
    const id = this.#names.find(bytes, nameStart, nameEnd);
    if (id >= 0) return this.#parsers[id]!(state, line);
    for (const prefix of this.#interruptPrefixes) {
      if (beginsWith(bytes, nameStart, nameEnd, prefix)) return LINE.interrupt;
    }
    return this.#otherwise;
  }
}

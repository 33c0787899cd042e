/** More kinds than this are no kinds. */
export const MAX_KINDS = 8;

export interface KindMode {
  readonly value: number;
  /** 0: predict 0, 1: the row before, 2: the last row of this kind, 3: what followed the last row of this kind elsewhere. */
  readonly mode: number;
}

/** The distinct values of a column in order of first appearance; undefined if there are more than `MAX_KINDS`. */
export function distinctKinds(values: Int32Array): number[] | undefined {
  const kinds: number[] = [];
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (kinds.includes(value)) continue;
    if (kinds.length === MAX_KINDS) return undefined;
    kinds.push(value);
  }
  return kinds;
}

/** Which kind each row is of, and where the rows of each kind stand when they are grouped by kind. */
export interface KindRows {
  readonly kindOf: Uint8Array;
  /** Where each kind begins; one more element for the end. */
  readonly starts: Int32Array;
}

/** Throws `RangeError` where a row is of no listed kind. */
export function kindRows(column: Int32Array, kinds: readonly KindMode[]): KindRows {
  const n = column.length;
  const kindOf = new Uint8Array(n);
  const starts = new Int32Array(kinds.length + 1);
  // Kinds are small numbers in every stream that has them: one table look-up a row instead of a search.
  const table = new Uint8Array(256).fill(255);
  kinds.forEach(({ value }, kind) => {
    if (value >= 0 && value < 256) table[value] = kind;
  });
  for (let i = 0; i < n; i++) {
    const value = column[i]!;
    let kind = value >= 0 && value < 256 ? table[value]! : 255;
    if (kind === 255) kind = kinds.findIndex((entry) => entry.value === value);
    if (kind < 0) throw new RangeError(`no kind ${value}`);
    kindOf[i] = kind;
    starts[kind + 1]!++;
  }
  for (let kind = 1; kind <= kinds.length; kind++) starts[kind]! += starts[kind - 1]!;
  return { kindOf, starts };
}

/** What a mode takes of the row before, and of the last row of its kind: all bits or none. */
export function modeMasks(kinds: readonly KindMode[]): { readonly before: Int32Array; readonly last: Int32Array } {
  return {
    before: Int32Array.from(kinds, ({ mode }) => (mode === 1 ? -1 : 0)),
    last: Int32Array.from(kinds, ({ mode }) => (mode === 2 ? -1 : 0)),
  };
}

/** Checks that plain data of a file is what a page is about to read from it. Throws `ShapeError` at the first place where not. */
export type Shape = (value: unknown, path: string) => void;

/** What is wrong, and where: `result.designs[2].time`. */
export class ShapeError extends Error {
  readonly path: string;

  constructor(path: string, expected: string, found: unknown) {
    super(`${path}: ${expected} expected, found ${described(found)}`);
    this.name = 'ShapeError';
    this.path = path;
  }
}

/** Elements of a list, and names of a map, at most: more than any command prints, fewer than an argument list bears. */
const MOST_ELEMENTS = 100_000;

function described(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `${typeof value} ${JSON.stringify(value).slice(0, 40)}`;
}

function isRecord(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A number, or `null` for one that is not known or not finite. */
export const number: Shape = (value, path) => {
  if (value === null || (typeof value === 'number' && Number.isFinite(value))) return;
  throw new ShapeError(path, 'a number', value);
};

export const text: Shape = (value, path) => {
  if (typeof value !== 'string') throw new ShapeError(path, 'a text', value);
};

export const flag: Shape = (value, path) => {
  if (typeof value !== 'boolean') throw new ShapeError(path, 'true or false', value);
};

/** A value of a parameter. */
export const scalar: Shape = (value, path) => {
  if (typeof value !== 'string') number(value, path);
};

export function oneOf(...words: readonly string[]): Shape {
  return (value, path) => {
    if (typeof value !== 'string' || !words.includes(value)) throw new ShapeError(path, words.join(' or '), value);
  };
}

export function orNull(shape: Shape): Shape {
  return (value, path) => {
    if (value !== null) shape(value, path);
  };
}

/** A name that may be missing. */
export function optional(shape: Shape): Shape {
  return (value, path) => {
    if (value !== undefined) shape(value, path);
  };
}

export function list(shape: Shape): Shape {
  return (value, path) => {
    if (!Array.isArray(value)) throw new ShapeError(path, 'a list', value);
    if (value.length > MOST_ELEMENTS) throw new ShapeError(path, `at most ${MOST_ELEMENTS} elements`, value.length);
    value.forEach((element: unknown, i) => shape(element, `${path}[${i}]`));
  };
}

/** An object whose names are data. */
export function mapOf(shape: Shape): Shape {
  return (value, path) => {
    if (!isRecord(value)) throw new ShapeError(path, 'an object', value);
    const entries = Object.entries(value);
    if (entries.length > MOST_ELEMENTS) throw new ShapeError(path, `at most ${MOST_ELEMENTS} names`, entries.length);
    for (const [name, inner] of entries) shape(inner, `${path}.${name}`);
  };
}

/** An object with these names; others are left alone. */
export function record(names: { readonly [name: string]: Shape }): Shape {
  return (value, path) => {
    if (!isRecord(value)) throw new ShapeError(path, 'an object', value);
    for (const [name, shape] of Object.entries(names)) {
      shape(Object.hasOwn(value, name) ? value[name] : undefined, `${path}.${name}`);
    }
  };
}

/** Names of one shape: `{ ...each('hits misses', number) }`. */
export function each(names: string, shape: Shape): { readonly [name: string]: Shape } {
  return Object.fromEntries(names.split(' ').map((name) => [name, shape]));
}

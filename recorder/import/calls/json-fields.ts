import { parseHexBytes, parseHexWords, wordsOf } from './words.ts';
import type { Words } from './words.ts';

/** A field of a line that is missing or of the wrong type. Caught where lines are counted. */
export class BadField extends Error {
  readonly field: string;

  constructor(field: string) {
    super(`field ${field}`);
    this.field = field;
  }
}

/** One JSON object, read field by field; what is not as expected throws `BadField`. */
export class JsonFields {
  readonly #fields: Readonly<Record<string, unknown>>;

  private constructor(fields: Readonly<Record<string, unknown>>) {
    this.#fields = fields;
  }

  /** Undefined for a text that is no JSON object. */
  static parse(text: string): JsonFields | undefined {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return undefined;
    }
    return isObject(value) ? new JsonFields(value) : undefined;
  }

  get(name: string): unknown {
    return Object.hasOwn(this.#fields, name) ? this.#fields[name] : undefined;
  }

  /** A safe integer. */
  integer(name: string): number {
    const value = this.get(name);
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw new BadField(name);
    return value;
  }

  /** As `integer`, `otherwise` where there is no such field. */
  integerOr(name: string, otherwise: number): number {
    const value = this.get(name);
    return value === undefined || value === null ? otherwise : this.integer(name);
  }

  /** A number that fits 32 bits, signed or not, as an int32. */
  int32(name: string): number {
    const value = this.integer(name);
    if (value < -0x80000000 || value > 0xffffffff) throw new BadField(name);
    return value | 0;
  }

  text(name: string): string {
    const value = this.get(name);
    if (typeof value !== 'string') throw new BadField(name);
    return value;
  }

  textOr(name: string, otherwise: string): string {
    return this.get(name) === undefined ? otherwise : this.text(name);
  }

  /** A hexadecimal text or an integer. */
  words(name: string): Words {
    return toWords(this.get(name), name);
  }

  wordsList(name: string, limit: number): Words[] {
    return this.list(name, limit).map((value) => toWords(value, name));
  }

  list(name: string, limit: number): readonly unknown[] {
    const value = this.get(name);
    if (value === undefined) return [];
    if (!Array.isArray(value) || value.length > limit) throw new BadField(name);
    return value;
  }

  objects(name: string, limit: number): JsonFields[] {
    return this.list(name, limit).map((value) => {
      if (!isObject(value)) throw new BadField(name);
      return new JsonFields(value);
    });
  }

  /** Bytes of a hexadecimal text; null where the field is null, undefined where it is missing. */
  bytes(name: string): Uint8Array | null | undefined {
    const value = this.get(name);
    if (value === undefined || value === null) return value;
    const bytes = typeof value === 'string' ? parseHexBytes(value) : undefined;
    if (bytes === undefined) throw new BadField(name);
    return bytes;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function toWords(value: unknown, name: string): Words {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return wordsOf(value);
  const words = typeof value === 'string' ? parseHexWords(value) : undefined;
  if (words === undefined) throw new BadField(name);
  return words;
}

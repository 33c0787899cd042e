import { createHmac } from 'node:crypto';

/** Numbers and names that follow from a key: the same key and input give the same, and without the key nothing can be told. */
export class Keyed {
  readonly #key: string;

  constructor(key: string) {
    this.#key = key;
  }

  /** 48 bits. */
  number(what: string, value: string | number): number {
    return this.#digest(what, value).readUIntBE(0, 6);
  }

  /** `PREFIX-` and 40 bits in hexadecimal. */
  name(prefix: string, value: string): string {
    return `${prefix}-${this.#digest(prefix, value).toString('hex', 0, 5)}`;
  }

  #digest(what: string, value: string | number): Buffer {
    return createHmac('sha256', this.#key).update(`${what}\0${value}`).digest();
  }
}

/**
 * The kernel's own description of its types and functions (Documentation/bpf/btf.rst, include/uapi/linux/btf.h): /sys/kernel/btf/vmlinux,
 * and one file for each module, which goes on where that ends. Untrusted like any file: every length is checked.
 */

const MAGIC = 0xeb9f;
const HEADER_BYTES = 24;
const MAX_BYTES = 256 * 1024 * 1024;
const MAX_TYPES = 4_000_000;
/** Typedefs and qualifiers on top of each other, structs within structs. */
const MAX_DEPTH = 32;

const KIND = {
  int: 1,
  pointer: 2,
  array: 3,
  struct: 4,
  union: 5,
  enum: 6,
  forward: 7,
  typedef: 8,
  volatile: 9,
  const: 10,
  restrict: 11,
  function: 12,
  prototype: 13,
  variable: 14,
  section: 15,
  float: 16,
  declarationTag: 17,
  typeTag: 18,
  enum64: 19,
} as const;
const LAST_KIND = KIND.enum64;

/** Bytes behind the 12 of a type's head: for all of it, and for each of its parts. */
const EXTRA: readonly (readonly [number, number])[] = [
  [0, 0],
  [4, 0],
  [0, 0],
  [12, 0],
  [0, 12],
  [0, 12],
  [0, 8],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 8],
  [4, 0],
  [0, 12],
  [0, 0],
  [4, 0],
  [0, 0],
  [0, 12],
];
const QUALIFIERS: ReadonlySet<number> = new Set([KIND.typedef, KIND.volatile, KIND.const, KIND.restrict, KIND.typeTag]);

/** A function's parameter: `domain`, `struct iommu_domain *`. */
export interface BtfParameter {
  readonly name: string;
  readonly type: string;
}

export class Btf {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #base: Btf | undefined;
  /** Where each type begins; type 0 is void. */
  readonly #offsets: Uint32Array;
  readonly #firstId: number;
  readonly #strings: number;
  readonly #stringBytes: number;
  readonly #firstString: number;

  private constructor(bytes: Uint8Array, base: Btf | undefined, offsets: Uint32Array, strings: number, length: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#base = base;
    this.#offsets = offsets;
    this.#firstId = base === undefined ? 1 : base.#firstId + base.#offsets.length;
    this.#strings = strings;
    this.#stringBytes = length;
    this.#firstString = base === undefined ? 0 : base.#firstString + base.#stringBytes;
  }

  /** Undefined for what is no BTF of this machine's byte order, or damaged. `base`: the kernel's, for a module's. */
  static parse(bytes: Uint8Array, base?: Btf): Btf | undefined {
    if (bytes.length < HEADER_BYTES || bytes.length > MAX_BYTES) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (view.getUint16(0, true) !== MAGIC || view.getUint8(2) !== 1) return undefined;
    const head = view.getUint32(4, true);
    const types = head + view.getUint32(8, true);
    const typesEnd = types + view.getUint32(12, true);
    const strings = head + view.getUint32(16, true);
    const length = view.getUint32(20, true);
    if (head < HEADER_BYTES || typesEnd > bytes.length || strings + length > bytes.length) return undefined;
    // Each text ends within the part.
    if (length === 0 || bytes[strings + length - 1] !== 0) return undefined;
    const offsets: number[] = [];
    let at = types;
    while (at < typesEnd) {
      if (at + 12 > typesEnd || offsets.length >= MAX_TYPES) return undefined;
      const info = view.getUint32(at + 4, true);
      const kind = (info >>> 24) & 0x1f;
      if (kind === 0 || kind > LAST_KIND) return undefined;
      offsets.push(at);
      const [whole, each] = EXTRA[kind] ?? [0, 0];
      at += 12 + whole + each * (info & 0xffff);
    }
    return at === typesEnd ? new Btf(bytes, base, Uint32Array.from(offsets), strings, length) : undefined;
  }

  get types(): number {
    return this.#offsets.length;
  }

  /** Parameters of a function; undefined where there is none of that name. */
  parameters(name: string): readonly BtfParameter[] | undefined {
    const func = this.#find(name, KIND.function);
    if (func === undefined) return undefined;
    const proto = this.#locate(this.#view.getUint32(func + 8, true));
    if (proto === undefined || proto.btf.#kind(proto.at) !== KIND.prototype) return undefined;
    return proto.btf.#parts(proto.at, 8, (at, { view }) => ({
      name: proto.btf.#text(view.getUint32(at, true)),
      type: proto.btf.#typeText(view.getUint32(at + 4, true), 0),
    }));
  }

  /** Bytes from the start of a struct to a field; `path` goes on into structs that are part of it. Undefined where there is none. */
  offset(struct: string, ...path: readonly string[]): number | undefined {
    let found: { readonly btf: Btf; readonly at: number } | undefined = this.#struct(struct);
    let sum = 0;
    for (const name of path) {
      if (found === undefined) return undefined;
      const field: { offset: number; type: number } | undefined = found.btf.#field(found.at, name, 0);
      if (field === undefined) return undefined;
      sum += field.offset;
      found = found.btf.#plain(field.type);
    }
    return sum;
  }

  #struct(name: string): { readonly btf: Btf; readonly at: number } | undefined {
    const at = this.#find(name, KIND.struct);
    if (at !== undefined) return { btf: this, at };
    const base = this.#base;
    return base === undefined ? undefined : base.#struct(name);
  }

  /** A field, of unnamed parts too. Bit fields are none: they have no address. */
  #field(struct: number, name: string, depth: number): { offset: number; type: number } | undefined {
    const flagged = this.#view.getUint32(struct + 4, true) >>> 31 === 1;
    const kind = this.#kind(struct);
    if ((kind !== KIND.struct && kind !== KIND.union) || depth > MAX_DEPTH) return undefined;
    let found: { offset: number; type: number } | undefined;
    this.#parts(struct, 12, (at) => {
      const type = this.#view.getUint32(at + 4, true);
      const raw = this.#view.getUint32(at + 8, true);
      const bits = flagged ? raw & 0xffffff : raw;
      if (found !== undefined || (flagged && raw >>> 24 !== 0) || bits % 8 !== 0) return;
      const own = this.#text(this.#view.getUint32(at, true));
      if (own === name) found = { offset: bits / 8, type };
      if (own !== '') return;
      const inner = this.#plain(type);
      // What a module's own types refer to in the kernel's is the kernel's throughout.
      const within = inner === undefined ? undefined : inner.btf.#field(inner.at, name, depth + 1);
      if (within !== undefined) found = { offset: bits / 8 + within.offset, type: within.type };
    });
    return found;
  }

  /** Without typedefs and qualifiers. */
  #plain(id: number): { readonly btf: Btf; readonly at: number } | undefined {
    let at = this.#locate(id);
    for (let depth = 0; at !== undefined && QUALIFIERS.has(at.btf.#kind(at.at)); depth++) {
      if (depth > MAX_DEPTH) return undefined;
      at = at.btf.#locate(at.btf.#view.getUint32(at.at + 8, true));
    }
    return at;
  }

  #locate(id: number): { readonly btf: Btf; readonly at: number } | undefined {
    const base = this.#base;
    if (id < this.#firstId) return base === undefined ? undefined : base.#locate(id);
    const at = this.#offsets[id - this.#firstId];
    return at === undefined ? undefined : { btf: this, at };
  }

  #typeText(id: number, depth: number): string {
    if (id === 0) return 'void';
    const found = this.#locate(id);
    if (found === undefined || depth > MAX_DEPTH) return '?';
    const { btf, at } = found;
    const name = btf.#text(btf.#view.getUint32(at, true));
    const target = btf.#view.getUint32(at + 8, true);
    switch (btf.#kind(at)) {
      case KIND.struct:
        return `struct ${name}`;
      case KIND.union:
        return `union ${name}`;
      case KIND.enum:
      case KIND.enum64:
        return `enum ${name}`;
      case KIND.forward:
        return `struct ${name}`;
      case KIND.pointer:
        return `${btf.#typeText(target, depth + 1)} *`.replaceAll('* *', '**');
      case KIND.const:
        return `const ${btf.#typeText(target, depth + 1)}`;
      case KIND.volatile:
      case KIND.restrict:
      case KIND.typeTag:
        return btf.#typeText(target, depth + 1);
      default:
        return name === '' ? '?' : name;
    }
  }

  #kind(at: number): number {
    return (this.#view.getUint32(at + 4, true) >>> 24) & 0x1f;
  }

  #parts<T>(at: number, bytes: number, read: (at: number, of: { readonly view: DataView }) => T): T[] {
    const count = this.#view.getUint32(at + 4, true) & 0xffff;
    const of = { view: this.#view };
    return Array.from({ length: count }, (_, i) => read(at + 12 + i * bytes, of));
  }

  #text(offset: number): string {
    const base = this.#base;
    if (offset < this.#firstString) return base === undefined ? '' : base.#text(offset);
    const from = this.#strings + offset - this.#firstString;
    if (offset - this.#firstString >= this.#stringBytes) return '';
    const end = this.#bytes.indexOf(0, from);
    return Buffer.from(this.#bytes.subarray(from, end)).toString('latin1');
  }

  /** Where a type of this kind and name begins, in this file alone. */
  #find(name: string, kind: number): number | undefined {
    const wanted = Buffer.from(`${name}\0`, 'latin1');
    const bytes = Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
    for (const at of this.#offsets) {
      if (this.#kind(at) !== kind) continue;
      const offset = this.#view.getUint32(at, true);
      if (offset < this.#firstString) {
        if (this.#text(offset) === name) return at;
        continue;
      }
      const from = this.#strings + offset - this.#firstString;
      if (from + wanted.length <= this.#strings + this.#stringBytes) {
        if (bytes.compare(wanted, 0, wanted.length, from, from + wanted.length) === 0) return at;
      }
    }
    return undefined;
  }
}

/**
 * Just enough of an assembler to write WebAssembly functions as expressions: each function here returns the bytes of one
 * instruction after those of its operands. WebAssembly Core Specification 2.0, 5.4 (instructions) and 5.5 (modules). Parts stay in
 * parts until a module is made: to copy an operand into each expression around it takes longer than all else at the start.
 */
export type Code = readonly (number | Code)[];
export type ValueType = 'i32' | 'i64' | 'f64' | 'v128';

const TYPE = { i32: 0x7f, i64: 0x7e, f64: 0x7c, v128: 0x7b } as const;
const VOID = 0x40;
const FUNCTION = 0x60;
const END = 0x0b;
const SIMD = 0xfd;
/** Magic number and version. */
const HEADER = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

/** All bytes of a code behind those of `out`. */
function flat(code: Code, out: number[] = []): number[] {
  for (const part of code) {
    if (typeof part === 'number') out.push(part);
    else flat(part, out);
  }
  return out;
}

/** An unsigned number in LEB128. */
function leb(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...leb(value >>> 7)];
}

/** A signed number in LEB128. */
function signed32(value: number): number[] {
  const low = value & 127;
  const rest = value >> 7;
  const last = (rest === 0 && low < 64) || (rest === -1 && low >= 64);
  return last ? [low] : [low | 128, ...signed32(rest)];
}

function signed64(value: bigint): number[] {
  if (value === BigInt.asIntN(32, value)) return signed32(Number(value));
  return [Number(value & 127n) | 128, ...signed64(value >> 7n)];
}

const operation =
  (...opcode: Code) =>
  (...operands: readonly Code[]): Code => [...operands, ...opcode];

/** A load or store, its operands first. `align` is log2 of its bytes. */
const access =
  (opcode: Code, align: number) =>
  (offset: number, ...operands: readonly Code[]): Code => [...operands, ...opcode, align, ...leb(offset)];

export const get = (local: number): Code => [0x20, ...leb(local)];
export const set = (local: number, value: Code): Code => [value, 0x21, ...leb(local)];
export const tee = (local: number, value: Code): Code => [value, 0x22, ...leb(local)];
export const call = (target: number, ...operands: readonly Code[]): Code => [...operands, 0x10, ...leb(target)];

/** Jumps leave (`block`) or repeat (`loop`) the frame so many levels out; `when` is one of them too. */
export const block = (...body: readonly Code[]): Code => [0x02, VOID, ...body, END];
export const loop = (...body: readonly Code[]): Code => [0x03, VOID, ...body, END];
export const when = (condition: Code, ...body: readonly Code[]): Code => [condition, 0x04, VOID, ...body, END];
/** As `when`, with what is done otherwise. */
export const either = (condition: Code, then: readonly Code[], otherwise: readonly Code[]): Code => [
  condition,
  0x04,
  VOID,
  ...then,
  0x05,
  ...otherwise,
  END,
];
/** The first value where the condition holds, else the second; both are computed. */
export const select = (first: Code, second: Code, condition: Code): Code => [first, second, condition, 0x1b];
export const jump = (levels: number): Code => [0x0c, ...leb(levels)];
export const leave: Code = [0x0f];
export const jumpIf = (levels: number, condition: Code): Code => [condition, 0x0d, ...leb(levels)];

export const i32 = {
  of: (value: number): Code => [0x41, ...signed32(value | 0)],
  load: access([0x28], 2),
  load8U: access([0x2d], 0),
  load16U: access([0x2f], 0),
  /** Of any address, as the next two. */
  loadAny: access([0x28], 0),
  store: access([0x36], 2),
  storeAny: access([0x36], 0),
  store8: access([0x3a], 0),
  store16: access([0x3b], 0),
  eqz: operation(0x45),
  eq: operation(0x46),
  ne: operation(0x47),
  ltS: operation(0x48),
  ltU: operation(0x49),
  gtU: operation(0x4b),
  leU: operation(0x4d),
  geU: operation(0x4f),
  clz: operation(0x67),
  add: operation(0x6a),
  sub: operation(0x6b),
  mul: operation(0x6c),
  remU: operation(0x70),
  and: operation(0x71),
  or: operation(0x72),
  xor: operation(0x73),
  shl: operation(0x74),
  shrS: operation(0x75),
  shrU: operation(0x76),
  wrap: operation(0xa7),
};

export const i64 = {
  of: (value: bigint): Code => [0x42, ...signed64(BigInt.asIntN(64, value))],
  load: access([0x29], 3),
  load32U: access([0x35], 2),
  loadAny: access([0x29], 0),
  store: access([0x37], 3),
  storeAny: access([0x37], 0),
  eqz: operation(0x50),
  eq: operation(0x51),
  ne: operation(0x52),
  ltU: operation(0x54),
  leU: operation(0x58),
  ctz: operation(0x7a),
  add: operation(0x7c),
  sub: operation(0x7d),
  and: operation(0x83),
  or: operation(0x84),
  xor: operation(0x85),
  shl: operation(0x86),
  shrU: operation(0x88),
  extendU: operation(0xad),
  /** Of a double below 2^63. */
  truncate: operation(0xb1),
};

export const f64 = {
  of: (value: number): Code => [0x44, ...new Uint8Array(Float64Array.of(value).buffer)],
  load: access([0x2b], 3),
  store: access([0x39], 3),
  gt: operation(0x64),
  neg: operation(0x9a),
  add: operation(0xa0),
  mul: operation(0xa2),
  ofI32: operation(0xb7),
  ofI64: operation(0xb9),
  ofU64: operation(0xba),
};

const lanes = (bytes: readonly number[], one: Code, two: Code): Code => [one, two, SIMD, 0x0d, ...bytes];

export const v128 = {
  load: access([SIMD, 0x00], 4),
  loadAny: access([SIMD, 0x00], 0),
  store: access([SIMD, 0x0b], 4),
  storeAny: access([SIMD, 0x0b], 0),
  /** Four or eight bytes into the low lanes, zeros into the others. */
  loadLow32: access([SIMD, 0x5c], 0),
  loadLow64: access([SIMD, 0x5d], 0),
  /** Bytes of both, numbered from 0 to 31, in this order. */
  shuffle: lanes,
  /** Bytes of the first, numbered by those of the second. */
  swizzle: operation(SIMD, 0x0e),
  splat8: operation(SIMD, 0x0f),
  splat32: operation(SIMD, 0x11),
  splat64: operation(SIMD, 0x12),
  equal8: operation(SIMD, 0x23),
  equal32: operation(SIMD, 0x37),
  not: operation(SIMD, 0x4d),
  and: operation(SIMD, 0x4e),
  or: operation(SIMD, 0x50),
  xor: operation(SIMD, 0x51),
  any: operation(SIMD, 0x53),
  /** The low half, each lane twice as wide. */
  widen8: operation(SIMD, 0x89, 0x01),
  widen16: operation(SIMD, 0xa9, 0x01),
  /** The high half. */
  widenHigh16: operation(SIMD, 0xaa, 0x01),
  /** Two doubles of the integers in the low half. */
  doubles: operation(SIMD, 0xfe, 0x01),
  negate32: operation(SIMD, 0xa1, 0x01),
  all32: operation(SIMD, 0xa3, 0x01),
  all8: operation(SIMD, 0x63),
  shl32: operation(SIMD, 0xab, 0x01),
  shrS32: operation(SIMD, 0xac, 0x01),
  shrU32: operation(SIMD, 0xad, 0x01),
  add32: operation(SIMD, 0xae, 0x01),
  bitmask8: operation(SIMD, 0x64),
  bitmask64: operation(SIMD, 0xc4, 0x01),
  add64: operation(SIMD, 0xce, 0x01),
  sub64: operation(SIMD, 0xd1, 0x01),
  gtS64: operation(SIMD, 0xd9, 0x01),
  lane32: (lane: number, vector: Code): Code => [vector, SIMD, 0x1b, lane],
  lane64: (lane: number, vector: Code): Code => [vector, SIMD, 0x1d, lane],
};

/** A function while it is written: parameters first, then its locals in the order in which they are asked for. */
export class FunctionCode {
  readonly parameters: readonly ValueType[];
  readonly result: ValueType | undefined;
  readonly #locals: ValueType[] = [];
  body: Code = [];

  constructor(parameters: readonly ValueType[], result?: ValueType) {
    this.parameters = parameters;
    this.result = result;
  }

  local(type: ValueType): number {
    this.#locals.push(type);
    return this.parameters.length + this.#locals.length - 1;
  }

  /** Type as the module's first section has it. */
  get type(): Code {
    return typeOf(this.parameters, this.result);
  }

  get bytes(): Code {
    const locals = this.#locals.flatMap((type) => [1, TYPE[type]]);
    const content = flat([...leb(this.#locals.length), ...locals, this.body, END]);
    return [...leb(content.length), ...content];
  }
}

function typeOf(parameters: readonly ValueType[], result: ValueType | undefined): Code {
  const results = result === undefined ? [0] : [1, TYPE[result]];
  return [FUNCTION, ...leb(parameters.length), ...parameters.map((type) => TYPE[type]), ...results];
}

function text(value: string): number[] {
  return [...leb(value.length), ...new TextEncoder().encode(value)];
}

function section(id: number, entries: readonly Code[]): number[] {
  const content = flat([...leb(entries.length), ...entries]);
  return [id, ...leb(content.length), ...content];
}

/** What a module takes from outside: functions, numbered from 0 on before its own, and its memory of at most 2 GiB, shared or not. */
export interface Imports {
  readonly functions: readonly {
    readonly name: string;
    readonly parameters: readonly ValueType[];
    readonly result: ValueType;
  }[];
  readonly memory: string;
  readonly shared: boolean;
}

const MOST_PAGES = 32768;
/** Limits of a memory that has a maximum, by whether it is shared. */
const LIMITED = 1;
const SHARED = 3;

/** A module of functions, of which all named ones are exported. Everything is imported from the module `env`. */
export function moduleOf(
  imports: Imports,
  functions: readonly { readonly name?: string; readonly code: FunctionCode }[],
): Uint8Array<ArrayBuffer> {
  const from = text('env');
  const outside = imports.functions.length;
  const types = [
    ...imports.functions.map(({ parameters, result }) => typeOf(parameters, result)),
    ...functions.map(({ code }) => code.type),
  ];
  const imported = imports.functions.map(({ name }, i) => [...from, ...text(name), 0, ...leb(i)]);
  const memory = [
    ...from,
    ...text(imports.memory),
    2,
    imports.shared ? SHARED : LIMITED,
    ...leb(1),
    ...leb(MOST_PAGES),
  ];
  const exported = functions.flatMap(({ name }, i) =>
    name === undefined ? [] : [[...text(name), 0, ...leb(outside + i)]],
  );
  return new Uint8Array([
    ...HEADER,
    ...section(1, types),
    ...section(2, [...imported, memory]),
    ...section(
      3,
      functions.map((_, i) => leb(outside + i)),
    ),
    ...section(7, exported),
    ...section(
      10,
      functions.map(({ code }) => code.bytes),
    ),
  ]);
}
